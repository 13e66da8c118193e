"""How many patients until the verdict on a model could change: simulated trials of growing size.

A simulated trial has features that are normal with spread 1 and independent, shifted in responders so that the best possible score
of them has a chosen AUC, the ceiling. The ridge of the model is fitted inside five stratified folds, and the AUC counted within the
left-out folds. A model of few patients stays below the ceiling; so the ceilings looked at are those under which trials of the
study's own size reach, on average, the AUC the study observed, and the ends of its interval.

References
----------
AUC = Phi(d / sqrt(2)) of two normals d spreads apart: Bamber 1975, doi:10.1016/0022-2496(75)90001-2
"""

from collections.abc import Mapping, Sequence
from math import ceil, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from rabiomarkers.files import Info, read_json, write_table
from rabiomarkers.predict.learners import Flags, Matrix
from rabiomarkers.predict.newton import Stack, intercepts_only, newton
from rabiomarkers.tables.predictions import LEARNING_CURVE

FOLDS = 5
CEILINGS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.99)
GROWTH = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 10.0, 20.0, 40.0)
MOST_PATIENTS = 1_000
WANTED_POWER = 0.8
EFFECTS = {"observed": "auc", "lower limit": "auc_low", "upper limit": "auc_high"}


def learning_curve(
    *,
    n: int,
    responders: int,
    features: int,
    auc: Mapping[str, float | None],
    penalty: float = 1.0,
    simulations: int = 200,
    seed: int = 1,
) -> pd.DataFrame:
    """LEARNING_CURVE without the column `model`: what trials of n and more patients would show.

    Parameters
    ----------
    n, responders
        Of the study, at least two of each kind; larger trials have the same share of responders.
    features
        Of the model, from 1.
    auc
        By effect (`observed`, `lower limit`, `upper limit`): the out-of-fold AUC whose ceiling is looked for; None where there is
        none. An AUC of 0.5 or less has the ceiling 0.5, under which no number of patients helps.
    penalty
        Of the ridge.
    simulations
        Trials of each size and ceiling.
    """
    sizes = [size for size in dict.fromkeys(ceil(n * growth) for growth in GROWTH) if size <= max(n, MOST_PATIENTS)]
    share = responders / n

    def simulated(size: int, ceiling: float) -> Matrix:
        place = round(1000 * ceiling)
        return trials(
            size,
            max(2, min(size - 2, round(share * size))),
            features,
            ceiling,
            penalty=penalty,
            simulations=simulations,
            seed=[seed, size, place],
        )

    here = np.maximum.accumulate([simulated(n, ceiling).mean() for ceiling in CEILINGS])
    wanted = {effect: value for effect, value in auc.items() if value is not None}
    ceilings = {effect: ceiling_of(value, here) for effect, value in wanted.items()}
    rows = []
    for size in sizes:
        chance = float(np.quantile(simulated(size, 0.5), 0.95))
        for effect, ceiling in ceilings.items():
            reached = simulated(size, ceiling)
            low, high = np.quantile(reached, [0.025, 0.975])
            rows.append((effect, ceiling, size, reached.mean(), low, high, (reached > chance).mean()))
    columns = [column for column in LEARNING_CURVE.columns if column != "model"]
    return pd.DataFrame(rows, columns=columns).sort_values(["effect", "n"], ignore_index=True)


def ceiling_of(auc: float, reached: Sequence[float] | Matrix) -> float:
    """The ceiling under which trials reach `auc` on average; `reached` are their means at each of `CEILINGS`, rising."""
    means = np.asarray(reached, dtype=np.float64)
    if auc <= max(0.5, means[0]):
        return 0.5
    rising = np.concatenate([[True], np.diff(means) > 0])
    return float(np.interp(auc, means[rising], np.asarray(CEILINGS)[rising]))


def trials(
    n: int,
    responders: int,
    features: int,
    ceiling: float,
    *,
    penalty: float,
    simulations: int,
    seed: Sequence[int],
) -> Matrix:
    """The AUC within left-out stratified folds of each of the simulated trials.

    All trials' folds are fitted together. Folds are as many as the smaller kind has patients, at most five.
    """
    labels = np.arange(n) < responders
    shift = norm.ppf(ceiling) * sqrt(2.0 / features)
    values = np.random.default_rng(list(seed)).normal(size=(simulations, n, features)) + shift * labels[:, None]
    folds = min(FOLDS, responders, n - responders)
    fold = np.concatenate([np.arange(responders), np.arange(n - responders)]) % folds
    ordered, pairs = np.zeros(simulations), 0
    for out in range(folds):
        left = fold == out
        scores = _scores(values, labels, left, penalty)
        ahead = scores[:, labels[left], None] - scores[:, None, ~labels[left]]
        ordered += ((ahead > 0) + 0.5 * (ahead == 0)).sum(axis=(1, 2))
        pairs += ahead.shape[1] * ahead.shape[2]
    share: Matrix = ordered / pairs
    return share


def _scores(values: Matrix, labels: Flags, left: Flags, penalty: float) -> Matrix:
    """Simulations x left-out patients: log odds by the ridge of the other patients, without the intercept."""
    training = values[:, ~left]
    centre, spread = training.mean(axis=1, keepdims=True), training.std(axis=1, keepdims=True)
    scaled = (training - centre) / spread
    sets, patients, _ = scaled.shape
    design = np.concatenate([np.ones((sets, patients, 1)), scaled], axis=2)
    stack = Stack(design=design, weight=np.full((sets, patients), 1.0 / patients))
    answers = np.broadcast_to(labels[~left], (sets, 1, patients))
    weights = newton(stack, answers, np.array([penalty]), intercepts_only(stack, answers))[:, 0, 1:]
    score: Matrix = ((values[:, left] - centre) / spread @ weights[:, :, None])[:, :, 0]
    return score


def patients_needed(curve: pd.DataFrame, effect: str) -> int | None:
    """The smallest simulated size at which the share of trials above chance is at least 0.8; None where no size does."""
    rows = curve[(curve["effect"] == effect) & (curve["power"] >= WANTED_POWER)]
    return None if rows.empty else int(rows["n"].min())


def learning_sentence(curve: pd.DataFrame) -> str:
    """How many patients until the verdict could change, in words; `curve` as `learning_curve` gives it."""
    if curve.empty:
        return ""
    told = []
    for effect, words in {
        "observed": "If the observed AUC is what such models reach at this size",
        "upper limit": "at the upper limit of its interval",
        "lower limit": "at the lower limit",
    }.items():
        rows = curve[curve["effect"] == effect]
        if rows.empty:
            continue
        needed, most = patients_needed(curve, effect), int(rows["n"].max())
        if rows["true_auc"].iloc[0] <= 0.5:
            found = "no number of patients would tell it from chance"
        elif needed is None:
            found = f"even {most} patients would tell it from chance in fewer than 8 of 10 trials"
        else:
            found = f"{needed} patients would tell it from chance in 8 of 10 trials"
        told.append(f"{words}, {found}")
    return "; ".join(told) + "."


def learning_step(inputs: Mapping[str, Path], out: Path, *, simulations: int, seed: int = 1) -> Info:
    """Write `learning_curve.parquet`, of the primary model; without rows where that was not validated.

    `inputs`: `models` (JSON), the facts of all models.
    """
    primary = [model for model in read_json(inputs["models"]) if model["primary"] and model["auc"] is not None]
    curves = [_of_model(model, simulations, seed).assign(model=model["name"]) for model in primary]
    table = LEARNING_CURVE.check(curves[0]) if curves else LEARNING_CURVE.empty()
    write_table(table, out / "learning_curve.parquet")
    return {"sizes": int(table["n"].nunique())}


def _of_model(model: Mapping[str, Any], simulations: int, seed: int) -> pd.DataFrame:
    penalty = model["options"].get("penalty")
    return learning_curve(
        n=model["n"],
        responders=model["responders"],
        features=max(1, len(model["features"])),
        auc={effect: model[name] for effect, name in EFFECTS.items()},
        penalty=float(penalty) if isinstance(penalty, int | float) else 1.0,
        simulations=simulations,
        seed=seed,
    )
