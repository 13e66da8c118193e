"""The design matrix: one row a patient, one column a feature that the plan named before anyone saw a response.

A column is called `compartment:feature`. Where a model takes both the values before treatment and their changes, it is called
`before compartment:feature` or `change compartment:feature`, the word in front telling which.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

import numpy as np
import pandas as pd

from rabiomarkers.errors import PredictionError
from rabiomarkers.stats.scale import analysis_scale
from rabiomarkers.tables.table import COMPARTMENTS

type FeatureSet = Literal["none", "baseline", "change", "both"]

BEFORE, CHANGE = "before ", "change "  # in front of a column where both are in one matrix


@dataclass(frozen=True, kw_only=True)
class Design:
    """What a model may learn from; patients and their order are those of `matrix`, sorted."""

    feature_set: FeatureSet
    matrix: pd.DataFrame  # patients x columns, on the analysis scale, NaN where missing
    units: Mapping[str, str]  # of each column
    labels: pd.Series  # responder, by patient; without rows where outcomes are not known
    left_out: tuple[Mapping[str, str], ...]  # patient_id, reason
    refused: tuple[Mapping[str, str], ...]  # feature (or name in the plan), reason


def design_matrix(
    features: pd.DataFrame,
    deltas: pd.DataFrame,
    outcomes: pd.DataFrame | None,
    *,
    feature_set: Literal["baseline", "change", "both"],
    contrast: Sequence[str],
    names: Sequence[str],
    compartment: str | None = None,
    maximum_features: int = 5,
) -> Design:
    """Patients x features for one of the questions: what the values before treatment tell, what their changes tell, or both.

    A patient who misses a compartment stays in with NaN, filled inside each fold; one without any of the features, or whose
    response is not known, is left out with the reason. Features that depend on the cohort are refused: they would carry other
    patients' values, the left-out one's too, into the training set.

    Parameters
    ----------
    features, deltas, outcomes
        FEATURES, DELTAS and OUTCOMES tables; outcomes None to apply a model to patients whose response is not known.
    contrast
        (before, after) names of timepoints; ``"baseline"`` takes features at the first.
    names
        Feature names or patterns, optionally ``compartment:pattern``, in the order of the columns; or columns themselves.
    compartment
        Only features of this one; None: of all.
    maximum_features
        The first so many are used, the others refused; of values before and changes each so many.

    Raises
    ------
    PredictionError
        A feature occurs twice for one patient: patients would be on both sides of a split.
    """
    wanted = {"baseline": ("before",), "change": ("change",), "both": ("before", "change")}[feature_set]
    parts = []
    for kind in wanted:
        long = _baseline(features, contrast[0]) if kind == "before" else _change(deltas)
        if compartment is not None:
            long = long[long["column"].map(compartment_of) == compartment]
        prefix = {"before": BEFORE, "change": CHANGE}[kind] if feature_set == "both" else ""
        here = [name.removeprefix(prefix) for name in names if _is_meant(name, prefix)]
        parts.append(_part(long, here, _unusable(features, long), maximum_features, prefix))
    wide = pd.concat([part.wide for part in parts], axis="columns").sort_index()
    labels, left_out = _labels(outcomes, wide.index, _absence(feature_set, contrast))
    return Design(
        feature_set=feature_set,
        matrix=wide if outcomes is None else wide.reindex(labels.index),
        units={column: unit for part in parts for column, unit in part.units.items()},
        labels=labels,
        left_out=left_out,
        refused=tuple(reason for part in parts for reason in part.refused),
    )


def without_features(outcomes: pd.DataFrame) -> Design:
    """The design of a model that only knows how many respond: every patient whose response is known, and no column."""
    everyone = pd.Index(outcomes["patient_id"], dtype=object)
    labels, left_out = _labels(outcomes, everyone, "")
    matrix = pd.DataFrame(index=labels.index)
    return Design(feature_set="none", matrix=matrix, units={}, labels=labels, left_out=left_out, refused=())


def compartment_of(column: str) -> str:
    """The compartment a column of the design comes from."""
    return column.removeprefix(BEFORE).removeprefix(CHANGE).partition(":")[0]


@dataclass(frozen=True, kw_only=True)
class _Part:
    """The columns of one kind, values before treatment or changes."""

    wide: pd.DataFrame
    units: Mapping[str, str]
    refused: tuple[Mapping[str, str], ...]


def _is_meant(name: str, prefix: str) -> bool:
    """Whether a name is for this kind: a column of the other kind is not."""
    return not prefix or name.startswith(prefix) or not name.startswith((BEFORE, CHANGE))


def _part(
    long: pd.DataFrame, names: Sequence[str], unusable: Mapping[str, str], maximum_features: int, prefix: str
) -> _Part:
    chosen, refused = _choose(long, names, unusable, maximum_features)
    used = long[long["column"].isin(chosen) & long["value"].notna()]
    units = dict(zip(used["column"], used["unit"], strict=True))
    return _Part(
        wide=_wide(used, chosen).add_prefix(prefix),
        units={prefix + column: units.get(column, "") for column in chosen},
        refused=tuple({**reason, "feature": prefix + reason["feature"]} for reason in refused),
    )


def _wide(long: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    if long.duplicated(["patient_id", "column"]).any():
        raise PredictionError("The tables hold a feature twice for one patient; one value each is needed.")
    wide = long.pivot(index="patient_id", columns="column", values="value").reindex(columns=columns)
    return wide.astype("float64").rename_axis(index="patient_id", columns=None)


def _column(frame: pd.DataFrame) -> pd.Series:
    return frame["compartment"].astype(str) + ":" + frame["feature"].astype(str)


def _baseline(features: pd.DataFrame, timepoint: str) -> pd.DataFrame:
    """Long values at the first timepoint on the scale that changes are taken on."""
    before = features[features["timepoint"] == timepoint]
    parts = [
        group.assign(value=scaled, unit=scale)
        for unit, group in before.groupby("unit", sort=True)
        for scaled, scale in [analysis_scale(group["value"].to_numpy(dtype=float, na_value=np.nan), str(unit))]
    ]
    long = pd.concat(parts) if parts else before
    return long.assign(column=_column(long))[["patient_id", "column", "unit", "value"]]


def _change(deltas: pd.DataFrame) -> pd.DataFrame:
    return deltas.assign(column=_column(deltas), value=deltas["change"])[["patient_id", "column", "unit", "value"]]


def _absence(feature_set: FeatureSet, contrast: Sequence[str]) -> str:
    if feature_set != "change":
        return f"no sample at {contrast[0]} with any of the named features"
    return f"no pair of samples at {contrast[0]} and {contrast[1]} with any of the named features"


def _unusable(features: pd.DataFrame, long: pd.DataFrame) -> dict[str, str]:
    """Columns that no model may have -> why."""
    units = long.groupby("column")["unit"].nunique()
    several = dict.fromkeys(units.index[units > 1], "it is given in more than one unit")
    dependent = _column(features[features["cohort_dependent"].astype(bool)])
    return several | dict.fromkeys(dependent, "its value depends on the other patients")


def _choose(
    long: pd.DataFrame, names: Sequence[str], unusable: Mapping[str, str], maximum: int
) -> tuple[list[str], tuple[Mapping[str, str], ...]]:
    measured = sorted(set(long.loc[long["value"].notna(), "column"]))
    chosen: list[str] = []
    refused: list[Mapping[str, str]] = []
    for name in names:
        found = [column for column in measured if _matches(column, name) and column not in chosen]
        if not any(_matches(column, name) for column in measured):
            refused.append({"feature": name, "reason": "not measured in any patient"})
        for column in found:
            if column in unusable:
                refused.append({"feature": column, "reason": unusable[column]})
            elif len(chosen) == maximum:
                refused.append({"feature": column, "reason": f"the model takes {maximum} features at most"})
            else:
                chosen.append(column)
    return chosen, tuple(refused)


def _matches(column: str, name: str) -> bool:
    """Whether a name of the plan means this column: the column itself, a pattern, or a pattern in one compartment."""
    compartment, _, feature = column.partition(":")
    before, _, after = name.partition(":")
    if before in COMPARTMENTS:  # CYT_ROONEY_2015:mean is a feature, not a compartment
        return name == column or (before == compartment and fnmatchcase(feature, after))
    return name == feature or fnmatchcase(feature, name)


def _labels(
    outcomes: pd.DataFrame | None, measured: pd.Index, absence: str
) -> tuple[pd.Series, tuple[Mapping[str, str], ...]]:
    labels: dict[str, bool] = {}
    left_out: list[Mapping[str, str]] = []
    known = set(measured)
    if outcomes is not None:
        columns = ["patient_id", "evaluable", "responder", "note"]
        for patient, evaluable, responder, note in outcomes.sort_values("patient_id")[columns].itertuples(index=False):
            if not evaluable or pd.isna(responder):
                told = f": {note}" if isinstance(note, str) and note else ""
                left_out.append({"patient_id": patient, "reason": f"response not evaluable{told}"})
            elif patient not in known:
                left_out.append({"patient_id": patient, "reason": absence})
            else:
                labels[patient] = bool(responder)
    return pd.Series(labels, dtype=bool, name="responder").rename_axis("patient_id"), tuple(left_out)
