"""Each patient's pair: the two values of a feature on the scale they are compared on, and their difference."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.change.notes import number_of_patients
from rabiomarkers.errors import TableError
from rabiomarkers.stats.scale import analysis_scale
from rabiomarkers.tables.changes import DELTAS, SINGLES
from rabiomarkers.tables.samples import FEATURES

type Matrix = NDArray[np.float64]

SIDES = ("before", "after")
FEATURE = ["compartment", "feature"]
NO_LOGARITHM = "with a value of zero or below, which has no logarithm"
OTHER_UNIT = "measured in another unit"
NO_VALUE = "without a value"


@dataclass(frozen=True, kw_only=True)
class PairMatrix:
    """All features of all patients side by side, for tests of thousands of features at once.

    Each matrix is features x patients. `change` is NaN unless the patient has a complete pair of that feature; `before` and
    `after` may also hold patients with one sample.
    """

    features: pd.DataFrame  # compartment, feature, unit: one row a row of the matrices
    patients: tuple[str, ...]
    before: Matrix
    after: Matrix
    change: Matrix

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> "PairMatrix":
        """Some features only."""
        return PairMatrix(
            features=self.features[chosen].reset_index(drop=True)
            if chosen.dtype == bool
            else self.features.iloc[chosen].reset_index(drop=True),
            patients=self.patients,
            before=self.before[chosen],
            after=self.after[chosen],
            change=self.change[chosen],
        )


def scaled_values(features: pd.DataFrame) -> pd.DataFrame:
    """Every sample's value on the scale it is analysed on (`stats.scale`), in the unit most samples of the feature have.

    Parameters
    ----------
    features
        The FEATURES table.

    Returns
    -------
    `patient_id, timepoint, compartment, feature, unit, value, reason`; where there is no value on that scale, it is NaN and
    `reason` says why in words that follow "a patient": "without a value", "measured in another unit", ...
    """
    checked = FEATURES.check(features)
    table = checked.merge(_main_units(checked), on=FEATURE, how="left")
    scaled = table.assign(scaled=np.nan, scale=table["main_unit"])
    for unit in sorted(set(table["main_unit"])):
        rows = (table["main_unit"] == unit).to_numpy()
        scaled.loc[rows, "scaled"], scaled.loc[rows, "scale"] = analysis_scale(table.loc[rows, "value"], unit)
    cases = {
        OTHER_UNIT: table["unit"] != table["main_unit"],
        NO_VALUE: ~np.isfinite(table["value"].to_numpy(dtype=np.float64)),
        NO_LOGARITHM: ~np.isfinite(scaled["scaled"].to_numpy(dtype=np.float64)),
    }
    reason = np.select([np.asarray(case, dtype=bool) for case in cases.values()], list(cases), default="")
    return pd.DataFrame(
        {
            **{name: table[name] for name in ("patient_id", "timepoint", *FEATURE)},
            "unit": scaled["scale"],
            "value": scaled["scaled"].where(reason == ""),
            "reason": pd.Series(reason, index=table.index, dtype="str"),
        }
    )


def paired_deltas(features: pd.DataFrame, *, contrast: Sequence[str]) -> pd.DataFrame:
    """Each patient's change in each feature, after - before, on the scale it is analysed on.

    Ratios and concentrations are compared on log2 (`stats.scale`), where a halving weighs as much as a doubling; all else as
    it is. Pairs are found by patient, never by row order.

    Parameters
    ----------
    features
        The FEATURES table.
    contrast
        Timepoint before, timepoint after.

    Returns
    -------
    The DELTAS table: complete pairs only. Its `change` is free of float noise: 28.0 -> 19.6 and 8.4 -> 0.0 differ by the same.
    """
    pairs = paired_values(features, contrast=contrast)
    return DELTAS.check(pairs.loc[pairs["reason"] == "", list(DELTAS.columns)])


def single_values(features: pd.DataFrame, *, contrast: Sequence[str]) -> pd.DataFrame:
    """The SINGLES table: patients with a usable value at one of the two timepoints; parameters as `paired_deltas`."""
    pairs = paired_values(features, contrast=contrast)
    alone = pairs["before"].notna() ^ pairs["after"].notna()
    return SINGLES.check(pairs.loc[alone, list(SINGLES.columns)])


def pairing(features: pd.DataFrame, *, contrast: Sequence[str]) -> pd.DataFrame:
    """Each measured feature with its unit, its number of complete pairs, and in words why other patients have none.

    Columns `compartment, feature, unit, n_pairs, note`; features as in `paired_deltas`.
    """
    pairs = paired_values(features, contrast=contrast)
    counts = pairs.groupby([*FEATURE, "unit", "reason"], sort=True).size().unstack("reason", fill_value=0)
    table = pd.DataFrame({"n_pairs": counts.get("", 0)}, index=counts.index)
    reasons = counts.drop(columns="", errors="ignore")
    table["note"] = [
        "; ".join(f"{number_of_patients(count)} {reason}" for reason, count in row.items() if count)
        for _, row in reasons.iterrows()
    ]
    return table.reset_index()


def paired_values(features: pd.DataFrame, *, contrast: Sequence[str]) -> pd.DataFrame:
    """Every patient x feature seen at either timepoint: `patient_id, compartment, feature, unit, before, after, change, reason`.

    `reason` says why there is no complete pair, the first that applies; where it is empty, there is one. A side that cannot be
    used is NaN.

    Raises
    ------
    TableError
        The contrast is not two different timepoints.
    """
    if len(contrast) != 2 or contrast[0] == contrast[1]:
        raise TableError(f"A contrast is two timepoints, before and after; it was: {', '.join(contrast) or 'empty'}.")
    seen = scaled_values(features)
    before, after = (
        seen[seen["timepoint"] == timepoint]
        .set_index([*FEATURE, "unit", "patient_id"])[["value", "reason"]]
        .add_suffix(f"_{side}")
        for timepoint, side in zip(contrast, SIDES, strict=True)
    )
    pairs = before.join(after, how="outer", sort=True).reset_index()
    pairs = pairs.rename(columns={f"value_{side}": side for side in SIDES}).assign(reason=_reasons(pairs, contrast))
    complete = pairs.assign(change=_differences(pairs))
    columns = ["patient_id", *FEATURE, "unit", *SIDES, "change", "reason"]
    return complete.sort_values([*FEATURE, "patient_id"])[columns].reset_index(drop=True)


def pair_matrix(deltas: pd.DataFrame, singles: pd.DataFrame | None = None) -> PairMatrix:
    """The DELTAS table, and patients with one sample if given, as matrices; features and patients in the order of their names."""
    both = deltas if singles is None or singles.empty else pd.concat([deltas, singles], ignore_index=True)
    units = both.drop_duplicates(FEATURE).sort_values(FEATURE)[[*FEATURE, "unit"]].reset_index(drop=True)
    patients = tuple(sorted(set(both["patient_id"])))
    row = pd.MultiIndex.from_frame(units[FEATURE]).get_indexer(pd.MultiIndex.from_frame(both[FEATURE]))
    column = pd.Index(patients).get_indexer(pd.Index(both["patient_id"]))
    matrices = {}
    for name in (*SIDES, "change"):
        matrices[name] = np.full((len(units), len(patients)), np.nan)
        matrices[name][row, column] = both[name].to_numpy(dtype=np.float64)
    return PairMatrix(features=units, patients=patients, **matrices)


def _main_units(features: pd.DataFrame) -> pd.DataFrame:
    """The unit most samples of a feature have, as `main_unit`: values in another cannot be set against it."""
    counts = features.groupby([*FEATURE, "unit"]).size().rename("samples").reset_index()
    ordered = counts.sort_values([*FEATURE, "samples", "unit"], ascending=[True, True, False, True])
    return ordered.drop_duplicates(FEATURE)[[*FEATURE, "unit"]].rename(columns={"unit": "main_unit"})


def _reasons(pairs: pd.DataFrame, contrast: Sequence[str]) -> NDArray[np.str_]:
    """Why a patient has no pair of this feature, the first reason that applies; empty where there is one."""
    (first, second), (before, after) = contrast, (pairs[f"reason_{side}"] for side in SIDES)
    cases = {
        f"without a {first} sample": before.isna(),
        f"without a {second} sample": after.isna(),
        OTHER_UNIT: (before == OTHER_UNIT) | (after == OTHER_UNIT),
        f"{NO_VALUE} at both timepoints": (before == NO_VALUE) & (after == NO_VALUE),
        f"{NO_VALUE} at {first}": before == NO_VALUE,
        f"{NO_VALUE} at {second}": after == NO_VALUE,
        NO_LOGARITHM: (before == NO_LOGARITHM) | (after == NO_LOGARITHM),
    }
    return np.select([np.asarray(case.fillna(False), dtype=bool) for case in cases.values()], list(cases), default="")


def _differences(pairs: pd.DataFrame) -> Matrix:
    """after - before, rounded to the 12th digit of the feature's largest value: what lies below is float noise."""
    values = pairs[[*SIDES]].where(pairs["reason"] == "")
    largest = values.abs().max(axis="columns").groupby([pairs[name] for name in FEATURE]).transform("max")
    exponent = np.floor(np.log10(largest.where(largest > 0, 1.0).to_numpy()))
    power = np.power(10.0, np.clip(11 - exponent, -300, 300))
    change = (values["after"] - values["before"]).to_numpy()
    return np.asarray(np.rint(change * power) / power, dtype=np.float64)
