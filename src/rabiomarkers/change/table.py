"""How each feature moved over the patients: the planned tests, their size, and what their number costs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.change.notes import cannot_reach, joined
from rabiomarkers.change.pairs import FEATURE, PairMatrix, pair_matrix
from rabiomarkers.change.plan import family, plan_features, read_plan
from rabiomarkers.change.tests import run_test
from rabiomarkers.stats.effect import hedges_g_many, standardised_change_intervals, standardised_changes
from rabiomarkers.stats.multiplicity import (
    ALPHA,
    BENJAMINI_HOCHBERG,
    HOLM,
    SEQUENCE,
    benjamini_hochberg,
    fixed_sequence,
    holm,
)
from rabiomarkers.stats.paired import ALL_EQUAL, ALL_ZERO, NO_PAIR
from rabiomarkers.tables.changes import CHANGES
from rabiomarkers.tables.table import TIERS

SIZE_LEVEL = 0.95  # of the intervals of effect sizes; those of the estimates reach what their test allows
NOT_MEASURED = "named in the plan, no sample gave it"
NOT_REGISTERED = "the plan is not the one that was registered"
NO_UNIT = "unknown"
SECONDARY_CORRECTIONS = {"holm": HOLM, "benjamini_hochberg": BENJAMINI_HOCHBERG}


def change_table(
    deltas: pd.DataFrame,
    measured: pd.DataFrame | None = None,
    *,
    singles: pd.DataFrame | None = None,
    primary: Sequence[str] = (),
    secondary: Sequence[str] = (),
    families: Mapping[str, Sequence[str]] | None = None,
    secondary_correction: str = "holm",
    test: str = "signed_rank",
    exploratory_test: str | None = None,
    registered: bool = True,
    level: float = 0.95,
    seed: int = 1,
) -> pd.DataFrame:
    """How each feature moved over the patients: estimate, interval and p of one test, effect sizes, and p adjusted in its family.

    Primary features are tested one after the other in the order of the plan, each at the full level, until one fails; secondary
    ones are corrected by Holm (or Benjamini-Hochberg) within their family, exploratory ones by Benjamini-Hochberg within their
    compartment.

    Parameters
    ----------
    deltas
        The DELTAS table.
    measured
        From `pairing`: adds the features without any pair and why patients are missing.
    singles
        From `single_values`: patients with one sample, whom only "mixed_model" can use.
    primary, secondary, families
        As in `read_plan`; an entry that matches nothing has a row with 0 pairs.
    secondary_correction
        "holm" or "benjamini_hochberg".
    test, exploratory_test
        Names in `change.tests.TESTS`, of the planned features and of the others (the same if not given).
    registered
        False where the plan is not the one that was registered: every feature is then exploratory, and the note says why.
    level
        Wanted level of the intervals; `ci_level` is the one reached.
    seed
        Of the random flips beyond 20 pairs.

    Returns
    -------
    The CHANGES table, primary features first and in their sequence, then by compartment and name. A number that cannot be
    estimated is NaN with the reason in `note`.
    """
    plan = {"primary": primary, "secondary": secondary, "families": families or {}}
    rows = _planned_rows(_measured_in(deltas) if measured is None else measured, plan, registered=registered)
    pairs = _matrix_of(rows, deltas, singles)
    options = {"level": level, "seed": seed}
    tested = _tested(pairs, rows["tier"], test=test, exploratory_test=exploratory_test or test, options=options)
    table = pd.concat([rows, tested.rename(columns={"n": "n_pairs", "note": "reason"}), _sizes(pairs)], axis=1)
    corrected = _corrected(table, SECONDARY_CORRECTIONS[secondary_correction])
    corrected["note"] = [_note(row) for row in corrected.to_dict("records")]
    ordered = corrected.assign(order=corrected["tier"].map(TIERS.index)).sort_values(["order", "sequence", *FEATURE])
    return CHANGES.check(ordered[list(CHANGES.columns)])


def _measured_in(deltas: pd.DataFrame) -> pd.DataFrame:
    table = deltas[[*FEATURE, "unit"]].drop_duplicates().sort_values(FEATURE)
    return table.assign(note="")


def _planned_rows(measured: pd.DataFrame, plan: Mapping[str, Any], *, registered: bool) -> pd.DataFrame:
    """Each measured feature and each planned one nobody measured: `compartment, feature, unit, family, tier, place, missing`."""
    planned = plan_features(measured, read_plan(**plan))
    rows = planned.features.rename(columns={"note": "missing"})
    absent = [
        {
            "compartment": entry.compartment,
            "feature": entry.pattern,
            "unit": NO_UNIT,
            "family": entry.family_in(entry.compartment),
            "tier": entry.tier,
            "place": 0,
            "missing": NOT_MEASURED,
        }
        for entry in planned.unmatched
    ]
    columns = [*FEATURE, "unit", "family", "tier", "place", "missing"]
    both = pd.DataFrame([*rows[columns].to_dict("records"), *absent], columns=columns)
    both = both.astype(dict.fromkeys((name for name in columns if name != "place"), "str")).drop_duplicates(FEATURE)
    both = both.reset_index(drop=True)
    return both.assign(unregistered="") if registered else _stamped(both)


def _stamped(rows: pd.DataFrame) -> pd.DataFrame:
    """All rows exploratory: a plan that was changed after it was registered may have been changed by what the data showed."""
    named = rows["tier"] != "exploratory"
    families = [family("exploratory", compartment) for compartment in rows["compartment"]]
    told = np.where(named, NOT_REGISTERED, "")
    return rows.assign(tier="exploratory", family=families, unregistered=told)


def _matrix_of(rows: pd.DataFrame, deltas: pd.DataFrame, singles: pd.DataFrame | None) -> PairMatrix:
    """The matrices with one row for each row of `rows`, also where no patient has a value."""
    known = pair_matrix(deltas, singles)
    place = pd.MultiIndex.from_frame(known.features[FEATURE]).get_indexer(pd.MultiIndex.from_frame(rows[FEATURE]))
    there = (place >= 0)[:, None]
    values = {
        name: np.where(there, getattr(known, name)[place], np.nan)
        if len(known.features)
        else np.full((len(rows), len(known.patients)), np.nan)
        for name in ("before", "after", "change")
    }
    return PairMatrix(features=rows[[*FEATURE, "unit"]], patients=known.patients, **values)


def _tested(
    pairs: PairMatrix, tiers: pd.Series, *, test: str, exploratory_test: str, options: Mapping[str, Any]
) -> pd.DataFrame:
    if test == exploratory_test:
        return run_test(test, pairs, **options)
    exploratory = (tiers == "exploratory").to_numpy()
    parts = []
    for name, chosen in ((test, ~exploratory), (exploratory_test, exploratory)):
        rows = np.flatnonzero(chosen)
        parts.append(run_test(name, pairs.rows(rows), **options).set_index(rows))
    return pd.concat(parts).sort_index()


def _sizes(pairs: PairMatrix) -> pd.DataFrame:
    """Effect sizes, and the median and range of the patients' changes."""
    complete = ~np.isnan(pairs.change)
    low, high = standardised_change_intervals(pairs.change, level=SIZE_LEVEL)
    sides = (np.where(complete, side, np.nan) for side in (pairs.before, pairs.after))
    average = hedges_g_many(*sides, level=SIZE_LEVEL)
    some = complete.any(axis=1)
    return pd.DataFrame(
        {
            "effect_size": standardised_changes(pairs.change),
            "effect_low": low,
            "effect_high": high,
            "hedges_g": average["hedges_g"].to_numpy(),
            "hedges_g_low": average["low"].to_numpy(),
            "hedges_g_high": average["high"].to_numpy(),
            "median": _where(some, pairs.change, np.nanmedian),
            "minimum": _where(some, pairs.change, np.nanmin),
            "maximum": _where(some, pairs.change, np.nanmax),
        }
    )


def _where(some: NDArray[np.bool_], values: NDArray[np.float64], statistic: Any) -> NDArray[np.float64]:
    told = np.full(len(values), np.nan)
    if some.any():
        told[some] = statistic(values[some], axis=1)
    return told


def _corrected(table: pd.DataFrame, secondary_correction: str) -> pd.DataFrame:
    """With `correction, sequence, q_value, passes`."""
    correction = table["tier"].map(
        {"primary": SEQUENCE, "secondary": secondary_correction, "exploratory": BENJAMINI_HOCHBERG}
    )
    sequence = _sequence(table)
    # a place without a p: as a rule the patients all moved alike or not at all. The sequence stops there, as it would at p = 1
    stopped = table["p_value"].isna() & sequence.notna()
    in_order = fixed_sequence(table["p_value"].mask(stopped, 1.0), sequence).where(~stopped)
    q_value = in_order
    for name, correct in ((HOLM, holm), (BENJAMINI_HOCHBERG, benjamini_hochberg)):
        q_value = q_value.mask(correction == name, correct(table["p_value"].where(correction == name), table["family"]))
    passes = (q_value <= ALPHA).astype("boolean").mask(q_value.isna())
    return table.assign(correction=correction, sequence=sequence.astype("Int64"), q_value=q_value, passes=passes)


def _sequence(table: pd.DataFrame) -> pd.Series:
    """The place of each primary feature that was measured in patients enough for a test, from 1; NaN for all others.

    Enough are two pairs, or whatever gave the test a p (a mixed model also uses patients with one sample) or would have if they had
    not all moved alike. A feature of too few takes no place: whether it could be measured does not depend on which way it moved.
    """
    enough = table["p_value"].notna() | (table["n_pairs"] >= 2) | table["reason"].isin([ALL_ZERO, ALL_EQUAL])
    primary = table[(table["tier"] == "primary") & enough].sort_values(["place", *FEATURE])
    places = pd.Series(np.arange(1.0, len(primary) + 1), index=primary.index)
    return places.reindex(table.index)


def _note(row: Mapping[Any, Any]) -> str:
    """What a reader must know about a row's numbers, in words; empty where there is nothing to say."""
    if row["missing"] == NOT_MEASURED:
        return joined(row["unregistered"], NOT_MEASURED)
    tested = not np.isnan(row["p_value"])
    if row["n_pairs"] == 0 and not tested:
        why = f"{NO_PAIR}: {row['missing']}" if row["missing"] else NO_PAIR
        return joined(row["unregistered"], why, row["reason"] if row["reason"] != NO_PAIR else "")
    moved = f" ({row['n_nonzero']} of which moved)" if row["n_nonzero"] < row["n_pairs"] else ""
    few = row["n_pairs"] == 2 or (tested and row["n_pairs"] < 2)
    return joined(
        row["unregistered"],
        row["reason"],
        cannot_reach(row["p_floor"], f"{row['n_pairs']} pairs{moved}"),
        "no effect size with fewer than three pairs" if few else "",
        row["missing"],
    )
