"""Whether a population changed, or a marker that defines it: a border means the same twice only if the marker does.

Stimulation, a drug that covers an epitope or another lot of an antibody move a marker on all cells. A fixed border then counts more
or fewer cells without any having come or gone. Two signs of it can be seen in the samples themselves:

- the marker moved on cells that cannot be of the population (CD20 on T cells), by half of their spread or more;
- the population's own events moved along the marker, by a third or more of their distance from the border.

A change is called marker-driven where either happened in the direction in which the fraction changed, in all pairs but one in
six. It is a warning, not a test: it has no p and takes nothing away. In BCR-XL (Bodenmiller 2012: four donors, the B-cell
receptor stimulated for half an hour, which neither makes nor removes B cells) CD20 falls on T cells by 0.6 to 1.0 in four of
four, and B cells fall with it.

References
----------
Bodenmiller et al. 2012, doi:10.1038/nbt.2317
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.tables.cytometry import GATE_CHECKS, SAMPLE_POPULATIONS, SAMPLE_POSITIONS
from rabiomarkers.tables.samples import SAMPLES

DRIVEN, NOT_DRIVEN, NOT_JUDGED = "marker-driven", "not marker-driven", "not judged"
FEWEST = 3  # pairs
BACKGROUND = 0.5  # of the spread of other cells
OWN = 1 / 3  # of the distance of the population's events from the border
EXCEPTIONS = 6  # one pair in so many may go the other way


def gate_checks(
    samples: pd.DataFrame, populations: pd.DataFrame, positions: pd.DataFrame, *, contrast: Sequence[str]
) -> pd.DataFrame:
    """The GATE_CHECKS of every population and each marker it is positive for.

    Parameters
    ----------
    samples
        SAMPLES; of several libraries of a sample the first counts.
    populations, positions
        SAMPLE_POPULATIONS and SAMPLE_POSITIONS of the samples that passed.
    contrast
        Timepoint before, timepoint after.
    """
    rows = []
    for assay in sorted(set(positions["assay"])):
        pairs = _pairs(samples, assay, contrast, set(positions.loc[positions["assay"] == assay, "sample_id"]))
        shares = populations[populations["assay"] == assay].pivot(
            index="population", columns="sample_id", values="fraction"
        )
        for (population, marker), own in positions[positions["assay"] == assay].groupby(["population", "marker"]):
            told = own.set_index("sample_id")
            rows.append(_row(assay, str(population), str(marker), told, shares, pairs))
    table = pd.DataFrame(rows, columns=list(GATE_CHECKS.columns)) if rows else GATE_CHECKS.empty()
    table = table.astype({"n_pairs": "Int64", "same_direction": "Int64"})
    return GATE_CHECKS.check(table.sort_values(list(GATE_CHECKS.key)))


def gate_check_step(inputs: Mapping[str, Path], out: Path, *, contrast: Sequence[str]) -> Info:
    """`samples`, `failed`, `populations`, `positions` -> `gate_checks.parquet`; samples that failed their check take no part."""
    failed = read_table(inputs["failed"])
    gone = set(zip(failed["sample_id"], failed["assay"], strict=True))

    def kept(table: pd.DataFrame) -> pd.DataFrame:
        keys = zip(table["sample_id"], table["assay"], strict=True)
        return table[np.array([key not in gone for key in keys], dtype=bool)]

    table = gate_checks(
        SAMPLES.check(read_table(inputs["samples"])),
        kept(SAMPLE_POPULATIONS.check(read_table(inputs["populations"]))),
        kept(SAMPLE_POSITIONS.check(read_table(inputs["positions"]))),
        contrast=contrast,
    )
    write_table(table, out / "gate_checks.parquet")
    return {"checked": len(table), "marker_driven": int((table["verdict"] == DRIVEN).sum())}


def _pairs(samples: pd.DataFrame, assay: str, contrast: Sequence[str], known: set[str]) -> list[tuple[str, str]]:
    """The sample before and after of each patient with both."""
    own = samples[(samples["assay"] == assay) & samples["sample_id"].isin(known)]
    first = own.sort_values(["replicate", "sample_id"]).drop_duplicates(["patient_id", "timepoint"])
    ids = first.pivot(index="patient_id", columns="timepoint", values="sample_id").reindex(columns=list(contrast))
    return [(str(before), str(after)) for before, after in ids.dropna().itertuples(index=False)]


def _row(
    assay: str,
    population: str,
    marker: str,
    told: pd.DataFrame,
    shares: pd.DataFrame,
    pairs: Sequence[tuple[str, str]],
) -> dict[str, object]:
    changes = pd.DataFrame([_change(told, shares, population, *pair) for pair in pairs], columns=_COLUMNS).astype(
        "float64"
    )
    usable = changes.dropna(subset=["fraction"])
    row: dict[str, object] = {
        "assay": assay,
        "population": population,
        "parent": told["parent"].iloc[0],
        "marker": marker,
        "n_pairs": len(usable),
        "fraction_change": usable["fraction"].median(),
        "position_change": usable["own"].median(),
        "background_change": usable["background"].median(),
        "background_spread": usable["spread"].median(),
        "same_direction": None,
    }
    if len(usable) < FEWEST:
        return row | {"verdict": NOT_JUDGED, "note": f"{len(usable)} pairs, {FEWEST} are needed"}
    direction = float(np.sign(usable["fraction"].median()))
    moved = {name: int((np.sign(usable[name]) == direction).sum()) for name in ("background", "own")}
    needed = len(usable) - len(usable) // EXCEPTIONS
    far = {
        "background": (direction * usable["background"]).median() >= BACKGROUND * usable["spread"].median(),
        "own": (direction * usable["own"]).median() >= OWN * usable["distance"].median(),
    }
    signs = [name for name in ("background", "own") if direction != 0 and far[name] and moved[name] >= needed]
    row["same_direction"] = max(moved[name] for name in signs or ("background", "own"))
    return row | {
        "verdict": DRIVEN if signs else NOT_DRIVEN,
        "note": _note(marker, population, signs, row, moved, len(usable)),
    }


_NUMBERS = ("cut", "positive", "background", "background_spread")
_COLUMNS = ("fraction", "own", "background", "spread", "distance")


def _change(
    told: pd.DataFrame, shares: pd.DataFrame, population: str, before: str, after: str
) -> tuple[float, float, float, float, float]:
    """Of one pair: fraction, own position, background, spread of the background before, distance of own events from the border."""
    nothing = (np.nan,) * 5
    if before not in told.index or after not in told.index or population not in shares.index:
        return nothing
    first, second = (told.loc[name, list(_NUMBERS)].astype("float64").to_dict() for name in (before, after))
    own = shares.loc[population].astype("float64").to_dict()
    fraction = own.get(after, np.nan) - own.get(before, np.nan)
    distance = max(first["positive"], second["positive"]) - first["cut"]
    return (
        fraction,
        second["positive"] - first["positive"],
        second["background"] - first["background"],
        first["background_spread"],
        distance,
    )


def _note(
    marker: str, population: str, signs: Sequence[str], row: Mapping[str, object], moved: Mapping[str, int], pairs: int
) -> str | None:
    if not signs:
        return None
    told = []
    if "background" in signs:
        told.append(
            f"{marker} moved by {row['background_change']:+.2f} on cells that are no {population}, too, "
            f"in {moved['background']} of {pairs} pairs"
        )
    if "own" in signs:
        told.append(
            f"{population} moved along {marker} by {row['position_change']:+.2f} in {moved['own']} of {pairs} pairs"
        )
    return "; ".join(told) + ": the border does not mean the same before and after"
