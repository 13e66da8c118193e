"""The kinds of model that a plan can name. Anything with `fit` and `predict_proba` can be registered: add it to `MODELS`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sklearn.base import BaseEstimator

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.classifiers import (
    ElasticNetLogistic,
    FirthLogistic,
    InterceptOnly,
    SignatureLogistic,
    boosting,
)
from rabiomarkers.predict.design import compartment_of
from rabiomarkers.predict.fusion import Blocks, LateFusion
from rabiomarkers.predict.nested import NestedRidge
from rabiomarkers.predict.ridge import RidgeLogistic

type Columns = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Option:
    """One thing that a kind of model can be told."""

    words: str  # what it must be: "a number above 0"
    fits: Callable[[Any], bool]


@dataclass(frozen=True, kw_only=True)
class ModelKind:
    """How models of a kind are made."""

    build: Callable[[Columns, Mapping[str, Any]], BaseEstimator]  # (columns of the design, options) -> not fitted
    words: str
    options: Mapping[str, Option] = field(default_factory=dict)
    least_patients: int = 0
    least_columns: int = 1
    most_columns: int | None = None  # None: as many as there are


def build_model(kind: str, columns: Sequence[str], options: Mapping[str, Any]) -> BaseEstimator:
    """An estimator of the kind, not fitted.

    Parameters
    ----------
    columns
        Of the design, called `compartment:feature`, with "before " or "change " in front where both are there.
    options
        As in `MODELS`.

    Raises
    ------
    PredictionError
        There is no such kind, it does not take so many columns, or an option is unknown or not what it must be.
    """
    if kind not in MODELS:
        raise PredictionError(f"There is no kind of model {kind!r}; there are {', '.join(sorted(MODELS))}.")
    model = MODELS[kind]
    most = len(columns) if model.most_columns is None else model.most_columns
    if not model.least_columns <= len(columns) <= most:
        limit = f"{model.least_columns} at least" if len(columns) < model.least_columns else f"{most} at most"
        raise PredictionError(f"A model of kind {kind} takes {limit} of the features; it was given {len(columns)}.")
    wrong = [_told(name, value, model.options) for name, value in sorted(options.items())]
    if any(wrong):
        raise PredictionError(
            f"Options of a model of kind {kind}: {'; '.join(filter(None, wrong))}. {_takes(kind, model)}"
        )
    return model.build(tuple(columns), options)


def _told(name: str, value: Any, known: Mapping[str, Option]) -> str:
    """What is wrong with an option; empty where nothing is."""
    if name not in known:
        return f"{name!r} is not one"
    return "" if known[name].fits(value) else f"{name} is {value!r}"


def _takes(kind: str, model: ModelKind) -> str:
    if not model.options:
        return f"{kind} takes none."
    return f"It takes {', '.join(f'{name} ({option.words})' for name, option in sorted(model.options.items()))}."


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_above_0(value: Any) -> bool:
    return _is_number(value) and 0 < value < float("inf")


def _is_share(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= 1


def _is_count(value: Any, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _are_above_0(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) > 0 and all(_is_above_0(number) for number in value)


def _blocks(columns: Columns) -> Blocks:
    """Positions of the columns of each compartment."""
    owners = [compartment_of(column) for column in columns]
    return tuple(
        tuple(place for place, owner in enumerate(owners) if owner == compartment)
        for compartment in sorted(set(owners))
    )


def _nested_ridge(columns: Columns, options: Mapping[str, Any]) -> BaseEstimator:
    given: dict[str, Any] = {name: tuple(value) if name == "penalties" else value for name, value in options.items()}
    return NestedRidge(**given)


PENALTY = Option(words="a number above 0, on the mean loss", fits=_is_above_0)
INNER = Option(
    words="'auto', or a number of inner folds from 2", fits=lambda value: value == "auto" or _is_count(value, 2)
)
COUNT = Option(words="a whole number from 1", fits=_is_count)

MODELS: dict[str, ModelKind] = {
    "intercept": ModelKind(
        build=lambda columns, options: InterceptOnly(),
        words="the share of responders among the training patients, for everybody",
        least_columns=0,
    ),
    "signature": ModelKind(
        build=lambda columns, options: SignatureLogistic(),
        words="Firth's logistic regression on one feature named beforehand",
        most_columns=1,
    ),
    "ridge": ModelKind(
        build=lambda columns, options: RidgeLogistic(**options),
        words="ridge logistic regression with a penalty fixed beforehand",
        options={"penalty": PENALTY},
    ),
    "ridge_nested": ModelKind(
        build=_nested_ridge,
        words="ridge logistic regression with a penalty chosen by inner validation",
        options={"penalties": Option(words="a list of numbers above 0", fits=_are_above_0), "inner": INNER},
    ),
    "elastic_net": ModelKind(
        build=lambda columns, options: ElasticNetLogistic(**options),
        words="elastic-net logistic regression, which leaves features without weight, with a penalty fixed beforehand",
        options={"penalty": PENALTY, "l1_ratio": Option(words="a share, 0 to 1", fits=_is_share)},
    ),
    "firth": ModelKind(
        build=lambda columns, options: FirthLogistic(),
        words="Firth's logistic regression, which corrects the bias of few patients",
    ),
    "fusion": ModelKind(
        build=lambda columns, options: LateFusion(blocks=_blocks(columns), **options),
        words="one ridge logistic regression a compartment, joined by weights of an inner validation",
        options={"penalty": PENALTY, "inner": INNER},
    ),
    "boosting": ModelKind(
        build=lambda columns, options: boosting(**options),
        words="gradient boosting of small trees",
        options={
            "trees": COUNT,
            "leaves": Option(words="a whole number from 2", fits=lambda value: _is_count(value, 2)),
            "learning_rate": Option(words="a number above 0", fits=_is_above_0),
            "seed": Option(words="a whole number from 0", fits=lambda value: _is_count(value, 0)),
        },
        least_patients=200,
    ),
}
