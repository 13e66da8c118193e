"""The T-cell receptors of one patient before and after: how much of the repertoire is shared, and which clones grew or shrank.

The null of a clone: its share of the molecules is the same in both samples. Given how often it was seen in both together, how
often it was seen after is then binomial with the share of the later sample's depth as its chance; the test is exact and
two-sided (scipy's `binomtest`), the correction Benjamini and Hochberg's over the clones of a patient that could reach
significance at all.

It is a test of two tubes. Molecules of a clone come from cells, and a cell gives several: counts of reads vary more than a
binomial. Without unique molecular identifiers, and with a sampling of cells behind them, many small p are to be expected; a
clone is therefore only called where its share at least doubled or halved, too.

References
----------
DeWitt et al. 2015 (binomial test of clones), doi:10.1128/JVI.03474-14; Horn 1966 (Morisita-Horn), doi:10.1086/282436
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binom, binomtest

from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.stats.multiplicity import ALPHA, benjamini_hochberg
from rabiomarkers.tables.cytometry import CLONES, OVERLAPS
from rabiomarkers.tables.samples import SAMPLES
from rabiomarkers.tables.table import Table

PIECE = "piece:"
FOLD = 2.0  # smallest change of a clone's share that is called
SHOWN = 20  # of the largest clones that did not change, beside those that did
TEST = "binomial, exact, given the total of both samples"

type Counts = NDArray[np.int64]


def morisita_horn(before: Counts, after: Counts) -> float:
    """Morisita and Horn's overlap of two repertoires over the same clones, 0 (none shared) to 1; NaN where one is empty."""
    first, second = before / max(int(before.sum()), 1), after / max(int(after.sum()), 1)
    squares = float((first**2).sum() + (second**2).sum())
    return 2 * float((first * second).sum()) / squares if before.sum() and after.sum() else np.nan


def clone_tests(before: Counts, after: Counts, *, alpha: float = ALPHA) -> pd.DataFrame:
    """Of each clone `p_value`, `q_value`, `tested` (whether its total allows a p below `alpha` at all), in the order given."""
    chance = after.sum() / (before.sum() + after.sum())
    totals = before + after
    smallest = np.minimum(binom.pmf(0, totals, chance), binom.pmf(totals, totals, chance))
    tested = smallest <= alpha
    pairs = pd.DataFrame({"after": after, "total": totals})[tested].drop_duplicates()
    found = {
        (int(k), int(n)): float(binomtest(int(k), int(n), chance).pvalue) for k, n in pairs.itertuples(index=False)
    }
    p_values = np.array(
        [found[int(k), int(n)] if known else np.nan for k, n, known in zip(after, totals, tested, strict=True)]
    )
    q_values = np.full(len(p_values), np.nan)
    if tested.any():
        q_values[tested] = benjamini_hochberg(pd.Series(p_values[tested])).to_numpy()
    return pd.DataFrame({"p_value": p_values, "q_value": q_values, "tested": tested})


def compare_repertoires(
    before: pd.DataFrame, after: pd.DataFrame, *, alpha: float = ALPHA
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Overlap and moved clones of one patient, by locus, without the columns that say whose they are.

    Parameters
    ----------
    before, after
        `clone, locus, count` of the two samples.
    """
    overlaps, clones = [], []
    for locus in sorted({*before["locus"], *after["locus"]}):
        sides = [table[table["locus"] == locus].set_index("clone")["count"] for table in (before, after)]
        both = pd.concat(sides, axis="columns", keys=["before", "after"]).fillna(0).astype("int64").sort_index()
        first, second = both["before"].to_numpy(np.int64), both["after"].to_numpy(np.int64)
        row: dict[str, object] = {
            "locus": locus,
            "clones_before": int((first > 0).sum()),
            "clones_after": int((second > 0).sum()),
            "clones_shared": int(((first > 0) & (second > 0)).sum()),
            "reads_before": int(first.sum()),
            "reads_after": int(second.sum()),
        }
        if not first.sum() or not second.sum():
            overlaps.append(row | {"note": f"no {locus} {'before' if not first.sum() else 'after'}"})
            continue
        moved = _moved(both, clone_tests(first, second, alpha=alpha), alpha)
        directions = moved["direction"].value_counts()
        row |= {
            "morisita_horn": morisita_horn(first, second),
            "jaccard": float(((first > 0) & (second > 0)).sum() / len(both)),
            "n_tested": int(moved["q_value"].notna().sum()),
            "n_expanded": int(directions.get("expanded", 0)),
            "n_contracted": int(directions.get("contracted", 0)),
        }
        overlaps.append(row)
        clones.append(_shown(moved).assign(locus=locus))
    return (
        pd.DataFrame(overlaps, columns=[name for name in OVERLAPS.columns if name not in _WHOSE]),
        pd.concat(clones, ignore_index=True) if clones else pd.DataFrame(columns=[*_CLONE, "locus"]),
    )


_WHOSE = ("compartment", "patient_id")
_CLONE = (
    "clone",
    "reads_before",
    "reads_after",
    "share_before",
    "share_after",
    "direction",
    "p_value",
    "q_value",
    "test",
)


def _moved(both: pd.DataFrame, tests: pd.DataFrame, alpha: float) -> pd.DataFrame:
    shares = both / both.sum()
    rose = shares["after"] > shares["before"]
    far = (shares.max(axis="columns") >= FOLD * shares.min(axis="columns")).to_numpy()
    called = (tests["q_value"] <= alpha).to_numpy() & far
    direction = np.where(called, np.where(rose, "expanded", "contracted"), "unchanged")
    return pd.DataFrame(
        {
            "clone": both.index.astype(str),
            "reads_before": both["before"].to_numpy(),
            "reads_after": both["after"].to_numpy(),
            "share_before": shares["before"].to_numpy(),
            "share_after": shares["after"].to_numpy(),
            "direction": direction,
            "p_value": tests["p_value"].to_numpy(),
            "q_value": tests["q_value"].to_numpy(),
            "test": TEST,
        }
    )


def _shown(moved: pd.DataFrame) -> pd.DataFrame:
    """The clones that moved, and the largest of those that were tested and did not."""
    called = moved["direction"] != "unchanged"
    still = moved[~called & moved["p_value"].notna()]
    largest = still.assign(size=still[["share_before", "share_after"]].max(axis="columns"))
    largest = largest.sort_values(["size", "clone"], ascending=[False, True]).head(SHOWN).drop(columns="size")
    return pd.concat([moved[called], largest], ignore_index=True)


def repertoire_step(inputs: Mapping[str, Path], out: Path, *, contrast: Sequence[str]) -> Info:
    """`samples`, `failed`, ``piece:<sample_id>`` -> `overlaps.parquet` and `clones.parquet`.

    Patients with both samples of the contrast, neither of which failed its quality check; of several libraries the first.
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
        pair = [read_table(pieces[str(ids[time])]) for time in contrast]
        told, moved = compare_repertoires(*pair)
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
