"""The sex of whom an RNA sample is from, by genes that only one sex expresses.

The limits are read off the 118 tumours of CheckMate 038 (log2(CPM + 1)), where both sexes lie far apart: the median of the five
Y-linked genes is at most 0.35 in one group and at least 1.67 in the other, XIST at most 0.72 without it and at least 1.99 with it
(that data set tells no sex; its two groups do). Both samples of one of its patients have XIST and Y genes. The Y genes decide: a
tumour can lose its Y or its XIST and a man's can switch XIST on, but no woman's can gain a Y.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from rabiomarkers.features.expression_quality import Y_LINKED

type Sex = Literal["female", "male", "unclear"]

LEAST_Y_GENES = 2  # measured; one may be a read of its X-linked twin
Y_EXPRESSED = 1.0  # median of the Y genes, log2(CPM + 1) or log2(TPM + 1)
Y_ABSENT = 0.6
XIST_EXPRESSED: Mapping[str, float] = {"log2 CPM": 1.4, "log2 TPM": 0.25}
"""TPM divides by length, and XIST is about ten times as long as the usual transcript: 1.6 CPM are 0.2 TPM. Not measured on TPM."""

WORDS_OF_SEX: Mapping[str, Sex] = {
    "female": "female",
    "f": "female",
    "woman": "female",
    "w": "female",
    "male": "male",
    "m": "male",
    "man": "male",
}
"""What a column `sex` may say, in any case; anything else is not known."""


@dataclass(frozen=True, kw_only=True)
class FoundSex:
    """What the sex genes of one sample say. `value` is the median of the Y genes, NaN where fewer than two were measured."""

    found: Sex
    value: float
    note: str


def found_sex(expression: pd.Series, *, unit: str) -> FoundSex:
    """The sex a sample's genes speak of.

    Parameters
    ----------
    expression
        log2(CPM + 1) or log2(TPM + 1) by gene symbol.
    unit
        ``log2 CPM`` or ``log2 TPM``.

    References
    ----------
    Staedtler et al. 2013, Biomarkers 18: 436-445, PMID 23829492 (sex by XIST and four of these Y-linked genes)
    """
    y_genes = expression.reindex(list(Y_LINKED)).dropna().astype(float)
    xist = float(expression.get("XIST", np.nan))
    if len(y_genes) < LEAST_Y_GENES:
        return _without_y(xist >= XIST_EXPRESSED[unit], measured=not np.isnan(xist))
    level = float(y_genes.median())
    has_xist = bool(xist >= XIST_EXPRESSED[unit])
    if level >= Y_EXPRESSED:
        both = "XIST is expressed as well: two X and a Y, XIST switched on in the tumour, or two people in one tube"
        return FoundSex(found="male", value=level, note=both if has_xist else "")
    if level >= Y_ABSENT:
        trace = "Y genes at a trace: a little of a man's sample in it, or a Y that most cells have lost"
        return FoundSex(found="unclear", value=level, note=trace)
    if np.isnan(xist):
        return FoundSex(
            found="unclear", value=level, note="no Y gene is expressed, as in a woman; XIST was not measured"
        )
    lost = "neither Y genes nor XIST are expressed: a tumour can lose either"
    return FoundSex(found="female" if has_xist else "unclear", value=level, note="" if has_xist else lost)


def _without_y(has_xist: bool, *, measured: bool) -> FoundSex:
    if has_xist:
        return FoundSex(found="female", value=np.nan, note="by XIST alone: Y genes were not measured")
    told = "XIST is not expressed and Y genes were not measured" if measured else "no sex gene was measured"
    return FoundSex(found="unclear", value=np.nan, note=told)


def sex_rows(
    found: Mapping[str, FoundSex], samples: pd.DataFrame, expected: Mapping[str, str], unit: str
) -> pd.DataFrame:
    """A row of the check "sex" for each sample.

    Parameters
    ----------
    found
        By sample_id.
    samples
        `sample_id, patient_id` of the same samples.
    expected
        ``female``, ``male`` or ``unknown`` by patient. Where it is unknown, samples of one patient that are of both sexes are all
        findings.
    unit
        Of the values.
    """
    table = pd.DataFrame(
        {
            "sample_id": samples["sample_id"].to_numpy(),
            "value": [found[sample].value for sample in samples["sample_id"]],
            "unit": unit,
            "expected": [expected.get(patient, "unknown") for patient in samples["patient_id"]],
            "found": [found[sample].found for sample in samples["sample_id"]],
        }
    )
    known = table["found"] != "unclear"
    sexes = table["found"].where(known).groupby(samples["patient_id"].to_numpy()).transform("nunique")
    asked = table["expected"] != "unknown"
    against = asked & known & (table["found"] != table["expected"])
    divided = sexes > 1
    said = [
        [_AGAINST[sex] if wrong else "", _DIVIDED if split else "", found[sample].note]
        for sample, sex, wrong, split in zip(table["sample_id"], table["found"], against, divided, strict=True)
    ]
    notes = pd.Series(["; ".join(part for part in parts if part) or None for parts in said], dtype="object")
    return table.assign(finding=against | (divided & ~asked), fits=None, note=notes)


_DIVIDED = "the samples of this patient are of both sexes"
_AGAINST: Mapping[str, str] = {
    "male": "Y genes are expressed: not the sample of a woman",
    "female": "XIST is expressed and no Y gene is: not the sample of a man",
}
