"""Stool against stool: how far a patient moved, beside how far patients are apart."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform
from skbio.stats.distance import DistanceMatrix
from skbio.stats.ordination import pcoa

from rabiomarkers.change.pieces import PIECE, one_a_timepoint, stack_pieces
from rabiomarkers.errors import AbundanceError
from rabiomarkers.files import Info, read_table, write_json, write_table
from rabiomarkers.stats.matching import matching_test
from rabiomarkers.tables.changes import DISTANCES, ORDINATION
from rabiomarkers.tables.samples import SAMPLES

METRIC = "Bray-Curtis"
AXES = 2
IDENTITY = (("patient", "_id"), ("timepoint", ""))
SAMPLE = ["sample_id", "patient_id", "timepoint"]


@dataclass(frozen=True, kw_only=True)
class DistanceFacts:
    """Within-patient and between-patient distance; NaN where there is none, with the reason in `note`."""

    metric: str
    within_median: float  # the two samples of one patient
    between_median: float  # a first sample and the second one of another patient
    n_within: int
    n_between: int
    p_value: float
    p_floor: float
    test: str
    note: str


@dataclass(frozen=True, kw_only=True)
class Ordination:
    """Principal coordinates (the ORDINATION table) and the share of the variance each axis explains (0..1)."""

    axes: pd.DataFrame
    variance_explained: tuple[float, ...]


def bray_curtis(abundances: pd.DataFrame) -> pd.DataFrame:
    """Bray-Curtis distance of each sample to each, on proportions: 0 for equal communities, 1 for nothing in common.

    Dividing by a sample's total puts samples of any depth on one footing without throwing reads away; a rarefied table would
    depend on the draw.

    Parameters
    ----------
    abundances
        Samples x taxa, counts or relative abundances, no negatives.

    Raises
    ------
    AbundanceError
        A value is negative or NaN, or a sample holds no taxon at all.

    References
    ----------
    Bray & Curtis 1957, doi:10.2307/1942268; McMurdie & Holmes 2014, doi:10.1371/journal.pcbi.1003531
    """
    # one order of adding up, in one memory layout: same bytes
    values = np.ascontiguousarray(abundances.sort_index(axis="columns").to_numpy(dtype=np.float64))
    totals = values.sum(axis=1, keepdims=True)
    if not (values >= 0).all():
        raise AbundanceError("Bray-Curtis needs abundances that are zero or positive; some are negative or missing.")
    if not (totals > 0).all():
        empty = ", ".join(map(str, abundances.index[(totals <= 0).ravel()]))
        raise AbundanceError(f"Bray-Curtis is not defined for samples without any taxon: {empty}.")
    shares = values / totals
    table = (
        squareform(pdist(shares, metric="braycurtis"), checks=False)
        if len(shares) > 1
        else np.zeros((len(shares),) * 2)
    )
    return pd.DataFrame(table, index=abundances.index, columns=abundances.index)


def distance_table(distances: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """The DISTANCES table: each unordered pair of samples once, in the order of patient and timepoint.

    Parameters
    ----------
    distances
        Samples x samples, by sample_id.
    samples
        `sample_id, patient_id, timepoint` of each of them.
    """
    ordered = samples.sort_values(["patient_id", "timepoint", "sample_id"])[SAMPLE].reset_index(drop=True)
    table = distances.loc[ordered["sample_id"], ordered["sample_id"]].to_numpy(dtype=np.float64)
    first, second = np.triu_indices(len(ordered), k=1)
    sides = {"a": ordered.iloc[first].reset_index(drop=True), "b": ordered.iloc[second].reset_index(drop=True)}
    rows = {f"{column}_{side}": part[f"{column}{end}"] for side, part in sides.items() for column, end in IDENTITY}
    same = sides["a"]["patient_id"] == sides["b"]["patient_id"]
    return DISTANCES.check(pd.DataFrame(rows).assign(same_patient=same, distance=table[first, second]))


def within_between(
    distances: pd.DataFrame, samples: pd.DataFrame, *, contrast: Sequence[str] = (), seed: int = 1
) -> DistanceFacts:
    """Median distance of a patient's two samples, beside that of a first and a second sample of different patients.

    The test asks whether own pairs lie nearer (on the mean) than re-matched ones: whole patients' second samples change hands,
    all n! ways up to 8 patients.

    Parameters
    ----------
    distances, samples
        As in `distance_table`; one sample a patient and timepoint.
    contrast
        The two timepoints; if not given, the two that most patients share.
    seed
        Of the random matchings beyond 8 patients.
    """
    wide = samples.pivot(index="patient_id", columns="timepoint", values="sample_id")
    chosen = list(contrast) or _shared_timepoints(wide)
    pairs = wide.reindex(columns=chosen).dropna()
    if len(chosen) < 2 or pairs.empty:
        return _facts(note="no patient has stool of two timepoints")
    table = distances.loc[pairs[chosen[0]], pairs[chosen[1]]].to_numpy(dtype=np.float64)
    within, between = np.diag(table), table[~np.eye(len(table), dtype=bool)]
    tested = matching_test(table, seed=seed)
    return _facts(
        within=within,
        between=between,
        p_value=tested.p_value,
        p_floor=tested.p_floor,
        test=tested.test,
        note="" if len(within) > 1 else "one patient has stool of two timepoints; a comparison needs at least two",
    )


def principal_coordinates(distances: pd.DataFrame, samples: pd.DataFrame) -> Ordination:
    """The first two principal coordinates of the samples; without rows where fewer than three samples leave no plane.

    An axis has no direction of its own: it is turned so that its first clearly non-zero sample, by sample_id, is positive.

    Parameters
    ----------
    distances, samples
        As in `distance_table`.

    References
    ----------
    Gower 1966, doi:10.1093/biomet/53.3-4.325
    """
    names = sorted(distances.index)
    if len(names) < 3 or not distances.to_numpy().any():
        return Ordination(axes=ORDINATION.empty(), variance_explained=())
    table = distances.loc[names, names].to_numpy(dtype=np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Bray-Curtis is no Euclidean distance: small negative eigenvalues are expected
        result = pcoa(DistanceMatrix((table + table.T) / 2, names), method="eigh", dimensions=AXES)
    coordinates = _turned(result.samples.to_numpy(dtype=np.float64)[:, :AXES])
    axes = pd.DataFrame(coordinates, columns=["axis_1", "axis_2"]).assign(sample_id=names)
    told = axes.merge(samples[SAMPLE], on="sample_id", how="left")
    shares = tuple(float(share) for share in result.proportion_explained.to_numpy()[:AXES])
    return Ordination(axes=ORDINATION.check(told[list(ORDINATION.columns)]), variance_explained=shares)


def distance_step(
    inputs: Mapping[str, Path], out: Path, *, depth: int, seed: int, contrast: Sequence[str] = ()
) -> Info:
    """Write `distances.parquet`, `ordination.parquet` and `distances.json` from the stool pieces and the sample sheet.

    Parameters
    ----------
    inputs
        `samples` and, for each stool sample that passed its quality check, ``piece:<sample_id>``.
    depth
        Samples of read counts below it are left out, as they have no diversity either.
    seed, contrast
        As in `within_between`.
    """
    pieces = {
        name.removeprefix(PIECE): read_table(path) for name, path in sorted(inputs.items()) if name.startswith(PIECE)
    }
    abundances, notes = stack_pieces(pieces, depth=depth)
    sheet = SAMPLES.check(read_table(inputs["samples"]))
    samples, repeated = one_a_timepoint(sheet[sheet["sample_id"].isin(abundances.index)])
    abundances = abundances.loc[samples["sample_id"]]
    distances = bray_curtis(abundances)
    facts = within_between(distances, samples, contrast=contrast, seed=seed)
    ordination = principal_coordinates(distances, samples)
    note = "; ".join(part for part in (facts.note, *notes, repeated) if part)
    write_table(distance_table(distances, samples), out / "distances.parquet")
    write_table(ordination.axes, out / "ordination.parquet")
    told = asdict(facts) | {"variance_explained": list(ordination.variance_explained), "note": note}
    write_json(told, out / "distances.json")
    return {"samples": len(samples), "pairs": facts.n_within}


def _shared_timepoints(wide: pd.DataFrame) -> list[str]:
    """The two timepoints (columns of patients x timepoints) that most patients have both of."""
    there = wide.notna()
    options = sorted(combinations(sorted(wide.columns), 2))
    shared = [int((there[first] & there[second]).sum()) for first, second in options]
    return list(options[int(np.argmax(shared))]) if options else []


def _facts(
    *,
    within: NDArray[np.float64] | None = None,
    between: NDArray[np.float64] | None = None,
    p_value: float = float("nan"),
    p_floor: float = float("nan"),
    test: str = "not tested",
    note: str,
) -> DistanceFacts:
    own, others = (np.array([]) if values is None else values for values in (within, between))
    return DistanceFacts(
        metric=METRIC,
        within_median=float(np.median(own)) if len(own) else float("nan"),
        between_median=float(np.median(others)) if len(others) else float("nan"),
        n_within=len(own),
        n_between=len(others),
        p_value=p_value,
        p_floor=p_floor,
        test=test,
        note=note,
    )


def _turned(coordinates: NDArray[np.float64]) -> NDArray[np.float64]:
    clear = np.abs(coordinates) > 1e-6 * np.abs(coordinates).max()
    first = clear.argmax(axis=0)
    signs = np.sign(coordinates[first, np.arange(coordinates.shape[1])])
    return coordinates * np.where(signs < 0, -1.0, 1.0)
