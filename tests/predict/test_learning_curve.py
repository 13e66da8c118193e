"""What trials of more patients would show."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.files import read_table, write_json
from rabiomarkers.predict.learning_curve import (
    CEILINGS,
    ceiling_of,
    learning_curve,
    learning_sentence,
    learning_step,
    patients_needed,
    trials,
)
from rabiomarkers.tables.predictions import LEARNING_CURVE

FACTS = {"name": "ridge_baseline", "primary": True, "n": 20, "responders": 8, "features": ["tumour:A"], "options": {}}


def simulated(n=200, responders=80, features=1, ceiling=0.5, simulations=400):
    return trials(n, responders, features, ceiling, penalty=1.0, simulations=simulations, seed=[1])


@pytest.mark.parametrize("n", [10, 40, 200])
def test_without_an_effect_trials_reach_one_half(n):
    reached = simulated(n=n, responders=round(0.4 * n), features=3)
    assert abs(reached.mean() - 0.5) <= 3 * reached.std() / np.sqrt(len(reached))


@pytest.mark.parametrize("ceiling", [0.6, 0.8, 0.95])
def test_one_feature_of_many_patients_reaches_the_ceiling_of_two_normals(ceiling):
    reached = simulated(ceiling=ceiling)
    assert abs(reached.mean() - ceiling) <= 3 * reached.std() / np.sqrt(len(reached)) + 0.005


def test_the_ceiling_is_the_auc_of_the_best_score_whatever_the_number_of_features():
    many = simulated(n=1000, responders=400, features=10, ceiling=0.8, simulations=40)
    assert abs(many.mean() - 0.8) <= 0.01  # Phi(d / sqrt 2), all ten features together d spreads apart


def test_few_patients_stay_below_the_ceiling_and_more_come_closer():
    means = [simulated(n=n, responders=n // 2, features=10, ceiling=0.8, simulations=200).mean() for n in (20, 60, 400)]
    assert means[0] < means[1] < means[2] < 0.81
    assert means[0] < 0.75


@given(st.floats(0, 1), st.lists(st.floats(0.3, 1), min_size=11, max_size=11))
def test_a_ceiling_lies_between_one_half_and_the_highest(auc, means):
    assert 0.5 <= ceiling_of(auc, np.maximum.accumulate(means)) <= CEILINGS[-1]


def test_a_ceiling_is_read_off_between_those_that_were_simulated():
    assert ceiling_of(0.65, CEILINGS) == pytest.approx(0.65)
    assert ceiling_of(0.675, CEILINGS) == pytest.approx(0.675)
    assert ceiling_of(0.4, CEILINGS) == 0.5
    assert ceiling_of(1.0, CEILINGS) == 0.99


def curve(**auc):
    return learning_curve(n=10, responders=3, features=2, auc=auc, simulations=60)


def test_the_curve_starts_at_the_study_and_the_same_seed_gives_the_same_curve():
    table = curve(observed=0.8)
    assert LEARNING_CURVE.check(table.assign(model="m"))["n"].iloc[0] == 10
    assert table.equals(curve(observed=0.8))
    assert table["n"].is_monotonic_increasing
    assert table["power"].iloc[-1] == 1.0


def test_how_many_patients_are_needed_is_told_in_words():
    table = learning_curve(
        n=20,
        responders=8,
        features=1,
        auc={"observed": 0.8, "lower limit": 0.45, "upper limit": None},
        simulations=100,
    )
    needed = patients_needed(table, "observed")
    assert needed in set(table["n"])
    assert table.query("effect == 'observed' and n < @needed")["power"].max() < 0.8
    assert learning_sentence(table) == (
        f"If the observed AUC is what such models reach at this size, {needed} patients would tell it from chance in 8 of 10 "
        "trials; at the lower limit, no number of patients would tell it from chance."
    )


def test_where_no_simulated_size_is_enough_the_largest_is_told():
    table = learning_curve(n=400, responders=20, features=5, auc={"observed": 0.54}, simulations=100)
    assert patients_needed(table, "observed") is None
    assert "even 800 patients would tell it from chance in fewer than 8 of 10 trials" in learning_sentence(table)


def test_two_of_a_kind_are_enough_to_simulate():
    table = learning_curve(n=4, responders=2, features=3, auc={"observed": 0.9}, simulations=20)
    assert table["auc_mean"].between(0, 1).all()


@pytest.mark.parametrize(
    ("change", "sizes"), [({}, True), ({"auc": None}, False), ({"primary": False}, False)], ids=["", "auc", "primary"]
)
def test_only_the_primary_model_has_a_curve_and_only_if_it_was_validated(tmp_path, change, sizes):
    facts = FACTS | {"auc": 0.7, "auc_low": 0.5, "auc_high": 0.9} | change
    write_json([facts], tmp_path / "models.json")
    told = learning_step({"models": tmp_path / "models.json"}, tmp_path, simulations=20)
    table = LEARNING_CURVE.check(read_table(tmp_path / "learning_curve.parquet"))
    assert (told["sizes"] > 0) == (len(table) > 0) == sizes
    assert set(table["model"]) <= {"ridge_baseline"}


def test_a_penalty_of_the_model_is_the_penalty_of_its_curve(tmp_path):
    tables = []
    for penalty in (0.01, 100.0):
        facts = FACTS | {"auc": 0.8, "auc_low": 0.5, "auc_high": 0.9, "options": {"penalty": penalty}}
        write_json([facts | {"features": ["tumour:A", "tumour:B"]}], tmp_path / "models.json")
        learning_step({"models": tmp_path / "models.json"}, tmp_path, simulations=20)
        tables.append(read_table(tmp_path / "learning_curve.parquet"))
    assert not tables[0].equals(tables[1])
