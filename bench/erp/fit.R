# How analyse.R fits, compares and cross-validates. Rows of results have one shape.
z <- function(x) { s <- sd(x, na.rm = TRUE); if (!is.finite(s) || s == 0) return(0 * x); (x - mean(x, na.rm = TRUE)) / s }
row <- function(run, analysis, term, n = NA, estimate = NA, se = NA, chi2 = NA, df = NA, p = NA, aic = NA, cv = NA, cvse = NA, text = NA)
  data.frame(analysis, model = run$model, corpus = run$corpus, method = run$method, term, n, estimate = signif(estimate, 5), se = signif(se, 4), chi2 = signif(chi2, 5),
    df, p = signif(p, 3), aic = signif(aic, 5), cv = signif(cv, 5), cvse = signif(cvse, 4), text = as.character(text))
add <- function(base, terms) as.formula(paste(c(base, sprintf("z(%s)", terms)), collapse = " + "))
# `near`: variances to begin with, of a model that differs little; `kept`: they stay what they are, which is a solution of one step.
fit <- function(formula, d, near = NULL, kept = FALSE) suppressMessages(suppressWarnings(lmer(
  formula, d, REML = FALSE, start = if (!is.null(near)) getME(near, "theta"),
  control = if (kept) lmerControl(optimizer = NULL, calc.derivs = FALSE) else lmerControl(calc.derivs = FALSE, optCtrl = list(xtol_abs = 1e-6, ftol_abs = 1e-6)))))
complete <- function(d, formula) d[complete.cases(d[, intersect(all.vars(formula), names(d))]), ]

# z and ns must mean the same in every fold: columns are made once, over all rows.
design <- function(formula, d) {
  fixed <- model.matrix(nobars(formula), d)[, -1, drop = FALSE]
  random <- vapply(findbars(formula), function(bar) paste0("(", deparse(bar), ")"), "")
  names <- paste0("x", seq_len(ncol(fixed)))
  list(d = cbind(d, setNames(as.data.frame(fixed), names)), formula = as.formula(paste(all.vars(formula)[1], "~", paste(c(names, random), collapse = " + "))))
}

# log-likelihood of each sentence when the coefficients have not seen it (the ratios of variances are those of all sentences): what subjects (stories) are like is known, what its items are like is not, so the trials of an
# item share a deviation with the variance of items (and word types): closed form for sigma^2 I + tau^2 J.
foldwise <- function(formula, d, known, within, folds = 10) {
  made <- design(formula, d); groups <- unique(d$group); set.seed(1)
  fold <- setNames(sample(rep(seq_len(folds), length.out = length(groups))), groups)
  total <- setNames(numeric(length(groups)), groups); near <- fit(made$formula, made$d)
  for (k in seq_len(folds)) {
    test <- fold[as.character(d$group)] == k; m <- fit(made$formula, made$d[!test, ], near, TRUE); t <- made$d[test, ]
    residual <- t[[all.vars(formula)[1]]] - predict(m, t, re.form = known, allow.new.levels = TRUE)
    v <- as.data.frame(VarCorr(m)); sigma2 <- v$vcov[v$grp == "Residual"]; tau2 <- sum(v$vcov[v$grp %in% within])
    item <- if ("item" %in% names(t)) t$item else seq_len(nrow(t))
    n <- tapply(residual, item, length); s <- tapply(residual, item, sum); q <- tapply(residual^2, item, sum)
    ll <- -0.5 * (n * log(2 * pi) + (n - 1) * log(sigma2) + log(sigma2 + n * tau2) + (q - s^2 * tau2 / (sigma2 + n * tau2)) / sigma2)
    owner <- tapply(t$group, item, `[`, 1); sums <- tapply(ll, owner, sum); total[names(sums)] <- sums
  }
  total
}
split <- function(d) if ("subj_nr" %in% names(d)) list(known = ~(1 | subj_nr), within = c("item", "type")) else list(known = ~(1 | story), within = "type")
heldOut <- function(d, base, beside, term) {
  d <- complete(d, add(base, c(beside, term))); s <- split(d)
  foldwise(add(base, c(beside, term)), d, s$known, s$within) - foldwise(if (length(beside)) add(base, beside) else as.formula(base), d, s$known, s$within)
}

# One term beside others.
question <- function(run, analysis, d, base, beside, term, name, cv = FALSE) {
  more <- add(base, c(beside, term)); d <- complete(d, more)
  a <- fit(if (length(beside)) add(base, beside) else as.formula(base), d); b <- fit(more, d, a)
  chi2 <- as.numeric(2 * (logLik(b) - logLik(a))); effect <- coef(summary(b))[sprintf("z(%s)", term), ]
  gain <- if (cv) heldOut(d, base, beside, term) else NA
  row(run, analysis, name, nrow(d), effect[1], effect[2], chi2, 1, pchisq(chi2, 1, lower.tail = FALSE), AIC(b) - AIC(a), sum(gain), if (cv) sqrt(length(gain)) * sd(gain) else NA)
}

# Does the effect hold when every reader has one of their own?
slopes <- function(run, analysis, d, base, term) {
  formula <- as.formula(paste(deparse1(add(base, term)), sprintf("+ (0 + z(%s) | subj_nr)", term))); d <- complete(d, formula); m <- fit(formula, d)
  effect <- coef(summary(m))[sprintf("z(%s)", term), ]
  row(run, analysis, paste(term, "| strict, slopes of readers"), nrow(d), effect[1], effect[2], text = if (isSingular(m)) "variance of slopes 0" else "converged")
}

# The predictor changed places among words of like frequency and length (deciles, quartiles): what its lexical part alone explains. estimate: mean chi2 of the
# shuffled, se: their standard deviation, chi2: of the real one, p: share of shuffles that reach it.
shuffled <- function(run, analysis, d, base, beside, term, by, and, times = 40) {
  d <- complete(d, add(base, c(beside, term))); a <- fit(if (length(beside)) add(base, beside) else as.formula(base), d)
  item <- d[!duplicated(d$item), ]; bin <- function(x, k) findInterval(x, unique(quantile(x, seq(0, 1, length.out = k + 1))), rightmost.closed = TRUE)
  cell <- paste(bin(item[[by]], 10), bin(item[[and]], 4)); set.seed(1)
  chi2 <- function(values) { e <- d; e[[term]] <- values[match(d$item, item$item)]; as.numeric(2 * (logLik(fit(add(base, c(beside, term)), e, a)) - logLik(a))) }
  real <- chi2(item[[term]]); random <- replicate(times, chi2(ave(item[[term]], cell, FUN = function(x) x[sample.int(length(x))])))
  row(run, analysis, paste("shuffled within frequency and length:", term), nrow(d), mean(random), sd(random), real, 1, (1 + sum(random >= real)) / (times + 1))
}

# A method's own surprisal beside dense's: estimate is the share of dense's held-out gain, se by leaving out one sentence at a time; cv the difference, paired.
kept <- function(run, d, base, dense) {
  own <- if (run$method == "dense") dense else heldOut(d, base, NULL, "surprisal")
  q <- question(run, "kept", d, base, NULL, "surprisal", "surprisal"); dense <- dense[names(own)]; n <- length(own)
  ratios <- vapply(seq_len(n), function(i) sum(own[-i]) / sum(dense[-i]), 0)
  share <- row(run, "kept", "share", q$n, sum(own) / sum(dense), sqrt((n - 1) / n * sum((ratios - mean(ratios))^2)), cv = sum(own - dense), cvse = sqrt(n) * sd(own - dense))
  words <- d[!duplicated(d$item), ]; figure <- function(name, value) row(run, "kept", name, nrow(words), mean(value), sd(value) / sqrt(nrow(words)))
  q$cv <- signif(sum(own), 5); q$cvse <- signif(sqrt(n) * sd(own), 4)
  rbind(q, share, figure("density", words$density), figure("damage", words$damageAfter), figure("nll", words$surprisal))
}

# Word means: R^2 of nested models with a standard error over sentences (bootstrap), cross-validated by sentences, and what no model can exceed.
means <- function(run, words, lexical, trials) {
  t <- read(run$path); m <- merge(words, t, by.x = c("sent_nr", "word_pos"), by.y = c("text", "position")); m <- merge(m, lexical, by = c("sent_nr", "word_pos"))
  m$frequency <- -m$log_freq; all <- m; m <- m[m$is_start_end == 0, ]; set.seed(1)
  r2 <- function(formula, d) summary(lm(formula, d))$r.squared
  crossed <- function(formula, d) {
    ids <- unique(d$sent_nr); fold <- setNames(sample(rep(1:10, length.out = length(ids))), ids)[as.character(d$sent_nr)]; y <- all.vars(formula)[1]; error <- 0
    for (k in 1:10) error <- error + sum((d[[y]][fold == k] - predict(lm(formula, d[fold != k, ]), d[fold == k, ]))^2)
    1 - error / sum((d[[y]] - mean(d[[y]]))^2)
  }
  crossed10 <- function(formula, d) mean(replicate(10, crossed(formula, d)))
  boot <- function(formula, d) { rows <- base::split(seq_len(nrow(d)), d$sent_nr); sd(replicate(200, r2(formula, d[unlist(rows[sample(length(rows), replace = TRUE)]), ]))) }
  show <- function(name, formula, d, cv = TRUE) { d <- complete(d, formula); row(run, "mean", name, nrow(d), r2(formula, d), if (cv) boot(formula, d) else NA, cv = if (cv) crossed10(formula, d) else NA) }
  base <- "frequency + length + word_pos"; f <- function(y, ...) as.formula(paste(y, "~", paste(c(base, ...), collapse = " + ")))
  second <- function(...) as.formula(paste("N400 ~ ", paste(c("Subtlex_log10 + length + word_pos + surprisal + entropyBefore", ...), collapse = " + "))) # log_freq is not known of the last words
  component <- function(y) { c <- coef(summary(lm(f(y, "z(surprisal)"), m)))["z(surprisal)", ]; row(run, "mean", paste(y, "by surprisal"), sum(!is.na(m$frequency)), c[1], c[2], p = c[4]) }
  odd <- replicate(200, { # reliability of a mean over all readers from that of two halves (Spearman and Brown)
    half <- sample(rep(0:1, length.out = 24)); side <- half[match(trials$subj_nr, sort(unique(trials$subj_nr)))]; keep <- trials$is_start_end == 0
    r <- cor(tapply(trials$N400[keep & side == 0], factor(trials$item)[keep & side == 0], mean), tapply(trials$N400[keep & side == 1], factor(trials$item)[keep & side == 1], mean), use = "complete.obs")
    2 * r / (1 + r) })
  rbind(show("base", f("N400"), m), show("base + surprisal", f("N400", "surprisal"), m), show("base + surprisal + entropy", f("N400", "surprisal", "entropyBefore"), m),
    row(run, "mean", "noise ceiling", nrow(m), mean(odd), sd(odd)),
    show("with Subtlex's norm", second(), m), show("with Subtlex's norm, sentence-final words left in", second(), all),
    show("with Subtlex's norm, sentence-final words left in, and their flag", second("is_start_end"), all),
    show("the flag of sentence-final words alone", N400 ~ is_start_end, all), show("sentences as fixed effects", f("N400", "surprisal", "entropyBefore", "factor(sent_nr)"), m, FALSE),
    component("N400"), component("P600"), component("ELAN"), component("LAN"), component("EPNP"), component("PNP"))
}
