"""The T-cell receptors of one patient before and after: how much of the repertoire is shared, and which clones grew or shrank.

The null of a clone: its share is the same in both samples. Given how often it was seen in both together, how often it was seen
after is then binomial with the share of the later sample's depth as its chance; the test is exact and two-sided (scipy's
`binomtest`), the correction Benjamini and Hochberg's over the clones of a patient that could reach significance at all.

That holds where every count is a cell of its own. Reads of one molecule, and molecules of one cell, come and go together: of
reads almost every clone would be called changed from one day to the next. How many counts make one observation is therefore
measured on the pair itself (`null_of`) and all counts are divided by it before the test. As it is measured on
what most clones of the pair do, drift that all of them share counts as noise, too: a clone is called that moved more than the
others. It is called only where its share at least doubled or halved besides.

References
----------
DeWitt et al. 2015 (exact test of clones), doi:10.1128/JVI.03474-14; McCullagh & Nelder 1989, section 4.5 (dispersion of counts),
doi:10.1201/9780203753736; Horn 1966 (overlap), doi:10.1086/282436
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.distance import jaccard
from scipy.stats import binom, binomtest, chi2
from skbio.stats import subsample_counts

from rabiomarkers.change.notes import joined
from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.stats.multiplicity import ALPHA, benjamini_hochberg
from rabiomarkers.tables.cytometry import CLONES, OVERLAPS
from rabiomarkers.tables.samples import SAMPLES
from rabiomarkers.tables.table import Table

PIECE = "piece:"
FOLD = 2.0  # smallest change of a clone's share that is called
SHOWN = 20  # of the largest clones that did not change, beside those that did
DRAWS = 10  # rarefactions that are averaged
TEST = "binomial, exact, given the total of both samples"
CARRIED = 0.95  # of all counts: the clones that the dispersion is measured on; the small rest are often misread copies
SEEN, JUDGES = 5, 20  # fewest counts of such a clone, fewest such clones
ROUNDS, OUTLYING = 50, 5.0
MEDIAN = float(chi2.median(1))
CELLS, MOLECULES = "cell_id", "umi_count"
OTHER_REGION = "junctions in one sample, CDR3 in the other: their clones have no names in common"
OTHER_COUNT = "not tested: {before} counted before, {after} after"
UNEQUAL = 10  # fold of depth up to which the dispersion holds for both samples
TOO_UNEQUAL = f"not tested: one sample is more than {UNEQUAL} times as deep as the other"
NOT_MEASURED = "not tested: too few clones to tell how many copies come from one cell"

type Counts = NDArray[np.int64]


def morisita_horn(before: Counts, after: Counts) -> float:
    """Morisita and Horn's overlap of two repertoires over the same clones, 0 (none shared) to 1; NaN where one is empty."""
    first, second = before / max(int(before.sum()), 1), after / max(int(after.sum()), 1)
    squares = float((first**2).sum() + (second**2).sum())
    return 2 * float((first * second).sum()) / squares if before.sum() and after.sum() else np.nan


def shared_clones(before: Counts, after: Counts) -> float:
    """Jaccard's share: clones seen in both of those seen in either, 0 to 1; it grows with the depth. NaN where one is empty."""
    return 1 - float(jaccard(before > 0, after > 0)) if before.sum() and after.sum() else np.nan


@dataclass(frozen=True, kw_only=True)
class Null:
    """How the counts of clones that did not change fall to the two samples of a pair."""

    chance: float  # that a count lies in the later sample
    copies: float = 1.0  # counts that come and go together, as one observation
    measured: bool = False  # whether on the pair itself


def null_of(before: Counts, after: Counts) -> Null:
    """The null of a pair, as most of its clones show it.

    Of the clones that carry 95 % of all counts each one's squared deviation is taken in units of its binomial variance
    (Pearson's statistic of one degree of freedom), whose mean is the dispersion. So that clones that did change weigh little,
    large ones (five observations are expected in either sample) enter by the median of theirs over that of chi-squared; of
    small ones, whose statistic is far from chi-squared, none counts more than five times as much as a single observation can.

    The chance is the later sample's share of all counts, or where there are enough large clones and they scatter less about it,
    that of their median: where a few clones take much of the later sample, the shares of all others fall though none changed.

    Returns
    -------
    Not `measured` where fewer than 20 such clones were counted five times.
    """
    totals = before + after
    depth = Null(chance=float(after.sum() / max(int(totals.sum()), 1)))
    if not before.sum() or not after.sum():
        return depth
    order = np.sort(totals)[::-1]
    smallest = int(order[int(np.searchsorted(np.cumsum(order), CARRIED * totals.sum()))])
    judges = totals >= max(smallest, SEEN)
    later, seen = after[judges], totals[judges]
    copies = _dispersion(later, seen, depth.chance)
    if copies is None:
        return depth
    # of all clones, then of the large ones by it: where clones are seen in one sample only, the first median tells nothing
    typical = _typical(later, seen, _typical(later, seen, float(np.median(later / seen))))
    scatter = _dispersion(later, seen, typical) if typical is not None else None
    if typical is None or scatter is None or scatter > copies:
        return Null(chance=depth.chance, copies=copies, measured=True)
    return Null(chance=typical, copies=scatter, measured=True)


def _typical(later: Counts, seen: Counts, chance: float | None) -> float | None:
    """The chance of the median large clone, large by the dispersion about `chance`; None where there are too few."""
    copies = _dispersion(later, seen, chance) if chance is not None else None
    if chance is None or copies is None:
        return None
    large = _large(seen, chance, copies)
    return float(np.median(later[large] / seen[large])) if large.sum() >= JUDGES else None


def _large(seen: Counts, chance: float, copies: float) -> NDArray[np.bool_]:
    return np.asarray(seen * min(chance, 1 - chance) >= SEEN * copies, dtype=bool)


def _dispersion(later: Counts, seen: Counts, chance: float) -> float | None:
    """Counts that make one observation; as it decides which clones are large, it is found by iteration."""
    if len(seen) < JUDGES or not 0 < chance < 1:
        return None
    squares = (later - seen * chance) ** 2 / (seen * chance * (1 - chance))
    odds = max(chance / (1 - chance), (1 - chance) / chance)  # the statistic of one observation in the rarer sample
    copies = [1.0]
    for _ in range(ROUNDS):
        large = _large(seen, chance, copies[-1])
        if large.sum() < JUDGES:
            large[:] = False
        total = np.minimum(squares[~large], OUTLYING * odds * copies[-1]).sum()
        if large.any():
            total += large.sum() * np.median(squares[large]) / MEDIAN
        copies.append(max(1.0, float(total / len(seen))))
        if np.isclose(copies[-1], copies[-2], rtol=0.01, atol=0):
            break
    return max(copies[-2:])  # of two that take turns the one that calls less


def clone_tests(before: Counts, after: Counts, *, null: Null | None = None, alpha: float = ALPHA) -> pd.DataFrame:
    """Of each clone whether its share is the same in both samples.

    Parameters
    ----------
    before, after
        Counts of the same clones.
    null
        The chance, and how many counts make one observation: both sides are divided by it and rounded. None: the later sample's
        share of all counts, each an observation.
    alpha
        Clones whose total allows no p as small as this are not tested, whatever they did.

    Returns
    -------
    `p_value, q_value, tested` in the order given.
    """
    null = null or Null(chance=float(after.sum() / max(int(before.sum() + after.sum()), 1)))
    first, second = (np.rint(side / null.copies).astype(np.int64) for side in (before, after))
    totals = first + second
    none, whole = binom.pmf(0, totals, null.chance), binom.pmf(totals, totals, null.chance)
    equal = np.isclose(none, whole, rtol=1e-7, atol=0)  # binomtest counts outcomes as likely as the one that was seen
    tested = (totals > 0) & (np.where(equal, none + whole, np.minimum(none, whole)) <= alpha)
    pairs = pd.DataFrame({"after": second, "total": totals})[tested].drop_duplicates()
    found = {
        (int(k), int(n)): float(binomtest(int(k), int(n), null.chance).pvalue) for k, n in pairs.itertuples(index=False)
    }
    p_values = np.array(
        [found[int(k), int(n)] if known else np.nan for k, n, known in zip(second, totals, tested, strict=True)]
    )
    q_values = benjamini_hochberg(pd.Series(p_values, dtype="float64")).to_numpy()
    return pd.DataFrame({"p_value": p_values, "q_value": q_values, "tested": tested})


# ---- one patient -----------------------------------------------------------------------------------------------------


def compare_repertoires(
    before: pd.DataFrame, after: pd.DataFrame, *, depth: int | None = None, alpha: float = ALPHA, seed: int = 1
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Overlap and moved clones of one patient, by locus, without the columns that say whose they are.

    Parameters
    ----------
    before, after
        `clone, locus, count` of the two samples; what their ``attrs["passport"]`` says of `counted` and `region` must agree.
    depth
        Both samples are drawn down to so many counts before their overlap is taken, the mean of ten draws; None: all. The tests
        of the clones know the depth of both samples and always use all.
    alpha
        A clone is called at this false discovery rate.
    seed
        Of the draws.

    Returns
    -------
    OVERLAPS (one row a locus) and CLONES (those that moved, and the largest of those tested that did not).
    """
    overlaps, clones = [], []
    for locus in sorted({*before["locus"], *after["locus"]}):
        sides = [table[table["locus"] == locus].set_index("clone")["count"] for table in (before, after)]
        both = pd.concat(sides, axis="columns", keys=["before", "after"]).fillna(0).astype("int64").sort_index()
        row = {"locus": locus, **_sizes(both)}
        reason = _not_comparable(before, after, row)
        if reason:
            overlaps.append(row | {"note": reason})
            continue
        alike, shallow = _overlap(both, depth, seed)
        null, untested = _null(both, before, after)
        moved = _moved(both, null, alpha)
        directions = moved["direction"].value_counts()
        if null is not None:
            row["n_tested"] = int(moved["q_value"].notna().sum())
            row |= {f"n_{name}": int(directions.get(name, 0)) for name in ("expanded", "contracted")}
        overlaps.append(row | alike | {"note": joined(shallow, untested, _told(null))})
        clones.append(_shown(moved).assign(locus=locus))
    return (
        pd.DataFrame(overlaps, columns=[name for name in OVERLAPS.columns if name not in _WHOSE]),
        pd.concat(clones, ignore_index=True) if clones else pd.DataFrame(columns=[*_CLONE, "locus"]),
    )


_WHOSE = ("compartment", "patient_id")
_CLONE = tuple(name for name in CLONES.columns if name not in (*_WHOSE, "locus"))


def _sizes(both: pd.DataFrame) -> dict[str, int]:
    there = both > 0
    return {
        "clones_before": int(there["before"].sum()),
        "clones_after": int(there["after"].sum()),
        "clones_shared": int(there.all(axis="columns").sum()),
        "reads_before": int(both["before"].sum()),
        "reads_after": int(both["after"].sum()),
    }


def _passport(clones: pd.DataFrame, key: str) -> str:
    return str(clones.attrs.get("passport", {}).get(key, "unknown"))


def _not_comparable(before: pd.DataFrame, after: pd.DataFrame, row: Mapping[str, object]) -> str:
    if not row["reads_before"] or not row["reads_after"]:
        return f"no {row['locus']} {'after' if row['reads_before'] else 'before'}"
    return OTHER_REGION if _passport(before, "region") != _passport(after, "region") else ""


def _overlap(both: pd.DataFrame, depth: int | None, seed: int) -> tuple[dict[str, float], str]:
    """Both overlaps, or why there are none."""
    sides = [both[side].to_numpy(np.int64) for side in ("before", "after")]
    if depth is None:
        return {"morisita_horn": morisita_horn(*sides), "jaccard": shared_clones(*sides)}, ""
    least = min(int(side.sum()) for side in sides)
    if least < depth:
        return {}, f"no overlap: {least:,} counted in one sample, {depth:,} are drawn"
    drawn = [
        [
            subsample_counts(side, depth, seed=np.random.default_rng([seed, draw, number]))
            for number, side in enumerate(sides)
        ]
        for draw in range(DRAWS)
    ]
    return {
        "morisita_horn": float(np.mean([morisita_horn(*pair) for pair in drawn])),
        "jaccard": float(np.mean([shared_clones(*pair) for pair in drawn])),
    }, ""


def _null(both: pd.DataFrame, before: pd.DataFrame, after: pd.DataFrame) -> tuple[Null | None, str]:
    """The null of the clones' tests, or why they are not tested."""
    counted = [_passport(table, "counted") for table in (before, after)]
    if counted[0] != counted[1]:
        return None, OTHER_COUNT.format(before=counted[0], after=counted[1])
    null = null_of(both["before"].to_numpy(np.int64), both["after"].to_numpy(np.int64))
    if counted[0] == CELLS:
        return replace(null, copies=1.0), ""  # each is an observation, whatever the others do
    depths = sorted(int(both[side].sum()) for side in ("before", "after"))
    if null.copies > 1 and depths[1] > UNEQUAL * depths[0]:
        return None, TOO_UNEQUAL  # one copied molecule of the shallow sample would pass for many of the deep one
    return (null, "") if null.measured or counted[0] == MOLECULES else (None, NOT_MEASURED)


def _told(null: Null | None) -> str:
    return f"{null.copies:.3g} counts make one observation" if null and null.copies > 1 else ""


def _moved(both: pd.DataFrame, null: Null | None, alpha: float) -> pd.DataFrame:
    before, after = (both[side].to_numpy(np.int64) for side in ("before", "after"))
    shares = both / both.sum()
    tests = pd.DataFrame({"p_value": np.nan, "q_value": np.nan}, index=range(len(both)))
    direction = np.full(len(both), "unchanged", dtype=object)
    if null is not None:
        tests = clone_tests(before, after, null=null, alpha=alpha)
        called = (tests["q_value"] <= alpha).to_numpy()
        rose, fell = after > (before + after) * null.chance, after < (before + after) * null.chance
        # the share itself must have moved as far, and in the same direction as against the other clones
        direction[called & rose & (shares["after"] >= FOLD * shares["before"]).to_numpy()] = "expanded"
        direction[called & fell & (shares["before"] >= FOLD * shares["after"]).to_numpy()] = "contracted"
    return pd.DataFrame(
        {
            "clone": both.index.astype(str),
            "reads_before": before,
            "reads_after": after,
            "share_before": shares["before"].to_numpy(),
            "share_after": shares["after"].to_numpy(),
            "direction": direction,
            "p_value": tests["p_value"].to_numpy(),
            "q_value": tests["q_value"].to_numpy(),
            "test": joined(TEST, _told(null)) if null is not None else "not tested",
        }
    )


def _shown(moved: pd.DataFrame) -> pd.DataFrame:
    """The clones that moved, and the largest of those that did not."""
    called = moved["direction"] != "unchanged"
    still = moved[~called]
    largest = still.assign(size=still[["share_before", "share_after"]].max(axis="columns"))
    largest = largest.sort_values(["size", "clone"], ascending=[False, True]).head(SHOWN).drop(columns="size")
    return pd.concat([moved[called], largest], ignore_index=True)


# ---- all patients ----------------------------------------------------------------------------------------------------


def repertoire_step(
    inputs: Mapping[str, Path],
    out: Path,
    *,
    contrast: Sequence[str],
    depth: int | None = None,
    alpha: float = ALPHA,
    seed: int = 1,
) -> Info:
    """`samples`, `failed`, ``piece:<sample_id>`` -> `overlaps.parquet` and `clones.parquet`.

    Patients with both samples of the contrast, neither of which failed its quality check; of several libraries the first.
    Options as in `compare_repertoires`.
    """
    sheet = SAMPLES.check(read_table(inputs["samples"]))
    failed = read_table(inputs["failed"])
    gone = set(failed.loc[failed["assay"] == "tcr", "sample_id"])
    pieces = {name.removeprefix(PIECE): path for name, path in inputs.items() if name.startswith(PIECE)}
    own = sheet[(sheet["assay"] == "tcr") & sheet["sample_id"].isin(set(pieces) - gone)]
    first = own.sort_values(["replicate", "sample_id"]).drop_duplicates(["compartment", "patient_id", "timepoint"])
    overlaps, clones = [], []
    for (compartment, patient), rows in first.groupby(["compartment", "patient_id"], sort=True):
        ids = rows.set_index("timepoint")["sample_id"]
        if not set(contrast) <= set(ids.index):
            continue
        before, after = (read_table(pieces[str(ids[time])]) for time in contrast)
        told, moved = compare_repertoires(before, after, depth=depth, alpha=alpha, seed=seed)
        overlaps.append(told.assign(compartment=str(compartment), patient_id=str(patient)))
        clones.append(moved.assign(compartment=str(compartment), patient_id=str(patient)))
    write_table(_stacked(overlaps, OVERLAPS), out / "overlaps.parquet")
    write_table(_stacked([part for part in clones if len(part)], CLONES), out / "clones.parquet")
    return {"patients": len(overlaps)}


def _stacked(parts: Sequence[pd.DataFrame], table: Table) -> pd.DataFrame:
    if not parts:
        return table.empty()
    integers = {name: "Int64" for name, kind in table.columns.items() if kind == "integer"}
    whole = pd.concat(parts, ignore_index=True).reindex(columns=list(table.columns))
    return table.check(whole.astype(integers).sort_values(list(table.key)))
