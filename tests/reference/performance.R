# Writes performance.csv: values of R for tests/predict/test_performance.py and test_external.py.
# Run in this folder: Rscript performance.R (seconds). Debian: apt-get install r-base-core r-cran-proc
suppressMessages(library(pROC))

rows <- data.frame()
told <- function(x) paste(formatC(x, digits = 15, format = "g", width = 1), collapse = " ")
say <- function(statistic, y, p, value) rows <<- rbind(rows, data.frame(statistic, labels = told(y), probability = told(p), value = told(value)))

# forecasts that are too low, too extreme, too timid, about right; labels that follow sin with another phase
cases <- list(
  list(n = 60, centre = -1, spread = 1.5), list(n = 48, centre = 0.2, spread = 3), list(n = 80, centre = 0, spread = 0.4),
  list(n = 200, centre = -0.5, spread = 1), list(n = 61, centre = 1.5, spread = 2))
for (case in cases) {
  i <- seq_len(case$n)
  p <- round(plogis(case$centre + case$spread * sin(7 * i)), 6)
  y <- as.integer(sin(7 * i) + 1.5 * sin(11 * i + 1) > 0.2)
  stopifnot(min(sum(y), sum(1 - y)) >= 20)
  odds <- qlogis(p)
  large <- glm(y ~ 1, offset = odds, family = binomial, control = list(epsilon = 1e-14))
  slope <- glm(y ~ odds, family = binomial, control = list(epsilon = 1e-14))
  say("intercept and 95 % interval", y, p, c(coef(large), confint.default(large)))
  say("slope and 95 % interval", y, p, c(coef(slope)[2], confint.default(slope)[2, ]))
  say("AUC", y, p, as.numeric(auc(y, p, quiet = TRUE, direction = "<")))
  say("Brier", y, p, mean((y - p)^2))
  say("log loss", y, p, -mean(dbinom(y, 1, p, log = TRUE)))
  if (case$n < 50) say("rank-sum p", y, p, wilcox.test(p[y == 1], p[y == 0], exact = TRUE)$p.value)
  treat <- p >= 0.45
  say("net benefit at 0.45", y, p, sum(y[treat]) / case$n - sum(1 - y[treat]) / case$n * 0.45 / 0.55)
}
write.csv(rows, "performance.csv", row.names = FALSE, quote = FALSE)
