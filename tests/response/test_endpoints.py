import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.response.durations import BENEFIT_RULE, DURATION_RULE, OS_RULE, PFS_RULE
from rabiomarkers.response.endpoints import endpoints, survival_table
from rabiomarkers.response.rates import rates
from rabiomarkers.tables.outcomes import OUTCOMES
from rabiomarkers.tables.table import DTYPES

RATES = (
    "orr",
    "orr_evaluable",
    "orr_unconfirmed",
    "dcr",
    "dcr_evaluable",
    "clinical_benefit",
    "clinical_benefit_evaluable",
)
TIMES = ("pfs", "os", "response_duration")


def outcomes(codes, **columns):
    """An OUTCOMES table of patients P0, P1, ... with these best responses, and whatever else is known of them."""
    table = pd.DataFrame({"patient_id": [f"P{place}" for place in range(len(codes))], "best_response": codes})
    for name in ("unconfirmed", "recist_1_1", "admiralonco"):
        table[f"best_response_{name}"] = codes
    table["best_response_irecist"] = [
        {"PD": "iUPD", "NE": "NE", "NON-CR/NON-PD": "NON-iCR/NON-iUPD"}.get(code, f"i{code}") for code in codes
    ]
    responder = table["best_response"].isin(["CR", "PR"])
    control = table["best_response"].isin(["CR", "PR", "SD", "NON-CR/NON-PD"])
    table = table.assign(
        responder=responder,
        disease_control=control,
        evaluable=table["best_response"] != "NE",
        clinical_benefit=responder,
        rule_sets_agree=True,
        confirmed=responder.where(responder, None),
    )
    table = table.assign(**columns).reindex(columns=list(OUTCOMES.columns))
    return table.astype({name: DTYPES[kind] for name, kind in OUTCOMES.columns.items()})


def times(days, events, which="pfs", codes=None, **columns):
    names = {"pfs": ("pfs_days", "progressed"), "os": ("os_days", "died")}
    names |= {"response_duration": ("response_days", "response_ended")}
    flags = pd.array([None if event is None else bool(event) for event in events], dtype="boolean")
    return outcomes(codes or ["PR"] * len(days), **dict(zip(names[which], (days, flags), strict=True)), **columns)


# ten patients, one censored on day 0; the medians and limits below are R's:
# survfit(Surv(days, progressed) ~ 1, conf.type = "log-log"), survival 3.5-3
DAYS = [42.0, 42.0, 84.0, 126.0, 126.0, 168.0, 210.0, 252.0, 0.0, 84.0]
PROGRESSED = [1, 1, 1, 0, 1, 1, 0, 1, 0, 0]


def test_the_rate_of_keynote_028_is_the_published_one():
    # Rugo et al. 2018, doi:10.1158/1078-0432.CCR-17-3452: 3 of 25, 12.0 % (2.5 to 31.2)
    found = endpoints(outcomes(["CR"] + ["PR"] * 2 + ["SD"] * 4 + ["PD"] * 16 + ["NE"] * 2))["orr"]
    assert (found["responders"], found["n"], found["rate"]) == (3, 25, 0.12)
    assert [round(100 * limit, 1) for limit in found["intervals"]["Clopper-Pearson"]] == [2.5, 31.2]
    # R binom.test(3, 25)
    assert found["ci_low"] == pytest.approx(0.0254653966477332, abs=1e-12)
    assert found["ci_high"] == pytest.approx(0.3121903072862354, abs=1e-12)
    assert found["method"] == "Clopper-Pearson 95 %"


def test_every_rate_has_three_intervals_and_the_headline_is_the_first():
    found = endpoints(outcomes(["PR"] * 3 + ["SD"] * 7))
    for name in RATES:
        rate = found[name]
        assert list(rate["intervals"]) == ["Clopper-Pearson", "Wilson", "mid-P"]
        assert rate["intervals"]["Clopper-Pearson"] == [rate["ci_low"], rate["ci_high"]]
    # Wilson at 3 of 10: (0.3 + 0.192073 -+ 1.959964 * sqrt(0.021 + 0.0096036)) / 1.384146, R prop.test(correct = FALSE)
    assert found["orr"]["intervals"]["Wilson"] == pytest.approx([0.1077912674, 0.6032218525], abs=1e-9)


def test_denominators_are_named_and_not_evaluable_is_in_one_of_them():
    found = endpoints(outcomes(["PR", "SD", "NON-CR/NON-PD", "PD", "NE"]))
    counts = {name: (found[name]["responders"], found[name]["n"]) for name in RATES}
    assert counts == {
        "orr": (1, 5),
        "orr_evaluable": (1, 4),
        "orr_unconfirmed": (1, 5),
        "dcr": (3, 5),
        "dcr_evaluable": (3, 4),
        "clinical_benefit": (1, 5),
        "clinical_benefit_evaluable": (1, 4),
    }
    assert found["orr"]["denominator"] == "all patients (intention to treat)"
    assert found["orr_evaluable"]["denominator"] == "evaluable patients"
    assert found["orr"]["note"] == "1 of 5 patients not evaluable: in the denominator only"
    assert found["orr_evaluable"]["note"] == ""


def test_patients_of_whom_nothing_is_said_leave_the_denominator_by_name():
    table = outcomes(["PR", "SD", "NE"], responder=[True, False, None], clinical_benefit=[True, False, None])
    found = endpoints(table)
    for name in ("orr", "orr_unconfirmed", "clinical_benefit"):
        assert found[name]["n"] == 2
        assert found[name]["denominator"] == "patients with an assessment (1 without any left out)"
    assert found["clinical_benefit"]["note"] == ""


def test_an_unconfirmed_response_is_in_its_own_rate():
    table = outcomes(["PR", "SD", "NE", "PD"], best_response_unconfirmed=["PR", "PR", "CR", "PD"])
    found = endpoints(table)
    assert (found["orr"]["responders"], found["orr_unconfirmed"]["responders"]) == (1, 3)
    # the third is not evaluable with confirmation, and evaluable without
    assert found["orr"]["note"] == "1 of 4 patients not evaluable: in the denominator only"
    assert found["orr_unconfirmed"]["note"] == ""


def test_responses_of_irecist_count_without_confirmation_too():
    table = outcomes(["PR", "PD"], best_response=["iPR", "iUPD"], best_response_unconfirmed=["iPR", "iCR"])
    assert endpoints(table, rule_set="irecist")["orr_unconfirmed"]["responders"] == 2


def test_clinical_benefit_that_is_not_known_yet_counts_as_none_and_is_counted():
    table = outcomes(["PR", "SD", "SD", "SD", "NE"], clinical_benefit=[True, True, None, None, False])
    found = endpoints(table)["clinical_benefit"]
    assert (found["responders"], found["n"]) == (2, 5)
    assert found["note"] == (
        "1 of 5 patients not evaluable: in the denominator only; "
        "stable disease not known to have lasted 168 days, counted as no benefit: 2 of 5 patients"
    )
    assert found["rule"] == BENEFIT_RULE.format(days=168)
    assert "84 days" in endpoints(table, clinical_benefit_days=84)["clinical_benefit"]["rule"]


@pytest.mark.parametrize("codes", [[], ["NE"], ["NE"] * 4])
def test_nobody_evaluable_is_no_rate_and_never_0(codes):
    found = endpoints(outcomes(codes))
    for name in RATES:
        assert found[name]["rate"] is None
        assert found[name]["ci_low"] is None
        assert found[name]["intervals"] is None
        assert found[name]["note"].startswith("not estimable: ")
    for name in TIMES:
        assert found[name]["median_days"] is None
        assert found[name]["note"].startswith("not estimable: ")
    assert found["time_to_response"] == {
        "median_days": None,
        "minimum": None,
        "maximum": None,
        "n": 0,
        "note": "not estimable: no responder",
    }
    assert found["by_arm"] is None
    assert survival_table(outcomes(codes)).empty


def test_one_patient_is_a_trial_too():
    found = endpoints(times([42.0], [1], codes=["PD"]))
    assert (found["orr"]["rate"], found["orr"]["ci_low"]) == (0.0, 0.0)
    assert found["orr"]["ci_high"] == pytest.approx(0.975)  # 1 - 0.025 ** (1 / 1)
    assert (found["pfs"]["median_days"], found["pfs"]["n"], found["pfs"]["events"]) == (42.0, 1, 1)


def test_the_median_of_pfs_and_its_limits_are_those_of_r():
    found = endpoints(times(DAYS, PROGRESSED))["pfs"]
    assert (found["median_days"], found["ci_low"], found["ci_high"]) == (168.0, 42.0, None)
    assert (found["n"], found["events"]) == (10, 6)
    assert found["method"] == "Kaplan-Meier, log-log 95 %"
    assert found["rule"] == PFS_RULE
    assert found["note"] == (
        "upper limit not reached in the time observed; censored on day 0: 1 of 10 patients; "
        "from visits alone, so deaths are not counted: 10 of 10 patients"
    )


def test_os_and_duration_of_response_are_those_of_r():
    # R: survfit of 100 150 200+ 250 300+ 320+; of 84 126+ 168 210
    alive = endpoints(times([100.0, 150.0, 200.0, 250.0, 300.0, 320.0], [1, 1, 0, 1, 0, 0], which="os"))["os"]
    assert (alive["median_days"], alive["ci_low"], alive["ci_high"], alive["events"]) == (250.0, 100.0, None, 3)
    assert alive["rule"] == OS_RULE
    lasting = endpoints(times([84.0, 126.0, 168.0, 210.0], [1, 0, 1, 1], which="response_duration"))
    found = lasting["response_duration"]
    assert (found["median_days"], found["ci_low"], found["ci_high"], found["n"]) == (168.0, 84.0, None, 4)
    assert found["rule"] == DURATION_RULE


def test_survival_that_nobody_wrote_down_is_absent_with_its_reason():
    found = endpoints(outcomes(["SD", "PD"]))["os"]
    assert (found["median_days"], found["n"]) == (None, 0)
    assert found["note"] == (
        "not estimable: no patient has a known duration; without os_days in the follow-up, left out: 2 of 2 patients"
    )


def test_everyone_censored_on_day_0_is_no_survival():
    found = endpoints(times([0.0, 0.0, 0.0], [0, 0, 0], codes=["NE"] * 3))["pfs"]
    assert (found["median_days"], found["n"], found["events"]) == (None, 3, 0)
    assert found["note"].startswith(
        "not estimable: nobody was followed beyond day 0; censored on day 0: 3 of 3 patients"
    )


def test_a_death_on_day_0_is_an_event():
    found = endpoints(times([0.0], [1], which="os"))["os"]
    assert (found["median_days"], found["events"], found["note"]) == (
        0.0,
        1,
        "upper limit not reached in the time observed",
    )


@pytest.mark.parametrize(
    ("row", "counted"),
    [
        ({"pfs_days": 84.0, "progressed": True}, True),
        ({"os_days": 300.0, "died": False}, True),  # a death would be known
        ({"os_days": np.nan, "died": None}, False),
        ({"new_therapy_day": 20.0}, False),
    ],
)
def test_pfs_says_of_how_many_patients_deaths_are_not_known(row, counted):
    followup = pd.DataFrame([{"patient_id": "P0", **row}])
    note = endpoints(times([84.0, 126.0], [1, 1]), followup=followup)["pfs"]["note"]
    assert note.endswith(f"from visits alone, so deaths are not counted: {1 if counted else 2} of 2 patients")


def test_the_longest_gap_is_part_of_the_rule():
    found = endpoints(times([84.0], [1]), maximum_gap_days=112)
    for name in ("pfs", "response_duration"):
        assert found[name]["rule"].endswith(
            "; an event more than 112 days after the last evaluable visit before it (or after day 0) is censored at that visit"
        )


def test_duration_and_time_of_response_count_responders_only():
    table = times(
        [84.0, 126.0, np.nan, np.nan],
        [1, 1, None, None],
        which="response_duration",
        codes=["PR", "CR", "PR", "SD"],
        response_day=[42.0, 84.0, np.nan, np.nan],
    )
    found = endpoints(table)
    assert (found["response_duration"]["n"], found["response_duration"]["median_days"]) == (2, 105.0)  # from 84 to 126
    assert found["response_duration"]["note"].endswith("response of unknown duration, left out: 1 of 3 responders")
    assert found["time_to_response"] == {
        "median_days": 63.0,  # (42 + 84) / 2
        "minimum": 42.0,
        "maximum": 84.0,
        "n": 2,
        "note": "day of response not known, left out: 1 of 3 responders",
    }


def test_a_response_given_without_its_day_has_no_time_to_it():
    note = endpoints(outcomes(["PR"]))["time_to_response"]["note"]
    assert note == "not estimable: day of response not known, left out: 1 of 1 responders"


def two_arms(**columns):
    """R: survdiff(Surv(days, progressed) ~ arm): chi-square 5.82851637764932; 6 of 252 labellings reach it."""
    days = [42.0, 42.0, 84.0, 126.0, 126.0, 168.0, 210.0, 252.0, 300.0, 84.0]
    happened = [1, 1, 1, 0, 1, 1, 0, 1, 0, 0]
    return times(days, happened, arm=["control"] * 5 + ["drug"] * 5, **columns)


def test_arms_are_compared_by_the_exact_log_rank_test():
    found = endpoints(two_arms(codes=["SD"] * 5 + ["PR"] * 5))["by_arm"]
    assert list(found["arms"]) == ["control", "drug"]
    assert [arm["n"] for arm in found["arms"].values()] == [5, 5]
    assert [arm["orr"]["responders"] for arm in found["arms"].values()] == [0, 5]
    assert [arm["pfs"]["median_days"] for arm in found["arms"].values()] == [84.0, 252.0]
    compared = found["log_rank"]["pfs"]
    assert compared["statistic"] == pytest.approx(5.82851637764932, abs=1e-10)
    assert (compared["p_count"], compared["p_total"], compared["exact"]) == (6, 252, True)
    assert found["log_rank"]["os"]["p_value"] is None
    assert found["log_rank"]["os"]["note"].startswith("not estimable")
    assert found["note"] == ""


def test_one_arm_or_none_is_not_compared():
    assert endpoints(outcomes(["PR", "PD"]))["by_arm"] is None
    assert endpoints(outcomes(["PR", "PD"], arm=["drug", None]))["by_arm"] is None


def test_three_arms_are_shown_and_not_tested():
    found = endpoints(outcomes(["PR", "PD", "SD", "SD"], arm=["a", "b", "c", None]))["by_arm"]
    assert list(found["arms"]) == ["a", "b", "c"]
    assert found["log_rank"] is None
    assert found["note"] == (
        "no arm is known of 1 of 4 patients; the exact log-rank test compares two arms; there are 3"
    )


def test_patients_on_whom_rule_sets_disagree_are_named():
    table = outcomes(
        ["PR", "SD", "PD"], best_response_admiralonco=["PR", "PR", "PD"], rule_sets_agree=[True, False, None]
    )
    found = endpoints(table, rule_set="admiralonco")["rule_sets"]
    assert found == {
        "used": "admiralonco",
        "responders": {"recist-1.1": 1, "admiralonco": 2, "irecist": 1},
        "disagreements": [{"patient_id": "P1", "recist_1_1": "SD", "admiralonco": "PR", "irecist": "iSD"}],
        "note": "the rule sets disagree on 1 of 3 patients",
    }
    assert endpoints(outcomes(["PR"]))["rule_sets"]["note"] == ""


def test_endpoints_are_json_without_nan():
    for table in (two_arms(), outcomes([]), outcomes(["NE"]), times([0.0], [0])):
        events = pd.DataFrame({"patient_id": ["P0"], "term": ["Rash"], "grade": pd.array([3], dtype="Int64")})
        json.dumps(endpoints(table, adverse_events=events), allow_nan=False)


def test_endpoints_carry_the_adverse_events():
    events = pd.DataFrame({"patient_id": ["P0", "P1", "other"], "grade": [3, 1, 5]})
    assert endpoints(outcomes(["PR", "PD"]), adverse_events=events)["adverse_events"]["patients_with_any"] == 2
    assert endpoints(outcomes(["PR"]))["adverse_events"]["note"] == "no adverse events table"


def test_the_curve_is_that_of_r():
    # summary(survfit(Surv(days, progressed) ~ 1, conf.type = "log-log"), censored = TRUE), survival 3.5-3
    table = survival_table(times(DAYS, PROGRESSED))
    assert table["endpoint"].unique().tolist() == ["pfs"]
    assert table["arm"].unique().tolist() == ["all"]
    assert table["day"].tolist() == [0.0, 42.0, 84.0, 126.0, 168.0, 210.0, 252.0]
    assert table["at_risk"].tolist() == [10, 9, 7, 5, 3, 2, 1]
    assert table["events"].tolist() == [0, 2, 1, 1, 1, 0, 1]
    assert table["censored"].tolist() == [1, 0, 1, 1, 0, 1, 0]
    survival = [1.0, 7 / 9, 2 / 3, 8 / 15, 16 / 45, 16 / 45, 0.0]  # 7/9 * 6/7 * 4/5 * 2/3
    np.testing.assert_allclose(table["survival"], survival, atol=1e-12)
    low = [np.nan, 0.3647512311654738, 0.2816822422216508, 0.1770913874700400]
    np.testing.assert_allclose(table["ci_low"][:4], low, atol=1e-10)


def test_every_curve_begins_on_day_0():
    table = survival_table(times([42.0, 84.0], [1, 0]))
    assert table.iloc[0][["day", "survival", "at_risk", "events", "censored"]].tolist() == [0.0, 1.0, 2, 0, 0]
    assert len(table) == 3


def test_arms_have_curves_of_their_own_beside_the_one_of_all():
    table = survival_table(two_arms())
    assert table["arm"].unique().tolist() == ["all", "control", "drug"]
    assert table.groupby("arm")["at_risk"].first().to_dict() == {"all": 10, "control": 5, "drug": 5}
    named = survival_table(times([42.0, 84.0], [1, 0], arm=["all", "none"]))
    assert named["arm"].unique().tolist() == ["all", "all (arm)", "none"]


observed = st.lists(st.tuples(st.integers(0, 400).map(float), st.booleans()), min_size=1, max_size=20)


def the_curve(patients):
    table = survival_table(times([days for days, _ in patients], [event for _, event in patients]))
    return table.set_index("day")["survival"]


def at(curve, day):
    """The step function's value: 1 before its first step."""
    before = curve[curve.index <= day]
    return 1.0 if before.empty else float(before.iloc[-1])


@settings(max_examples=40)
@given(observed, st.integers(0, 400).map(float))
def test_one_more_censored_patient_never_lowers_the_curve(patients, day):
    alone, joined = the_curve(patients), the_curve([*patients, (day, False)])
    assert all(at(joined, when) >= at(alone, when) - 1e-12 for when in joined.index)


@settings(max_examples=40)
@given(observed)
def test_the_curve_falls_from_1_and_everyone_is_counted_once(patients):
    table = survival_table(times([days for days, _ in patients], [event for _, event in patients]))
    assert (table["survival"].diff().dropna() <= 1e-12).all()
    assert table["at_risk"].iloc[0] == len(patients)
    assert (table["events"] + table["censored"]).sum() == len(patients)
    left = table["at_risk"] - table["events"] - table["censored"]
    assert left.tolist() == [*table["at_risk"].iloc[1:], 0]


@settings(max_examples=40)
@given(st.integers(0, 12), st.integers(1, 12), st.floats(0.5, 0.98))
def test_a_higher_level_gives_wider_intervals_around_the_same_rate(responders, others, level):
    table = outcomes(["PR"] * responders + ["PD"] * others)
    narrow, wide = (rates(table, level=value, clinical_benefit_days=168)["orr"] for value in (level, level + 0.01))
    assert narrow["rate"] == wide["rate"]
    for method, (low, high) in narrow["intervals"].items():
        assert wide["intervals"][method][0] <= low <= high <= wide["intervals"][method][1]


@settings(max_examples=40)
@given(st.lists(st.sampled_from(["CR", "PR", "SD", "NON-CR/NON-PD", "PD", "NE"]), max_size=15))
def test_control_holds_the_responders_and_the_evaluable_are_among_all(codes):
    found = rates(outcomes(codes), level=0.95, clinical_benefit_days=168)
    assert found["dcr"]["responders"] >= found["orr"]["responders"]
    for name in ("orr", "dcr", "clinical_benefit"):
        everyone, evaluable = found[name], found[f"{name}_evaluable"]
        assert evaluable["n"] == everyone["n"] - codes.count("NE")
        assert evaluable["responders"] == everyone["responders"]
        assert everyone["rate"] is None or math.isclose(everyone["rate"] * everyone["n"], everyone["responders"])


def test_responders_of_whom_only_the_response_was_given_are_counted_in_words():
    found = endpoints(outcomes(["PR", "CR", "SD"], confirmed=[None, True, None]))["orr"]
    assert found["note"] == "best response as given, whether confirmed is not known: 1 of 2 responders"
