# Writes gsva.csv: scores of the package GSVA 1.46 for tests/features/scoring/test_gsva.py. Run in this folder: Rscript gsva.R
# Debian: apt-get install r-bioc-gsva
suppressMessages(library(GSVA))
rows <- data.frame()
told <- function(x) paste(formatC(as.numeric(x), digits = 17, format = "g", width = 1), collapse = " ")
say <- function(statistic, value) rows <<- rbind(rows, data.frame(statistic, value = told(value)))
set.seed(5)
genes <- 40; samples <- 7
values <- round(matrix(rnorm(genes * samples, 6, 2), genes, dimnames = list(sprintf("G%02d", 1:genes), sprintf("S%d", 1:samples))), 4)
say("values", t(values))
sets <- list(a = sprintf("G%02d", 1:6), b = sprintf("G%02d", c(3, 12, 20, 31, 40)), c = sprintf("G%02d", 15:30))
say("gsva", t(gsva(values, sets, method = "gsva", kcdf = "Gaussian", verbose = FALSE)))
# the package's scores carry an attribute with their range; only the numbers are kept
say("ssgsea", t(gsva(values, sets, method = "ssgsea", ssgsea.norm = FALSE, verbose = FALSE)))
write.csv(rows, "gsva.csv", row.names = FALSE, quote = FALSE)
