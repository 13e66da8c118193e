# Writes rank_correlation.csv, R's values for tests/stats/test_rank_correlation.py and tests/change/test_immune.py. Run here: Rscript rank_correlation.R
# Debian: apt-get install r-base-core
rows <- data.frame()
say <- function(statistic, x, y, value) {
  told <- function(x) paste(formatC(x, digits = 15, format = "g", width = 1), collapse = " ")
  rows <<- rbind(rows, data.frame(statistic, first = told(x), second = told(y), value = told(value)))
}

orders <- function(n) {  # all n! orders, one a row
  if (n == 1) return(matrix(1L, 1, 1))
  shorter <- orders(n - 1)
  do.call(rbind, lapply(seq_len(n), function(k) cbind(k, shorter + (shorter >= k))))
}

# orders whose rho is at least as far from 0 as that observed, those at least as far as any, and how many orders there are
enumerated <- function(x, y) {
  a <- rank(x); b <- rank(y)
  rho <- apply(orders(length(x)), 1, function(p) cor(a, b[p]))
  c(sum(abs(rho) >= abs(cor(a, b)) - 1e-9), sum(abs(rho) >= max(abs(rho)) - 1e-9), length(rho))
}

set.seed(7)
for (n in c(3, 4, 5, 6, 7, 8, 9)) for (shift in c(0, 1.5)) {
  x <- round(rnorm(n), 3); y <- round(rnorm(n) + shift * x, 3)
  told <- cor.test(x, y, method = "spearman", exact = TRUE)
  say("rho and exact p", x, y, c(told$estimate, told$p.value))
}

tied <- list(list(c(1, 1, 2, 3, 4, 5), c(2, 1, 2, 2, 5, 3)), list(c(0, 0, 0, 1, 2), c(3, 1, 1, 2, 2)),
             list(c(0, 0, 0, 0, 0, 0, 1), c(1, 2, 3, 4, 5, 6, 7)), list(c(0, 0, 0, 0, 1, 3, 3, 2), c(0, 5, 5, 5, 1, 2, 9, 9)),
             list(c(1, 2, 2), c(1, 1, 4)), list(c(-1, -1, 0, 2, 2, 2, 7), c(9, 8, 8, 3, 3, 1, 1)),
             list(c(.1, .4, .2, .9), c(1, 3, 2, 4)))
for (pair in tied) {
  say("rho of ties", pair[[1]], pair[[2]], cor(pair[[1]], pair[[2]], method = "spearman"))
  say("orders", pair[[1]], pair[[2]], enumerated(pair[[1]], pair[[2]]))
}

# the adjusted change: the intercept of a regression, with its standard error, p, 95 % interval and the slope
set.seed(8)
for (n in c(4, 6, 10, 43)) {
  x <- round(rnorm(n, 0.5), 3); y <- round(0.3 + 0.5 * x + rnorm(n), 3)
  fit <- lm(y ~ x)
  say("intercept", x, y, c(coef(fit)[1], confint(fit)[1, ], summary(fit)$coefficients[1, 4], coef(fit)[2]))
}

write.csv(rows, "rank_correlation.csv", row.names = FALSE, quote = FALSE)
