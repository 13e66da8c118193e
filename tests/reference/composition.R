# Writes composition.csv: values of base R for tests/stats/test_parts.py. Run in this folder: Rscript composition.R
# Debian: apt-get install r-base-core r-cran-exactranktests
suppressMessages(library(exactRankTests))

rows <- data.frame()
say <- function(statistic, case, value) {
  told <- paste(formatC(value, digits = 15, format = "g", width = 1), collapse = " ")
  rows <<- rbind(rows, data.frame(statistic, case, value = told))
}
clr <- function(x) log(x) - mean(log(x))
centre <- function(x) x - mean(x)

# counts of 7 patients and 5 parts, before and after; patients in rows
before <- matrix(c(12, 30, 7, 51, 22,  5, 41, 0, 33, 18,  20, 25, 11, 60, 3,  8, 19, 2, 44, 30,
                   15, 38, 9, 27, 11,  3, 50, 6, 21, 20,  10, 33, 4, 48, 9), ncol = 5, byrow = TRUE)
after <- matrix(c(40, 25, 9, 40, 30,  22, 38, 1, 20, 25,  66, 20, 8, 50, 6,  35, 24, 0, 30, 22,
                  41, 30, 12, 30, 8,  30, 44, 3, 25, 14,  19, 40, 6, 52, 20), ncol = 5, byrow = TRUE)
say("before", "counts", t(before)); say("after", "counts", t(after))

smaller <- pmin(rowSums(before), rowSums(after))
first <- before / rowSums(before) * smaller + 0.5
second <- after / rowSums(after) * smaller + 0.5
change <- t(apply(second, 1, clr)) - t(apply(first, 1, clr))
median_change <- change - apply(change, 1, median)
for (part in 1:5) {
  say("clr change", part, change[, part])
  say("median change", part, median_change[, part])
  say("clr p", part, suppressWarnings(wilcox.exact(change[, part], exact = TRUE))$p.value)
  say("median p", part, suppressWarnings(wilcox.exact(round(median_change[, part], 12), exact = TRUE))$p.value)
}
# parts 1 and 2 against parts 3, 4 and 5, in logarithms of geometric means
balance <- function(x) sqrt(2 * 3 / 5) * (mean(log(x[1:2])) - mean(log(x[3:5])))
say("balance", "1 2 / 3 4 5", apply(second, 1, balance) - apply(first, 1, balance))

length2 <- function(signs) sum(colMeans(signs * change)^2)
signs <- as.matrix(expand.grid(rep(list(c(1, -1)), 7)))
lengths <- apply(signs, 1, length2)
say("whole", "norm, count, total", c(sqrt(length2(rep(1, 7))), sum(lengths >= length2(rep(1, 7)) * (1 - 1e-9)), 2^7))

write.csv(rows, "composition.csv", row.names = FALSE, quote = TRUE)
