# Writes diversity.csv: values of R's vegan for tests/features/test_diversity.py. Run in this folder: Rscript diversity.R
# Debian: apt-get install r-base-core r-cran-vegan
suppressMessages(library(vegan))
set.seed(11)

rows <- data.frame()
told <- function(x) paste(formatC(as.numeric(x), digits = 15, format = "g", width = 1), collapse = " ")
say <- function(measure, counts, depth, value) {
  rows <<- rbind(rows, data.frame(measure, counts = told(counts), depth, value = told(value)))
}

samples <- list(
  c(10, 1, 1, 1, 2, 2, 5, 40, 3, 100), c(1, 1, 1, 7, 8, 9, 30), c(50, 50, 50, 50), c(2, 2, 2, 2, 20),
  rnbinom(60, mu = 30, size = 0.4), rnbinom(300, mu = 60, size = 0.25)
)
for (counts in samples) {
  n <- sum(counts)
  say("observed_taxa", counts, n, specnumber(counts))
  say("shannon", counts, n, diversity(counts))
  say("simpson", counts, n, diversity(counts, "simpson"))
  say("inverse_simpson", counts, n, diversity(counts, "invsimpson"))
  say("pielou", counts, n, diversity(counts) / log(specnumber(counts)))
  estimated <- estimateR(counts)
  say("chao1", counts, n, estimated["S.chao1"])
  say("ace", counts, n, estimated["S.ACE"])
  say("fisher_alpha", counts, n, fisher.alpha(counts))
  for (share in c(0.1, 0.5, 0.9)) {
    depth <- round(share * n)
    say("observed_taxa", counts, depth, suppressWarnings(rarefy(counts, depth)))
  }
}
say("versions", 0, 0, as.numeric(sub("-", "", gsub("\\.", "", as.character(packageVersion("vegan"))))))
write.csv(rows, "diversity.csv", row.names = FALSE)
