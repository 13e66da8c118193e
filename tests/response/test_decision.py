import json

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.errors import StatisticsError
from rabiomarkers.knowledge import load_historical
from rabiomarkers.response.decision import decide
from rabiomarkers.schema import config_path

HISTORICAL = load_historical(config_path("historical/clinical_reference.csv"))
DESIGN = {"null_rate": 0.1, "target_rate": 0.3, "type_1_error": 0.05, "power": 0.8, "kind": "optimal", "stages": None}
STAGES = {"first_n": 10, "first_stop": 1, "n": 29, "stop": 5}

FIRST_LINE = {"IM130_ITT", "IM130_ITT_ctl", "IM130_PDL1_FDA", "IM130_PDL1_FDA_ctl", "KN086B"}

counts = st.integers(0, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def rows(told):
    return {row["id"]: row for row in told["posterior"]["historical"]}


def row(**columns):
    given = {
        "id": "A",
        "trial": "T",
        "population": "TNBC metastatic",
        "prior_ici": "naive",
        "line": "2L+",
        "regimen": "R",
    }
    return pd.DataFrame([given | {"responders": 1, "n": 10, "verification": "source_checked"} | columns])


def only(told):
    return told["posterior"]["historical"][0]


# ---- the design ------------------------------------------------------------------------------------------------------


def test_three_of_ten_continue_and_the_chance_to_succeed_is_told():
    told = decide(3, 10, design=DESIGN)["design"]
    assert {name: told[name] for name in STAGES} == STAGES
    assert (told["kind"], told["responders"], told["patients"]) == ("optimal", 3, 10)
    assert (told["stage"], told["verdict"]) == ("first", "continues")
    assert told["reading"].startswith("3 of 10 patients responded; the first stage has 10 patients. More than 1")
    # Simon 1989, table 1: expected number 15.0, early stop 0.74
    assert (round(told["expected_n_null"], 1), round(told["early_stop_null"], 2)) == (15.0, 0.74)
    assert told["type_1_error"] == pytest.approx(0.0470863066438917, abs=1e-12)  # tests of R package PhIIdesign
    # three more of 19 are needed: R 4.2.2, pbinom(2, 19, c(0.1, 0.3), lower.tail = FALSE)
    assert told["chance_of_rejection_null"] == pytest.approx(0.294555214104104, abs=1e-12)
    assert told["chance_of_rejection_target"] == pytest.approx(0.953776316870742, abs=1e-12)


def test_the_minimax_design_is_searched_for_where_it_is_asked_for():
    told = decide(3, 10, design=DESIGN | {"kind": "minimax"})["design"]
    assert (told["kind"], told["first_stop"], told["first_n"], told["stop"], told["n"]) == ("minimax", 1, 15, 5, 25)


def test_the_stages_of_the_protocol_are_taken_as_given():
    told = decide(3, 10, design=DESIGN | {"stages": STAGES})["design"]
    assert told["kind"] == "as given"
    assert {name: told[name] for name in STAGES} == STAGES
    assert "asked for" not in told["note"]


def test_stages_that_do_not_keep_the_error_rates_say_so():
    loose = {"first_n": 10, "first_stop": 0, "n": 20, "stop": 3}
    told = decide(3, 10, design=DESIGN | {"stages": loose, "power": 0.95})["design"]
    assert "its type 1 error is 0.1" in told["note"]
    assert "above the 0.05 asked for" in told["note"]
    assert "below the 0.95 asked for" in told["note"]


def test_a_verdict_leaves_no_chance_to_tell():
    told = decide(1, 10, design=DESIGN)["design"]
    assert told["verdict"] == "stops"
    assert (told["chance_of_rejection_null"], told["chance_of_rejection_target"]) == (None, None)


def test_more_patients_than_planned_are_told_what_can_still_be_said():
    told = decide(6, 31, design=DESIGN)["design"]
    assert (told["stage"], told["verdict"]) == ("beyond the plan", "not told")
    assert "2 more than the 29 of the design" in told["reading"]


def test_without_a_design_there_is_none_and_a_reason():
    told = decide(3, 10, design=None)
    assert (told["design"], told["note"]) == (None, "no two-stage design is named for this trial")
    assert told["posterior"]["mean"] == pytest.approx(3.5 / 11)


def test_rates_that_no_design_can_tell_apart_are_refused():
    with pytest.raises(StatisticsError, match="choose rates that lie further apart"):
        decide(3, 10, design={"null_rate": 0.1, "target_rate": 0.12})


# ---- the posterior ---------------------------------------------------------------------------------------------------


def test_the_posterior_states_its_prior_and_level():
    told = decide(3, 10, design=None, prior=[1, 1], level=0.9)["posterior"]
    assert (told["prior"], told["level"]) == ([1.0, 1.0], 0.9)
    assert told["mean"] == pytest.approx(4 / 12)
    assert told["ci_low"] < told["median"] < told["ci_high"]
    assert (told["historical"], told["note"]) == ([], "")


def test_every_historical_rate_of_the_table_is_answered_in_the_order_of_its_id():
    told = decide(3, 10, design=None, historical=HISTORICAL)["posterior"]
    assert [row["id"] for row in told["historical"]] == sorted(HISTORICAL["id"])
    assert len(told["historical"]) == 24
    for row in told["historical"]:
        assert 0 < row["probability_above"] < 1
        assert 0 < row["probability_above_uncertain"] < 1
        assert row["prior_ici"] in ("naive", "mixed", "pre_ici_era")
    assert "no historical population had progressed on checkpoint inhibition" in told["note"]


def test_the_registered_reference_is_beaten_with_the_probability_r_gives():
    told = rows(decide(3, 10, design=None, historical=HISTORICAL))["KN028"]
    assert (told["responders"], told["n"], told["rate"]) == (3, 25, 0.12)
    # R 4.2.2: pbeta(.12, 3.5, 7.5, lower.tail = FALSE), and integrate() over dbeta(p, 3.5, 22.5)
    assert told["probability_above"] == pytest.approx(0.946674260556669, abs=1e-10)
    assert told["probability_above_uncertain"] == pytest.approx(0.895989376885832, abs=1e-10)


def test_first_line_rates_and_melanoma_are_no_comparators_and_say_why():
    told = rows(decide(3, 10, design=None, historical=HISTORICAL))
    assert {name for name, row in told.items() if not row["comparable"]} == FIRST_LINE | {"ATRA_PEMBRO_MEL"}
    assert told["KN086B"]["note"] == "no comparator: first-line treatment"
    assert told["ATRA_PEMBRO_MEL"]["note"] == "no comparator: another tumour and first-line treatment"
    assert told["KN028"]["note"] == ""


def test_a_trial_from_the_first_line_on_is_a_comparator_with_a_remark():
    told = rows(decide(3, 10, design=None, historical=HISTORICAL))["S301_erib"]
    assert told["comparable"] is True
    assert told["note"] == "first-line patients are among them"


def test_a_rate_from_memory_says_so():
    told = rows(decide(3, 10, design=None, historical=HISTORICAL))["KN119_chemo"]
    assert told["note"] == "the rate is from memory, not checked against its source"


@pytest.mark.parametrize(
    ("line", "comparable"),
    [("1L", False), ("1L or 2L", False), ("1L-3L", True), ("1L+", True), ("2L+", True), ("11L", True)],
)
def test_first_line_is_read_from_the_line_of_treatment(line, comparable):
    assert only(decide(3, 10, design=None, historical=row(line=line)))["comparable"] is comparable


def test_a_historical_row_without_patients_has_no_probability():
    told = only(decide(3, 10, design=None, historical=row(responders=0, n=0)))
    assert (told["rate"], told["probability_above"], told["probability_above_uncertain"]) == (None, None, None)
    assert told["note"] == "no patient"


def test_nobody_evaluable_leaves_every_number_absent_with_a_reason():
    told = decide(0, 0, design=DESIGN, historical=HISTORICAL)
    posterior = told["posterior"]
    assert [posterior[name] for name in ("mean", "median", "ci_low", "ci_high")] == [None] * 4
    assert posterior["note"].startswith("not estimable: no patient with an evaluable response")
    assert {row["probability_above"] for row in posterior["historical"]} == {None}
    assert (told["design"]["stage"], told["design"]["verdict"]) == ("not started", "open")
    assert told["design"]["chance_of_rejection_target"] == pytest.approx(told["design"]["power"])


@pytest.mark.parametrize(("responders", "n"), [(-1, 3), (4, 3)])
def test_more_responders_than_patients_are_refused(responders, n):
    with pytest.raises(StatisticsError, match=f"there are {responders} of {n}"):
        decide(responders, n, design=None)


@settings(max_examples=25)
@given(counts, st.randoms())
def test_the_decision_is_json_and_the_order_of_historical_rows_plays_no_part(case, random):
    order = list(range(len(HISTORICAL)))
    random.shuffle(order)
    told = json.dumps(
        decide(*case, design={"null_rate": 0.1, "target_rate": 0.5}, historical=HISTORICAL), allow_nan=False
    )
    shuffled = decide(*case, design={"null_rate": 0.1, "target_rate": 0.5}, historical=HISTORICAL.iloc[order])
    assert json.dumps(shuffled, allow_nan=False) == told


@settings(max_examples=25)
@given(counts)
def test_a_further_responder_beats_every_rate_more_surely(case):
    responders, n = case
    fewer, more = (rows(decide(k, n + 1, design=None, historical=HISTORICAL)) for k in (responders, responders + 1))
    for name in fewer:
        for kind in ("probability_above", "probability_above_uncertain"):
            assert more[name][kind] >= fewer[name][kind] - 1e-12
