"""The sex of whom an RNA sample is from, by genes that only one sex expresses.

The limits are read off the 118 tumours of CheckMate 038 (log2(CPM + 1)), where both sexes lie far apart: the median of the five
Y-linked genes is at most 0.35 in one group and at least 1.67 in the other, XIST at most 0.72 without it and at least 1.99 with it
(that data set tells no sex; its two groups do). Two samples of one man have XIST and Y genes alike: a Y gene decides, as a
tumour can lose its Y or its XIST, and a man's can switch XIST on, but no woman's can gain a Y.
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
    Staedtler et al. 2013, doi:10.1007/s00216-013-7134-5 (sex of a sample by XIST and Y-linked genes)
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
    table = samples[["sample_id", "patient_id"]].assign(
        found=[found[sample].found for sample in samples["sample_id"]],
        value=[found[sample].value for sample in samples["sample_id"]],
        said=[found[sample].note for sample in samples["sample_id"]],
        expected=[expected.get(patient, "unknown") for patient in samples["patient_id"]],
    )
    known = table[table["found"] != "unclear"]
    sexes = table["patient_id"].map(known.groupby("patient_id")["found"].nunique()).fillna(0)
    against = (table["expected"] != "unknown") & (table["found"] != "unclear") & (table["found"] != table["expected"])
    divided = sexes > 1
    notes = [
        "; ".join(
            filter(None, (_sex_note(row.found, row.expected) if wrong else "", _DIVIDED if split else "", row.said))
        )
        for row, wrong, split in zip(table.itertuples(), against, divided, strict=True)
    ]
    return pd.DataFrame(
        {
            "sample_id": table["sample_id"],
            "value": table["value"],
            "unit": unit,
            "expected": table["expected"],
            "found": table["found"],
            "finding": against | (divided & (table["expected"] == "unknown")),
            "fits": None,
            "note": [note or None for note in notes],
        }
    )


_DIVIDED = "the samples of this patient are of both sexes"


def _sex_note(found: str, expected: str) -> str:
    genes = "Y genes are expressed" if found == "male" else "XIST is expressed and no Y gene is"
    return f"{genes}: not the sample of a {'woman' if expected == 'female' else 'man'}"
