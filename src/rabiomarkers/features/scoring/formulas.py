"""The authors' own formulas: which form each has stands in `config/signatures/scoring_rules.yaml`, how a form is computed here.

Of counts the formulas take CPM where the authors took TPM: ratios between samples of one gene stay, sums over genes of different
length weigh them otherwise. The unit says which it was.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from rabiomarkers.errors import SignatureError
from rabiomarkers.features.scoring.expression import Expression, Known, Matrix, Scored, Vector
from rabiomarkers.features.scoring.members import (
    NOTHING_COUNTED,
    Members,
    members_of,
    notes_of,
)

FEWEST_SAMPLES = 3
TOO_FEW = "this score compares samples: it needs {needed} or more, there are {found}"

type Values = tuple[Vector, float, str]
"""One score: its value by sample, the share of its genes (or pairs) that were measured, why it is absent ("" where it is not)."""
type Form = Callable[[str, Mapping[str, Any], Expression, Known], Values]


def author_scores(expression: Expression, known: Known) -> Scored:
    """Scores by their authors' formulas, each from one sample alone: T-cell-inflamed profile, cytolytic activity, IMPRES, ...

    Only scores whose signature is among `known.signatures`, and pair scores where `known.pairs` holds their pairs.

    Raises
    ------
    SignatureError
        There are no rules, or one says what is not known: a form, an input, a key (all of them are told).
    ScaleError
        The values are logarithms.
    """
    return _scored(expression, known, FORMS)


def author_cohort_scores(expression: Expression, known: Known) -> Scored:
    """Scores whose authors compare samples: they change with every sample that comes or goes, and no model may use them.

    Raises
    ------
    SignatureError
        As `author_scores`.
    """
    return _scored(expression, known, COHORT_FORMS)


def _scored(expression: Expression, known: Known, forms: Mapping[str, Form]) -> Scored:
    rules = _rules(known)
    signatures = set(known.signatures["signature"])
    pairs = set(known.pairs["score"]) if known.pairs is not None else set()
    names = sorted(
        name
        for name, rule in rules.items()
        if rule["form"] in forms and name in (pairs if rule["form"] == "pairs" else signatures)
    )
    found = [forms[rules[name]["form"]](name, rules[name], expression, known) for name in names]
    values = np.column_stack([value for value, _, _ in found]) if found else np.empty((len(expression.samples), 0))
    kept, notes = notes_of(values, [reason for _, _, reason in found], NOTHING_COUNTED)
    coverage = np.array([share for _, share, _ in found], dtype=np.float64)
    units = tuple(_unit(rules[name], expression) for name in names)
    return Scored(features=tuple(names), values=kept, coverage=coverage, unit=units, notes=notes)


def _rules(known: Known) -> Mapping[str, Mapping[str, Any]]:
    if known.rules is None:
        raise SignatureError("The authors' formulas need the rules of config/signatures/scoring_rules.yaml.")
    wrong = [words for name, rule in known.rules.items() for words in _strange(name, rule)]
    if wrong:
        raise SignatureError(" ".join(wrong))
    return known.rules


def _strange(name: str, rule: Mapping[str, Any]) -> Iterator[str]:
    """What a rule says that no formula here knows; passed over, it would give a number that means something else."""
    form, forms = rule.get("form"), {*FORMS, *COHORT_FORMS}
    if form in ELSEWHERE:
        return
    if form not in forms:
        yield f"The rule of {name} has the form {form!r}; there are {', '.join(sorted({*forms, *ELSEWHERE}))}."
        return
    if rule.get("input") not in INPUTS:
        yield f"The rule of {name} has the input {rule.get('input')!r}; there are {', '.join(INPUTS)}."
    own = KEYS.get(str(form), ())
    for key in sorted(set(rule) - {*KEYS_OF_ALL, *own}):
        yield f"The rule of {name} has a key {key!r}; {form} knows {', '.join((*KEYS_OF_ALL, *own))}."
    for key in {"offset", "total"}.intersection(own):
        number = rule.get(key, 0.0 if key == "offset" else None)
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number < np.inf:
            yield f"The rule of {name} has the {key} {number!r}; a number of 0 or more is needed."


def _unit(rule: Mapping[str, Any], expression: Expression) -> str:
    own = {"pairs": "pairs", "rank_over_samples": "mean rank", "principal_component": "component score"}
    if rule["form"] in own:
        return own[rule["form"]]
    scale = "CPM" if expression.scale == "counts" else "TPM"
    return f"log2 {scale}" if rule["input"] == "log2_tpm" else scale


def _levels(rule: Mapping[str, Any], expression: Expression, members: Members) -> Matrix:
    values = expression.logarithms if rule["input"] == "log2_tpm" else expression.linear
    return np.asarray(values[:, members.genes], dtype=np.float64)


def _own(name: str, expression: Expression, known: Known, *, every_gene: bool = False) -> tuple[Members, str]:
    """The members of one signature, and why it cannot be scored."""
    members = members_of(expression.genes, known.signatures[known.signatures["signature"] == name])
    return members, members.reasons(1.0 if every_gene else known.minimum_coverage)[0]


def _weighted_sum(name: str, rule: Mapping[str, Any], expression: Expression, known: Known) -> Values:
    members, reason = _own(name, expression, known)
    total = members.total(
        _levels(rule, expression, members), members.everyone, members.direction * members.weight
    ).ravel()
    if "minus" not in rule:
        return total, float(members.coverage[0]), reason
    if rule["minus"] not in set(known.signatures["signature"]):
        missing = f"{rule['minus']}, which is subtracted, is not among the signatures that are scored"
        return np.full(len(expression.samples), np.nan), float(members.coverage[0]), reason or missing
    other, other_reason = _own(rule["minus"], expression, known)
    level = other.total(_levels(rule, expression, other), other.everyone).ravel() / max(len(other.gene), 1)
    # each value less the mean: so many times the mean as there is weight
    weight = float((members.direction * members.weight).sum())
    if other_reason:
        other_reason = f"{rule['minus']}: {other_reason}"
    coverage = min(float(members.coverage[0]), float(other.coverage[0]))
    return total - weight * level, coverage, reason or other_reason


def _mean(name: str, rule: Mapping[str, Any], expression: Expression, known: Known) -> Values:
    members, reason = _own(name, expression, known)
    total = members.total(_levels(rule, expression, members), members.everyone).ravel()
    return total / max(len(members.gene), 1), float(members.coverage[0]), reason


def _geometric_mean(name: str, rule: Mapping[str, Any], expression: Expression, known: Known) -> Values:
    members, reason = _own(name, expression, known, every_gene=bool(rule.get("every_gene")))
    with np.errstate(divide="ignore"):  # without an offset a gene at zero makes the whole mean zero
        logs = np.log(_levels(rule, expression, members) + float(rule.get("offset", 0.0)))
    mean = members.total(logs, members.everyone).ravel() / max(len(members.gene), 1)
    return np.exp(mean), float(members.coverage[0]), reason


def _difference(name: str, rule: Mapping[str, Any], expression: Expression, known: Known) -> Values:
    members, reason = _own(name, expression, known)
    levels = _levels(rule, expression, members)
    sides = [
        members.total(levels, side).ravel() / np.maximum(members.count(side), 1)
        for side in (members.direction > 0, members.direction < 0)
    ]
    return sides[0] - sides[1], float(members.coverage[0]), reason


def _pairs(name: str, rule: Mapping[str, Any], expression: Expression, known: Known) -> Values:
    if known.pairs is None:
        raise SignatureError(f"{name} needs the gene pairs of config/signatures/gene_pairs.csv.")
    pairs = known.pairs[known.pairs["score"] == name]
    first, second = (expression.genes.get_indexer(pd.Index(pairs[column])) for column in ("gene_a", "gene_b"))
    measured = (first >= 0) & (second >= 0)
    share = float(measured.mean())
    levels = expression.logarithms
    above = (levels[:, first[measured]] > levels[:, second[measured]]).sum(axis=1).astype(np.float64)
    counted = ~np.isnan(levels).any(axis=1)
    value = np.where(counted, above * float(rule["total"]) / max(int(measured.sum()), 1), np.nan)
    if share >= known.minimum_coverage and share > 0:
        return value, share, ""
    few = f"{int(measured.sum())} of {len(pairs)} pairs were measured, {known.minimum_coverage:.0%} are needed"
    return value, share, few


def _rank_over_samples(name: str, rule: Mapping[str, Any], expression: Expression, known: Known) -> Values:
    members, reason = _own(name, expression, known)
    levels = _levels(rule, expression, members)
    counted = ~np.isnan(levels).any(axis=1)
    few = _too_few(int(counted.sum()))
    value = np.full(len(levels), np.nan)
    if not (reason or few):
        ranks = pd.DataFrame(levels[counted]).rank().to_numpy(np.float64)
        value[counted] = ((ranks - 1) / (len(ranks) - 1)).mean(axis=1)
    return value, float(members.coverage[0]), reason or few


def _principal_component(name: str, rule: Mapping[str, Any], expression: Expression, known: Known) -> Values:
    """The component's sign is that of most of its genes: high scores where they are high."""
    members, reason = _own(name, expression, known)
    levels = _levels(rule, expression, members)
    counted = ~np.isnan(levels).any(axis=1)
    few = _too_few(int(counted.sum()))
    value = np.full(len(levels), np.nan)
    if reason or few:
        return value, float(members.coverage[0]), reason or few
    own = levels[counted]
    spread = own.std(axis=0, ddof=1)
    scaled = (own[:, spread > 0] - own[:, spread > 0].mean(axis=0)) / spread[spread > 0]
    if not scaled.shape[1]:
        return value, float(members.coverage[0]), "none of its genes differs between the samples"
    left, sizes, right = np.linalg.svd(scaled, full_matrices=False)
    value[counted] = left[:, 0] * sizes[0] * np.where(right[0].sum() < 0, -1.0, 1.0)
    return value, float(members.coverage[0]), ""


def _too_few(found: int) -> str:
    return "" if found >= FEWEST_SAMPLES else TOO_FEW.format(needed=FEWEST_SAMPLES, found=found)


FORMS: Mapping[str, Form] = {
    "weighted_sum": _weighted_sum,
    "mean": _mean,
    "geometric_mean": _geometric_mean,
    "difference": _difference,
    "pairs": _pairs,
}
"""Forms that one sample suffices for."""
COHORT_FORMS: Mapping[str, Form] = {
    "rank_over_samples": _rank_over_samples,
    "principal_component": _principal_component,
}
"""Forms that compare samples."""
ELSEWHERE = ("species_presence", "signed_mean_z")
"""Forms that other parts compute (stool; the method z)."""
INPUTS = ("log2_tpm", "tpm")
"""What a formula takes: logarithms or linear values; of counts CPM in place of TPM."""
KEYS_OF_ALL = ("form", "input", "source", "verification", "seen_in", "caution")
KEYS: Mapping[str, tuple[str, ...]] = {
    "weighted_sum": ("minus",),
    "geometric_mean": ("offset", "every_gene"),
    "pairs": ("total",),
}
"""What a rule may say beside, by form."""
