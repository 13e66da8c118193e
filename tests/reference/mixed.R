# Writes mixed.csv: values of R for tests/stats/test_mixed.py. Run in this folder: Rscript mixed.R (seconds)
# Debian: apt-get install r-base-core r-cran-lme4 r-cran-lmertest r-cran-nlme
# With the path of olink_npx1/npx_long.csv.gz and dietswap_hitchip (two arguments) it adds the rows of these data.
suppressMessages({library(lmerTest); library(nlme)})

rows <- data.frame()
told <- function(x) paste(formatC(x, digits = 15, format = "g", width = 1), collapse = " ")
say <- function(case, statistic, times, input, value)
  rows <<- rbind(rows, data.frame(case, statistic, timepoints = times, input = if (is.null(input)) "" else told(t(input)), value = told(value)))

long <- function(wide) {
  d <- data.frame(y = c(wide), patient = factor(rep(seq_len(nrow(wide)), ncol(wide))), time = factor(rep(seq_len(ncol(wide)), each = nrow(wide))))
  d[!is.na(d$y), ]
}
tight <- lmerControl(optCtrl = list(xtol_abs = 1e-14, ftol_abs = 1e-14), check.conv.singular = "ignore")
fit <- function(d) lmer(y ~ time + (1 | patient), d, control = tight)
tell_lmer <- function(case, d, times, input) {
  m <- fit(d)
  if (isSingular(m)) stop("singular: ", case)
  say(case, "contrasts by lmerTest", times, input, coef(summary(m))[-1, c("Estimate", "Std. Error", "df", "Pr(>|t|)")] |> t())
  say(case, "F test by lmerTest", times, input, anova(m)$`Pr(>F)`)
  say(case, "variances by lme4", times, input, as.data.frame(VarCorr(m))$vcov)
  say(case, "degrees of freedom within by nlme", times, input, lme(y ~ time, d, random = ~ 1 | patient)$fixDF$X[2])
}
# as if patients were a fixed effect: for complete data the classical within-patient analysis
tell_within <- function(case, wide) {
  d <- long(wide); m <- lm(y ~ patient + time, d)
  stopifnot(isSingular(fit(d)))
  those <- grepl("time", names(coef(m)))
  say(case, "contrasts within patients", ncol(wide), wide, t(cbind(coef(summary(m))[those, 1:2, drop = FALSE], df.residual(m), coef(summary(m))[those, 4])))
  say(case, "F test within patients", ncol(wide), wide, anova(m)["time", "Pr(>F)"])
}
# compound symmetry whose correlation may be negative
tell_symmetry <- function(case, wide) {
  d <- long(wide)
  stopifnot(isSingular(fit(d)))
  m <- gls(y ~ time, d, correlation = corCompSymm(form = ~ 1 | patient), control = glsControl(opt = "optim", msTol = 1e-15, tolerance = 1e-12))
  rho <- as.numeric(coef(m$modelStruct$corStruct, unconstrained = FALSE))
  say(case, "estimates and errors of compound symmetry", ncol(wide), wide, t(summary(m)$tTable[-1, 1:2, drop = FALSE]))
  say(case, "variances of compound symmetry", ncol(wide), wide, m$sigma^2 * c(rho, 1 - rho))
}

set.seed(1)
draw <- function(n, times, sd, missing = NULL, change = 0.4) {
  wide <- round(10 + rnorm(n, sd = sd) + matrix(rnorm(n * times), n) + rep(change * (seq_len(times) - 1), each = n), 3)
  for (at in missing) wide[at[1], at[2]] <- NA
  wide
}
pairs <- draw(8, 2, 1.5)
tell_lmer("balanced pairs", long(pairs), 2, pairs)
strong <- draw(5, 2, 300)
tell_lmer("pairs of patients far apart", long(strong), 2, strong)
for (case in list(list("pairs and singles", 10, 2, list(c(1, 1), c(4, 2), c(7, 1))), list("few pairs, many singles", 9, 4, list(c(1, 1), c(2, 1), c(3, 2), c(4, 2), c(5, 1))),
                  list("one single", 5, 3, list(c(2, 2))))) {
  wide <- draw(case[[2]], 2, case[[3]], case[[4]])
  tell_lmer(case[[1]], long(wide), 2, wide)
}
three <- draw(7, 3, 1)
tell_lmer("three timepoints", long(three), 3, three)
for (case in list(list("three timepoints with gaps", 8, 3, 1.3, list(c(1, 1), c(2, 2), c(3, 3), c(4, 2), c(4, 3), c(6, 3))),
                  list("four timepoints with gaps", 9, 4, 0.9, list(c(1, 1), c(2, 2), c(3, 3), c(4, 4), c(5, 2), c(5, 3), c(6, 1), c(6, 4), c(7, 2), c(7, 3), c(7, 4))),
                  list("three timepoints, patients of one each too", 12, 3, 1.5, list(c(1, 2), c(1, 3), c(2, 1), c(2, 3), c(3, 1), c(3, 2), c(4, 3), c(5, 3), c(6, 3))))) {
  wide <- draw(case[[2]], case[[3]], case[[4]], case[[5]])
  tell_lmer(case[[1]], long(wide), case[[3]], wide)
}
tell_within("singular pairs", cbind(c(1.2, 3.4, 2.2, 5.1, 4.4, 2.9), c(4.9, 3.1, 4.3, 2.7, 3.0, 4.8)))
tell_within("singular, three timepoints", cbind(c(1, 3, 2, 5, 4), c(5, 2.5, 4, 2, 3), c(3, 4, 4.5, 1.5, 4.2)))
tell_symmetry("singular pairs and singles", cbind(c(1.2, 3.4, 2.2, 5.1, 4.4, 2.9, NA, 3.3), c(4.9, 3.1, 4.3, 2.7, 3.0, 4.8, 3.9, NA)))
tell_symmetry("singular, three timepoints with gaps", cbind(c(1, 3, 2, 5, 4, NA), c(5, 2.5, 4, 2, NA, 3.5), c(3, NA, 4.5, 1.5, 4.2, 3.1)))
groups <- cbind(c(1.1, 2.3, 3.2, NA, NA, NA, NA), c(NA, NA, NA, 2.9, 4.4, 5.0, 3.6))
two <- t.test(groups[4:7, 2], groups[1:3, 1], var.equal = TRUE)
say("groups of different patients", "two-sample t test", 2, groups, c(-diff(two$estimate), two$stderr, two$parameter, two$p.value))

arguments <- commandArgs(trailingOnly = TRUE)
if (length(arguments) == 2) {
  olink <- subset(read.csv(arguments[1]), Subject != "" & !is.na(Subject) & Treatment == "Treated" & QC_Warning == "Pass")
  for (protein in c("OID01216", "OID01276", "OID00471", "OID00525")) {
    d <- subset(olink, OlinkID == protein)
    d <- data.frame(y = d$NPX, patient = d$Subject, time = factor(d$Time, c("Baseline", "Week.6", "Week.12")))
    tell_lmer(paste("olink_npx1", protein), d, 3, NULL)
  }
  samples <- read.csv(file.path(arguments[2], "samples.csv"))
  counts <- read.csv(file.path(arguments[2], "abundance.csv.gz"), row.names = 1, check.names = FALSE)
  shares <- as.matrix(counts[samples$sample_id, ]) / rowSums(counts[samples$sample_id, ])
  shannon <- -rowSums(ifelse(shares > 0, shares * log(shares), 0))
  for (who in c("AAM", "AFR")) {
    d <- data.frame(y = shannon, patient = samples$subject, time = factor(samples$timepoint))[samples$nationality == who, ]
    tell_lmer(paste("dietswap_hitchip Shannon", who), d, 6, NULL)
  }
} else {
  kept <- read.csv("mixed.csv", colClasses = "character")
  rows <- rbind(rows, kept[kept$input == "" & kept$case != "versions", ])
}
versions <- sapply(c("base", "lme4", "lmerTest", "nlme"), function(name) as.character(packageVersion(name)))
rows <- rbind(rows, data.frame(case = "versions", statistic = paste(names(versions), collapse = " "), timepoints = "", input = "", value = paste(versions, collapse = " ")))
write.csv(rows, "mixed.csv", row.names = FALSE)
