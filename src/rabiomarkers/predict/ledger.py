"""Which rows each step of an estimator is fitted to, and which it is asked about: written down while the estimator runs.

A copy of the estimator is watched, and every estimator inside it: steps of pipelines, what a search or an ensemble fits, and clones
of these. A row is known by the name of the index that the first table and the labels carry; where a step hands on plain numbers, by
the array that came out of the step before; else by its values, which must be those of one row of all. What runs in another process
or compiled inside one `fit` is not seen.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone

from rabiomarkers.predict.learners import Counts, Flags, Matrix

ROW = "row of the study"  # name of the index that carries positions: an index that a step made anew has another
FITS = frozenset({"fit", "fit_transform", "fit_predict", "fit_many", "partial_fit"})
TRANSFORMS = frozenset({"transform", "fit_transform"})
ASKS = frozenset({"predict", "predict_proba", "predict_log_proba", "decision_function", "score", "transform"})


@dataclass(frozen=True, kw_only=True)
class Handed:
    """Rows that one step was handed."""

    step: str
    fitted: bool  # to be fitted to, else to be asked about
    rows: Counts | None  # positions; None where they cannot be told
    surplus: bool  # they cannot be told, and cannot come from the fit around this one: there is none, or it has fewer
    model: Any  # the step itself


class Ledger:
    """The book that watched estimators write into.

    Parameters
    ----------
    values
        All rows x features, to know rows by their values.
    training
        Positions; of rows with equal values one of these is meant, as far as there are any.
    """

    def __init__(self, values: Matrix, training: Counts) -> None:
        order = [*np.setdiff1d(np.arange(len(values)), training), *training]  # the last one stays
        self._by_values = {content: int(row) for row, content in zip(order, _contents(values[order]), strict=True)}
        self._width = values.shape[1]
        self._made: dict[int, tuple[Any, Counts]] = {}  # what steps made of rows; held, so that no id is used twice
        self._around: list[int] = []  # how many rows each fit that is going on was handed
        self.handed: list[Handed] = []

    def watch(self, estimator: BaseEstimator, name: str | None = None) -> Any:
        """A copy of the estimator, not fitted, that tells this ledger what it and the estimators inside it are handed."""
        known = name or type(estimator).__name__
        settings = {
            key: self._watched_setting(value, f"{known}.{key}")
            for key, value in clone(estimator).get_params(deep=False).items()
        }
        if "n_jobs" in settings:
            settings["n_jobs"] = None  # another process would write into another ledger
        return _watched_class(type(estimator), known, self._write)(**settings)

    def _watched_setting(self, value: Any, name: str) -> Any:
        if _is_estimator(value):
            return self.watch(value, name)
        if isinstance(value, list | tuple) and any(_is_named_estimator(item) for item in value):
            return type(value)(
                (item[0], self.watch(item[1], f"{name}.{item[0]}"), *item[2:]) if _is_named_estimator(item) else item
                for item in value
            )
        return value

    def _write(self, step: str, model: Any, method: str, run: Callable[..., Any]) -> Callable[..., Any]:
        """`run` that first writes down what it is handed."""

        @wraps(run)
        def written(*given: Any, **named: Any) -> Any:
            table = given[0] if given else named.get("X")
            labels = given[1] if len(given) > 1 else named.get("y")
            rows, count = self._rows(table, labels), 0 if table is None else len(table)
            fits = method in FITS
            surplus = fits and rows is None and count > (self._around[-1] if self._around else -1)
            self.handed.append(Handed(step=step, fitted=fits, rows=rows, surplus=surplus, model=model))
            self._around.extend([count] * fits)
            try:
                made = run(*given, **named)
            finally:
                del self._around[len(self._around) - fits :]
            if method in TRANSFORMS and rows is not None:
                self._made[id(made)] = (made, rows)
            return made

        return written

    def _rows(self, table: Any, labels: Any) -> Counts | None:
        for carrier in (table, labels):
            if isinstance(carrier, pd.DataFrame | pd.Series) and carrier.index.name == ROW:
                return carrier.index.to_numpy(dtype=np.int64)
        if id(table) in self._made:
            return self._made[id(table)][1]
        numbers = isinstance(table, np.ndarray) and table.ndim == 2 and table.dtype.kind in "biuf"
        if not numbers or table.shape[1] != self._width:
            return None
        found = [self._by_values.get(content) for content in _contents(table)]
        return None if None in found else np.array(found, dtype=np.int64)


def carried(values: Matrix, rows: Counts) -> pd.DataFrame:
    """These rows of the values, with their positions as an index that a ledger knows."""
    return pd.DataFrame(values[rows], index=pd.Index(rows, name=ROW))


def carried_labels(labels: Flags, rows: Counts) -> pd.Series:
    """These labels, with their positions as an index that a ledger knows."""
    return pd.Series(labels[rows], index=pd.Index(rows, name=ROW))


def _contents(values: Matrix) -> list[bytes]:
    numbers = np.ascontiguousarray(values, dtype=np.float64) + 0.0  # -0 is 0
    numbers[np.isnan(numbers)] = np.nan  # one NaN for all
    return [row.tobytes() for row in numbers]


def _is_estimator(value: Any) -> bool:
    return hasattr(value, "fit") and hasattr(value, "get_params") and not isinstance(value, type)


def _is_named_estimator(item: Any) -> bool:
    return isinstance(item, tuple) and len(item) >= 2 and _is_estimator(item[1])


def _watched_class(kind: type, step: str, write: Callable[..., Any]) -> type:
    """A subclass whose methods are written down; `clone` makes another of it, so that clones are watched too."""
    usual: Any = vars(object)["__getattribute__"]  # raises where the estimator has no such method now

    def look_up(self: Any, name: str) -> Any:
        found = usual(self, name)
        return write(step, self, name, found) if name in FITS or name in ASKS else found

    members: Mapping[str, Any] = {"__getattribute__": look_up, "__module__": kind.__module__, "__doc__": kind.__doc__}
    return type(kind.__name__, (kind,), dict(members))
