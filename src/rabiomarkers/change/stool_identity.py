"""Whether a patient's two stools resemble one another, and who changed places where they do not.

A gut community is personal, but less so than a genome: under antibiotics or a new diet the own earlier stool need not be the
nearest. That another's lies nearer is told and is no finding. A swap is named only where stools that change places fit each other's
patients, all of them.

Some stools lie far from everything, and by Aitchison's distance those of few taxa lie near to everything. Which stool is nearest is
therefore said after the usual distance of each of the two is taken off; the distances told are those measured.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from rabiomarkers.change.pieces import one_a_timepoint
from rabiomarkers.change.stool_swaps import Misplaced, Sides, Stool, likeness, misplaced
from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.stats.matching import matching_test
from rabiomarkers.stats.multiplicity import ALPHA
from rabiomarkers.tables.samples import SAMPLES
from rabiomarkers.tables.stool import STOOL_IDENTITY

LEAST_PATIENTS = 4
"""With fewer pairs there is no telling what unrelated stools share."""
SAME = 1e-9  # distance of a table to itself, but for rounding
PREFERRED = ("aitchison", "robust_aitchison")
"""Which distance is asked, if the settings list it: rare taxa are what is personal. Otherwise the first of the settings."""

NEAREST, OTHER, SWAP, UNKNOWN = "own nearest", "another is nearer", "likely swap", "cannot be told"
NO_EXCHANGE = "no exchange fits: a flora may change"


def stool_identity_table(
    distances: pd.DataFrame, samples: pd.DataFrame, *, contrast: Sequence[str], metric: str, seed: int = 1
) -> pd.DataFrame:
    """Each stool of a pair beside all stools of the other timepoint.

    Parameters
    ----------
    distances
        The DISTANCES of one metric or several.
    samples
        `sample_id, patient_id, timepoint` of the stools compared, one a patient and timepoint.
    contrast
        Earlier and later timepoint.
    metric
        The one that is asked, written into each row. The others may contradict a fit, and only that.
    seed
        Of the random matchings of more than 8 patients.

    Returns
    -------
    A STOOL_IDENTITY table, a row for each sample of a patient with both. `rank_of_own` is 1 where the own other stool is nearest,
    the usual distance of each of the two taken off (with fewer than four pairs: as measured).
    """
    listed = dict.fromkeys([metric, *distances["metric"]])
    sides, *others = (_sides(distances[distances["metric"] == name], contrast) for name in listed)
    if not sides.pairs:
        return STOOL_IDENTITY.empty()
    pairs = sides.across[: sides.pairs, : sides.pairs]
    paired = matching_test(pairs, matchings=999, seed=seed).p_value <= ALPHA
    found = misplaced(sides, others, paired=paired) if sides.pairs >= LEAST_PATIENTS else Misplaced()
    reason = _cannot(sides.pairs, found, paired=paired)
    compared = zip(samples["patient_id"], samples["timepoint"], samples["sample_id"], strict=True)
    ids = {(str(patient), str(time)): str(sample) for patient, time, sample in compared}
    rows = _rows(sides, found, reason, ids) + _rows(_turned(sides), found, reason, ids)
    frame = pd.DataFrame(rows).assign(metric=metric)[list(STOOL_IDENTITY.columns)]
    order = frame["timepoint"].map({time: place for place, time in enumerate(contrast)})
    ordered = frame.assign(order=order).sort_values(["patient_id", "order"], ignore_index=True).drop(columns="order")
    return STOOL_IDENTITY.check(ordered)


def stool_identity_step(inputs: Mapping[str, Path], out: Path, *, contrast: Sequence[str], seed: int) -> Info:
    """Write `stool_identity.parquet` from the `distances`, by one of their metrics (`PREFERRED`).

    Which samples were compared is said by the `ordination`; without it, by the sheet (`samples`) alone, and of a repeated sample
    the first is named though it may have failed.
    """
    distances = read_table(inputs["distances"])
    listed = list(dict.fromkeys(distances["metric"]))
    if not listed:
        write_table(STOOL_IDENTITY.empty(), out / "stool_identity.parquet")
        return {"stools": 0, "swapped": 0}
    metric = next((name for name in PREFERRED if name in listed), str(listed[0]))
    table = stool_identity_table(distances, _compared(inputs, metric), contrast=contrast, metric=metric, seed=seed)
    write_table(table, out / "stool_identity.parquet")
    return {"stools": len(table), "swapped": int((table["verdict"] == SWAP).sum())}


# ---- the distances -----------------------------------------------------------------------------------------------------


def _compared(inputs: Mapping[str, Path], metric: str) -> pd.DataFrame:
    """`sample_id, patient_id, timepoint` by the sheet, then, to be believed before it, by the ordination."""
    sheet = SAMPLES.check(read_table(inputs["samples"]))
    stools, _ = one_a_timepoint(sheet[(sheet["compartment"] == "faecal") & sheet["assay"].str.startswith("taxa_")])
    if "ordination" not in inputs:
        return stools
    axes = read_table(inputs["ordination"])
    return pd.concat([stools, axes[axes["metric"] == metric]])[["sample_id", "patient_id", "timepoint"]]


def _sides(distances: pd.DataFrame, contrast: Sequence[str]) -> Sides:
    """The distances of the stools of two timepoints as tables."""
    times = (contrast[0], contrast[-1])
    near = distances[distances["timepoint_a"].isin(times) & distances["timepoint_b"].isin(times)]
    listed = [near[[f"patient_{side}", f"timepoint_{side}"]].drop_duplicates() for side in ("a", "b")]
    stools = {stool for part in listed for stool in part.itertuples(index=False, name=None)}
    patients = [{patient for patient, when in stools if when == time} for time in times]
    both = sorted(patients[0] & patients[1])
    earlier, later = (
        [(patient, time) for patient in [*both, *sorted(whose - set(both))]]
        for time, whose in zip(times, patients, strict=True)
    )
    table = np.zeros((len(stools), len(stools)))
    rows, columns = (
        np.where(
            near[f"timepoint_{side}"] == times[0],
            near[f"patient_{side}"].map({patient: at for at, (patient, _) in enumerate(earlier)}),
            near[f"patient_{side}"].map({patient: at for at, (patient, _) in enumerate(later, start=len(earlier))}),
        ).astype(np.intp)
        for side in ("a", "b")
    )
    table[rows, columns] = table[columns, rows] = near["distance"].to_numpy(dtype=np.float64)
    cut = len(earlier)
    within = (table[:cut, :cut], table[cut:, cut:])
    return Sides(pairs=len(both), earlier=earlier, later=later, across=table[:cut, cut:], within=within)


def _copies(sides: Sides) -> dict[Stool, list[Stool]]:
    """Stools of the first side that do not differ from one of another patient."""
    everyone = [*sides.earlier, *sides.later]
    told: dict[Stool, list[Stool]] = {}
    for row, column in np.argwhere(np.hstack([sides.within[0], sides.across]) <= SAME).tolist():
        if everyone[row][0] != everyone[column][0]:
            told.setdefault(everyone[row], []).append(everyone[column])
    return told


def _cannot(pairs: int, found: Misplaced, *, paired: bool) -> str:
    """Why nothing can be said of whose stools these are; nothing where it can."""
    if pairs < LEAST_PATIENTS:
        return f"{pairs} patients with both stools; {LEAST_PATIENTS} are needed"
    many = len(found.alone) >= pairs  # half of all stools fit another patient: a sheet that slipped by a row
    if paired or found.swaps or many:
        return ""
    return "patients' two stools are not clearly nearer to one another than to those of others"


def _turned(sides: Sides) -> Sides:
    """The same, later stools first."""
    later = (sides.within[1], sides.within[0])
    return Sides(
        pairs=sides.pairs, earlier=sides.later, later=sides.earlier, across=np.asarray(sides.across.T), within=later
    )


def _rows(sides: Sides, found: Misplaced, reason: str, ids: Mapping[Stool, str]) -> list[dict[str, object]]:
    """What is told of the first side's stools, those of patients with both."""
    copies = _copies(sides)
    near = -sides.across
    if sides.pairs >= LEAST_PATIENTS:
        near = likeness(sides.across, own=np.eye(*sides.across.shape, dtype=np.bool_))
    rows: list[dict[str, object]] = []
    for place, stool in enumerate(sides.earlier[: sides.pairs]):
        nearest = place if near[place, place] >= near[place].max() else int(near[place].argmax())
        verdict, note = _verdict(stool, found, reason, ids, own=nearest == place)
        if stool in copies:
            same = ", ".join(f"{ids[copy]} of patient {copy[0]}" for copy in copies[stool])
            note = "; ".join(part for part in (f"does not differ from {same}: one file twice?", note) if part)
        rows.append(
            {
                "sample_id": ids[stool],
                "patient_id": stool[0],
                "timepoint": stool[1],
                "own_distance": float(sides.across[place, place]),
                "nearest_sample": ids[sides.later[nearest]],
                "nearest_patient": sides.later[nearest][0],
                "nearest_distance": float(sides.across[place, nearest]),
                "rank_of_own": 1 + int((near[place] > near[place, place]).sum()),
                "verdict": verdict,
                "note": note,
            }
        )
    return rows


def _verdict(stool: Stool, found: Misplaced, reason: str, ids: Mapping[Stool, str], *, own: bool) -> tuple[str, str]:
    """Verdict and note; `own`: no other stool is nearer."""
    if reason:
        return UNKNOWN, reason
    if partner := found.swaps.get(stool):
        crossed = ": an earlier and a later stool changed places" if stool in found.crossed else ""
        return SWAP, f"fits {ids[partner]} of patient {partner[0]}, and what is there now fits elsewhere{crossed}"
    if partner := found.alone.get(stool):
        return OTHER, f"fits {ids[partner]} of patient {partner[0]}, and nothing fits back: mislabelled?"
    return (NEAREST, "") if own else (OTHER, NO_EXCHANGE)
