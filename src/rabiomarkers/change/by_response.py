"""Whether features moved otherwise in patients who responded than in those who did not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rabiomarkers.change.notes import cannot_reach, joined, number_of_patients
from rabiomarkers.change.pairs import FEATURE, pair_matrix
from rabiomarkers.change.plan import family
from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.stats.multiplicity import ALPHA, benjamini_hochberg, holm
from rabiomarkers.stats.two_groups import EMPTY_GROUP, NOBODY, rank_sum_many
from rabiomarkers.tables.changes import BY_RESPONSE
from rabiomarkers.tables.outcomes import known_responses


def change_by_response(
    deltas: pd.DataFrame,
    outcomes: pd.DataFrame,
    changes: pd.DataFrame | None = None,
    *,
    level: float = 0.95,
    seed: int = 1,
) -> pd.DataFrame:
    """Change of each feature in responders against that in non-responders (change x response), by an exact rank-sum test.

    The test hands the response labels to whole patients, each of whom counts once, with the change. Features the plan names
    primary are secondary here, one family under Holm: the plan's own question is whether they change at all. All others are
    exploratory, corrected by Benjamini-Hochberg within their compartment.

    Parameters
    ----------
    deltas, outcomes
        The DELTAS and OUTCOMES tables. Patients whose response is not known are counted and play no other part.
    changes
        The CHANGES table, for which features are primary; all are exploratory if not given.
    level
        Wanted level of the intervals; `ci_level` is the one reached.
    seed
        Of the random labellings beyond 50 patients.

    Returns
    -------
    A BY_RESPONSE table: `estimate` is the median of all differences between a responder's and a non-responder's change. Where a
    number cannot be told, it is NaN with the reason in `note`; so is the median of nobody.
    """
    pairs = pair_matrix(deltas)
    responder = known_responses(outcomes).reindex(pairs.patients).astype("boolean")
    known = responder.notna().to_numpy()
    complete = ~np.isnan(pairs.change)
    flags = responder[known].to_numpy(dtype=bool)
    tested = rank_sum_many(pairs.change[:, known], flags, level=level, seed=seed)
    groups = {"responders": pairs.change[:, known][:, flags], "non_responders": pairs.change[:, known][:, ~flags]}
    table = pd.concat([pairs.features, tested.drop(columns=["n_first", "n_second"])], axis=1).assign(
        **{f"n_{name}": (~np.isnan(values)).sum(axis=1) for name, values in groups.items()},
        **{f"median_{name}": pd.DataFrame(values).median(axis=1) for name, values in groups.items()},
        n_unknown=complete[:, ~known].sum(axis=1),
    )
    corrected = _corrected(_ranked(table, changes))
    notes = pd.Series([_note(row) for row in corrected.to_dict("records")], dtype="str")
    return BY_RESPONSE.check(corrected.assign(note=notes)[list(BY_RESPONSE.columns)])


def by_response_step(inputs: Mapping[str, Path], out: Path, *, level: float = 0.95, seed: int = 1) -> Info:
    """Write `by_response.parquet` from `deltas`, `outcomes` and `changes`; options as `change_by_response`."""
    deltas, outcomes, changes = (read_table(inputs[name]) for name in ("deltas", "outcomes", "changes"))
    table = change_by_response(deltas, outcomes, changes, level=level, seed=seed)
    write_table(table, out / "by_response.parquet")
    return {"features": len(table), "tested": int(table["p_value"].notna().sum())}


def _ranked(table: pd.DataFrame, changes: pd.DataFrame | None) -> pd.DataFrame:
    """With `tier` and `family`."""
    named = pd.MultiIndex.from_frame(table[FEATURE])
    primary = np.zeros(len(table), dtype=bool)
    if changes is not None:
        primary = named.isin(pd.MultiIndex.from_frame(changes.loc[changes["tier"] == "primary", FEATURE]))
    others = "response " + table["compartment"].map(lambda compartment: family("exploratory", compartment)).astype(
        "str"
    )
    return table.assign(
        tier=np.where(primary, "secondary", "exploratory"), family=others.mask(primary, "response primary")
    )


def _corrected(table: pd.DataFrame) -> pd.DataFrame:
    """With `q_value`, and `q_floor`: what it would be if every test of the family were at its smallest possible p."""
    planned = table["tier"] == "secondary"
    for corrected, p_value in (("q_value", "p_value"), ("q_floor", "p_floor")):
        by_holm, by_rate = (correct(table[p_value], table["family"]) for correct in (holm, benjamini_hochberg))
        table = table.assign(**{corrected: by_holm.where(planned, by_rate)})
    return table.assign(n_tests=table["p_value"].notna().groupby(table["family"]).transform("sum"))


def _note(row: Mapping[Any, Any]) -> str:
    """What a reader must know about a row's numbers, in words; empty where there is nothing to say."""
    responders, others, unknown = row["n_responders"], row["n_non_responders"], row["n_unknown"]
    if row["note"] == NOBODY:
        return f"the response of nobody with a pair is known ({number_of_patients(unknown)})"
    parts = [row["note"]]
    if row["note"] == EMPTY_GROUP:
        parts = [f"no {'non-responder' if responders else 'responder'} has a pair, so nothing to compare"]
    who = f"{responders} v {others} patients"
    parts.append(cannot_reach(row["p_floor"], who))
    if row["p_floor"] <= ALPHA < row["q_floor"]:
        parts.append(f"cannot pass: with {who} no p is below {row['p_floor']:.3g}, and {row['n_tests']} are tested")
    if unknown:
        parts.append(f"response unknown of {number_of_patients(unknown)}, left out")
    return joined(*parts)
