"""All models of a study side by side: their tables joined, their p corrected, their verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from rabiomarkers.files import Info, read_json, read_table, write_json, write_table
from rabiomarkers.predict.design import Design
from rabiomarkers.predict.frozen import Frozen
from rabiomarkers.predict.models import ModelSpec, fit_model
from rabiomarkers.predict.verdict import verdict
from rabiomarkers.stats.multiplicity import holm
from rabiomarkers.tables.predictions import OF_A_MODEL


@dataclass(frozen=True, kw_only=True)
class ModelResults:
    """Everything about the models of a study."""

    models: list[dict[str, Any]]  # the `models` of summary.json
    tables: dict[str, pd.DataFrame]  # by the names of `OF_A_MODEL`
    frozen: dict[str, Frozen]  # by name; none of a model that cannot be estimated


def fit_models(
    designs: Mapping[str, Design],
    models: Sequence[ModelSpec],
    *,
    batches: pd.Series | None = None,
    permutations: int = 1000,
    bootstraps: int = 2000,
    seed: int = 1,
) -> ModelResults:
    """Fit, validate, freeze and judge several models of the same patients: what the pipeline does, for a notebook.

    Parameters
    ----------
    designs
        By the name of the model it is for.

    Others, and errors, as in `fit_model`.
    """
    options: dict[str, Any] = {"permutations": permutations, "bootstraps": bootstraps, "seed": seed}
    results = [fit_model(spec, designs[spec.name], batches=batches, **options) for spec in models]
    return ModelResults(
        models=judge([result.facts for result in results]),
        tables={name: _joined(name, [result.tables[name] for result in results]) for name in OF_A_MODEL},
        frozen={spec.name: result.frozen for spec, result in zip(models, results, strict=True) if result.frozen},
    )


def judge(models: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The facts of all models of a study with `p_corrected` and `verdict`.

    The p of the primary model counts by itself. Those of the others, the ones that could be tested, are corrected for one another
    (Holm), so that a study with many models does not find one by their number.
    """
    others = [place for place, model in enumerate(models) if not model["primary"] and model["p_value"] is not None]
    corrected = holm(pd.Series([models[place]["p_value"] for place in others], dtype="float64"))
    by_place = dict(zip(others, corrected, strict=True))
    judged = []
    for place, model in enumerate(models):
        told = dict(model) | {"p_corrected": float(by_place[place]) if place in by_place else None}
        if not told["verdict"]:
            told["verdict"] = verdict(told, corrected_for=len(others))
        judged.append(told)
    return judged


def collect_step(inputs: Mapping[str, Path], out: Path, *, names: Sequence[str]) -> Info:
    """Write `models.json` and the tables of `OF_A_MODEL` of all models, in the order of `names`.

    `inputs`: for each model NAME what its step wrote: `NAME:model` (JSON) and `NAME:` with the name of each table.
    """
    for table in OF_A_MODEL:
        write_table(_joined(table, [read_table(inputs[f"{name}:{table}"]) for name in names]), out / f"{table}.parquet")
    models = judge([read_json(inputs[f"{name}:model"]) for name in names])
    write_json(models, out / "models.json")
    return {"models": len(models), "estimated": sum(model["auc"] is not None for model in models)}


def _joined(name: str, parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [part for part in parts if len(part)]
    table = OF_A_MODEL[name]
    return table.check(pd.concat(filled, ignore_index=True)) if filled else table.empty()
