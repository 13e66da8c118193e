# Writes firth.csv: values of R for tests/predict/test_firth.py.
# Run in this folder: Rscript firth.R (seconds). Debian: apt-get install r-base-core r-cran-brglm2
# With a logit link the mean bias reduction of brglm2 (type AS_mean) is Firth's penalised likelihood, as in logistf.
suppressMessages(library(brglm2))

# whole numbers, so that the values in the file are exact; the intercept comes first among the weights
cases <- list()
add <- function(name, responders, ...) cases[[length(cases) + 1]] <<- list(name = name, responders = responders, features = cbind(...))
add("ten patients", c(1, 1, 1, 0, 0, 0, 0, 0, 0, 0), c(31, 12, 25, 8, -4, 17, 3, -11, 9, 22))
add("separated", c(1, 1, 1, 0, 0, 0, 0, 0, 0, 0), c(31, 27, 25, 8, -4, 17, 3, -11, 9, 22))
add("one responder", c(0, 0, 1, 0, 0, 0, 0, 0), c(5, 1, 9, 4, 4, 7, 2, 3))
add("two kinds of value", c(1, 1, 1, 0, 0, 0, 0, 0, 0, 0), c(1, 1, 0, 0, 0, 1, 0, 0, 0, 0))
add("two features", c(1, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0), c(3, 1, 4, 1, -5, 9, 2, -6, 5, 3, 5, -8), c(20, 70, 10, 80, 20, 80, 10, 80, 20, 84, 59, 4))
add("nearly tied features", c(1, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0), c(3, 1, 4, 1, -5, 9, 2, -6, 5, 3, 5, -8), c(4, 1, 4, 1, -5, 9, 2, -6, 5, 3, 5, -9))
add("separated by two together", c(1, 1, 1, 1, 0, 0, 0, 0, 0), c(1, 2, 3, 4, 1, 2, 3, 4, 5), c(2, 3, 4, 5, 0, 1, 2, 3, 4))
patient <- 1:42
add("forty-two patients", as.numeric(patient %% 7 < 2), (patient * 37) %% 101, (patient * 53) %% 97 + 10 * (patient %% 7 < 2), (patient * 11) %% 13)

told <- function(x) paste(formatC(x, digits = 15, format = "g", width = 1), collapse = " ")
rows <- do.call(rbind, lapply(cases, function(case) {
  fit <- glm(case$responders ~ case$features, family = binomial("logit"), method = "brglmFit", type = "AS_mean",
             epsilon = 1e-12, maxit = 100000)
  stopifnot(fit$converged)
  data.frame(case = case$name, responders = told(case$responders), features = told(case$features), weights = told(coef(fit)))
}))
write.csv(rows, "firth.csv", row.names = FALSE, quote = FALSE)
