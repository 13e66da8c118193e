# Writes edger.csv: values of edgeR and limma for tests/stats/test_tmm.py, test_competitive.py and tests/change/test_genes.py.
# Run in this folder: Rscript edger.R (seconds). Debian: apt-get install r-bioc-edger
suppressMessages({library(limma); library(edgeR)})

rows <- data.frame()
told <- function(x) paste(formatC(as.numeric(x), digits = 17, format = "g", width = 1), collapse = " ")
say <- function(statistic, case, value) rows <<- rbind(rows, data.frame(statistic, case, value = told(value)))

set.seed(11)
genes <- 60; patients <- 6
level <- exp(rnorm(genes, 4, 2))
counts <- matrix(rnbinom(genes * 2 * patients, mu = level * exp(rnorm(genes * 2 * patients, 0, .4)), size = 3), genes)
counts[1:8, 7:12] <- counts[1:8, 7:12] * 4
counts[59, ] <- 0
counts[60, ] <- c(1, 0, 0, 2, rep(0, 8))
counts <- counts * rep(c(1, 3, 1, 2, 1, 5), 2)[col(counts)]
say("counts", "a", t(counts))  # row by row
keep <- filterByExpr(counts, group = rep(c("a", "b"), each = patients), min.count = 10)
say("keep", "a", keep)
say("keep_3", "a", filterByExpr(counts, group = rep(c("a", "b"), each = patients), min.count = 3))
large <- cbind(counts, counts[, 12:1], counts)
say("keep_large", "a", filterByExpr(large, group = rep("a", ncol(large)), min.count = 10))
y <- counts[keep, ]
factors <- calcNormFactors(y)
say("factors", "a", factors)
d <- DGEList(y); d$samples$norm.factors <- factors
logs <- cpm(d, log = TRUE, prior.count = 2)
say("log_cpm", "a", t(logs))

patient <- factor(rep(1:patients, 2)); time <- factor(rep(0:1, each = patients))
fit <- eBayes(lmFit(logs, model.matrix(~ patient + time)))
k <- ncol(fit$coefficients)
say("estimate", "a", fit$coefficients[, k])
say("t", "a", fit$t[, k])
say("p", "a", fit$p.value[, k])

statistic <- fit$t[, k]
sets <- list(a = 1:8, b = c(3, 9, 20, 33), c = 15:40)
result <- cameraPR(statistic, sets, sort = FALSE)
say("camera_p", "a", result$PValue)
signed <- statistic; signed[c(9, 33)] <- -signed[c(9, 33)]
say("camera_signed_p", "a", cameraPR(signed, sets["b"])$PValue)
write.csv(rows, "edger.csv", row.names = FALSE, quote = FALSE)
