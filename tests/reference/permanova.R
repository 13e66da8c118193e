# Writes permanova.csv: values of R's vegan for tests/stats/test_permanova.py and test_dispersion.py. Run in this folder: Rscript permanova.R
# Debian: apt-get install r-base-core r-cran-vegan r-cran-permute
suppressMessages({library(vegan); library(permute)})
set.seed(4)

rows <- data.frame()
told <- function(x) paste(formatC(as.numeric(x), digits = 15, format = "g", width = 1), collapse = " ")
say <- function(statistic, d, value, ...) {  # further arguments: a factor's codes each, one a sample
  factors <- paste(sapply(list(...), told), collapse = "; ")
  rows <<- rbind(rows, data.frame(statistic, distances = told(d), factors = factors, value = told(value)))
}
# every permutation but the observed one: vegan adds that itself
every <- function(n, control) { control[["maxperm"]] <- 1e5; matrix(allPerms(n, control), ncol = n) }
p_of <- function(table, term, perms) c(round(table[term, "Pr(>F)"] * (nrow(perms) + 1)), nrow(perms) + 1)

counts <- function(samples, taxa) matrix(rnbinom(samples * taxa, mu = 20, size = 0.6), samples)
measured <- function(table, method = "bray") { d <- vegdist(table, method); d[] <- round(d, 3); d }
paired <- function(patients, taxa) {  # samples of a patient follow each other
  own <- matrix(rgamma(patients * taxa, 0.6), patients)[rep(seq_len(patients), each = 2), ]
  matrix(rpois(length(own), 30 * own * exp(rnorm(length(own), 0, 0.4))), nrow(own))
}

# one factor, samples permuted freely: all 5 040 permutations of seven samples
for (g in list(c(1, 1, 1, 2, 2, 2, 2), c(1, 1, 2, 2, 3, 3, 3))) for (method in c("bray", "euclidean")) {
  d <- measured(counts(7, 6), method)
  perms <- every(7, how())
  a <- adonis2(d ~ factor(g), permutations = perms)
  say("one factor", d, c(a[1, "F"], a[1, "R2"]), g)
  say("exact p of one factor", d, p_of(a, 1, perms), g)
}
# several factors, one after the other, and their interaction as a third
for (method in c("bray", "jaccard")) {
  d <- measured(counts(12, 8), method)
  a <- c(1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3); b <- c(1, 2, 1, 2, 1, 2, 2, 2, 1, 1, 1, 2)
  t <- adonis2(d ~ factor(a) + factor(b), by = "terms", permutations = 0)
  say("two factors", d, c(t[1:2, "F"], t[1:2, "R2"]), a, b)
  t <- adonis2(d ~ factor(a) * factor(b), by = "terms", permutations = 0)
  say("two factors and their interaction", d, c(t[1:3, "F"], t[1:3, "R2"]), a, b, 2 * a + b)
}
# before and after change places inside patients
for (n in c(5, 7)) {
  d <- measured(paired(n, 9))
  patient <- rep(seq_len(n), each = 2); time <- rep(1:2, n)
  perms <- every(2 * n, how(blocks = factor(patient), within = Within(type = "free")))
  t <- adonis2(d ~ factor(patient) + factor(time), by = "terms", permutations = perms)
  say("time", d, c(t[2, "F"], t[2, "R2"]), patient, time)
  say("exact p of time", d, p_of(t, 2, perms), patient, time)
}
# whole patients permuted; the spread between patients of equal response is what the response is held against
for (responders in 2:3) {
  n <- 6
  d <- measured(paired(n, 9))
  patient <- rep(seq_len(n), each = 2); time <- rep(1:2, n); response <- rep(seq_len(n) <= responders, each = 2) + 0
  t <- adonis2(d ~ factor(response) + factor(patient), by = "terms", permutations = 0)
  f <- t[1, "SumOfSqs"] / (t[2, "SumOfSqs"] / t[2, "Df"])
  perms <- every(2 * n, how(plots = Plots(factor(patient), type = "free"), within = Within(type = "none")))
  free <- adonis2(d ~ factor(response), permutations = perms)
  say("response", d, c(f, t[1, "R2"]), patient, response)
  say("exact p of response", d, p_of(free, 1, perms), patient, response)
  interaction <- function(response) {
    t <- adonis2(d ~ factor(patient) + factor(time) + factor(time):factor(response), by = "terms", permutations = 0)
    c(t[3, "F"], t[3, "R2"])
  }
  seen <- interaction(response)
  ways <- combn(n, responders, function(chosen) interaction(patient %in% chosen + 0)[1])
  say("response x time", d, seen, patient, time, response)
  say("exact p of response x time", d, c(sum(ways >= seen[1] - 1e-9), length(ways)), patient, time, response)
}
# distance of each sample to its group's centroid; the last table has a negative squared distance
spread <- function(d, g) suppressWarnings(betadisper(d, factor(g), type = "centroid"))$distances
for (method in c("euclidean", "bray")) {
  d <- measured(counts(9, 12), method)
  g <- c(1, 1, 1, 1, 2, 2, 2, 2, 2)
  say("distances to centroids", d, spread(d, g), g)
}
d <- as.dist(matrix(0, 4, 4))
d[] <- c(1, 1, 1, 5, 5, 5)  # three ends five apart, each one step from the first sample
say("distances to centroids", d, spread(d, rep(1, 4)), rep(1, 4))

say("versions", 0, as.numeric(unlist(packageVersion("vegan"))))
write.csv(rows, "permanova.csv", row.names = FALSE, quote = FALSE)
