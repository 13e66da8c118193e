# Writes procrustes.csv: values of R's vegan for tests/change/test_procrustes.py. Run in this folder: Rscript procrustes.R
# Debian: apt-get install r-base-core r-cran-vegan r-cran-permute
suppressMessages({library(vegan); library(permute)})
set.seed(7)

rows <- data.frame()
told <- function(x) paste(formatC(as.numeric(x), digits = 15, format = "g", width = 1), collapse = " ")
matrix_told <- function(x) paste(apply(as.matrix(x), 1, told), collapse = "; ")  # a row a patient
say <- function(statistic, first, second, value) {
  rows <<- rbind(rows, data.frame(statistic, first = matrix_told(first), second = matrix_told(second), value = told(value)))
}
rounded <- function(n, axes, spread = 1) matrix(round(rnorm(n * axes, 0, spread), 3), n)

# the fit alone: maps of two axes, of unlike size, far from the origin, turned onto one another, and one axis against two
for (n in c(5, 6, 9, 14, 30)) {
  first <- rounded(n, 2); second <- rounded(n, 2, 40) + 7
  near <- round(3 * first %*% matrix(c(cos(1), sin(1), -sin(1), cos(1)), 2) + 0.4 * rounded(n, 2), 3)
  for (other in list(second, near)) {
    fit <- protest(first, other, permutations = 0)
    say("fit", first, other, c(fit$t0, fit$ss))
  }
  flat <- rounded(n, 1)
  fit <- suppressWarnings(protest(first, cbind(flat, 0), permutations = 0))
  say("fit", first, flat, c(fit$t0, fit$ss))
}
# every order of the patients but the observed one: vegan adds that itself
for (n in 5:7) for (noise in c(0.5, 2)) {
  first <- rounded(n, 2); second <- round(first + noise * rounded(n, 2), 3)
  control <- how(); control[["maxperm"]] <- 1e5
  perms <- matrix(allPerms(n, control), ncol = n)
  fit <- protest(first, second, permutations = perms)
  say("exact p", first, second, c(round(fit$signif * (nrow(perms) + 1)), nrow(perms) + 1))
}
# principal coordinates of Bray-Curtis and Euclidean distances, and how two sets of them lie on one another
for (n in c(6, 10)) {
  counts <- matrix(rnbinom(n * 8, mu = 20, size = 0.6), n)
  first <- round(as.matrix(vegdist(counts, "bray")), 3); second <- round(as.matrix(dist(counts %*% matrix(rnorm(8 * 5), 8) / 50)), 3)
  say("axes", first, second, abs(t(cmdscale(first, k = 2))))
  fit <- protest(cmdscale(first, k = 2), cmdscale(second, k = 2), permutations = 0)
  say("fit of axes", first, second, c(fit$t0, fit$ss))
}
versions <- paste("R", getRversion(), "vegan", packageVersion("vegan"), "permute", packageVersion("permute"))
rows <- rbind(rows, data.frame(statistic = "versions", first = "", second = "", value = versions))
write.csv(rows, "procrustes.csv", row.names = FALSE)
