"""How features go over all timepoints of a study with more than two: each later one against the first."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.change.notes import joined
from rabiomarkers.change.pairs import FEATURE, scaled_values
from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.stats.mixed import Courses, mixed_courses
from rabiomarkers.stats.multiplicity import benjamini_hochberg
from rabiomarkers.stats.paired import NOT_TESTED
from rabiomarkers.tables.changes import COURSES

NO_VALUE_HERE = "no value at this timepoint"
OF_A_CONTRAST = ("estimate", "ci_low", "ci_high", "p_value", "degrees_of_freedom", "n_patients", "n_pairs")


def course_table(features: pd.DataFrame, *, timepoints: Sequence[str], level: float = 0.95) -> pd.DataFrame:
    """Each later timepoint against the first, by a mixed model that uses patients with one sample too (`stats.mixed`).

    Every row is exploratory: a plan names one contrast, and a course over all timepoints is none of its tests.

    Parameters
    ----------
    features
        The FEATURES table. Values are analysed on the scale their changes are (`change.pairs.scaled_values`).
    timepoints
        All of the study in their order, the reference first. With two or fewer the table is empty: their change is tested.
    level
        Of the intervals.

    Returns
    -------
    The COURSES table. `q_value` is `p_any` adjusted within the compartment (Benjamini-Hochberg), the same on each row of a
    feature.
    """
    seen = scaled_values(features)
    seen = seen[seen["timepoint"].isin(list(timepoints))]
    if len(timepoints) < 3 or seen.empty:
        return COURSES.empty()
    named = seen.drop_duplicates(FEATURE).sort_values(FEATURE)[[*FEATURE, "unit"]].reset_index(drop=True)
    told = mixed_courses(_values(seen, named, timepoints), level=level)
    named["p_any"] = told.p_any
    named["q_value"] = benjamini_hochberg(named["p_any"], named["compartment"])
    named["left_out"] = _left_out(seen, named)
    rows = [_rows(told, named, column, timepoints) for column in range(len(timepoints) - 1)]
    ordered = pd.concat(rows, ignore_index=True).sort_values([*FEATURE, "place"])
    told_level = np.where(ordered["ci_low"].notna(), level, np.nan)
    table = ordered.assign(reference=timepoints[0], ci_level=told_level, p_floor=np.nan, tier="exploratory")
    return COURSES.check(table[list(COURSES.columns)])


def _values(seen: pd.DataFrame, named: pd.DataFrame, timepoints: Sequence[str]) -> NDArray[np.float64]:
    """Features x patients x timepoints; NaN where there is no usable value."""
    patients = pd.Index(sorted(set(seen["patient_id"])))
    row = pd.MultiIndex.from_frame(named[FEATURE]).get_indexer(pd.MultiIndex.from_frame(seen[FEATURE]))
    values = np.full((len(named), len(patients), len(timepoints)), np.nan)
    place = pd.Index(timepoints).get_indexer(pd.Index(seen["timepoint"]))
    values[row, patients.get_indexer(pd.Index(seen["patient_id"])), place] = seen["value"].to_numpy(dtype=np.float64)
    return values


def _left_out(seen: pd.DataFrame, named: pd.DataFrame) -> list[str]:
    """How many patients of each feature have samples, but none with a usable value; empty if none."""
    usable = seen["value"].notna().groupby([seen[name] for name in (*FEATURE, "patient_id")]).any()
    counts = (~usable).groupby(level=FEATURE).sum().reindex(pd.MultiIndex.from_frame(named[FEATURE])).tolist()
    return [f"{count} patient{'s' if count > 1 else ''} without a usable value" if count else "" for count in counts]


def _rows(told: Courses, named: pd.DataFrame, column: int, timepoints: Sequence[str]) -> pd.DataFrame:
    """One later timepoint of all features."""
    numbers = {name: getattr(told, name)[:, column] for name in OF_A_CONTRAST}
    here = np.isnan(numbers["estimate"]) & (
        told.test != NOT_TESTED
    )  # the feature has a model, this timepoint is not in it
    notes = zip(told.note, np.where(here, NO_VALUE_HERE, ""), named["left_out"], strict=True)
    return named.assign(
        **numbers,
        timepoint=timepoints[column + 1],
        place=column,
        test=np.where(here, NOT_TESTED, told.test),
        note=[joined(*parts) for parts in notes],
    )


def course_step(inputs: Mapping[str, Path], out: Path, *, timepoints: Sequence[str], level: float = 0.95) -> Info:
    """Write `courses.parquet` from the file `inputs["features"]`; options as `course_table`."""
    courses = course_table(read_table(inputs["features"]), timepoints=timepoints, level=level)
    write_table(courses, out / "courses.parquet")
    return {"timepoints": len(timepoints), "features": len(courses.drop_duplicates(FEATURE)), "rows": len(courses)}
