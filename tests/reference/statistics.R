# Writes statistics.csv: values of R for tests/stats/test_against_r.py. Run in this folder: Rscript statistics.R (a minute)
# Debian: apt-get install r-base-core r-cran-survival r-cran-exactranktests r-cran-coin r-cran-vegan
suppressMessages({library(survival); library(exactRankTests); library(coin); library(vegan)})

rows <- data.frame()
say <- function(statistic, input, value) {
  told <- function(x) paste(formatC(x, digits = 15, format = "g", width = 1), collapse = " ")
  rows <<- rbind(rows, data.frame(statistic, input = told(input), value = told(value)))
}

plain <- list(round(c(1.83, .5, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.3) - c(.878, .647, .598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29), 3),
              c(-3.1, 0.4, 2.2, 1.9, 5.3), c(0.7, -1.1, 2.6, 3.9, -0.2, 4.4, 5.1, 1.3, 2.9, -2.3), c(2, 1))
tied <- list(c(1, 1, -1, 2, 3, 3, -2, 4, 5, 5), c(0, 0, 1, 2, -2, 3, 3, 4), c(0, -1, -1, -1, 2, -3, -3, -4, -5),
             c(2, 2, 2, 2, 2, 2, -2), c(0, 0, 0, 1, 1, 3))
for (x in plain) {
  say("signed-rank p", x, wilcox.test(x, exact = TRUE)$p.value)
  if (length(x) < 6) next  # no interval of 95 % exists
  told <- wilcox.test(x, conf.int = TRUE, exact = TRUE)
  say("Hodges-Lehmann and 95 % interval", x, c(told$estimate, told$conf.int))
}
for (x in tied) {
  say("signed-rank p", x, suppressWarnings(wilcox.exact(x, exact = TRUE))$p.value)
  y <- rep(0, length(x))
  say("Pratt signed-rank p", x, as.numeric(pvalue(wilcoxsign_test(x ~ y, distribution = "exact", zero.method = "Pratt"))))
  say("sign-flip p", x, perm.test(x, y, paired = TRUE, exact = TRUE)$p.value)
}

# a duration is negative where the patient is censored
median_of <- function(time) {
  told <- summary(survfit(Surv(abs(time), time > 0) ~ 1, conf.type = "log-log"))$table
  say("survival median and log-log interval", time, told[c("median", "0.95LCL", "0.95UCL")])
}
signed <- function(data) ifelse(data$status == 1, data$time, -data$time)
for (time in list(signed(aml[aml$x == "Maintained", ]), signed(aml[aml$x == "Nonmaintained", ]), 1:4, c(1, 2, -3, -4),
                  c(5, 8, -8, 12, 12, 20, -21, 30, -33, 40), c(42, 42, 84, -84, 126, 126, 168, -200, -200, -210),
                  c(10, -20, -30), c(-10, -20), 7)) median_of(time)

for (x in list(c(0, 10), c(3, 10), c(10, 10), c(1, 43))) say("exact interval of a proportion", x, binom.test(x[1], x[2])$conf.int)

# limits at which the chance of fewer (more) successes and half of that of exactly as many is 2.5 %
mid_p <- function(x, n) {
  tail <- function(p, k, n) pbinom(k, n, p, lower.tail = FALSE) + dbinom(k, n, p) / 2 - 0.025
  low <- function(k) if (k == 0) 0 else uniroot(tail, c(0, 1), k = k, n = n, tol = 1e-15)$root
  c(low(x), 1 - low(n - x))
}
for (x in list(c(0, 10), c(1, 10), c(3, 10), c(10, 10), c(3, 25), c(5, 20), c(0, 25), c(81, 263), c(13, 16), c(1, 43)))
  say("mid-P interval of a proportion", x, mid_p(x[1], x[2]))

# times of both groups, negative where censored; the first number is the size of the first group
aml_times <- c(11, signed(aml[aml$x == "Maintained", ]), signed(aml[aml$x == "Nonmaintained", ]))
freireich <- c(21, 6, 6, 6, -6, 7, -9, 10, -10, -11, 13, 16, -17, -19, -20, 22, 23, -25, -32, -32, -34, -35,
               1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23)
logrank_of <- function(x, first)
  survdiff(Surv(time, event) ~ group, data.frame(time = abs(x), event = x > 0, group = seq_along(x) %in% first))$chisq
for (case in list(aml_times, freireich, c(3, 42, -50, 84, 30, 42, 60, -84, 90, 120, -126), c(1, -5, 4, 8, 8, -12))) {
  chisq <- logrank_of(case[-1], seq_len(case[1]))
  say("log-rank chi-square and its p", case, c(chisq, pchisq(chisq, 1, lower.tail = FALSE)))
}
# every labelling of the patients that has at least the observed chi-square, and how many there are
for (case in list(c(3, 42, -50, 84, 30, 42, 60, -84, 90, 120, -126), c(3, 40, 41, 42, 84, 84, 126, -126, 168, -200, 210),
                  c(4, 5, 8, -8, 30, 12, 12, -20, 33), c(5, 7, 7, 14, -21, 28, 14, 14, -28, 35, 42), c(2, 3, 3, 3, 5, -5, 5))) {
  times <- case[-1]
  chisq <- combn(length(times), case[1], function(first) logrank_of(times, first))
  say("log-rank labellings", case, c(sum(chisq >= logrank_of(times, seq_len(case[1])) - 1e-9), length(chisq)))
}

# time, at risk, events, censored, survival and log-log limits at each distinct time, one block after the other
for (time in list(signed(aml[aml$x == "Maintained", ]), freireich[2:22], c(42, 42, 84, -84, 126, 126, 168, -200, -200, -210),
                  c(-1, 2, 3, -4, 5))) {
  told <- summary(survfit(Surv(abs(time), time > 0) ~ 1, conf.type = "log-log"), censored = TRUE)
  say("survival table", time, c(told$time, told$n.risk, told$n.event, told$n.censor, told$surv, told$lower, told$upper))
}

# all two-stage designs of up to `most` patients, without any short cut: first_stop, first_n, stop, n, expected n and early stop
# under the null rate, type 1 error, power
simon <- function(p0, p1, alpha, power, most) {
  best <- NULL
  for (n in 2:most) for (first in seq_len(n - 1)) {
    x <- 0:first
    reject <- lapply(c(p0, p1), function(p) {
      both <- outer(x, 0:(n - 1), function(x, r) dbinom(x, first, p) * pbinom(r - x, n - first, p, lower.tail = FALSE))
      apply(both[rev(x + 1), , drop = FALSE], 2, cumsum)[rev(x + 1), , drop = FALSE]  # row k + 1: k or more in the first stage
    })
    fits <- which(reject[[1]][-1, , drop = FALSE] <= alpha & reject[[2]][-1, , drop = FALSE] >= power, arr.ind = TRUE)
    for (row in seq_len(nrow(fits))) {
      stop <- fits[row, 2] - 1; early <- fits[row, 1] - 1
      pet <- pbinom(early, first, p0)
      rates <- c(reject[[1]][early + 2, stop + 1], reject[[2]][early + 2, stop + 1])
      if (early <= stop) best <- rbind(best, c(early, first, stop, n, first + (1 - pet) * (n - first), pet, rates))
    }
  }
  list(optimal = best[order(best[, 5], best[, 4], best[, 7]), ][1, ], minimax = best[order(best[, 4], best[, 5], best[, 7]), ][1, ])
}
for (rates in list(c(.05, .25, .05, .8, 30), c(.1, .3, .05, .8, 40), c(.1, .3, .05, .9, 50), c(.2, .4, .05, .8, 55), c(.2, .4, .1, .9, 50),
                   c(.3, .5, .05, .8, 60), c(.4, .6, .05, .8, 60), c(.5, .7, .05, .8, 60), c(.6, .8, .05, .8, 60), c(.7, .9, .05, .8, 45),
                   c(.05, .2, .05, .8, 50), c(.1, .25, .1, .9, 60), c(.8, .95, .05, .8, 45), c(.02, .3, .2, .7, 20))) {
  told <- simon(rates[1], rates[2], rates[3], rates[4], rates[5])
  for (kind in names(told)) say(paste(kind, "two-stage design"), rates, told[[kind]])
}

# successes, n, prior: median, equal-tailed 95 % interval, probability above 12 %
for (x in list(c(3, 10, .5, .5), c(0, 10, .5, .5), c(10, 10, 1, 1), c(0, 0, 2, 5), c(7, 43, .1, .9))) {
  a <- x[3] + x[1]; b <- x[4] + x[2] - x[1]
  say("posterior of a rate", x, c(a / (a + b), qbeta(c(.5, .025, .975), a, b), pbeta(.12, a, b, lower.tail = FALSE)))
}
# successes, n, historical successes and n, prior: probability of the higher rate, by quadrature
for (x in list(c(3, 10, 57, 468, .5, .5), c(3, 10, 3, 25, .5, .5), c(1, 10, 2, 9, 1, 1), c(4, 12, 11, 233, 2, 3))) {
  above <- function(p) pbeta(p, x[5] + x[1], x[6] + x[2] - x[1], lower.tail = FALSE) * dbeta(p, x[5] + x[3], x[6] + x[4] - x[3])
  parts <- c(0, qbeta(c(.01, .5, .99), x[5] + x[3], x[6] + x[4] - x[3]), 1)
  pieces <- sapply(1:4, function(k) integrate(above, parts[k], parts[k + 1], rel.tol = 1e-13, subdivisions = 2000L)$value)
  say("probability above a historical rate", x, sum(pieces))
}
for (p in list(c(.01, .04, .03, .002, .5), c(.2, .2, .05))) say("Benjamini-Hochberg", p, p.adjust(p, "BH"))
for (x in list(c(5, 5, 0, 10), c(1, 2, 3, 4, 90))) say("Shannon and Simpson", x, c(diversity(x), diversity(x, "simpson")))
for (x in list(c(5, 0, 15, 10, 10, 20), c(1, 1, 8, 30, 50, 20))) {  # two samples of three taxa, one after the other
  shares <- decostand(matrix(x, 2, byrow = TRUE), "total")
  say("Bray-Curtis of shares", x, as.numeric(vegdist(shares, "bray")))
}
versions <- sapply(c("base", "survival", "exactRankTests", "coin", "vegan"), function(name) as.character(packageVersion(name)))
say("versions", 0, 0)
rows[nrow(rows), 2:3] <- c(paste(names(versions), collapse = " "), paste(versions, collapse = " "))
write.csv(rows, "statistics.csv", row.names = FALSE, quote = FALSE)
