"""Which cell types and taxa moved as parts of a whole, and whether the whole did."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.change.notes import cannot_reach, joined
from rabiomarkers.change.wholes import CELL_TYPES, cell_wholes, gated_wholes, taxon_wholes
from rabiomarkers.errors import StatisticsError, TableError
from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.stats.composition import ZERO_RULES, Scale, balance_weights, clr_changes, without_zeros
from rabiomarkers.stats.dirichlet import COLUMNS as SAMPLED
from rabiomarkers.stats.dirichlet import DRAWS, posterior_tests
from rabiomarkers.stats.multiplicity import ALPHA, benjamini_hochberg
from rabiomarkers.stats.paired import NOT_TESTED, signed_rank_many
from rabiomarkers.stats.parts import reference_tests, whole_change
from rabiomarkers.tables.changes import COMPOSITION
from rabiomarkers.tables.samples import SAMPLES

type Sides = Mapping[str, Sequence[str]]

TAXA, CELLS, PARTS = "taxa:", "cells:", "parts:"
WHOLE, TOGETHER = "all parts", "rare parts together"

MOVED = "moved"
DEPENDS = "depends on the reference"
RATIO_MOVED = "their ratio moved"
NOT_SHOWN = "not shown"
CANNOT = f"cannot reach {ALPHA:g}"
RARE = "rare"
VERDICTS = (MOVED, DEPENDS, RATIO_MOVED, NOT_SHOWN, CANNOT, RARE)
"""`moved`: by both references, and still so among the parts left when stronger movers are taken out (`stats.parts`).
`depends on the reference`: by one of them only, or only as long as a stronger mover is part of the reference. `their ratio
moved`: of two parts, as which of them moved no reference can say. `cannot reach 0.05`: with so few pairs no result could. `rare`:
below the prevalence floor, tested only within the sum of the rare parts."""


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Both samples of each patient, patients x parts, sorted; `note` says who is not here."""

    before: pd.DataFrame
    after: pd.DataFrame
    note: str


def composition_table(
    counts: pd.DataFrame,
    samples: pd.DataFrame,
    *,
    contrast: Sequence[str],
    compartment: str = "blood",
    composition: str = CELL_TYPES,
    scale: Scale = "counts",
    minimum_prevalence: float = 0.3,
    draws: int = DRAWS,
    balances: Mapping[str, Sides] | None = None,
    level: float = 0.95,
    seed: int = 1,
    remarks: Sequence[str] = (),
) -> pd.DataFrame:
    """Paired tests of every part of one composition, of named balances and of the whole.

    The closed list of parts is those seen in any sample of the pairs. Parts seen in fewer than `minimum_prevalence` of these
    samples are summed into one part, `rare parts together`, which stays in the composition: dropping them would make the other
    shares grow, and leaving each in would let a hundred halves of a count weigh on the geometric mean. So a patient's change
    against the geometric mean depends on which parts the study has seen; against the patient's median part it hardly does.
    Zeros follow `stats.composition.ZERO_RULES`; q is Benjamini and Hochberg's, within each coordinate.

    Parameters
    ----------
    counts
        Samples x parts by sample_id; counts, or relative abundances with ``scale="relative"``.
    samples
        `sample_id, patient_id, timepoint`, one sample a patient and timepoint.
    contrast
        Timepoint before, timepoint after.
    draws
        From the posterior of the counts (`stats.dirichlet`).
    balances
        By name: `numerator` and `denominator`, each names or patterns (``*``, ``?``) of parts. Rare parts take no part.
    remarks
        Whatever else the reader of the whole should know, for its note.

    Returns
    -------
    The COMPOSITION table; `verdict` is one of `VERDICTS` and the same for both references of a part.

    Raises
    ------
    TableError
        The contrast is not two timepoints, or a patient has two samples of one.
    StatisticsError
        A value is negative or absent.
    """
    pairs = _pairs(counts, samples, contrast)
    prevalence = (pd.concat([pairs.before, pairs.after]) > 0).mean()
    rare = prevalence[~(prevalence >= minimum_prevalence)].index if len(pairs.before) else prevalence.index[:0]
    before, after = (_summed(side, rare) for side in (pairs.before, pairs.after))
    changes = _log_changes(before, after, scale)
    told = [
        _part_rows(changes, before, after, level=level, draws=draws if scale == "counts" else 0, seed=seed),
        _rare_rows(rare, len(before)),
        _balance_rows(changes, rare, balances or {}, level=level),
        _whole_row(changes, [_needed(changes), pairs.note, *remarks, f"zero rule: {ZERO_RULES[scale]}"], seed=seed),
    ]
    rows = pd.concat([rows for rows in told if len(rows)], ignore_index=True).reindex(columns=list(COMPOSITION.columns))
    shares = prevalence.to_dict() | {TOGETHER: _share_seen(before, after)}
    rows["prevalence"] = rows["part"].map(shares).where(rows["coordinate"].isin(["clr", "median"])).astype("float64")
    rows = rows.assign(compartment=compartment, composition=composition, unit="ln", note=rows["note"].replace("", None))
    return COMPOSITION.check(rows)


def composition_step(
    inputs: Mapping[str, Path],
    out: Path,
    *,
    contrast: Sequence[str],
    minimum_prevalence: float = 0.3,
    draws: int = DRAWS,
    balances: Mapping[str, Sides] | None = None,
    level: float = 0.95,
    seed: int = 1,
    depth: int = 1,
) -> Info:
    """Write `composition.parquet`: cell types of each compartment and the taxa of stool.

    Parameters
    ----------
    inputs
        `samples`, and ``taxa:<sample_id>`` (a stool piece), ``cells:<sample_id>`` (called cells) and ``parts:<sample_id>:<assay>``
        (gated cells) of the samples that passed.
    depth
        Stool samples with fewer reads are left out, as they are of diversity; 1 leaves out empty ones only.
    contrast, minimum_prevalence, draws, balances, level, seed
        As in `composition_table`. A balance is told of each composition that has any of its parts, or, if none has, of all.
    """
    sheet = SAMPLES.check(read_table(inputs["samples"]))
    gated = {(name.rpartition(":")[0], name.rpartition(":")[2]): table for name, table in _named(inputs, PARTS).items()}
    wholes = [
        *cell_wholes(_named(inputs, CELLS), sheet),
        *gated_wholes(gated, sheet),
        *taxon_wholes(_named(inputs, TAXA), sheet, depth=depth),
    ]
    wanted = balances or {}
    homeless = {name for name, sides in wanted.items() if not any(_has_any(whole.counts, sides) for whole in wholes)}
    tables = [
        composition_table(
            whole.counts,
            whole.samples,
            contrast=contrast,
            compartment=whole.compartment,
            composition=whole.composition,
            scale=whole.scale,
            minimum_prevalence=minimum_prevalence,
            draws=draws,
            balances={
                name: sides for name, sides in wanted.items() if name in homeless or _has_any(whole.counts, sides)
            },
            level=level,
            seed=seed,
            remarks=whole.remarks,
        )
        for whole in wholes
    ]
    table = pd.concat(tables, ignore_index=True) if tables else COMPOSITION.empty()
    write_table(COMPOSITION.check(table), out / "composition.parquet")
    told = table[table["coordinate"] == "clr"]
    return {"compositions": len(wholes), "parts": len(told), "moved": int((told["verdict"] == MOVED).sum())}


# ---- pairs -----------------------------------------------------------------------------------------------------------


def _pairs(counts: pd.DataFrame, samples: pd.DataFrame, contrast: Sequence[str]) -> Pairs:
    """Patients with both samples, and the parts any of them has (if there is no pair: the parts of any sample)."""
    if len(contrast) != 2 or contrast[0] == contrast[1]:
        raise TableError(f"A contrast is two timepoints, before and after; it was: {', '.join(contrast) or 'empty'}.")
    values = counts.to_numpy(dtype=np.float64)
    if not np.isfinite(values).all() or (values < 0).any():
        raise StatisticsError("A composition needs a number of zero or more in every part of every sample.")
    own = samples[samples["sample_id"].isin(counts.index) & samples["timepoint"].isin(list(contrast))]
    if own.duplicated(["patient_id", "timepoint"]).any():
        raise TableError("A patient has two samples of one timepoint; keep one.")
    ids = own.pivot(index="patient_id", columns="timepoint", values="sample_id").reindex(columns=list(contrast))
    totals = counts.sum(axis="columns")
    filled = ids.apply(lambda column: column.map(totals).fillna(0.0) > 0)
    complete = ids[filled.all(axis="columns")].sort_index()
    parts = sorted(
        counts.columns[(counts.loc[complete.to_numpy().ravel() if len(complete) else own["sample_id"]] > 0).any()]
    )
    before, after = (counts.loc[complete[time], parts].set_axis(complete.index) for time in contrast)
    alone, empty = int(ids.isna().any(axis="columns").sum()), int((ids.notna() & ~filled).any(axis="columns").sum())
    notes = [f"patients without both samples: {alone}"] * bool(alone) + [
        f"patients with an empty sample: {empty}"
    ] * bool(empty)
    return Pairs(before=before.astype("float64"), after=after.astype("float64"), note="; ".join(notes))


def _summed(side: pd.DataFrame, rare: pd.Index) -> pd.DataFrame:
    kept = side.drop(columns=rare)
    return pd.concat([kept, side[rare].sum(axis="columns").rename(TOGETHER)], axis="columns") if len(rare) else kept


def _share_seen(before: pd.DataFrame, after: pd.DataFrame) -> float:
    seen = pd.concat([before, after]).get(TOGETHER)
    return float((seen > 0).mean()) if seen is not None and len(seen) else float("nan")


def _log_changes(before: pd.DataFrame, after: pd.DataFrame, scale: Scale) -> pd.DataFrame:
    """Patients x parts."""
    if before.empty:
        return before.copy()
    sides = without_zeros(before.to_numpy(), after.to_numpy(), scale=scale)
    return pd.DataFrame(clr_changes(*sides), index=before.index, columns=before.columns)


# ---- rows ------------------------------------------------------------------------------------------------------------


def _part_rows(
    changes: pd.DataFrame, before: pd.DataFrame, after: pd.DataFrame, *, level: float, draws: int, seed: int
) -> pd.DataFrame:
    parts = changes.shape[1]
    seen = (before.to_numpy(dtype=np.float64) > 0) | (after.to_numpy(dtype=np.float64) > 0)
    tests = reference_tests(changes.to_numpy(), seen, level=level)
    sampled = posterior_tests(before, after, draws=draws, seed=seed).reset_index(drop=True)
    verdicts = np.select([tests.moved, tests.differs], [MOVED, DEPENDS], default="")
    if parts == 2:
        verdicts = np.where(tests.clr["q_value"] <= ALPHA, RATIO_MOVED, "")
    few = {1: "a single part has no ratio", 2: "two parts: only their ratio is known"}.get(parts, "")
    undrawn = "" if draws else "no counts to draw from"
    both = {
        "clr": (
            tests.clr.assign(**{name: sampled[name] for name in SAMPLED}),
            f"geometric mean of {parts} parts",
            undrawn,
        ),
        "median": (tests.median, "each patient's median over the parts seen", ""),
    }
    rows = []
    for coordinate, (test, reference, remark) in both.items():
        told = test.assign(part=list(changes.columns), coordinate=coordinate, reference=reference)
        told["verdict"] = np.where(verdicts == "", _without_verdict(test), verdicts)
        summed = ["parts below the prevalence floor, summed" if part == TOGETHER else "" for part in changes.columns]
        told["note"] = _notes(test["note"], _floors(test), few, remark, pd.Series(summed, dtype="str"))
        rows.append(told)
    return pd.concat(rows, ignore_index=True).rename(columns={"n": "n_pairs"})


def _rare_rows(rare: pd.Index, n: int) -> pd.DataFrame:
    frames = [
        pd.DataFrame({"part": list(rare), "coordinate": coordinate, "reference": "none", "n_pairs": n})
        for coordinate in ("clr", "median")
    ]
    note = f"below the prevalence floor; within {TOGETHER}"
    return pd.concat(frames, ignore_index=True).assign(test=NOT_TESTED, verdict=RARE, note=note)


def _balance_rows(
    changes: pd.DataFrame, rare: pd.Index, balances: Mapping[str, Sides], *, level: float
) -> pd.DataFrame:
    if not balances:
        return pd.DataFrame()
    names = sorted(balances)
    found = [_balance(changes, rare, balances[name]) for name in names]
    test = signed_rank_many(np.stack([values for values, _, _ in found]), level=level)
    reasons = pd.Series([reason for _, _, reason in found], dtype="str")
    possible = pd.Series([bool(np.isfinite(values).all()) for values, _, _ in found])
    test = test.assign(q_value=benjamini_hochberg(test["p_value"]), note=test["note"].where(possible, ""))
    test["n"] = test["n"].where(possible, len(changes))
    verdicts = np.where(test["q_value"] <= ALPHA, MOVED, _without_verdict(test))
    table = test.assign(part=names, coordinate="balance", reference=[text for _, text, _ in found], verdict=verdicts)
    return table.assign(note=_notes(test["note"], _floors(test), reasons)).rename(columns={"n": "n_pairs"})


def _balance(changes: pd.DataFrame, rare: pd.Index, sides: Sides) -> tuple[NDArray[np.float64], str, str]:
    """Each patient's change of one balance (NaN if it cannot be taken), its two sides in words, and what is wrong with it."""
    frequent = changes.columns[changes.columns != TOGETHER]
    matched = {side: _matching(frequent, sides[side]) for side in ("numerator", "denominator")}
    reference = " against ".join(_listed(list(parts)) for parts in matched.values())
    left_out = len(_matching(rare, [*sides["numerator"], *sides["denominator"]]))
    notes = [f"{left_out} rare parts left out"] if left_out else []
    shared = matched["numerator"].intersection(matched["denominator"])
    notes += [f"no part of its {side}" for side, parts in matched.items() if not len(parts)]
    notes += [f"on both sides: {_listed(list(shared))}"] if len(shared) else []
    if len(shared) or not all(len(parts) for parts in matched.values()):
        return np.full(len(changes), np.nan), reference, "; ".join(notes)
    above, below = (changes.columns.isin(parts) for parts in matched.values())
    return changes.to_numpy() @ balance_weights(above, below), reference, "; ".join(notes)


def _whole_row(changes: pd.DataFrame, remarks: Sequence[str], *, seed: int) -> pd.DataFrame:
    test = pd.DataFrame([asdict(whole_change(changes.to_numpy(), seed=seed))])
    verdicts = np.where(test["p_value"] <= ALPHA, MOVED, _without_verdict(test))
    note = _notes(test["note"], _floors(test), *remarks)
    table = test.assign(part=WHOLE, coordinate="whole", reference="none: the same for every one")
    return table.assign(q_value=test["p_value"], verdict=verdicts, note=note).rename(columns={"n": "n_pairs"})


def _needed(changes: pd.DataFrame) -> str:
    """How many parts must be at the smallest p together before any of them passes the correction; empty where one may alone."""
    pairs, parts = changes.shape
    needed = ceil(parts * 2.0 ** (1 - pairs) / ALPHA)
    if pairs < 2 or not 1 < needed <= parts:
        return ""
    return f"with {pairs} pairs, {needed} of {parts} parts must be at the smallest p together before any passes the correction"


def _without_verdict(test: pd.DataFrame) -> NDArray[np.str_]:
    """What is said of a test that did not pass; the number of pairs decides, which both references share."""
    return np.where(2.0 ** (1.0 - test["n"].to_numpy(dtype=np.float64)) > ALPHA, CANNOT, NOT_SHOWN)


def _floors(test: pd.DataFrame) -> "pd.Series[str]":
    """Why no p of these pairs could be small enough."""
    told = [cannot_reach(floor, f"{n} pairs") for n, floor in zip(test["n"], test["p_floor"], strict=True)]
    return pd.Series(told, index=test.index, dtype="str")


def _notes(first: "pd.Series[str]", *others: "pd.Series[str] | str") -> list[str]:
    columns = [pd.Series(other, index=range(len(first)), dtype="str") for other in (list(first), *others)]
    return [joined(*row) for row in zip(*columns, strict=True)]


def _matching(parts: pd.Index, patterns: Sequence[str]) -> pd.Index:
    return parts[[any(fnmatchcase(str(part), pattern) for pattern in patterns) for part in parts]]


def _listed(parts: Sequence[str]) -> str:
    return ", ".join(parts) if 0 < len(parts) <= 3 else f"{len(parts)} parts"


def _named(inputs: Mapping[str, Path], prefix: str) -> dict[str, pd.DataFrame]:
    return {
        name.removeprefix(prefix): read_table(path) for name, path in sorted(inputs.items()) if name.startswith(prefix)
    }


def _has_any(counts: pd.DataFrame, sides: Sides) -> bool:
    return len(_matching(counts.columns, [*sides["numerator"], *sides["denominator"]])) > 0
