"""Pairs in the negative binomial model of DESeq2, against the R package (tests/reference/deseq2.R)."""

import builtins
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

pytest.importorskip("pydeseq2", reason="the model is the extra deseq2")

from rabiomarkers.change.count_model import MISSING, count_model
from rabiomarkers.errors import StatisticsError

_TABLE = pd.read_csv(Path(__file__).parents[1] / "reference" / "deseq2.csv").set_index("statistic")["value"]


def numbers(statistic):
    return np.array(_TABLE[statistic].replace("NA", "nan").split(), dtype=np.float64)


COUNTS = numbers("counts").reshape(400, 12)
GENES = pd.Index([f"G{place:03d}" for place in range(400)])
PATIENTS = [f"P{place}" for place in range(6)]


@pytest.fixture(scope="module")
def model():
    return count_model(COUNTS, GENES, PATIENTS)


def test_size_factors_equal_those_of_deseq2():
    from pydeseq2.preprocessing import deseq2_norm

    _, factors = deseq2_norm(COUNTS.T)
    assert np.asarray(factors) == pytest.approx(numbers("size_factors"), rel=1e-8)


def test_fold_changes_and_p_go_with_those_of_deseq2(model):
    theirs = numbers("p")
    both = np.isfinite(theirs) & model["p_value"].notna().to_numpy()
    assert both.sum() > 390
    assert spearmanr(model["p_value"][both], theirs[both]).statistic >= 0.99
    assert model["estimate"][both].to_numpy() == pytest.approx(numbers("estimate")[both], abs=0.02)


def test_the_order_of_patients_plays_no_part(model):
    order = np.array([3, 0, 5, 1, 4, 2])
    shuffled = count_model(COUNTS[:, np.concatenate([order, order + 6])], GENES, [PATIENTS[place] for place in order])
    assert shuffled["estimate"].to_numpy() == pytest.approx(model["estimate"].to_numpy(), abs=1e-3)
    assert spearmanr(shuffled["p_value"], model["p_value"], nan_policy="omit").statistic > 0.999


def test_what_rises_later_has_a_positive_change(model):
    swapped = count_model(np.hstack([COUNTS[:, 6:], COUNTS[:, :6]]), GENES, PATIENTS)
    assert swapped["estimate"].to_numpy() == pytest.approx(-model["estimate"].to_numpy(), abs=1e-3)


def test_intervals_hold_the_estimate_and_follow_the_p(model):
    tested = model[model["p_value"].notna()]
    assert ((tested["ci_low"] <= tested["estimate"]) & (tested["estimate"] <= tested["ci_high"])).all()
    beyond = (tested["ci_low"] > 0) | (tested["ci_high"] < 0)
    assert (beyond == (tested["p_value"] < 0.05)).all()


def test_a_gene_without_a_p_says_why(model):
    assert ((model["note"] != "") == model["p_value"].isna()).all()


def test_without_the_package_one_is_told_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name.startswith("pydeseq2"):
            raise ImportError(name)
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(StatisticsError, match=r"rabiomarkers\[deseq2\]"):
        count_model(COUNTS, GENES, PATIENTS)
    assert "moderated_t" in MISSING


def test_a_narrower_level_gives_narrower_intervals_of_the_same_estimate(model):
    narrow = count_model(COUNTS, GENES, PATIENTS, level=0.8)
    assert narrow["estimate"].to_numpy() == pytest.approx(model["estimate"].to_numpy(), nan_ok=True)
    ratio = (narrow["ci_high"] - narrow["ci_low"]) / (model["ci_high"] - model["ci_low"])
    assert ratio.dropna().to_numpy() == pytest.approx(
        1.2815515655 / 1.9599639845
    )  # quantiles of the normal distribution


def test_expected_counts_with_fractions_are_rounded_to_the_nearest(model):
    told = count_model(COUNTS - 0.4 * (COUNTS > 0), GENES, PATIENTS)
    pd.testing.assert_frame_equal(told, model)
