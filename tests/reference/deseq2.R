# Writes deseq2.csv: values of DESeq2 for tests/change/test_count_model.py, on the counts of 400 drawn genes in six pairs.
# Run in this folder: Rscript deseq2.R (seconds). Debian: apt-get install r-bioc-deseq2
suppressMessages(library(DESeq2))

rows <- data.frame()
told <- function(x) paste(formatC(as.numeric(x), digits = 17, format = "g", width = 1), collapse = " ")
say <- function(statistic, value) rows <<- rbind(rows, data.frame(statistic, value = told(value)))

set.seed(5)
genes <- 400; patients <- 6
level <- exp(rnorm(genes, 5, 1.2))
own <- matrix(exp(rnorm(genes * patients, 0, .5)), genes)
moved <- rep(1, genes); moved[1:60] <- exp(rnorm(60, 0, 1))
mu <- cbind(level * own, level * own * moved)
counts <- matrix(rnbinom(length(mu), mu = mu, size = 8), genes)
counts <- counts * rep(c(1, 3, 1, 2, 1, 5), 2)[col(counts)]
design <- data.frame(patient = factor(rep(1:patients, 2)), time = factor(rep(c("a", "b"), each = patients)))
d <- DESeqDataSetFromMatrix(counts, design, ~ patient + time)
d <- DESeq(d, quiet = TRUE)
r <- results(d, contrast = c("time", "b", "a"), independentFiltering = FALSE)
say("counts", t(counts))  # row by row
say("size_factors", sizeFactors(d))
say("estimate", r$log2FoldChange)
say("p", r$pvalue)
write.csv(rows, "deseq2.csv", row.names = FALSE, quote = FALSE)
