# Writes community.csv: values of R's vegan, phyloseq and GUniFrac for tests/stats/test_unifrac.py, tests/change/test_metrics.py
# and tests/change/test_distances.py. Run in this folder: Rscript community.R
# Debian: apt-get install r-base-core r-cran-vegan r-bioc-phyloseq r-cran-gunifrac
suppressMessages({library(vegan); library(phyloseq); library(GUniFrac); library(ape)})
set.seed(11)

rows <- data.frame()
told <- function(x) paste(formatC(as.numeric(x), digits = 15, format = "g", width = 1), collapse = " ")
matrix_told <- function(x) paste(apply(as.matrix(x), 1, told), collapse = "; ")  # a row a sample
# distances and coordinates: the lower triangle by column, as as.vector(as.dist(.)) has it
say <- function(statistic, table, value, further = "") {
  rows <<- rbind(rows, data.frame(statistic, table = matrix_told(table), further, value = told(value)))
}
lower <- function(d) as.vector(as.dist(as.matrix(d)))
reads <- function(samples, taxa, size = 0.4) {
  table <- matrix(rnbinom(samples * taxa, mu = 30, size = size), samples)
  table[, 1] <- table[, 1] + 1  # no empty sample
  colnames(table) <- paste0("t", seq_len(taxa)); rownames(table) <- paste0("s", seq_len(samples))
  table
}
shares <- function(table) table / rowSums(table)
pairwise <- function(table, measure) {  # of the taxa that are seen in either of the two
  lower(outer(seq_len(nrow(table)), seq_len(nrow(table)), Vectorize(function(i, j) {
    if (i == j) return(0)
    pair <- table[c(i, j), ]
    as.numeric(measure(pair[, colSums(pair) > 0, drop = FALSE]))
  })))
}
halved <- function(pair) {  # zeros: half the smallest share seen in the pair, at most 1 / (2 x parts); the others scaled down
  delta <- min(pair[pair > 0] / 2, 0.5 / ncol(pair))
  pair * (1 - delta * rowSums(pair == 0)) + delta * (pair == 0)
}

for (size in list(c(5, 9), c(8, 30), c(12, 6))) {
  table <- reads(size[1], size[2])
  say("bray_curtis", table, lower(vegdist(shares(table), "bray")))
  say("jaccard", table, lower(vegdist(table, "jaccard", binary = TRUE)))
  say("robust_aitchison", table, lower(vegdist(table, "robust.aitchison")))
  say("aitchison of counts", table, pairwise(shares(table) * 200, function(pair) vegdist(pair, "aitchison", pseudocount = 0.5)), 200)
  say("aitchison of shares", table, pairwise(shares(table), function(pair) vegdist(halved(pair), "aitchison")))
  d <- vegdist(shares(table), "bray")
  axes <- cmdscale(d, k = 2, eig = TRUE)
  say("coordinates", table, abs(axes$points))
  say("variance explained", table, (axes$eig / sum(axes$eig))[1:2])
  groups <- rep_len(c(1, 2, 2), nrow(table))
  f_of <- function(d) { a <- adonis2(d ~ factor(groups), permutations = 0); c(a[1, "F"], a[1, "R2"]) }
  for (method in c("jaccard", "robust.aitchison")) {
    d <- vegdist(table, method, binary = method == "jaccard")
    say(paste("F of", sub(".", "_", method, fixed = TRUE)), table, f_of(d), told(groups))
  }
}

# a rooted tree: a part of its tips is seen; branches of length 0; a ladder; a root of one child is no matter of these packages
trees <- list(rtree(12), rtree(40), stree(7, "left"), rcoal(9))
trees[[2]]$edge.length[sample(nrow(trees[[2]]$edge), 10)] <- 0
trees[[3]]$edge.length <- round(runif(nrow(trees[[3]]$edge)), 3)
for (tree in trees) {
  table <- reads(6, length(tree$tip.label))
  tree$tip.label <- sample(colnames(table))
  tree$edge.length <- round(tree$edge.length, 4)
  newick <- write.tree(tree)
  both <- phyloseq(otu_table(table, taxa_are_rows = FALSE), phy_tree(tree))
  say("unweighted", table, lower(UniFrac(both, weighted = FALSE)), newick)
  say("weighted", table, lower(UniFrac(both, weighted = TRUE, normalized = FALSE)), newick)
  say("normalized", table, lower(UniFrac(both, weighted = TRUE, normalized = TRUE)), newick)
  general <- GUniFrac(table, tree, alpha = c(0, 0.3, 0.5, 1))$unifracs
  for (alpha in c(0, 0.3, 0.5, 1)) say(paste("generalized", alpha), table, lower(general[, , paste0("d_", alpha)]), newick)
  say("unweighted", table, lower(general[, , "d_UW"]), newick)
  groups <- c(1, 1, 1, 2, 2, 2)
  a <- adonis2(as.dist(general[, , "d_0.5"]) ~ factor(groups), permutations = 0)
  say("F of generalized", table, c(a[1, "F"], a[1, "R2"]), newick)
}
versions <- paste("R", getRversion(), "vegan", packageVersion("vegan"), "phyloseq", packageVersion("phyloseq"),
  "GUniFrac", packageVersion("GUniFrac"), "ape", packageVersion("ape"))
rows <- rbind(rows, data.frame(statistic = "versions", table = "", further = "", value = versions))
write.csv(rows, "community.csv", row.names = FALSE)
