"""What the models of the invented trial are worth: entries of summary.json and the tables beside them."""

from typing import Any

import pandas as pd

from rabiomarkers.tables.predictions import (
    BATCH_VALIDATION,
    CALIBRATION,
    COEFFICIENTS,
    DECISION_CURVE,
    LEARNING_CURVE,
    STABILITY,
)

FEATURES = ("tumour:RA_RESPONSE_CORE", "blood:clr_CD8_TEM")
LATER = ("coefficients", "calibration", "decision_curve", "batch_validation", "stability", "learning_curve")
"""Tables that the first version did not write."""


def with_later_facts(model: dict[str, Any]) -> dict[str, Any]:
    """A model's entry with what the first version did not know."""
    estimable = model["auc"] is not None
    primary = model["feature_set"] == "baseline"
    guards = [{"guard": "label", "words": "flipping the left-out responses", "folds": 5, "findings": []}]
    return model | {
        "model": "ridge",
        "primary": primary,
        "options": {"penalty": 1.0},
        "features": list(FEATURES),
        "units": dict.fromkeys(FEATURES, "rank score"),
        "missing_values": 1,
        "auc_low": 0.12 if estimable else None,
        "auc_high": 1.0 if estimable else None,
        "interval_note": "rough: a bootstrap of 10 patients" if estimable else None,
        "p_floor": 1 / 120 if estimable else None,
        "p_corrected": model["p_value"] if estimable and not primary else None,
        "log_loss": 0.7 if estimable else None,
        "log_loss_constant": 0.65 if estimable else None,
        "calibration_slope": None,
        "calibration_note": "calibration is not estimable: 20 of each are needed" if estimable else None,
        "auc_left_out_batch": None,
        "batch_note": "all patients are of one batch" if estimable else None,
        "riley": {"shrinkage": 120, "optimism": 75, "prevalence": 323} if estimable else None,
        "guards": guards if estimable else [],
    }


def model_tables(models: list[dict[str, Any]], note: str) -> dict[str, pd.DataFrame]:
    """The tables of `LATER`; without rows of models that were not estimable."""
    fitted = [model for model in models if model["auc"] is not None]
    names = [model["name"] for model in fitted]
    return {
        "coefficients": _table(
            COEFFICIENTS,
            [
                (name, feature, "rank score", 0.4, 0.01, slope)
                for name in names
                for feature, slope in zip(FEATURES, (0.17, -0.05), strict=True)
            ],
        ),
        "calibration": CALIBRATION.empty(),
        "decision_curve": _table(
            DECISION_CURVE,
            [(name, cut, 0.2 - cut / 4, 0.3 - cut / 2, 0.0) for name in names for cut in (0.2, 0.3, 0.4)],
        ),
        "batch_validation": _table(
            BATCH_VALIDATION,
            [
                (
                    model["name"],
                    "all",
                    model["n"],
                    model["responders"],
                    None,
                    None,
                    note or "cannot be left out: it is the only batch",
                )
                for model in fitted
            ],
        ),
        "stability": _table(
            STABILITY,
            [
                (feature_set, feature, share, 0.75, share > 0.75, 0.6, note or "among the best 2 of 2")
                for feature_set in (("baseline", "change") if names else ())
                for feature, share in zip(FEATURES, (0.82, 0.1), strict=True)
            ],
        ),
        "learning_curve": _table(
            LEARNING_CURVE,
            [
                (name, effect, ceiling, n, (ceiling + 0.5) / 2, 0.3, 1.0, min(1.0, power * n / 10))
                for name in names[:1]
                for effect, ceiling, power in (
                    ("observed", 0.8, 0.2),
                    ("lower limit", 0.5, 0.0),
                    ("upper limit", 0.95, 0.6),
                )
                for n in (10, 20, 40, 100)
            ],
        ),
    }


def _table(table: Any, rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    return table.check(pd.DataFrame(rows, columns=list(table.columns))) if rows else table.empty()
