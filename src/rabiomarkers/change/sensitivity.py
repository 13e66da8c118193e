"""Does a result hold: without each patient, by every other test, with the samples that failed quality control."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.change.context import BORROWING, groups_of_tests, matrix_rows
from rabiomarkers.change.detectable import power_table
from rabiomarkers.change.notes import cannot_reach, joined
from rabiomarkers.change.pairs import FEATURE, PairMatrix, pair_matrix, paired_deltas, single_values
from rabiomarkers.change.shadow import shadow_null
from rabiomarkers.change.tests import TESTS, run_test
from rabiomarkers.errors import ResultsError
from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.results import Results
from rabiomarkers.stats.multiplicity import ALPHA
from rabiomarkers.stats.paired import NOT_TESTED
from rabiomarkers.tables.changes import SENSITIVITY
from rabiomarkers.tables.samples import FEATURES

PLANNED, WITHOUT, OTHER, FLAGGED = "as planned", "leave one out", "other test", "flagged samples"
KINDS = (PLANNED, WITHOUT, OTHER, FLAGGED)
WITH_FLAGGED = "with samples that failed quality control"
BACK = ("no pair comes back", "1 pair comes back", "{} pairs come back")
MIXED = "mixed_model"
TEST_WORDS: Mapping[str, str] = {
    "signed_rank": "signed-rank",
    "signed_rank_pratt": "signed-rank, Pratt's zeros",
    "sign_flip": "sign-flip",
    "paired_t": "paired t",
    "moderated_t": "moderated t",
    "ancova": "ANCOVA on baseline",
    "mixed_model": "mixed model",
}


def sensitivity_table(
    features: pd.DataFrame,
    changes: pd.DataFrame,
    *,
    contrast: Sequence[str],
    chosen: pd.DataFrame | None = None,
    flagged: pd.DataFrame | None = None,
    test: str = "signed_rank",
    exploratory_test: str | None = None,
    level: float = 0.95,
    seed: int = 1,
) -> pd.DataFrame:
    """Each chosen result again with one thing changed at a time.

    Parameters
    ----------
    features
        The FEATURES table the results were made of.
    changes
        The CHANGES table: which features there are and which were tested together.
    contrast
        Timepoint before, timepoint after.
    chosen
        `compartment, feature` of the results to look at; the primary ones if not given.
    flagged
        FEATURES of the samples that failed quality control, which the planned analysis leaves out.
    test, exploratory_test, level, seed
        As in `change_table`.

    Returns
    -------
    The SENSITIVITY table, features in the order of `changes`. `agrees`: the same direction and the same side of p = 0.05 as
    planned; empty where either has no p. One patient fewer also raises the smallest possible p; the note says so where it is
    above 0.05.
    """
    wanted = changes[changes["tier"] == "primary"] if chosen is None else changes.merge(chosen[FEATURE], on=FEATURE)
    keys = pd.MultiIndex.from_frame(wanted[FEATURE])
    measured = _matrix(features, contrast)
    more = _with_flagged(features, flagged, contrast)
    parts = [_unmeasured(wanted[matrix_rows(measured, wanted) < 0])]
    for name, together in groups_of_tests(changes, test=test, exploratory_test=exploratory_test):
        asked = together[pd.MultiIndex.from_frame(together[FEATURE]).isin(keys)]
        asked = asked[matrix_rows(measured, asked) >= 0]
        tests = _Tests(asked=asked[FEATURE], together=together, options={"level": level, "seed": seed})
        parts += [*_repeated(tests, measured, name), *_put_back(tests, measured, more, name)]
    table = pd.concat([part for part in parts if len(part)] or [SENSITIVITY.empty()], ignore_index=True)
    order = keys.get_indexer(pd.MultiIndex.from_frame(table[FEATURE]))
    kinds = table["kind"].map({kind: place for place, kind in enumerate(KINDS)})
    ordered = table.assign(order=order, place=kinds).sort_values(["order", "place"], kind="stable")
    return SENSITIVITY.check(_judged(ordered)[list(SENSITIVITY.columns)])


def sensitivity_step(
    inputs: Mapping[str, Path],
    out: Path,
    *,
    contrast: Sequence[str],
    test: str = "signed_rank",
    exploratory_test: str | None = None,
    level: float = 0.95,
    flips: int = 200,
    power: float = 0.8,
    seed: int = 1,
) -> Info:
    """Write `sensitivity`, `shadow_null` and `power.parquet` from the files `features`, `flagged` and `changes`.

    Options as in `sensitivity_table`, `shadow_null` and `power_table`.
    """
    features, changes = read_table(inputs["features"]), read_table(inputs["changes"])
    deltas = paired_deltas(features, contrast=contrast)
    tests: dict[str, Any] = {"test": test, "exploratory_test": exploratory_test, "level": level, "seed": seed}
    table = sensitivity_table(features, changes, contrast=contrast, flagged=read_table(inputs["flagged"]), **tests)
    pairs = pair_matrix(deltas, single_values(features, contrast=contrast))
    write_table(table, out / "sensitivity.parquet")
    write_table(shadow_null(pairs, changes, flips=flips, **tests), out / "shadow_null.parquet")
    write_table(power_table(deltas, changes, test=test, power=power, seed=seed), out / "power.parquet")
    return {"analyses": len(table), "disagree": int((~table["agrees"].dropna().astype(bool)).sum())}


def sensitivity(
    results: Results, feature: str, *, compartment: str | None = None, test: str | None = None
) -> pd.DataFrame:
    """The SENSITIVITY rows of any feature of a results folder, and a column `tier`.

    `tier` is the feature's tier in the plan, and "exploratory" where `test` is not the one the plan names for it: what was not
    asked before the data were seen may suggest, but not answer.

    Parameters
    ----------
    results
        From `open_results`.
    feature, compartment
        As in `results.changes`; the compartment only where several have a feature of that name.
    test
        A name in `change.tests.TESTS` in place of the planned one.

    Raises
    ------
    ResultsError
        There is no such feature, or several compartments have it.
    StatisticsError
        There is no such test.
    """
    row = _row_of(results.changes, feature, compartment)
    settings = results.run["settings"]
    planned = settings.get("change", {})
    names = {"test": planned.get("test", "signed_rank"), "exploratory_test": planned.get("exploratory_test")}
    of_plan = (names["exploratory_test"] or names["test"]) if row["tier"] == "exploratory" else names["test"]
    if test not in (None, of_plan):
        names = {"test": test, "exploratory_test": None}
    flagged = results.folder / "flagged.parquet"
    table = sensitivity_table(
        results.features,
        results.changes,
        contrast=settings["contrast"],
        chosen=pd.DataFrame([row[FEATURE]]),
        flagged=read_table(flagged) if flagged.is_file() else None,
        level=planned.get("level", 0.95),
        seed=settings.get("seed", 1),
        **names,
    )
    return table.assign(tier=row["tier"] if test in (None, of_plan) else "exploratory")


# ---- one analysis after the other ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Tests:
    """What is asked: features, those that were tested with them, and how."""

    asked: pd.DataFrame  # compartment, feature
    together: pd.DataFrame
    options: Mapping[str, Any]

    def run(self, pairs: PairMatrix, test: str, *, context: pd.DataFrame | None = None) -> pd.DataFrame:
        """The test of the features asked for; one that borrows from other features is given all of `context`."""
        chosen = self.asked if test not in BORROWING else pairs.features if context is None else context
        known = matrix_rows(pairs, chosen)
        part = pairs.rows(known[known >= 0])
        places = matrix_rows(part, self.asked)
        told = run_test(test, part, **self.options).iloc[places].reset_index(drop=True)
        return pd.concat([part.features.iloc[places].reset_index(drop=True), told], axis=1)


def _repeated(tests: _Tests, pairs: PairMatrix, name: str) -> list[pd.DataFrame]:
    """As planned, without each patient, by each other test."""
    if tests.asked.empty:
        return []
    planned = _named(tests.run(pairs, name, context=tests.together), PLANNED, PLANNED)
    rows = matrix_rows(pairs, tests.asked)
    # only a mixed model has a use for patients with one sample
    used = ~np.isnan(pairs.change) if name != MIXED else ~(np.isnan(pairs.before) & np.isnan(pairs.after))
    parts = [planned]
    for place, patient in enumerate(pairs.patients):
        concerned = used[rows, place]
        if concerned.any():
            told = tests.run(_without(pairs, place), name, context=tests.together)
            parts.append(_named(told[concerned], WITHOUT, f"without {patient}"))
    others = [other for other in TESTS if other != name]
    return [*parts, *(_named(tests.run(pairs, other), OTHER, TEST_WORDS[other]) for other in others)]


def _put_back(tests: _Tests, pairs: PairMatrix, more: PairMatrix | None, name: str) -> list[pd.DataFrame]:
    """With the samples that failed quality control, where they measured the feature."""
    if more is None or tests.asked.empty:
        return []
    told = _named(tests.run(more, name, context=tests.together), FLAGGED, WITH_FLAGGED)
    before, after = ((~np.isnan(side)) for side in (_sides(pairs, tests.asked), _sides(more, tests.asked)))
    new_samples, back = after.sum(axis=(0, 2)) - before.sum(axis=(0, 2)), after.all(axis=0).sum(axis=1)
    back = back - before.all(axis=0).sum(axis=1)
    said = [BACK[min(int(count), 2)].format(count) for count in back]
    told["note"] = [joined(words, note) for words, note in zip(said, told["note"], strict=True)]
    return [told[new_samples > 0]]


def _sides(pairs: PairMatrix, asked: pd.DataFrame) -> NDArray[np.float64]:
    """Values before and after (2 x features x patients)."""
    rows = matrix_rows(pairs, asked)
    return np.stack([pairs.before[rows], pairs.after[rows]])


def _named(told: pd.DataFrame, kind: str, analysis: str) -> pd.DataFrame:
    notes = [
        joined(note, cannot_reach(floor, f"{n} pairs"))
        for note, n, floor in zip(told["note"], told["n"], told["p_floor"], strict=True)
    ]
    return told.rename(columns={"n": "n_pairs"}).assign(kind=kind, analysis=analysis, note=notes)


def _judged(table: pd.DataFrame) -> pd.DataFrame:
    """With `agrees`: against the planned analysis of the same feature."""
    key = pd.MultiIndex.from_frame(table[FEATURE])
    planned = table[table["kind"] == PLANNED].set_index(FEATURE)
    expected = planned[["estimate", "p_value"]].reindex(key).reset_index(drop=True)
    own = table[["estimate", "p_value"]].reset_index(drop=True)
    direction = np.sign(own["estimate"]) == np.sign(expected["estimate"])
    side = (own["p_value"] <= ALPHA) == (expected["p_value"] <= ALPHA)
    known = own["p_value"].notna() & expected["p_value"].notna()
    agrees = (direction & side).astype("boolean").mask(~known)
    return table.reset_index(drop=True).assign(agrees=agrees)


# ---- the pairs -------------------------------------------------------------------------------------------------------


def _matrix(features: pd.DataFrame, contrast: Sequence[str]) -> PairMatrix:
    return pair_matrix(paired_deltas(features, contrast=contrast), single_values(features, contrast=contrast))


def _with_flagged(features: pd.DataFrame, flagged: pd.DataFrame | None, contrast: Sequence[str]) -> PairMatrix | None:
    """The pairs with the flagged samples among them; None where there are none.

    A flagged sample stands back where a good one of the same patient and timepoint measured the feature, and where it measured it
    in another unit.
    """
    if flagged is None or flagged.empty:
        return None
    units = set(features[[*FEATURE, "unit"]].itertuples(index=False, name=None))
    known = [key in units for key in flagged[[*FEATURE, "unit"]].itertuples(index=False, name=None)]
    both = pd.concat([features, flagged[known]], ignore_index=True).drop_duplicates(list(FEATURES.key))
    return _matrix(both, contrast) if len(both) > len(features) else None


def _without(pairs: PairMatrix, place: int) -> PairMatrix:
    """Without the patient at that place."""
    sides = {name: np.delete(getattr(pairs, name), place, axis=1) for name in ("before", "after", "change")}
    patients = (*pairs.patients[:place], *pairs.patients[place + 1 :])
    return PairMatrix(features=pairs.features, patients=patients, **sides)


def _unmeasured(rows: pd.DataFrame) -> pd.DataFrame:
    """Planned features nobody has a pair of, or a single value: one row each, with the reason."""
    told = rows[[*FEATURE, "unit", "n_pairs", "note"]].assign(kind=PLANNED, analysis=PLANNED, test=NOT_TESTED)
    return told.assign(**dict.fromkeys(("estimate", "ci_low", "ci_high", "ci_level", "p_value", "p_floor"), np.nan))


def _row_of(changes: pd.DataFrame, feature: str, compartment: str | None) -> pd.Series:
    named = changes[changes["feature"] == feature]
    found = named if compartment is None else named[named["compartment"] == compartment]
    if len(found) == 1:
        return found.iloc[0]
    if len(found) > 1:
        where = ", ".join(found["compartment"])
        raise ResultsError(
            f"Several compartments have {feature!r}: {where}. Name one, such as compartment={where.split(', ')[0]!r}."
        )
    if len(named):
        raise ResultsError(
            f"{feature!r} was not measured in {compartment!r}, but in {', '.join(named['compartment'])}."
        )
    near = get_close_matches(feature, changes["feature"].tolist(), n=3)
    hint = f" Did you mean {', '.join(near)}?" if near else " results.changes lists all."
    raise ResultsError(f"The results hold no feature {feature!r}.{hint}")
