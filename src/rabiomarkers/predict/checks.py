"""The single guards: what each tries on a pipeline, and what it would find. `guards.py` says why, and runs them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.learners import Counts, Flags, Matrix
from rabiomarkers.predict.ledger import Handed
from rabiomarkers.predict.procedure import Fold, Pipeline, Rows, named
from rabiomarkers.predict.splits import Split

PAIRS = 6  # left out for `alive`
APART = 6.0  # standard deviations between responders and others, for `alive`
RIGHT = 0.8  # share of these pairs that a model must order rightly
TIE = 1e-9  # forecasts closer than this are equal
SAME = 1e-4  # in probability: two ways to fit the same model
AGAIN = 2  # folds that are run again


@dataclass(frozen=True, kw_only=True)
class GuardRow:
    """What one guard saw."""

    guard: str
    words: str
    folds: int  # that were checked
    findings: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {"guard": self.guard, "words": self.words, "folds": self.folds, "findings": list(self.findings)}


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A pipeline, the rows it is tried on and the folds that are checked."""

    pipeline: Pipeline
    watched: Pipeline
    rows: Rows
    splits: Sequence[Split]  # of patients; all of them
    outs: Sequence[Counts]  # rows left out, of the folds that are checked
    poisons: Sequence[float]
    inner: Callable[[Counts], list[Split]] | None  # how the model splits its own training rows, where that is known
    seed: int
    plain: Sequence[Fold] = ()  # of `outs`, as they are
    seen: Sequence[Fold] = ()  # the same by `watched`

    def flipped(self, out: Counts) -> Flags:
        """All labels, those of the left-out rows turned round."""
        labels = self.rows.labels.copy()
        labels[out] = ~labels[out]
        return labels

    def training(self, out: Counts) -> Counts:
        """Positions of the other rows."""
        return np.delete(np.arange(len(self.rows.labels)), out)

    def checked(self, guard: str, words: str, findings: Sequence[str], *, folds: int | None = None) -> GuardRow:
        """The row of a guard that went through all checked folds, or through `folds`."""
        count = len(self.outs) if folds is None else folds
        told = f"{words} ({count} of {len(self.splits)} folds)"
        return GuardRow(guard=guard, words=told, folds=count, findings=tuple(findings))


def differ(one: Matrix, other: Matrix) -> bool:
    """Whether a single bit is another; missing numbers are equal."""
    return not np.array_equal(one, other, equal_nan=True)


def label_guard(trial: Trial) -> GuardRow:
    """Flipped responses of the left out."""
    findings = []
    for out, fold in zip(trial.outs, trial.plain, strict=True):
        other = trial.pipeline(trial.rows.values, trial.flipped(out), out)
        who = trial.rows.told(out)
        if differ(fold.probability, other.probability):
            findings.append(f"{who}: the forecast moves with the response that is to be forecast")
        if differ(fold.parameters, other.parameters):
            findings.append(f"{who}: what is learnt moves with the left-out response")
    return trial.checked(
        "label", "flipping the left-out responses moves neither the forecast nor what is learnt", findings
    )


def values_guard(trial: Trial) -> GuardRow:
    """Poisoned values of the left out."""
    findings = []
    for (out, fold), poison in product(zip(trial.outs, trial.plain, strict=True), trial.poisons):
        values = trial.rows.values.copy()
        values[out] = poison
        if differ(fold.parameters, trial.pipeline(values, trial.rows.labels, out).parameters):
            findings.append(f"{trial.rows.told(out)}: what is learnt moves when the left-out values become {poison:g}")
    for out, fold in zip(trial.outs, trial.plain, strict=True):
        findings.extend(_neighbours(trial, out, fold))
    poisons = " and by ".join(f"{poison:g}" for poison in trial.poisons)
    words = f"replacing the left-out values by {poisons} moves nothing that is learnt, and no other patient's forecast"
    return trial.checked("values", words, findings)


def _neighbours(trial: Trial, out: Counts, fold: Fold) -> list[str]:
    """Whether the last of the left-out patients is forecast by the values of the others."""
    last = trial.rows.patient[out] == trial.rows.patient[out].max()
    if last.all():
        return []
    values = trial.rows.values.copy()
    values[out[~last]] = trial.poisons[0]
    forecast = trial.pipeline(values, trial.rows.labels, out).probability
    if np.allclose(forecast[last], fold.probability[last], rtol=0, atol=TIE, equal_nan=True):
        return []
    return [f"{trial.rows.told(out[last])}: the forecast moves with the values of others who are left out"]


def canary_guard(trial: Trial) -> GuardRow:
    """A column that is nothing but the response of the left out; fold after fold it takes another column's place."""
    findings: list[str] = []
    checked = 0
    columns = trial.rows.values.shape[1]
    for place, out in enumerate(trial.outs if columns else ()):
        try:
            found = _canary_moves(trial, out, place % columns)
        except PredictionError:  # a model may refuse a column that is constant in training
            continue
        checked += 1
        findings.extend(f"{trial.rows.told(out)}: {finding}" for finding in found)
    words = "a column that only tells the left-out responses moves neither what is learnt nor the forecast"
    return trial.checked("canary", words, findings, folds=checked)


def _canary_moves(trial: Trial, out: Counts, column: int) -> list[str]:
    quiet = trial.rows.values.copy()
    quiet[:, column] = 0.0
    singing = quiet.copy()
    singing[out, column] = np.where(trial.rows.labels[out], 1.0, -1.0)
    heard = trial.pipeline(singing, trial.rows.labels, out)
    findings = []
    if differ(heard.parameters, trial.pipeline(quiet, trial.rows.labels, out).parameters):
        findings.append("what is learnt moves with a column that tells the left-out response")
    if differ(heard.probability, trial.pipeline(singing, trial.flipped(out), out).probability):
        findings.append("beside a column that tells it, the forecast moves with the response")
    return findings


def alive_guard(trial: Trial) -> GuardRow:
    """Every column tells everybody's response: left-out pairs must be ordered rightly, or not at all."""
    generator = np.random.default_rng([trial.seed, 1])
    labels = trial.rows.labels
    values = generator.normal(size=trial.rows.values.shape) + APART * labels[:, None]
    pairs = _pairs(trial, generator)
    if not pairs:
        return GuardRow(
            guard="alive", words="not tried: a pair can be left out only of two patients of each kind", folds=0
        )
    try:
        ahead = [_ahead(trial.pipeline(values, labels, out), labels[out]) for out in pairs]
    except PredictionError as problem:
        return GuardRow(guard="alive", words=f"not tried: such values cannot be fitted ({problem})", folds=0)
    ordered = sum(distance > TIE for distance in ahead)
    words = f"where every column tells the response, left-out pairs are ordered rightly ({ordered} of {len(pairs)})"
    findings: tuple[str, ...] = ()
    if all(abs(distance) <= TIE for distance in ahead):
        words = (
            f"the model follows no feature, not even where every column tells the response (0 of {len(pairs)} pairs)"
        )
    elif ordered < RIGHT * len(pairs):
        findings = (f"only {ordered} of {len(pairs)} pairs are ordered rightly: whose forecasts are these?",)
    return GuardRow(guard="alive", words=words, folds=len(pairs), findings=findings)


def _pairs(trial: Trial, generator: np.random.Generator) -> list[Counts]:
    """Rows of a responder and of another patient to be left out together; others of each kind stay."""
    owners, first = np.unique(trial.rows.patient, return_index=True)
    responds = trial.rows.labels[first]
    pairs = np.array(list(product(owners[responds], owners[~responds])), dtype=np.int64).reshape(-1, 2)
    if min(responds.sum(), (~responds).sum()) < 2:
        return []
    chosen = generator.choice(len(pairs), size=min(PAIRS, len(pairs)), replace=False)
    return [trial.rows.of(pairs[place]) for place in np.sort(chosen)]


def _ahead(fold: Fold, labels: Flags) -> float:
    return float(fold.probability[labels].mean() - fold.probability[~labels].mean())


def rows_guard(trial: Trial) -> GuardRow:
    """Rows that watched steps were fitted to, and whether they forecast as the unwatched ones do."""
    findings = []
    steps = 0
    for out, fold, seen in zip(trial.outs, trial.plain, trial.seen, strict=True):
        fits = [handed for handed in seen.handed if handed.fitted]
        steps += len(fits)
        findings.extend(_strangers(trial, out, fits))
        if np.abs(seen.probability - fold.probability).max(initial=0.0) > SAME:
            findings.append(f"{trial.rows.told(out)}: fitted step by step the model gives another forecast")
    if not steps:
        return GuardRow(guard="rows", words="no step of this pipeline is watched", folds=0)
    return trial.checked("rows", f"every step is fitted to training patients only ({steps} fits)", findings)


def _strangers(trial: Trial, out: Counts, fits: Sequence[Handed]) -> list[str]:
    found: dict[str, None] = {}  # a set that keeps its order
    for handed in fits:
        if handed.surplus:
            found[f"{handed.step} is fitted to rows of which nobody knows whose they are"] = None
        elif handed.rows is not None and np.isin(handed.rows, out).any():
            strangers = handed.rows[np.isin(handed.rows, out)]
            found[f"{handed.step} is fitted to the left-out {trial.rows.told(strangers)}"] = None
    return [f"{trial.rows.told(out)}: {finding}" for finding in found]


def sides_guard(trial: Trial) -> GuardRow:
    """Patients in training and among the left out: of all outer splits, and of the inner ones of the checked folds."""
    names = np.asarray(trial.rows.names, dtype=str)
    findings = []
    for training, out in trial.splits:
        both = np.intersect1d(names[training], names[out])
        if len(both):
            findings.append(f"{named(both)}: on both sides of an outer split")
    inside = 0
    for out, seen in zip(trial.outs, trial.seen, strict=True):
        for training, asked in _inner_sides(trial, out, seen.handed):
            inside += 1
            both = np.intersect1d(names[trial.rows.patient[training]], names[trial.rows.patient[asked]])
            if len(both):
                findings.append(f"{named(both)}: on both sides of an inner split")
    words = f"no patient is on both sides of a split ({len(trial.splits)} outer ones, {inside} inner ones)"
    return GuardRow(guard="sides", words=words, folds=len(trial.splits), findings=tuple(dict.fromkeys(findings)))


def _inner_sides(trial: Trial, out: Counts, seen: Sequence[Handed]) -> Iterator[Split]:
    """(training rows, other rows) of each split inside the fit, as far as it is known or was seen."""
    training = trial.training(out)
    if trial.inner is not None:
        for inside, held in trial.inner(training):
            yield training[inside], training[held]
    fitted: dict[int, Counts | None] = {}
    for handed in seen:
        if handed.fitted:
            fitted[id(handed.model)] = handed.rows
            continue
        known = fitted.get(id(handed.model))
        if known is None or handed.rows is None:
            continue
        others = np.setdiff1d(handed.rows, known)
        if len(others) and np.isin(others, training).all():
            yield known, others


def again_guard(trial: Trial) -> GuardRow:
    """The first folds once more, after all others and all that the other guards did."""
    findings = []
    for out, fold in zip(trial.outs[:AGAIN], trial.plain[:AGAIN], strict=True):
        other = trial.pipeline(trial.rows.values, trial.rows.labels, out)
        if differ(fold.probability, other.probability) or differ(fold.parameters, other.parameters):
            findings.append(
                f"{trial.rows.told(out)}: the fold gives another result when run again; it remembers other folds, or draws "
                "without a seed"
            )
    return trial.checked(
        "again", "a fold that is run again gives the same", findings, folds=min(AGAIN, len(trial.outs))
    )


GUARDS: Mapping[str, Callable[[Trial], GuardRow]] = {
    "label": label_guard,
    "values": values_guard,
    "canary": canary_guard,
    "alive": alive_guard,
    "rows": rows_guard,
    "sides": sides_guard,
    "again": again_guard,
}
"""Run in this order; `again` last, when every other fold has been fitted."""
