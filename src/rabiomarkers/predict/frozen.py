"""A model as plain numbers in JSON: what `rabiomarkers predict` applies to other patients, refitting nothing."""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict.design import Design
from rabiomarkers.predict.ridge import RidgeFit, fit_ridge

FORMAT = "rabiomarkers frozen model, version 1"


def design_digest(design: Design) -> str:
    """sha256 of columns, units, values and labels; patient ids play no part, so the digest tells nothing of who was in it."""
    digest = hashlib.sha256()
    digest.update(json.dumps([list(design.matrix.columns), dict(design.units)], sort_keys=True).encode())
    digest.update(np.ascontiguousarray(design.matrix.to_numpy(dtype="<f8")).tobytes())
    digest.update(design.labels.to_numpy(dtype=bool).tobytes())
    return digest.hexdigest()


def freeze(name: str, design: Design, *, penalty: float) -> dict[str, Any]:
    """The ridge model fitted to all patients of the design, as JSON values."""
    fitted = fit_ridge(design.matrix.to_numpy(), design.labels.to_numpy()[None, :], penalty=penalty)
    return {
        "format": FORMAT,
        "name": name,
        "feature_set": design.feature_set,
        "features": list(design.matrix.columns),
        "units": dict(design.units),
        "centres": fitted.centre.tolist(),
        "scales": fitted.scale.tolist(),
        "fill_values": fitted.centre.tolist(),
        "intercept": float(fitted.intercept[0]),
        "coefficients": fitted.coefficients[0].tolist(),
        "penalty": penalty,
        "n": len(design.labels),
        "responders": int(design.labels.sum()),
        "training_digest": design_digest(design),
        "rabiomarkers": version("rabiomarkers"),
    }


def apply_frozen(model: Mapping[str, Any], design: Design) -> pd.Series:
    """Probability of response of each patient of the design, by a frozen model.

    Parameters
    ----------
    model
        What `freeze` gave, also after a way through JSON.
    design
        Built with the model's `features` as names; further columns are not used. A value a patient misses is filled by the
        training mean.

    Raises
    ------
    PredictionError
        Another format or feature set, a feature that no patient of the design has, or one in another unit; all are named.
    """
    if model.get("format") != FORMAT:
        raise PredictionError(
            f"This is no frozen model this version can read: {model.get('format')!r}; expected {FORMAT!r}."
        )
    wanted = list(model["features"])
    faults = []
    if model["feature_set"] != design.feature_set:
        faults.append(f"it takes {model['feature_set']} values, these are {design.feature_set} values")
    for feature in wanted:
        if feature not in design.matrix.columns or design.matrix[feature].isna().all():
            faults.append(f"{feature} was measured in no patient")
        elif design.units[feature] != model["units"][feature]:
            faults.append(
                f"{feature} is in {design.units[feature]}, the model was trained in {model['units'][feature]}"
            )
    if faults:
        raise PredictionError(f"Model {model['name']} cannot be applied: {'; '.join(faults)}.")
    fitted = RidgeFit(
        centre=np.array(model["centres"], dtype=float),
        scale=np.array(model["scales"], dtype=float),
        intercept=np.array([model["intercept"]], dtype=float),
        coefficients=np.array([model["coefficients"]], dtype=float),
    )
    values = design.matrix[wanted].to_numpy(dtype=float)
    return pd.Series(expit(fitted.decision(values)[0]), index=design.matrix.index, name="probability")
