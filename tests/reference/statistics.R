# Writes statistics.csv: values of R for tests/stats/test_against_r.py. Run in this folder: Rscript statistics.R
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
