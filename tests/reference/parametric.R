# Writes parametric.csv: values of R for tests/stats/test_parametric.py. Run in this folder: Rscript parametric.R (a second)
rows <- data.frame()
say <- function(statistic, input, value) {
  told <- function(x) paste(formatC(x, digits = 15, format = "g", width = 1), collapse = " ")
  rows <<- rbind(rows, data.frame(statistic, input = told(input), value = told(value)))
}

# Student 1908, extra hours of sleep under two drugs: R's data set `sleep`
sleep_change <- with(sleep, extra[group == 2] - extra[group == 1])
for (x in list(sleep_change, c(-3.1, 0.4, 2.2, 1.9, 5.3), c(2, 1), c(1e-9, 3e-9, 2e-9), c(40.1, 39.8, 40.3, 40, 39.9, 40.2),
               c(0, 0, 0, 1, 1, 3), c(0.7, NA, -1.1, 2.6, NA, 3.9))) {
  out <- t.test(x)
  say("paired t", x, c(out$estimate, out$conf.int, out$p.value, out$parameter))
}

# before, then after. The baseline is a sample: the error of the mean change is that of the line and of the mean baseline
pairs <- list(rbind(c(5.1, 6.3, 4.2, 7.7, 5.9, 6.8, 3.9), c(5.9, 6.1, 5.8, 7.9, 6.9, 6.6, 5.2)),
              rbind(c(1, 2, 3), c(2, 2.5, 4.5)), rbind(c(10, 12, 11, 30, 9, 14), c(11, 15, 10, 21, 12, 15)))
for (x in pairs) {
  change <- x[2, ] - x[1, ]; baseline <- x[1, ] - mean(x[1, ]); n <- ncol(x)
  fit <- lm(change ~ baseline)
  error <- sqrt((deviance(fit) + coef(fit)[2]^2 * sum(baseline^2)) / (n - 1) / n)
  stopifnot(all.equal(unname(error), sd(change) / sqrt(n)))
  freedom <- fit$df.residual
  say("change at the mean baseline", t(x), c(coef(fit)[1], coef(fit)[1] + c(-1, 1) * qt(.975, freedom) * error,
                                          2 * pt(-abs(coef(fit)[1] / error), freedom), freedom, coef(fit)[2]))
}
say("versions", 0, 0)
rows[nrow(rows), 2:3] <- c("base", as.character(packageVersion("base")))
write.csv(rows, "parametric.csv", row.names = FALSE, quote = FALSE)
