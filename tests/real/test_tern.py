"""The synthetic trial of tern (200 patients, three arms): the numbers its README lists."""

import pytest

from rabiomarkers.response.outcomes import outcome_table
from rabiomarkers.response.toxicity import toxicity
from rabiomarkers.stats.survival import median_survival
from tests.real.tern import tables

BEST_FIRST = ("CR", "PR", "SD", "PD", "NE")


@pytest.fixture(scope="module")
def trial(shared_data):
    return tables(shared_data)


@pytest.fixture(scope="module")
def outcomes(trial):
    return outcome_table(trial["patients"], followup=trial["followup"])


def test_the_best_responses_of_each_arm(outcomes):
    """CR/PR/SD: arm A 59/9/1, B 50/18/5, C 55/3/0 (README)."""
    counts = outcomes.groupby("arm")["best_response"].value_counts()
    assert counts.to_dict() == {
        ("A", "CR"): 59,
        ("A", "PR"): 9,
        ("A", "SD"): 1,
        ("B", "CR"): 50,
        ("B", "PR"): 18,
        ("B", "SD"): 5,
        ("C", "CR"): 55,
        ("C", "PR"): 3,
    }
    assert outcomes["responder"].sum() == 194


def test_the_reported_best_response_is_the_best_of_the_visits_screening_included(trial):
    """So it is neither confirmed nor judged from first dose on: the visits are not what a real best response would come from."""
    rank = {code: at for at, code in enumerate(BEST_FIRST)}
    visits = trial["visits"]
    best = visits["overall_response"].map(rank).groupby(visits["patient_id"]).min().map(dict(enumerate(BEST_FIRST)))
    reported = trial["patients"].set_index("patient_id")["best_response"]
    assert (best == reported[best.index]).all()
    assert len(best) == 200


@pytest.mark.parametrize(("arm", "median"), [("A", 760), ("B", 364), ("C", 344)])
def test_median_progression_free_survival_of_each_arm(outcomes, arm, median):
    """Kaplan-Meier medians in days (README)."""
    own = outcomes[outcomes["arm"] == arm]
    found = median_survival(own["pfs_days"].to_numpy(float), own["progressed"].to_numpy(float))
    assert found.median == pytest.approx(median, abs=0.5)
    assert found.ci_low < found.median < found.ci_high


def test_133_events_and_67_censored(outcomes):
    everyone = median_survival(outcomes["pfs_days"].to_numpy(float), outcomes["progressed"].to_numpy(float))
    assert (everyone.events, everyone.n - everyone.events) == (133, 67)


def test_164_patients_had_an_adverse_event_and_134_one_of_grade_3_or_higher(trial):
    found = toxicity(trial["adverse_events"], trial["patients"]["patient_id"].tolist())
    assert (found["n"], found["patients_with_any"], found["none"]) == (200, 164, 36)
    assert found["patients_with_grade_3_or_higher"] == 134
    assert len(trial["adverse_events"]) == 541
