"""Whether patients who are alike in one compartment are alike in another.

Each compartment is drawn as a map of the patients (its first two principal axes); one map is turned, flipped and scaled onto the
other as well as it goes. The p value comes from handing out one of the maps to the patients in another order.

References
----------
Gower 1975, doi:10.1007/BF02291478; Peres-Neto & Jackson 2001, doi:10.1007/s004420100720 (PROTEST)
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations
from math import factorial
from pathlib import Path

import numpy as np
import pandas as pd

from rabiomarkers.errors import StatisticsError
from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.stats.arrays import Matrix, Vector
from rabiomarkers.stats.guards import refuse_fewer_than_one
from rabiomarkers.tables.samples import FEATURES
from rabiomarkers.tables.stool import PROCRUSTES

AXES = 2
"""Of each map. More axes of few patients fit anything onto anything."""

STOOLS = ("faecal", "communities")
"""What the map of the stools goes by: compartment and, in place of an assay, what is compared."""

KNOWN = 0.8
"""Share of the patients who must have a feature; fewer and it would cost more patients than it tells."""

LEAST_PATIENTS = 5
"""Two axes of four patients fit almost any others; of five, 120 orders leave a p of 0.008 within reach."""
EXACT_PATIENTS = 8
PERMUTATIONS = 9_999


@dataclass(frozen=True, kw_only=True)
class Overlay:
    """How well one map lies on another: `correlation` = sqrt(1 - `sum_of_squares`); numbers are NaN where it cannot be told."""

    correlation: float
    sum_of_squares: float
    p_value: float
    p_floor: float
    p_count: int | None
    p_total: int | None
    test: str
    note: str


def overlay(first: Matrix, second: Matrix, *, permutations_drawn: int = PERMUTATIONS, seed: int = 1) -> Overlay:
    """Symmetric Procrustes of two maps of the same patients, patients x axes, with its permutation test.

    Every order of the patients is tried up to 8 of them; beyond, `permutations_drawn` random ones, p = (count + 1) / (drawn + 1).
    A map with fewer axes than the other lies flat in the axes that it lacks.

    Raises
    ------
    StatisticsError
        The maps are not of one length, or hold what is no number; or `permutations_drawn` is below 1.
    """
    refuse_fewer_than_one(permutations_drawn, "permutations")
    if np.ndim(first) != 2 or np.ndim(second) != 2 or len(first) != len(second):
        raise StatisticsError("Two maps are laid over one another patient by patient: patients x axes, in one order.")
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise StatisticsError("A place on a map is a finite number; some are not.")
    patients = len(first)
    if patients < LEAST_PATIENTS:
        return _untold(f"{patients} patients with both; {LEAST_PATIENTS} are needed")
    one, other = _standard(first), _standard(second)
    if one is None or other is None:
        return _untold("the patients do not differ in one of the two")
    observed = float(_fit(one, other[None])[0])
    exact = patients <= EXACT_PATIENTS
    fits = np.concatenate([_fit(one, other[orders]) for orders in _orders(patients, exact, permutations_drawn, seed)])
    count = int((fits >= observed - 1e-12).sum()) + (not exact)
    total = factorial(patients) if exact else permutations_drawn + 1
    return Overlay(
        correlation=min(observed, 1.0),
        sum_of_squares=max(1.0 - observed**2, 0.0),
        p_value=count / total,
        p_floor=1.0 / total,
        p_count=count,
        p_total=total,
        test=f"Procrustes, {'exact' if exact else f'{permutations_drawn} random'} permutations of patients",
        note="",
    )


def procrustes_table(
    features: pd.DataFrame, distances: pd.DataFrame, *, contrast: Sequence[str], seed: int = 1
) -> pd.DataFrame:
    """Every two compartments laid over one another, at each timepoint of the contrast; only patients with both are drawn.

    The p values are one a row, without correction.

    Parameters
    ----------
    features
        The FEATURES table; an assay's map is of its features, standardised, without those that most patients lack.
    distances
        DISTANCES; the map of the stools is of their first metric.
    contrast
        Timepoints, one map of a compartment at each.
    seed
        Of the random orders of more than 8 patients.
    """
    rows = []
    for time in contrast:
        sources = dict(_assays(features[features["timepoint"] == time]))
        if len(stool := _stools(distances, time)):
            sources[STOOLS] = stool
        for a, b in combinations(sorted(sources), 2):
            if a[0] != b[0]:
                rows.append(_row(a, b, sources[a], sources[b], time, seed))
    return PROCRUSTES.check(pd.DataFrame(rows, columns=list(PROCRUSTES.columns)))


def procrustes_step(inputs: Mapping[str, Path], out: Path, *, contrast: Sequence[str], seed: int) -> Info:
    """Write `procrustes.parquet` from `features` and `distances`."""
    features, distances = read_table(inputs["features"]), read_table(inputs["distances"])
    table = procrustes_table(FEATURES.check(features), distances, contrast=contrast, seed=seed)
    write_table(table, out / "procrustes.parquet")
    return {"overlays": len(table)}


# ---- maps ------------------------------------------------------------------------------------------------------------


def _assays(features: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    """Patients x features of each assay but those of stool taxa, which have distances of their own; no gaps.

    Features that fewer than `KNOWN` of the patients have are left out, then patients who lack one of the rest.
    """
    for (compartment, assay), rows in features.dropna(subset="value").groupby(["compartment", "assay"]):
        if not str(assay).startswith("taxa_"):
            wide = rows.pivot(index="patient_id", columns="feature", values="value").sort_index(axis="columns")
            kept = wide.loc[:, wide.notna().mean() >= KNOWN]
            yield (str(compartment), str(assay)), kept.dropna().sort_index()


def _stools(distances: pd.DataFrame, time: str) -> pd.DataFrame:
    """Patients x patients: the distances of the stools of one timepoint, of the first metric."""
    metric = distances["metric"].iloc[0] if len(distances) else ""
    own = distances[
        (distances["metric"] == metric) & (distances["timepoint_a"] == time) & (distances["timepoint_b"] == time)
    ]
    patients = sorted({*own["patient_a"], *own["patient_b"]})
    place = {patient: at for at, patient in enumerate(patients)}
    table = np.zeros((len(patients), len(patients)))
    rows, columns = own["patient_a"].map(place).to_numpy(np.intp), own["patient_b"].map(place).to_numpy(np.intp)
    table[rows, columns] = table[columns, rows] = own["distance"].to_numpy(dtype=np.float64)
    return pd.DataFrame(table, index=patients, columns=patients)


def _map(source: pd.DataFrame, patients: pd.Index, assay: tuple[str, str]) -> Matrix:
    """The patients on the first axes of one compartment, patients x axes."""
    if assay == STOOLS:
        return principal_axes(source.loc[patients, patients].to_numpy(dtype=np.float64))
    values = source.loc[patients].to_numpy(dtype=np.float64)
    centred = values - values.mean(axis=0)
    spread = centred.std(axis=0, ddof=1)
    varied = spread > 1e-9 * np.abs(values).max(axis=0)
    left, sizes, _ = np.linalg.svd(centred[:, varied] / spread[varied], full_matrices=False)
    return np.asarray(left[:, :AXES] * sizes[:AXES], dtype=np.float64)


def principal_axes(distances: Matrix) -> Matrix:
    """Samples x axes: principal coordinates of a square of distances; an axis that distances do not have is 0.

    References
    ----------
    Gower 1966, doi:10.1093/biomet/53.3-4.325
    """
    squares = -0.5 * distances**2
    centred = squares - squares.mean(axis=0) - squares.mean(axis=1)[:, None] + squares.mean()
    sizes, vectors = np.linalg.eigh(centred)
    kept = np.argsort(sizes)[::-1][:AXES]
    return np.asarray(vectors[:, kept] * np.sqrt(np.maximum(sizes[kept], 0.0)), dtype=np.float64)


def _row(
    a: tuple[str, str], b: tuple[str, str], first: pd.DataFrame, second: pd.DataFrame, time: str, seed: int
) -> dict[str, object]:
    both = first.index.intersection(second.index).sort_values()
    told = _untold(f"{len(both)} patients with both; {LEAST_PATIENTS} are needed")
    if len(both) >= LEAST_PATIENTS:
        told = overlay(_map(first, both, a), _map(second, both, b), seed=seed)
    which = {"compartment_a": a[0], "assay_a": a[1], "compartment_b": b[0], "assay_b": b[1], "timepoint": time}
    return which | {"n_patients": len(both)} | vars(told)


# ---- the fit ---------------------------------------------------------------------------------------------------------


def _standard(table: Matrix) -> Matrix | None:
    """Centred, with a sum of squares of 1; None where all patients lie on one point."""
    centred = table - table.mean(axis=0)
    size = float(np.sqrt((centred**2).sum()))
    return centred / size if size > 1e-12 * max(float(np.abs(table).max(initial=0.0)), 1e-150) else None


def _fit(one: Matrix, others: Matrix) -> Vector:
    """Sum of the singular values of one' x other, the correlation of the best overlay, for each of several maps."""
    products = np.einsum("pi,kpj->kij", one, others)
    return np.asarray(np.linalg.svd(products, compute_uv=False).sum(axis=1), dtype=np.float64)


def _orders(patients: int, exact: bool, drawn: int, seed: int) -> Iterator[Matrix]:
    """Orders of the patients, some thousands at a time."""
    if exact:
        yield np.array(list(permutations(range(patients))))
        return
    random = np.random.default_rng([seed, patients])
    for at in range(0, drawn, 2_000):
        yield random.permuted(np.tile(np.arange(patients), (min(2_000, drawn - at), 1)), axis=1)


def _untold(note: str) -> Overlay:
    return Overlay(
        correlation=np.nan,
        sum_of_squares=np.nan,
        p_value=np.nan,
        p_floor=np.nan,
        p_count=None,
        p_total=None,
        test="not tested",
        note=note,
    )
