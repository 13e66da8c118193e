"""The axes of retinoic acid apart, each read where it means something.

Availability (uptake, synthesis, degradation) is read before treatment only: CYP26A1, DHRS3 and STRA6 are targets of retinoic acid,
so after treatment they tell exposure and not supply. Response, differentiation and the arms of peroxidation are read as changes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.knowledge import load_axes
from rabiomarkers.tables.changes import CHANGES
from rabiomarkers.tables.genes import AXES
from rabiomarkers.tables.samples import FEATURES

NOT_SCORED = "not scored in any sample"
NO_CHANGE = "no patient has both samples"
QUARTILES = (0.25, 0.5, 0.75)
EMPTY: Mapping[str, object] = {"n": 0, "estimate": np.nan, "low": np.nan, "high": np.nan, "unit": "rank score"}


def axes_table(
    features: pd.DataFrame, changes: pd.DataFrame, axes: pd.DataFrame, *, contrast: Sequence[str]
) -> pd.DataFrame:
    """The AXES table: each axis and arm in every compartment whose samples were scored for it, in the order of `axes`.

    Parameters
    ----------
    features
        FEATURES.
    changes
        CHANGES: the estimates, intervals and p of changes are taken from there.
    axes
        Of `knowledge.load_axes`.
    contrast
        The earlier and the later timepoint.

    Returns
    -------
    Of an axis read ``before``: the median and the quartiles of the patients' levels at the earlier timepoint. Of a ``change``: its
    estimate and interval. An axis that nobody was scored for has one row that says so.
    """
    features, changes = FEATURES.check(features), CHANGES.check(changes)
    rows = []
    for _, axis in axes.iterrows():
        scored = features[features["feature"] == axis["signature"]]
        places = sorted(scored["compartment"].unique()) or ["tumour"]
        for compartment in places:
            own = scored[scored["compartment"] == compartment]
            rows.append(
                {name: axis[name] for name in ("axis", "arm", "signature", "use", "words")}
                | {"compartment": compartment, "p_value": np.nan, "p_floor": np.nan}
                | _told(own, changes, axis, compartment, contrast[0])
            )
    return AXES.check(pd.DataFrame(rows)) if rows else AXES.empty()


def _told(
    own: pd.DataFrame, changes: pd.DataFrame, axis: pd.Series, compartment: str, earlier: str
) -> dict[str, object]:
    if own.empty:
        return {**EMPTY, "note": NOT_SCORED}
    return _before(own, earlier) if axis["use"] == "before" else _change(changes, axis, compartment)


def _before(own: pd.DataFrame, earlier: str) -> dict[str, object]:
    levels = own[own["timepoint"] == earlier]
    known = levels.loc[levels["value"].notna(), "value"]
    reasons = [note for note in levels["note"].dropna().unique() if note]
    low, middle, high = known.quantile(list(QUARTILES)) if len(known) else (np.nan,) * 3
    note = None if len(known) else (reasons[0] if reasons else f"no sample of timepoint {earlier}")
    unit = str(own["unit"].iloc[0])
    return {"n": len(known), "estimate": middle, "low": low, "high": high, "unit": unit, "note": note}


def _change(changes: pd.DataFrame, axis: pd.Series, compartment: str) -> dict[str, object]:
    found = changes[(changes["feature"] == axis["signature"]) & (changes["compartment"] == compartment)]
    if found.empty:
        return {**EMPTY, "note": NO_CHANGE}
    row = found.iloc[0]
    columns = {
        "n": "n_pairs",
        "estimate": "estimate",
        "low": "ci_low",
        "high": "ci_high",
        "unit": "unit",
        "note": "note",
    }
    return {name: row[column] for name, column in (columns | {"p_value": "p_value", "p_floor": "p_floor"}).items()}


def axes_step(inputs: Mapping[str, Path], out: Path, *, contrast: Sequence[str]) -> Info:
    """`features`, `changes`, `axes` -> `axes.parquet`."""
    table = axes_table(
        read_table(inputs["features"]), read_table(inputs["changes"]), load_axes(inputs["axes"]), contrast=contrast
    )
    write_table(table, out / "axes.parquet")
    return {"rows": len(table)}
