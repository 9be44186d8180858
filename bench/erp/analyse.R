# Statistics of the study: nested mixed models of single trials (lme4), word means, reading times. Debian: apt-get install r-base-core r-cran-lme4
#
#   Rscript bench/erp/analyse.R DATA PREDICTIONS RESULTS [all]
#
# DATA: the tables of people (../shared/erp). PREDICTIONS: what bench/erp/predict.ts wrote. RESULTS: a folder; fits.tsv there gets a row for every term of every
# model, method and measure, rows of what was analysed before are kept unless `all` is given. Every predictor is standardised over the rows of its analysis;
# estimates are per standard deviation. chi2, aic: likelihood-ratio test against the same model without the term. cv: held-out log-likelihood gained by the term,
# nats in all, over ten folds of sentences (or passages), with the standard error of that sum over sentences.
missing <- Filter(function(p) !requireNamespace(p, quietly = TRUE), c("lme4", "splines"))
if (length(missing)) { message("R package missing: ", paste(missing, collapse = ", "), ". On Debian: apt-get install r-cran-lme4"); quit(status = 3) }
suppressPackageStartupMessages({ library(lme4); library(splines) })
args <- commandArgs(TRUE); data <- args[1]; predictions <- args[2]; results <- args[3]; again <- "all" %in% args
here <- dirname(sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)))
source(file.path(here, "fit.R"))
read <- function(path) read.delim(path, comment.char = "#", quote = "", na.strings = "", check.names = FALSE)
people <- function(name) read.delim(file.path(data, name), quote = "", na.strings = "")
target <- file.path(results, "fits.tsv"); dir.create(results, recursive = TRUE, showWarnings = FALSE)
rows <- if (file.exists(target) && !again) read.delim(target, quote = "", na.strings = "", colClasses = c(text = "character")) else NULL
save <- function(new) { # a row replaces the one of the same question
  key <- function(r) paste(r$analysis, r$model, r$corpus, r$method, r$term)
  rows <<- rbind(if (!is.null(rows)) rows[!key(rows) %in% key(new), ], new)
  write.table(rows[order(key(rows)), ], target, sep = "\t", quote = FALSE, row.names = FALSE, na = "")
}
runs <- function(corpus) {
  paths <- Sys.glob(file.path(predictions, "*", corpus, "*.tsv"))
  lapply(paths, function(path) list(
    path = path, corpus = corpus, model = basename(dirname(dirname(path))), method = sub('.*"method":"([^"]*)".*', "\\1", readLines(path, 1))))
}
of <- function(list, model, method) Find(function(r) r$model == model && r$method == method, list)
done <- function(run, analysis) !is.null(rows) && any(rows$analysis == analysis & rows$model == run$model & rows$corpus == run$corpus & rows$method == run$method)

finish <- function(use) { # rows of one analysis are kept together: a run that is cut begins it anew
  found <- NULL; use(function(new) found <<- rbind(found, new)); if (!is.null(found)) save(found)
}

# ---- people ----
words <- people("frank2015-words.tsv"); trials <- people("frank2015-trials.tsv")
trials <- trials[trials$reject_data == "false" & trials$reject_word == "false", ]
norms <- words[, c("sent_nr", "word_pos", "Subtlex_log10", "n_trials", "is_start_end")]
trials <- merge(trials, norms, by = c("sent_nr", "word_pos"))
trials$type <- tolower(gsub("[^A-Za-z']", "", trials$word)); trials$group <- trials$sent_nr; trials$frequency <- -trials$log_freq
trials$subtlex <- ifelse(is.na(trials$Subtlex_log10), median(trials$Subtlex_log10, na.rm = TRUE), trials$Subtlex_log10)
trials <- trials[order(trials$item, trials$subj_nr), ]
lag <- function(table, key = c("text", "position")) { # what the word before and the word behind were like
  figures <- c("surprisal", "entropyBefore", "entropyAfter", "density", "damageAfter", "load", "length", "rank", "frequency")
  other <- function(by, name) {
    t <- table[, c(key, intersect(figures, names(table)))]; t[[key[2]]] <- t[[key[2]]] - by
    names(t)[-(1:2)] <- paste0(names(t)[-(1:2)], name); t
  }
  merge(merge(table, other(-1, ".previous"), by = key, all.x = TRUE), other(1, ".next"), by = key, all.x = TRUE)
}
lexical <- unique(people("frank2015-trials.tsv")[, c("sent_nr", "word_pos", "log_freq", "nr_char")])
withWords <- function(run) { # trials with a run's figures, complete rows
  t <- read(run$path); t <- merge(t, setNames(lexical, c("text", "position", "frequency", "length")), by = c("text", "position"), all.x = TRUE)
  t$frequency <- -t$frequency; t <- lag(t)
  merge(trials[, c("sent_nr", "word_pos", "subj_nr", "item", "group", "type", "baseline", "N400", "frequency", "subtlex", "nr_char", "is_start_end")],
    t[, setdiff(names(t), c("word", "frequency"))], by.x = c("sent_nr", "word_pos"), by.y = c("text", "position"))
}
plain <- "N400 ~ z(baseline) + z(frequency) + z(nr_char) + z(word_pos) + (1 | subj_nr) + (1 | item)"
strict <- paste("N400 ~ z(baseline) + ns(frequency, 4) + ns(subtlex, 4) + z(nr_char) + z(word_pos) +",
  "z(surprisal.previous) + z(frequency.previous) + z(length.previous) + (1 | subj_nr) + (1 | item) + (1 | type)")

# ---- what explains the N400 of a trial ----
for (run in runs("alone")) if (!done(run, "trial")) finish(function(save) {
  message("trials: ", run$model, ", ", run$method)
  d <- withWords(run); dense <- run$method == "dense"
  ask <- function(term, base, beside = NULL, name = term, ...) save(question(run, "trial", d, base, beside, term, name, ...))
  if (dense) {
    ask("surprisal", plain, cv = TRUE); ask("entropyBefore", plain); ask("entropyBefore", plain, "surprisal", "entropyBefore | surprisal")
    ask("surprisalRaw", plain)
    ask("surprisal", strict, NULL, "surprisal | strict", cv = TRUE); ask("entropyBefore", strict, "surprisal", "entropyBefore | surprisal, strict", cv = TRUE)
    ask("surprisal.next", strict, "surprisal", "placebo: next word's surprisal | surprisal, strict")
    save(slopes(run, "trial", d, strict, "surprisal"))
  } else {
    both <- c("surprisal", "entropyBefore")
    if (sd(d$load) > 0) { ask("load", plain, NULL); ask("load", strict, both, "load | surprisal, entropy, strict", cv = TRUE) }
    ask("density", plain); ask("density", plain, both, "density | surprisal, entropy")
    ask("density", strict, both, "density | surprisal, entropy, strict", cv = TRUE); ask("density.next", strict, both, "placebo: next word's density | surprisal, entropy, strict")
    ask("damageAfter", plain); ask("damageAfter", strict, both, "damage | surprisal, entropy, strict", cv = TRUE)
    ask("damageAfter", strict, c(both, "entropyAfter"), "damage | surprisal, entropy, entropy after, strict")
    save(shuffled(run, "trial", d, plain, NULL, "density", "frequency", "nr_char")); save(shuffled(run, "trial", d, plain, NULL, "surprisal", "frequency", "nr_char"))
  }
  if (any(is.finite(d$refinedBefore)) && sd(d$refinedBefore, na.rm = TRUE) > 0) {
    d$logRefined <- log1p(d$refinedBefore)
    ask("logRefined", plain, NULL, "rows refined"); ask("logRefined", strict, c("surprisal", "entropyBefore"), "rows refined | surprisal, entropy, strict", cv = TRUE)
  }
})

# ---- how much of dense's fit a method's own surprisal keeps ----
for (corpus in c("listed", "alone")) {
lists <- runs(corpus)
for (model in unique(vapply(lists, `[[`, "", "model"))) {
  reference <- of(lists, model, "dense"); if (is.null(reference)) next
  todo <- Filter(function(r) r$model == model && !done(r, "kept"), lists); if (!length(todo)) next
  message("kept: ", model)
  sentencewise <- function(run, base) heldOut(withWords(run), base, NULL, "surprisal")
  dense <- sentencewise(reference, plain)
  for (run in todo) { message("  ", run$method); d <- withWords(run); save(kept(run, d, plain, dense)) }
}
}

# ---- word means ----
for (run in Filter(function(r) r$method == "dense", runs("alone"))) if (!done(run, "mean")) { message("means: ", run$model); save(means(run, words, lexical, trials)) }

# ---- reading times ----
stories <- people("naturalstories-words.tsv"); counts <- table(tolower(gsub("[^A-Za-z']", "", stories$word)))
for (run in runs("stories")) if (!done(run, "reading")) finish(function(save) {
  message("reading: ", run$model, ", ", run$method)
  t <- read(run$path); t$length <- nchar(gsub("[^A-Za-z']", "", t$word)); t <- lag(t)
  d <- merge(stories[, c("story", "zone", "mean_rt", "gmean_rt", "n_readers")], t, by.x = c("story", "zone"), by.y = c("text", "position"))
  d$type <- tolower(gsub("[^A-Za-z']", "", d$word)); d$count <- log(as.numeric(counts[d$type])); d$rt <- 1000 * log(d$gmean_rt); d$group <- d$story * 1000 + d$zone %/% 50
  d$mark <- grepl("[^A-Za-z']$", d$word); d$last <- grepl("[.!?][\"')]*$", d$word)
  d <- d[!is.na(d$surprisal.previous) & !is.na(d$surprisal.next) & !d$last & d$type != "" & d$gmean_rt > 100 & d$gmean_rt < 3000, ]
  times <- paste("rt ~ ns(rank, 4) + ns(count, 4) + z(length) + mark + ns(zone, 4) + z(rank.previous) + z(length.previous) + (1 | story) + (1 | type)")
  spill <- paste(times, "+ z(surprisal.previous) + z(entropyBefore.previous)")
  ask <- function(term, base, beside = NULL, name = term, ...) save(question(run, "reading", d, base, beside, term, name, ...))
  both <- c("surprisal", "entropyBefore")
  if (run$method == "dense") {
    ask("surprisal", times, NULL, cv = TRUE); ask("surprisal.previous", times, "surprisal", "surprisal of the word before | surprisal", cv = TRUE)
    ask("entropyBefore", spill, "surprisal", "entropyBefore | surprisal, spill-over", cv = TRUE); ask("surprisal.next", spill, both, "placebo: next word's surprisal | surprisal, entropy, spill-over")
  } else {
    ask("surprisal", times, NULL, cv = TRUE)
    ask("density", spill, both, "density | surprisal, entropy, spill-over", cv = TRUE); ask("density.previous", paste(spill, "+ z(density)"), both, "density of the word before | surprisal, entropy, spill-over", cv = TRUE)
    ask("density.next", spill, both, "placebo: next word's density | surprisal, entropy, spill-over")
    ask("damageAfter", spill, c(both, "entropyAfter"), "damage | surprisal, entropy, entropy after, spill-over", cv = TRUE)
    if (sd(d$load) > 0) ask("load", spill, both, "load | surprisal, entropy, spill-over", cv = TRUE)
  }
})
