# Writes power.csv: R's power of the paired t test for tests/stats/test_power.py. Run in this folder: Rscript power.R
# `strict` counts rejections on the wrong side too, as the test does.
rows <- data.frame()
for (n in c(2, 3, 5, 6, 10, 25, 43)) for (alpha in c(0.05, 0.01)) for (effect in c(0.1, 0.5, 0.8, 1, 1.5)) {
  told <- power.t.test(n, delta = effect, sd = 1, sig.level = alpha, type = "paired", strict = TRUE)
  rows <- rbind(rows, data.frame(n, alpha, effect, power = formatC(told$power, digits = 15, format = "g", width = 1)))
}
write.csv(rows, "power.csv", row.names = FALSE, quote = FALSE)
