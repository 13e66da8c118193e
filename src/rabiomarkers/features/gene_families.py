"""What the genes of one stool could do to retinoic acid: potential, not activity.

Most orthologues that could make retinoic acid are alcohol and aldehyde dehydrogenases of nearly every genome; only two are
specific, and one of them may be the host's DNA. Specific and unspecific ones are therefore told apart, and those that are the
host's or the diet's in stool are left out.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.knowledge import load_functions
from rabiomarkers.tables.samples import SAMPLE_FEATURES, SAMPLE_QC

EFFECTS: Mapping[str, str] = {
    "substrate": "provitamin_a_potential",
    "produces_retinal": "retinal_production_potential",
    "consumes_retinal": "retinal_consumption_potential",
    "produces_ra": "ra_production_potential",
    "degrades_ra": "ra_degradation_potential",
    "indirect_host_induction": "butyrate_potential",
    "none": "trimethylamine_potential",
}
"""Effect in the table of functions -> feature."""
PERHAPS_HOST = "K07249"
"""Bacteria have it, and so have animals (ALDH1A)."""
UNIT = "copies per million"
WHOLE_TABLE = 500
"""A table of so many families names what it found of all there are: what it does not name is absent, not unreportable."""

type Row = tuple[str, float, str, str, float, bool, str]


def gene_family_features(table: pd.DataFrame, functions: pd.DataFrame, *, kind: str) -> pd.DataFrame:
    """Copies per million of the orthologues (or enzymes) of each effect on retinoic acid.

    Parameters
    ----------
    table
        `family`, `value` (copies per million).
    functions
        The table of functions (`knowledge.load_functions`).
    kind
        ``ko`` or ``ec``. Of enzyme numbers nothing is specific: one number stands for several orthologues.

    Returns
    -------
    A SAMPLE_FEATURES table: ``<effect>_potential`` over all orthologues that bacteria have, and of orthologues
    ``<effect>_potential_specific``, where there are specific ones. `coverage` is the share of the listed that the table names.
    """
    values = table.set_index("family")["value"].astype("float64")
    rows = [row for effect, feature in EFFECTS.items() for row in _rows(values, functions, effect, feature, kind)]
    return SAMPLE_FEATURES.check(pd.DataFrame(rows, columns=list(SAMPLE_FEATURES.columns)).sort_values("feature"))


def _rows(values: pd.Series, functions: pd.DataFrame, effect: str, feature: str, kind: str) -> Iterator[Row]:
    listed = functions[(functions["effect_on_ra"] == effect) & (functions["use"] != "host")]
    if listed.empty:
        return
    yield _row(values, _names(listed, kind), feature, kind, "in most genomes: a weak marker")
    specific = listed[listed["use"] == "specific"]
    if kind == "ko" and len(specific):
        names = _names(specific, kind)
        caution = f"specific; {PERHAPS_HOST} may be the host's DNA" if PERHAPS_HOST in names else "specific"
        yield _row(values, names, f"{feature}_specific", kind, caution)


def _names(listed: pd.DataFrame, kind: str) -> list[str]:
    if kind == "ko":
        return sorted(set(listed["ko"]))
    numbers = {number for text in listed["ec"] for number in str(text).split() if number != "-"}
    return sorted(number for number in numbers if not number.endswith("-"))


def _row(values: pd.Series, names: list[str], feature: str, kind: str, caution: str) -> Row:
    present = [name for name in names if name in values.index]
    coverage = len(present) / len(names) if names else 0.0
    note = ""
    if not names:
        note = "no listed orthologue has an enzyme number"
    elif not present and len(values) < WHOLE_TABLE:
        note = f"none of the {len(names)} listed is named in this table: absent and unreportable cannot be told apart"
    value = float(values.reindex(present).sum()) if not note else np.nan
    listed = ", ".join(names) if len(names) <= 6 else f"{', '.join(names[:6])} and {len(names) - 6} more"
    method = f"potential, not activity: {'KEGG orthologues' if kind == 'ko' else 'enzyme numbers'} {listed}; {caution}"
    return feature, value, UNIT, method, coverage, False, note


def gene_family_quality(table: pd.DataFrame, *, unmapped: float | None) -> pd.DataFrame:
    """Quality of one sample as a SAMPLE_QC table: something must have been found; what was placed nowhere is shown."""
    found = int((table["value"] > 0).sum())
    rows: list[tuple[object, ...]] = [("gene_families_detected", found, "gene families", "> 0", found > 0)]
    if unmapped is not None:
        rows.append(("unmapped_share", unmapped, "fraction", "", True))
    return SAMPLE_QC.check(pd.DataFrame(rows, columns=list(SAMPLE_QC.columns)))


def gene_family_step(inputs: Mapping[str, Path], out: Path) -> Info:
    """Write `features.parquet` and `qc.parquet` of one sample (`sample`) by the table of `functions`."""
    table = read_table(inputs["sample"])
    passport = table.attrs["passport"]
    features = gene_family_features(table, load_functions(inputs["functions"]), kind=str(passport["kind"]))
    write_table(features, out / "features.parquet")
    write_table(gene_family_quality(table, unmapped=passport.get("unmapped")), out / "qc.parquet")
    return {"families": len(table)}
