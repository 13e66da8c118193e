"""A fitted model in one file: what `rabiomarkers predict` applies to patients of another study, fitting nothing again.

The file holds the estimator with all its preprocessing, what its columns are and in which units, where the training patients lay,
and what it came from: numbers of patients, a digest of the training data, versions. It holds no training rows; of the patients
there are means, spreads, quartiles and ranges of each feature, and their distances in rising order.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils import get_tags

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.applicability import TrainingColumn, describe, on_another_scale, reference_distances
from rabiomarkers.predict.archive import LARGEST, MALFORMED, objects_of, pack, unpack
from rabiomarkers.predict.design import Design
from rabiomarkers.predict.learners import Matrix

FORMAT = "rabiomarkers frozen model, version 2"
SUFFIX = ".skops"
LIBRARIES = ("rabiomarkers", "scikit-learn", "numpy", "scipy")
REPRODUCED = 1e-10  # largest difference of a check probability
ABSENT = "not measured in any patient"  # as `design_matrix` says it
CHECKED_COLUMNS = 64  # of which each has a check row of its own


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """A model of response fitted to all patients of a study."""

    name: str
    kind: str  # as in the registry of models
    feature_set: str  # baseline, change or both
    columns: tuple[str, ...]  # of the design, in order
    units: Mapping[str, str]  # of each column
    estimator: Any  # fitted; `predict_proba` of patients x columns
    n: int  # training patients
    responders: int
    verdict: str  # what its own study concluded of it, in words
    training_digest: str  # sha256, see `design_digest`
    versions: Mapping[str, str]  # of the libraries it was trained with
    training: tuple[TrainingColumn, ...]  # one a column
    distances: tuple[float, ...]  # of the training patients, each from the others, rising
    checks: tuple[float, ...]  # probabilities of `check_rows(training)` when it was trained


def design_digest(design: Design) -> str:
    """sha256 of columns, units, values and labels; patient ids play no part, so the digest tells nothing of who was in it."""
    digest = sha256()
    digest.update(json.dumps([list(design.matrix.columns), dict(design.units)], sort_keys=True).encode())
    digest.update(np.ascontiguousarray(design.matrix.to_numpy(dtype="<f8")).tobytes())
    digest.update(design.labels.to_numpy(dtype=bool).tobytes())
    return digest.hexdigest()


def freeze(name: str, design: Design, estimator: Any, *, kind: str, verdict: str = "") -> Frozen:
    """Fit a clone of the estimator to all patients of the design.

    Parameters
    ----------
    name, kind
        The model's name, and that of its kind in the registry.
    design
        Training patients with labels of both classes.
    estimator
        A scikit-learn classifier of two classes, not fitted; it takes patients x columns, NaN where missing.
    verdict
        In words; `dataclasses.replace` puts one in that is known only later.

    Raises
    ------
    PredictionError
        The fitted estimator keeps the training rows, which are patients' data, or its forecasts are no probabilities.
    """
    values = np.ascontiguousarray(design.matrix.to_numpy(dtype=np.float64))
    fitted = clone(estimator).fit(values, design.labels.to_numpy(dtype=bool))
    if _keeps_rows(fitted, values):
        raise PredictionError(
            f"Model {name} ({kind}) keeps its training patients' values and so cannot be frozen: a file that is passed on would "
            "pass them on too. Use a model that is made of coefficients or trees."
        )
    training = describe(values)
    return Frozen(
        name=name,
        kind=kind,
        feature_set=design.feature_set,
        columns=tuple(design.matrix.columns),
        units={column: design.units[column] for column in design.matrix.columns},
        estimator=fitted,
        n=len(design.labels),
        responders=int(design.labels.sum()),
        verdict=verdict,
        training_digest=design_digest(design),
        versions={library: version(library) for library in LIBRARIES},
        training=training,
        distances=tuple(reference_distances(values).tolist()),
        checks=tuple(_forecast(fitted, check_rows(training, fills=fills_missing(fitted))).tolist()),
    )


def check_rows(training: Sequence[TrainingColumn], *, fills: bool = True) -> Matrix:
    """Invented patients, rows x columns, whose forecasts prove that a model read from a file is the model that was written.

    The training means; one and ten spreads to either side in all columns; alternately to one and the other; one spread in each of
    the first 64 columns; and, where the model fills missing values, a patient without any.
    """
    centre = np.nan_to_num(np.array([column.centre for column in training], dtype=np.float64))
    spread = np.nan_to_num(np.array([column.spread for column in training], dtype=np.float64))
    alternate = np.where(np.arange(len(training)) % 2, -1.0, 1.0)
    moves = [0 * spread, spread, -spread, 10 * spread, -10 * spread, alternate * spread]
    single = np.eye(min(len(training), CHECKED_COLUMNS), len(training)) * spread
    nothing = np.full((int(fills), len(training)), np.nan)
    return np.concatenate([centre + np.array(moves), centre + single, nothing])


def write_frozen(frozen: Frozen, path: Path) -> None:
    """One file, ``<name>.skops`` by custom; the same model gives the same bytes. It is read back before it is written.

    Raises
    ------
    PredictionError
        The estimator is made of something that has no place in the file.
    """
    facts = {field.name: getattr(frozen, field.name) for field in fields(Frozen) if field.name != "estimator"}
    facts |= {"format": FORMAT, "training": [_absent(asdict(column)) for column in frozen.training]}
    told = json.dumps(facts, sort_keys=True, allow_nan=False)
    data = pack({"facts": told, "estimator": frozen.estimator})
    _thaw(data, f"Model {frozen.name}")
    path.write_bytes(data)


def read_frozen(path: Path, *, trusted: Sequence[str] = ()) -> Frozen:
    """What `write_frozen` wrote; it forecasts its check rows as it did when it was trained, to 1e-10.

    Parameters
    ----------
    trusted
        Further types, ``module.Class``, of a model that is not one of ours; everything but scikit-learn's is refused.

    Raises
    ------
    PredictionError
        The file is too large, damaged, of another origin, holds a type that is not trusted, or forecasts something else.
    """
    if path.stat().st_size > LARGEST:
        raise PredictionError(f"{path.name} is no model this version can read: it is too large.")
    return _thaw(path.read_bytes(), path.name, trusted=trusted)


def read_all(paths: Sequence[Path]) -> list[Frozen]:
    """The models of several files, in the order of their names."""
    return sorted((read_frozen(path) for path in paths), key=lambda frozen: frozen.name)


def other_versions(frozen: Frozen) -> str:
    """In words, which libraries have another version here than where the model was trained; empty where none."""
    others = [
        f"{library} {frozen.versions[library]} (here {version(library)})"
        for library in LIBRARIES[1:]
        if frozen.versions[library] != version(library)
    ]
    return f"trained with {', '.join(others)}; its check forecasts are the same here" if others else ""


def fills_missing(estimator: Any) -> bool:
    """Whether the estimator says that it takes missing values."""
    return bool(get_tags(estimator).input_tags.allow_nan)


def apply_frozen(frozen: Frozen, design: Design) -> pd.Series:
    """Probability of response of each patient of the design, by a frozen model.

    Parameters
    ----------
    design
        Built with the model's `columns` as names; further columns are not used. A value a patient misses is filled as in
        training. NaN of a patient who has none of the features, or misses one where the model fills none.

    Raises
    ------
    PredictionError
        Another feature set, a feature that no patient of the design has, one in another unit, with infinite values or on what
        looks like another scale; all are named.
    """
    faults = _faults(frozen, design)
    if faults:
        raise PredictionError(f"Model {frozen.name} cannot be applied: {'; '.join(faults)}.")
    values = np.ascontiguousarray(design.matrix[list(frozen.columns)].to_numpy(dtype=np.float64))
    known = ~np.isnan(values)
    usable = known.any(axis=1) if fills_missing(frozen.estimator) else known.all(axis=1)
    probability = np.full(len(values), np.nan)
    if usable.any():
        probability[usable] = _forecast(frozen.estimator, values[usable])
    return pd.Series(probability, index=design.matrix.index, name="probability")


def _faults(frozen: Frozen, design: Design) -> list[str]:
    """Everything that keeps the model from these patients."""
    faults = []
    reasons = {refused["feature"]: refused["reason"] for refused in design.refused}
    if frozen.feature_set != design.feature_set:
        faults.append(f"it takes {frozen.feature_set} values, these are {design.feature_set} values")
    alike = []
    for column, training in zip(frozen.columns, frozen.training, strict=True):
        if column not in design.matrix.columns and reasons.get(column, ABSENT) != ABSENT:
            faults.append(f"{column} cannot be used: {reasons[column]}")
        elif column not in design.matrix.columns or design.matrix[column].isna().all():
            faults.append(f"{column} was measured in no patient")
        elif design.units[column] != frozen.units[column]:
            faults.append(f"{column} is in {design.units[column]}, the model was trained in {frozen.units[column]}")
        elif np.isinf(design.matrix[column].to_numpy(dtype=np.float64)).any():
            faults.append(f"{column} holds infinite values")
        else:
            alike.append((column, training))
    compared = design.matrix[[column for column, _ in alike]]
    return faults + on_another_scale(compared, [training for _, training in alike])


def _forecast(estimator: Any, values: Matrix) -> Matrix:
    """Probability of the second class of each row."""
    found = np.asarray(estimator.predict_proba(values), dtype=np.float64)
    if found.shape != (len(values), 2) or not ((found >= 0) & (found <= 1)).all():
        raise PredictionError(f"{type(estimator).__name__} does not forecast probabilities of two classes.")
    return found[:, 1]


def _keeps_rows(fitted: Any, values: Matrix) -> bool:
    """Whether the estimator holds an array as large as the training matrix."""
    arrays = (thing for thing, _ in objects_of(fitted) if isinstance(thing, np.ndarray))
    return any(array.shape == values.shape for array in arrays)


def _thaw(data: bytes, where: str, *, trusted: Sequence[str] = ()) -> Frozen:
    try:
        content = unpack(data, trusted=trusted)
    except PredictionError as error:
        raise PredictionError(f"{where} is no model this version can read: {error}.") from error
    try:
        facts = json.loads(content["facts"])
        if (found := facts.pop("format")) != FORMAT:
            raise PredictionError(f"{where} is no model this version can read: {found!r}; expected {FORMAT!r}.")
        training = tuple(TrainingColumn(**_present(column)) for column in facts.pop("training"))
        facts |= {name: tuple(facts[name]) for name in ("columns", "distances", "checks")}
        frozen = Frozen(**facts, training=training, estimator=content["estimator"])
        told = _difference(frozen)
    except MALFORMED as error:
        raise PredictionError(f"{where} is no model this version can read: its facts are incomplete.") from error
    if told:
        raise PredictionError(f"{where}: {told}")
    return frozen


def _difference(frozen: Frozen) -> str:
    """How the model's check forecasts differ from those of its training, in words; empty where they do not.

    Raises ValueError or TypeError where the facts do not belong together.
    """
    named = (frozen.name, frozen.kind, frozen.feature_set, frozen.verdict, frozen.training_digest)
    texts = (*named, *frozen.columns, *frozen.units.values(), *(frozen.versions[library] for library in LIBRARIES))
    numbers = (frozen.n, frozen.responders, *frozen.distances, *frozen.checks)
    if not all(isinstance(text, str) for text in texts) or not all(math.isfinite(number) for number in numbers):
        raise ValueError("a text or a number is something else")
    if not 0 < frozen.responders < frozen.n:
        raise ValueError("no responders, or nobody else")
    if set(frozen.units) != set(frozen.columns) or len(frozen.training) != len(frozen.columns):
        raise ValueError("columns without facts")
    rows = check_rows(frozen.training, fills=fills_missing(frozen.estimator))
    found = _forecast(frozen.estimator, rows)
    away = float(np.abs(found - np.array(frozen.checks, dtype=np.float64)).max())
    if away <= REPRODUCED:
        return ""
    others = other_versions(frozen)
    where = f" ({others.partition(';')[0]})" if others else ""
    return f"the model does not forecast what it did when it was trained{where}; differences of {away:.2g}. Train it again."


def _absent(column: Mapping[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in column.items()}


def _present(column: Mapping[str, float | None]) -> dict[str, float]:
    return {name: math.nan if value is None else float(value) for name, value in column.items()}
