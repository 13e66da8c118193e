"""Stool against stool: how far a patient moved, beside how far patients are apart."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skbio.stats.distance import DistanceMatrix
from skbio.stats.ordination import pcoa

from rabiomarkers.change.metrics import DRAWS, METRICS, distances_of
from rabiomarkers.change.pieces import PIECE, one_a_timepoint, stack_pieces
from rabiomarkers.files import Info, read_table, write_json, write_table
from rabiomarkers.stats.matching import matching_test
from rabiomarkers.stats.trees import read_tree
from rabiomarkers.tables.changes import DISTANCES, ORDINATION
from rabiomarkers.tables.samples import SAMPLES

MAIN = "bray_curtis"
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


NO_PLANE = Ordination(axes=ORDINATION.empty(), variance_explained=())


def distance_table(distances: pd.DataFrame, samples: pd.DataFrame, *, metric: str = MAIN) -> pd.DataFrame:
    """The DISTANCES table of one metric: each unordered pair of samples once, in the order of patient and timepoint.

    Parameters
    ----------
    distances
        Samples x samples, by sample_id.
    samples
        `sample_id, patient_id, timepoint` of each of them.
    metric
        A name of `change.metrics.METRICS`, written into each row.
    """
    ordered = samples.sort_values(["patient_id", "timepoint", "sample_id"])[SAMPLE].reset_index(drop=True)
    table = distances.loc[ordered["sample_id"], ordered["sample_id"]].to_numpy(dtype=np.float64)
    first, second = np.triu_indices(len(ordered), k=1)
    sides = {"a": ordered.iloc[first].reset_index(drop=True), "b": ordered.iloc[second].reset_index(drop=True)}
    rows = {f"{column}_{side}": part[f"{column}{end}"] for side, part in sides.items() for column, end in IDENTITY}
    same = sides["a"]["patient_id"] == sides["b"]["patient_id"]
    told = pd.DataFrame(rows).assign(metric=metric, same_patient=same, distance=table[first, second])
    return DISTANCES.check(told[list(DISTANCES.columns)])


def within_between(
    distances: pd.DataFrame,
    samples: pd.DataFrame,
    *,
    contrast: Sequence[str] = (),
    seed: int = 1,
    metric: str = MAIN,
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
        return _facts(metric, note="no patient has stool of two timepoints")
    table = distances.loc[pairs[chosen[0]], pairs[chosen[1]]].to_numpy(dtype=np.float64)
    within, between = np.diag(table), table[~np.eye(len(table), dtype=bool)]
    tested = matching_test(table, seed=seed)
    return _facts(
        metric,
        within=within,
        between=between,
        p_value=tested.p_value,
        p_floor=tested.p_floor,
        test=tested.test,
        note="" if len(within) > 1 else "one patient has stool of two timepoints; a comparison needs at least two",
    )


def principal_coordinates(distances: pd.DataFrame, samples: pd.DataFrame, *, metric: str = MAIN) -> Ordination:
    """The first two principal coordinates of the samples; without rows where fewer than three samples leave no plane.

    An axis has no direction of its own: it is turned so that its first clearly non-zero sample, by sample_id, is positive. What
    the axes explain is their part of the sum of all eigenvalues, the negative ones of distances that are not Euclidean with them.

    Parameters
    ----------
    distances, samples, metric
        As in `distance_table`.

    References
    ----------
    Gower 1966, doi:10.1093/biomet/53.3-4.325
    """
    names = sorted(distances.index)
    if len(names) < 3 or not distances.to_numpy().any():
        return NO_PLANE
    table = distances.loc[names, names].to_numpy(dtype=np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Bray-Curtis is no Euclidean distance: small negative eigenvalues are expected
        result = pcoa(DistanceMatrix((table + table.T) / 2, names), method="eigh", dimensions=AXES)
    coordinates = _turned(result.samples.to_numpy(dtype=np.float64)[:, :AXES])
    axes = pd.DataFrame(coordinates, columns=["axis_1", "axis_2"]).assign(sample_id=names, metric=metric)
    told = axes.merge(samples[SAMPLE], on="sample_id", how="left")
    shares = tuple(float(share) for share in result.proportion_explained.to_numpy()[:AXES])
    return Ordination(axes=ORDINATION.check(told[list(ORDINATION.columns)]), variance_explained=shares)


def distance_step(
    inputs: Mapping[str, Path],
    out: Path,
    *,
    depth: int,
    seed: int,
    contrast: Sequence[str] = (),
    metrics: Sequence[str] = (MAIN,),
    draws: int = DRAWS,
) -> Info:
    """Write `distances.parquet`, `ordination.parquet` and `distances.json` from the stool pieces and the sample sheet.

    The facts in `distances.json` are those of the first metric that can be taken; `metrics` there holds those of each. With them
    stands `n_samples`, how many stools were compared: none where no metric can be taken.

    Parameters
    ----------
    inputs
        `samples`, for each stool sample that passed its quality check ``piece:<sample_id>``, and the `tree` where there is one.
    depth
        Samples of read counts below it are left out, as they have no diversity either.
    metrics
        Names of `change.metrics.METRICS`; those that need a tree are left out, and said to be, where there is none.
    draws
        Of read counts, for the metrics that ask for presence.
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
    scales = {str(pieces[name].attrs.get("passport", {}).get("scale")) for name in samples["sample_id"]}
    metrics = list(dict.fromkeys(metrics)) or [MAIN]
    tree = read_tree(inputs["tree"]) if "tree" in inputs and any(METRICS[name].needs_tree for name in metrics) else None
    usable = [name for name in metrics if tree is not None or not METRICS[name].needs_tree]
    treeless = ", ".join(METRICS[name].title for name in metrics if name not in usable)
    notes += [repeated, f"{treeless} left out: the stools have no tree in common" if treeless else ""]
    tables, axes, told = [DISTANCES.empty()], [ORDINATION.empty()], []
    for name in usable:
        found = distances_of(
            abundances,
            name,
            scale="counts" if scales == {"counts"} else "relative",
            depth=depth,
            seed=seed,
            draws=draws,
            tree=tree,
        )
        facts = within_between(found, samples, contrast=contrast, seed=seed, metric=name)
        ordination = principal_coordinates(found, samples, metric=name)
        tables.append(distance_table(found, samples, metric=name))
        axes.append(ordination.axes)
        told.append(_told(facts, ordination, name, notes, compared=len(samples)))
    write_table(pd.concat(tables[1:] or tables, ignore_index=True), out / "distances.parquet")
    write_table(pd.concat(axes[1:] or axes, ignore_index=True), out / "ordination.parquet")
    main = told[0] if told else _told(_facts(metrics[0], note=""), NO_PLANE, metrics[0], notes, compared=0)
    write_json(main | {"metrics": told}, out / "distances.json")
    return {"samples": len(samples), "pairs": main["n_within"]}


def _told(
    facts: DistanceFacts, ordination: Ordination, metric: str, notes: Sequence[str], *, compared: int
) -> dict[str, Any]:
    note = "; ".join(part for part in (facts.note, *notes) if part)
    shares = list(ordination.variance_explained)
    return asdict(facts) | {"name": metric, "n_samples": compared, "variance_explained": shares, "note": note}


def _shared_timepoints(wide: pd.DataFrame) -> list[str]:
    """The two timepoints (columns of patients x timepoints) that most patients have both of."""
    there = wide.notna()
    options = sorted(combinations(sorted(wide.columns), 2))
    shared = [int((there[first] & there[second]).sum()) for first, second in options]
    return list(options[int(np.argmax(shared))]) if options else []


def _facts(
    metric: str,
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
        metric=METRICS[metric].title,
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
