# Writes two_groups.csv: values of R for tests/stats/test_two_groups.py, test_effect.py and test_multiplicity.py.
# Run in this folder: Rscript two_groups.R (seconds). Debian: apt-get install r-base-core r-cran-exactranktests r-cran-coin
suppressMessages({library(exactRankTests); library(coin)})

rows <- data.frame()
say <- function(statistic, input, value) {
  told <- function(x) paste(formatC(x, digits = 15, format = "g", width = 1), collapse = " ")
  rows <<- rbind(rows, data.frame(statistic, input = told(input), value = told(value)))
}

# the first number is the size of the first group, then both groups' values
plain <- list(c(3, 0.73, 0.8, 0.83, 1.04, 1.38, 1.45, 1.46, 1.64, 1.91, 1.89), c(4, -3.1, 0.4, 2.2, 1.9, 5.3, 0.7, -1.1, 2.6, 3.9, -0.2),
              c(3, 1.35, 2.4, 0.9, 0.2, -0.1, 0.4, 0.55, -1.2, 0.05, 0.3), c(5, 78, 64, 75, 45, 82, 110, 70, 53, 51),
              c(2, 9.1, 8.2, 1, 2, 3, 4, 5, 6, 7, 8), c(6, 1, 5, 9, 12, 2, 7, 3, 4, 6, 8, 10, 11, 13.5),
              c(9, sin(1:43) + (1:43 > 34) * 0.3))
for (case in plain) {
  x <- case[2:(case[1] + 1)]; y <- case[(case[1] + 2):length(case)]
  told <- wilcox.test(x, y, exact = TRUE, conf.int = TRUE)
  say("rank-sum p", case, told$p.value)
  say("shift and 95 % interval", case, c(told$estimate, told$conf.int))
}
tied <- list(c(3, 1, 1, 2, 2, 2, 3, 3, 4, 5, 5), c(4, 0, 0, 1, 2, -2, 3, 3, 4, 0, 0), c(3, 5, 5, 5, 0, 0, 0, 0, 0, 0, 0), c(2, 1, 1, 1, 1, 1, 2, 3),
             c(4, 1, 1, 1, 2, 1, 1, 1, 1, 1, 1), c(1, 4, 4, 2, 1, 1, 0), c(5, 8, 8, 9, 7, 7, 7, 6, 6, 8, 5, 5),
             c(9, round(2 * sin(1:43) + (1:43 > 34))))
for (case in tied) {
  value <- case[-1]; first <- factor(seq_along(value) > case[1])
  say("rank-sum p", case, as.numeric(pvalue(wilcox_test(value ~ first, distribution = "exact"))))
}
# untied with coin and tied with exactRankTests where the null is symmetric: two more programs say the same
value <- plain[[1]][-1]
stopifnot(all.equal(wilcox.exact(value[1:3], value[4:10])$p.value, wilcox.test(value[1:3], value[4:10])$p.value))

# limits of the noncentrality of t, by uniroot on pt; far from the root, where pt warns, its sign is all that matters
limits <- function(t, df) sapply(c(0.975, 0.025), function(chance)
  uniroot(function(centre) suppressWarnings(pt(t, df, ncp = centre)) - chance, t + c(-1, 1) * (6 + abs(t)), tol = 1e-13, maxiter = 10000)$root)
correct <- function(df) exp(lgamma(df / 2) - lgamma((df - 1) / 2)) / sqrt(df / 2)
changes <- list(c(0.952, -0.147, 1.022, 0.43, 0.62, 0.59, 0.49, -0.08, 0.01), c(0.7, -1.1, 2.6, 3.9, -0.2, 4.4, 5.1, 1.3, 2.9, -2.3), c(1, 2, 4),
                c(-5, -4.6, -5.3, -6, -4, -5.5), c(1, -1, 2, -2), c(0.3, sin(1:42)))
for (x in changes) {
  n <- length(x); t <- mean(x) / (sd(x) / sqrt(n))
  say("dz and its 95 % interval", x, correct(n - 1) * c(mean(x) / sd(x), limits(t, n - 1) / sqrt(n)))
}
# before, then after: Algina & Keselman 2003
for (case in list(c(1.83, .5, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.3, .878, .647, .598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29),
                  c(5, 7, 4, 9, 6, 8, 10, 6, 12, 8), c(1, 2, 3, 10, 12, 11), cos(1:40))) {
  n <- length(case) / 2; before <- case[1:n]; after <- case[n + 1:n]; x <- after - before
  spread <- sqrt((var(before) + var(after)) / 2)
  centre <- limits(mean(x) / (sd(x) / sqrt(n)), n - 1)
  factor <- sqrt(2 * (var(before) + var(after) - 2 * cov(before, after)) / (n * (var(before) + var(after))))
  say("Hedges g and its 95 % interval", case, correct(n - 1) * c(mean(x) / spread, centre * factor))
}

for (p in list(c(.01, .04, .03, .002, .5), c(.2, .2, .05), c(.001, .001, .9, .02), .03, rep(1 / 512, 30)))
  for (method in c("holm", "BH")) say(method, p, p.adjust(p, method))

versions <- sapply(c("base", "exactRankTests", "coin"), function(name) as.character(packageVersion(name)))
say("versions", 0, 0)
rows[nrow(rows), 2:3] <- c(paste(names(versions), collapse = " "), paste(versions, collapse = " "))
write.csv(rows, "two_groups.csv", row.names = FALSE, quote = FALSE)
