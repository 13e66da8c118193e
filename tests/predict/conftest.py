"""A small study of noise, or with one planted feature, as the tables that reach the models."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.tables.changes import DELTAS
from rabiomarkers.tables.samples import FEATURES
from tests.support.outcomes import whole_outcomes


@dataclass(frozen=True)
class Tables:
    features: pd.DataFrame
    deltas: pd.DataFrame
    outcomes: pd.DataFrame


def outcome_rows(responders):
    names = [f"P{place:02d}" for place in range(len(responders))]
    frame = pd.DataFrame(
        {"patient_id": names, "best_response": np.where(responders, "PR", "SD"), "responder": responders}
    )
    return whole_outcomes(frame)


def study_tables(before, after, responders, *, unit="rank score"):
    """Values patients x features at both timepoints; patients P00, P01, ...; features F0, F1, ... in the tumour."""
    rows, deltas = [], []
    for patient, feature in np.ndindex(before.shape):
        name, values = f"P{patient:02d}", (before[patient, feature], after[patient, feature])
        fixed = ("tumour", "rna_counts", f"F{feature}")
        for timepoint, value in zip(("pre", "post"), values, strict=True):
            rows.append((f"{name}-{timepoint}", name, timepoint, *fixed, value, unit, "rank", 1.0, False, None))
        if np.isfinite(values).all():
            deltas.append((name, "tumour", f"F{feature}", unit, *values, values[1] - values[0]))
    return Tables(
        features=FEATURES.check(pd.DataFrame(rows, columns=list(FEATURES.columns))),
        deltas=DELTAS.check(pd.DataFrame(deltas, columns=list(DELTAS.columns))),
        outcomes=outcome_rows(responders),
    )


@pytest.fixture
def make_study():
    """(patients, responders, features, effect in SD of the first feature, seed) -> Tables."""

    def make(patients=10, responders=3, features=2, effect=0.0, seed=1):
        generator = np.random.default_rng(seed)
        labels = np.arange(patients) < responders
        before, after = generator.normal(size=(2, patients, features))
        before[:, 0] += effect * labels
        return study_tables(before, after, labels)

    return make
