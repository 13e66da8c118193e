# Writes limma.csv: values of limma for tests/stats/test_moderated.py. Run in this folder: Rscript limma.R (a second)
# Debian: apt-get install r-bioc-limma
suppressMessages(library(limma))

rows <- data.frame()
told <- function(x) paste(formatC(x, digits = 15, format = "g", width = 1), collapse = " ")
say <- function(statistic, input, value) rows <<- rbind(rows, data.frame(statistic, input = told(input), value = told(value)))

# estimate, 95 % interval, p, degrees of freedom (test, prior), prior variance of one coefficient, a row a feature
fitted <- function(name, values, design, coefficient, inputs = values) {
  fit <- eBayes(suppressWarnings(lmFit(values, design)))
  estimate <- fit$coefficients[, coefficient]
  reach <- qt(.975, fit$df.total) * sqrt(fit$s2.post) * fit$stdev.unscaled[, coefficient]
  for (i in seq_len(nrow(values)))
    say(name, inputs[i, ], c(estimate[i], estimate[i] - reach[i], estimate[i] + reach[i], fit$p.value[i, coefficient],
                             fit$df.total[i], fit$df.prior, fit$s2.prior))
}
deltas <- function(name, values) fitted(name, values, matrix(1, ncol(values), 1), 1)

set.seed(4)
features <- 24; patients <- 8
spread <- sqrt(.3 * 4 / rchisq(features, 4))
shift <- rep(c(.8, 0, 0), length.out = features)
before <- round(matrix(rnorm(features * patients, 5, 2), features), 3)
after <- round(before + shift + matrix(rnorm(features * patients), features) * spread, 3)
gaps <- after
gaps[cbind(rep(1:12, 2), rep(1:8, 3))] <- NA
gaps[20, 2:8] <- NA  # one pair
gaps[21, ] <- NA     # no pair
gaps[22, 3:8] <- NA  # two pairs
deltas("deltas", round(after - before, 3))
deltas("deltas with gaps", round(gaps - before, 3))

patient <- factor(rep(1:patients, 2)); time <- rep(0:1, each = patients)
blocked <- model.matrix(~ patient + time)
both <- cbind(before, after)
fitted("patient and time", both, blocked, "time")
both <- cbind(before, gaps)
both[5, 3] <- NA  # neither sample, where row 5 lacks the later one too, or the earlier only
both[6, 4] <- NA
fitted("patient and time with gaps", both, blocked, "time")

deltas("one variance", round(matrix(rep(c(-1, 0, 1), each = 12) * seq(.9, 1.1, length.out = 36) + rnorm(36, .1, .1), 12), 3))
equal <- round(after - before, 3)
equal[7, ] <- .25
deltas("a row of equal differences", equal)

group <- rep(0:1, c(5, 3)); age <- c(41, 55, 63, 38, 70, 59, 47, 66)
two <- cbind(intercept = 1, group = group)
say("design of two groups", 0, t(two))
fitted("two groups", round(after - before, 3), two, "group")
both <- cbind(intercept = 1, group = group, age = age)
say("design of two groups with age and gaps", 0, t(both))
lacking <- round(after - before, 3)
lacking[cbind(1:16, rep(1:8, 2))] <- NA
lacking[3, 6:7] <- NA  # the second group has no patient but one
fitted("two groups with age and gaps", lacking, both, "group")

# variances, then their degrees of freedom: prior degrees of freedom, prior variance, squeezed variances
squeezed <- function(variance, freedom) {
  out <- suppressWarnings(squeezeVar(variance, freedom))
  say("squeezed variances", c(variance, freedom), c(out$df.prior, out$var.prior, out$var.post))
}
squeezed(c(.31, 1.2, .04, .55, .9, 2.7, .12, .66), rep(4, 8))
squeezed(c(.31, 1.2, .04, .55, .9, 2.7, .12, .66), c(1, 4, 4, 3, 9, 2, 7, 1))
squeezed(c(.5, .52, .49, .51, .47), c(5, 5, 5, 4, 5))
squeezed(c(.31, 0, .04, .55, .9, 0, .12, .66), rep(4, 8))
squeezed(c(0, 0, 0, .55, .9), rep(3, 5))
squeezed(c(.31, NA, .04, .55, .9, 1.1), c(4, 0, 4, 3, 4, 2))
squeezed(c(2, 5), c(3, 3))
squeezed(c(1e-9, 1, 30, 2e4, 7e7), c(2, 2, 3, 3, 2))
say("versions", 0, 0)
rows[nrow(rows), 2:3] <- c("base limma", paste(as.character(packageVersion("base")), as.character(packageVersion("limma"))))
write.csv(rows, "limma.csv", row.names = FALSE, quote = FALSE)
