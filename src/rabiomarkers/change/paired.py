"""From features to changes: each patient's pair, and how each feature moved over the patients."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.change.mechanism import retinoic_acid_call
from rabiomarkers.change.plan import family, plan_features, read_plan
from rabiomarkers.errors import TableError
from rabiomarkers.files import Info, read_table, write_json, write_table
from rabiomarkers.stats.effect import standardised_changes
from rabiomarkers.stats.multiplicity import benjamini_hochberg
from rabiomarkers.stats.paired import sign_flip_many, signed_rank_many
from rabiomarkers.stats.scale import analysis_scale
from rabiomarkers.tables.changes import CHANGES, DELTAS
from rabiomarkers.tables.samples import FEATURES
from rabiomarkers.tables.table import TIERS

type TestName = Literal["signed_rank", "sign_flip"]

SIDES = ("before", "after")
FEATURE = ["compartment", "feature"]
ALPHA = 0.05
NOT_MEASURED = "named in the plan, no sample gave it"
NO_UNIT = "unknown"


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
    pairs = _pairs(features, contrast)
    complete = pairs[pairs["reason"] == ""].sort_values([*FEATURE, "patient_id"])
    return DELTAS.check(complete[list(DELTAS.columns)])


def pairing(features: pd.DataFrame, *, contrast: Sequence[str]) -> pd.DataFrame:
    """Each measured feature with its unit, its number of complete pairs, and in words why other patients have none.

    Columns `compartment, feature, unit, n_pairs, note`; features as in `paired_deltas`.
    """
    pairs = _pairs(features, contrast)
    counts = pairs.groupby([*FEATURE, "unit", "reason"], sort=True).size().unstack("reason", fill_value=0)
    table = pd.DataFrame({"n_pairs": counts.get("", 0)}, index=counts.index)
    reasons = counts.drop(columns="", errors="ignore")
    table["note"] = [
        "; ".join(f"{_patients(count)} {reason}" for reason, count in row.items() if count)
        for _, row in reasons.iterrows()
    ]
    return table.reset_index()


def change_table(
    deltas: pd.DataFrame,
    measured: pd.DataFrame | None = None,
    *,
    primary: Sequence[str] = (),
    secondary: Sequence[str] = (),
    test: TestName = "signed_rank",
    level: float = 0.95,
    seed: int = 1,
) -> pd.DataFrame:
    """How each feature moved over the patients: estimate, interval and p of one exact test, effect size, q within its family.

    Parameters
    ----------
    deltas
        The DELTAS table.
    measured
        From `pairing`: adds the features without any pair and why patients are missing.
    primary, secondary
        The plan's names or patterns, each optionally ``compartment:pattern``; one that matches nothing has a row with 0 pairs.
    test
        "signed_rank" (estimate: Hodges-Lehmann) or "sign_flip" (estimate: mean); the interval is that of the same test.
    level
        Wanted level of the intervals; `ci_level` is the one reached.
    seed
        Of the random flips beyond 20 pairs.

    Returns
    -------
    The CHANGES table, primary features first, then by compartment and name. `effect_size` is dz without small-sample bias. A
    number that cannot be estimated is NaN with the reason in `note`.
    """
    rows = _planned_rows(measured if measured is not None else _measured_in(deltas), primary, secondary)
    wide = deltas.pivot(index=FEATURE, columns="patient_id", values="change")
    differences = wide.reindex(pd.MultiIndex.from_frame(rows[FEATURE])).to_numpy(dtype=np.float64)
    tested = _tested(differences, test=test, level=level, seed=seed)
    table = pd.concat([rows, tested.rename(columns={"n": "n_pairs", "note": "reason"})], axis=1)
    table["effect_size"] = standardised_changes(differences)
    table["note"] = [_note(row) for row in table.to_dict("records")]
    table["q_value"] = benjamini_hochberg(table["p_value"], table["family"])
    ordered = table.assign(order=table["tier"].map(TIERS.index)).sort_values(["order", *FEATURE])
    return CHANGES.check(ordered[list(CHANGES.columns)])


def change_step(
    inputs: Mapping[str, Path],
    out: Path,
    *,
    contrast: Sequence[str],
    primary: Sequence[str] = (),
    secondary: Sequence[str] = (),
    test: TestName = "signed_rank",
    level: float = 0.95,
    seed: int = 1,
) -> Info:
    """Write `deltas.parquet`, `changes.parquet` and `retinoic_acid.json` from the file `inputs["features"]`."""
    features = read_table(inputs["features"])
    deltas = paired_deltas(features, contrast=contrast)
    changes = change_table(
        deltas,
        pairing(features, contrast=contrast),
        primary=primary,
        secondary=secondary,
        test=test,
        level=level,
        seed=seed,
    )
    write_table(deltas, out / "deltas.parquet")
    write_table(changes, out / "changes.parquet")
    write_json(retinoic_acid_call(changes), out / "retinoic_acid.json")
    planned = changes["tier"] != "exploratory"
    unmatched = changes.loc[planned & (changes["note"] == NOT_MEASURED), "feature"].tolist()
    return {"features": len(changes), "planned": int(planned.sum()), "not_measured": unmatched}


# ---- pairs -----------------------------------------------------------------------------------------------------------


def _pairs(features: pd.DataFrame, contrast: Sequence[str]) -> pd.DataFrame:
    """Every patient x feature seen at either timepoint: `unit, before, after, change, reason`; no reason, a complete pair."""
    if len(contrast) != 2 or contrast[0] == contrast[1]:
        raise TableError(f"A contrast is two timepoints, before and after; it was: {', '.join(contrast) or 'empty'}.")
    checked = FEATURES.check(features)
    seen = checked[checked["timepoint"].isin(list(contrast))].merge(_main_units(checked), on=FEATURE, how="left")
    before, after = (
        seen[seen["timepoint"] == timepoint]
        .set_index([*FEATURE, "patient_id", "main_unit"])[["value", "unit"]]
        .add_suffix(f"_{side}")
        for timepoint, side in zip(contrast, SIDES, strict=True)
    )
    pairs = before.join(after, how="outer", sort=True).reset_index()
    return _on_scale(pairs.assign(reason=_reasons(pairs, contrast)))


def _main_units(features: pd.DataFrame) -> pd.DataFrame:
    """The unit most samples of a feature have, as `main_unit`: values in another cannot be set against it."""
    counts = features.groupby([*FEATURE, "unit"]).size().rename("samples").reset_index()
    ordered = counts.sort_values([*FEATURE, "samples", "unit"], ascending=[True, True, False, True])
    return ordered.drop_duplicates(FEATURE)[[*FEATURE, "unit"]].rename(columns={"unit": "main_unit"})


def _reasons(pairs: pd.DataFrame, contrast: Sequence[str]) -> NDArray[np.str_]:
    """Why a patient has no pair of this feature, the first reason that applies; empty where there is one."""
    (first, second), main = contrast, pairs["main_unit"]
    units = [pairs[f"unit_{side}"] for side in SIDES]
    no_value = [~np.isfinite(pairs[f"value_{side}"].to_numpy(dtype=np.float64)) for side in SIDES]
    cases = {
        f"without a {first} sample": units[0].isna(),
        f"without a {second} sample": units[1].isna(),
        "measured in another unit": units[0].ne(main).fillna(True) | units[1].ne(main).fillna(True),
        "without a value at both timepoints": no_value[0] & no_value[1],
        f"without a value at {first}": no_value[0],
        f"without a value at {second}": no_value[1],
    }
    return np.select([np.asarray(case, dtype=bool) for case in cases.values()], list(cases), default="")


def _on_scale(pairs: pd.DataFrame) -> pd.DataFrame:
    """The pairs with `before`, `after`, `change` and `unit` on the scale of analysis."""
    scaled = pairs.assign(before=np.nan, after=np.nan, unit=pairs["main_unit"])
    for unit in sorted(set(pairs["main_unit"])):
        rows = (pairs["main_unit"] == unit).to_numpy()
        for side in SIDES:
            scaled.loc[rows, side], scaled.loc[rows, "unit"] = analysis_scale(pairs.loc[rows, f"value_{side}"], unit)
    lost = (scaled["reason"] == "") & ~(np.isfinite(scaled["before"]) & np.isfinite(scaled["after"]))
    scaled["reason"] = scaled["reason"].mask(lost, "with a value of zero or below, which has no logarithm")
    return scaled.assign(change=_differences(scaled))


def _differences(scaled: pd.DataFrame) -> NDArray[np.float64]:
    """after - before, rounded to the 12th digit of the feature's largest value: what lies below is float noise."""
    values = scaled[[*SIDES]].where(scaled["reason"] == "")
    largest = values.abs().max(axis="columns").groupby([scaled[name] for name in FEATURE]).transform("max")
    exponent = np.floor(np.log10(largest.where(largest > 0, 1.0).to_numpy()))
    power = np.power(10.0, np.clip(11 - exponent, -300, 300))
    change = (values["after"] - values["before"]).to_numpy()
    return np.asarray(np.rint(change * power) / power, dtype=np.float64)


def _patients(count: int) -> str:
    return "1 patient" if count == 1 else f"{count} patients"


# ---- rows of the changes table ---------------------------------------------------------------------------------------


def _measured_in(deltas: pd.DataFrame) -> pd.DataFrame:
    table = deltas[[*FEATURE, "unit"]].drop_duplicates().sort_values(FEATURE)
    return table.assign(note="")


def _planned_rows(measured: pd.DataFrame, primary: Sequence[str], secondary: Sequence[str]) -> pd.DataFrame:
    """`compartment, feature, unit, family, tier, missing` of each measured feature and of each planned one nobody measured."""
    planned = plan_features(measured, read_plan(primary=primary, secondary=secondary))
    rows = planned.features.rename(columns={"note": "missing"})
    absent = [
        {
            "compartment": entry.compartment,
            "feature": entry.pattern,
            "unit": NO_UNIT,
            "family": family(entry.tier, entry.compartment),
            "tier": entry.tier,
            "missing": NOT_MEASURED,
        }
        for entry in planned.unmatched
    ]
    columns = [*FEATURE, "unit", "family", "tier", "missing"]
    both = pd.DataFrame([*rows[columns].to_dict("records"), *absent], columns=columns, dtype="str")
    return both.drop_duplicates(FEATURE).reset_index(drop=True)


def _tested(differences: NDArray[np.float64], *, test: TestName, level: float, seed: int) -> pd.DataFrame:
    if test == "signed_rank":
        return signed_rank_many(differences, level=level)
    return sign_flip_many(differences, level=level, seed=seed)


def _note(row: Mapping[Any, Any]) -> str:
    """What a reader must know about a row's numbers, in words; empty where there is nothing to say."""
    if row["missing"] == NOT_MEASURED:
        return NOT_MEASURED
    if row["n_pairs"] == 0:
        return f"no pair: {row['missing']}" if row["missing"] else "no pair"
    parts = [row["reason"]]
    if row["p_floor"] > ALPHA:
        moved = f" ({row['n_nonzero']} of which moved)" if row["n_nonzero"] < row["n_pairs"] else ""
        parts.append(f"cannot reach {ALPHA}: with {row['n_pairs']} pairs{moved} no p is below {row['p_floor']:.3g}")
    if row["n_pairs"] == 2:
        parts.append("no effect size with fewer than three pairs")
    return "; ".join(part for part in [*parts, row["missing"]] if part)
