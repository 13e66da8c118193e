from dataclasses import replace

import pandas as pd
import pytest

from rabiomarkers.report.blocks import Grid, Picture, Prose
from rabiomarkers.report.data import LATER, data_of_results
from rabiomarkers.report.endpoint_tables import arm_table, rate_table, time_table
from rabiomarkers.report.sections_decision import decision_section, safety_section
from rabiomarkers.report.sections_response import course_section, response_section
from rabiomarkers.results import open_results
from rabiomarkers.tables.outcomes import OUTCOMES, REMARKS, SURVIVAL, TOXICITY
from tests.support.synthetic_results import Invented, make_results

SECTIONS = (response_section, course_section, decision_section, safety_section)


@pytest.fixture(scope="module")
def data(results):
    return data_of_results(results)


@pytest.fixture(scope="module")
def armed(tmp_path_factory):
    trial = Invented(arms=True, rule_set="irecist", exploratory=0)
    return data_of_results(open_results(make_results(tmp_path_factory.mktemp("armed") / "r", trial)))


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    trial = Invented(first_version=True, exploratory=0)
    return data_of_results(open_results(make_results(tmp_path_factory.mktemp("old") / "r", trial)))


def grid(section, start):
    return next(block for block in section.blocks if isinstance(block, Grid) and block.caption.startswith(start))


def prose(section):
    return " ".join(block.text for block in section.blocks if isinstance(block, Prose))


def cells(table, row):
    """The row of that name, by column."""
    found = next(cells for cells in table.rows if cells[0].partition("\n")[0] == row)
    return dict(zip(table.columns, found, strict=True))


def told(data, **numbers):
    return replace(data, summary={**data.summary, **numbers})


# ---- rates and times -------------------------------------------------------------------------------------------------


def test_every_rate_has_three_intervals_and_its_denominator(data):
    table = rate_table(data.summary)
    assert [row[0].split(",")[0] for row in table.rows][:3] == [
        "objective response (CR or PR)",
        "objective response",
        "objective response",
    ]
    first = cells(table, "objective response (CR or PR)")
    assert first["counted"] == "3\N{NO-BREAK SPACE}of\N{NO-BREAK SPACE}10"
    spans = [first[column].replace("\N{NO-BREAK SPACE}", " ") for column in table.columns[3:6]]
    assert spans == ["6.7 to 65.2 %", "10.8 to 60.3 %", "8.3 to 62 %"]  # 3 of 10: VALIDITY.md, section 1, for the first
    assert first["denominator"] == f"all patients (intention to treat)\n{data.summary['orr']['note']}"
    assert cells(table, "objective response, evaluable only")["counted"].endswith("9")
    assert len(table.rows) == 7


def test_the_rule_of_clinical_benefit_stands_below(data):
    assert f"Clinical benefit: {data.summary['clinical_benefit']['rule']}." in rate_table(data.summary).note


def test_a_rate_that_cannot_be_estimated_has_its_reason_and_no_interval():
    note = "not estimable: none of 3 patients has an evaluable response"
    rate = {"responders": 0, "n": 3, "rate": None, "ci_low": None, "ci_high": None, "intervals": None, "note": note}
    row = cells(rate_table({"orr": rate | {"denominator": "all patients"}}), "objective response (CR or PR)")
    assert row["rate"] == "not estimable"
    assert row["denominator"] == "all patients\nnone of 3 patients has an evaluable response"
    assert row["Wilson 95\N{NO-BREAK SPACE}%"] == "\N{EN DASH}"


def test_without_any_endpoint_the_tables_say_so():
    rows = rate_table({}).rows
    assert [row[2] for row in rows] == ["not estimable", "not estimable"]
    assert time_table({}).rows[0][1:3] == ("not estimable", "not estimable")


def test_the_limits_of_the_first_version_stand_under_their_method():
    rate = {"responders": 3, "n": 10, "rate": 0.3, "ci_low": 0.0667, "ci_high": 0.6525, "denominator": "all patients"}
    row = rate_table({"orr": rate}).rows[0]
    assert row[3].startswith("6.7")
    assert row[4:6] == ("\N{EN DASH}", "\N{EN DASH}")


def test_every_time_has_its_events_and_its_rule(data):
    table = time_table(data.summary)
    assert [row[0] for row in table.rows] == [
        "progression-free survival",
        "overall survival",
        "duration of response",
        "time to response",
    ]
    pfs = cells(table, "progression-free survival")
    assert pfs["counted"] == "7 events in 9 patients"
    assert data.summary["pfs"]["rule"] in pfs["event and censoring"]
    assert pfs["event and censoring"].endswith(f"\n{data.summary['pfs']['note']}")
    assert cells(table, "time to response")["95 % interval"].endswith("(range)")


def test_a_median_that_is_not_reached_is_not_called_unknown():
    row = time_table({"os": {"n": 4, "events": 1, "median_days": None, "note": "median not reached: 75 %"}}).rows[0]
    assert row[2] == "not reached"


def test_arms_stand_side_by_side_with_the_exact_test_and_its_floor(armed):
    table = grid(course_section(armed), "By arm")
    assert [row[0] for row in table.rows] == ["RA + anti-PD-1", "anti-PD-1"]
    assert "2 of 5, 40\N{NO-BREAK SPACE}%\n95 % 5.3 to 85.3" in table.rows[0][2]
    assert "Log-rank test of progression-free survival: p = 0.103 (floor\N{NO-BREAK SPACE}0.00794)" in table.note
    assert "(13 of 126, all relabellings counted)" in table.note


def test_three_arms_have_no_log_rank_test():
    arms = {name: {"n": 2, "orr": {}, "pfs": {}, "os": {}} for name in "ABC"}
    note = "the exact log-rank test compares two arms; there are 3"
    assert arm_table({"arms": arms, "log_rank": None, "note": note}).note == f"T{note[1:]}."


def test_a_log_rank_test_that_cannot_tell_says_why():
    test = {"p_value": None, "note": "no event in either group"}
    note = arm_table({"arms": {}, "log_rank": {"pfs": test}}).note
    assert note == "Log-rank test of progression-free survival: not estimable: no event in either group."


def test_there_is_no_table_of_arms_without_arms(data):
    assert not [block for block in course_section(data).blocks if isinstance(block, Grid) and block.caption == "By arm"]


# ---- rule sets, patients, visits, remarks ----------------------------------------------------------------------------


def test_patients_whom_rule_sets_judge_differently_are_named(data):
    section = response_section(data)
    assert "Judged by RECIST 1.1. The rule sets disagree on 1 of 10 patients" in prose(section)
    assert "Responders by rule set: RECIST 1.1 3, admiralonco 3, iRECIST 3." in prose(section)
    table = grid(section, "Patients whom the rule sets judge differently: 1 of 10")
    assert table.rows == [("P04", "PD", "SD", "iUPD")]


def test_agreement_of_the_rule_sets_is_said_too(data):
    agreeing = told(data, rule_sets={"used": "irecist", "responders": {}, "disagreements": []})
    said = prose(response_section(agreeing))
    assert "Judged by iRECIST. RECIST 1.1, admiralonco and iRECIST say the same of all 10 patients" in said


def test_each_patient_has_response_durations_and_survival(data):
    row = cells(grid(response_section(data), "Outcome patient by patient (10"), "P01")
    assert row["best response"] == "PR\npartial response"
    assert row["response lasted"] == "126\N{NO-BREAK SPACE}days\nfrom day 40, ongoing"
    assert row["PFS"] == "166\N{NO-BREAK SPACE}days\ncensored"
    assert row["survival"] == "196\N{NO-BREAK SPACE}days\nalive"


def test_a_response_that_confirmation_would_take_away_is_told(data):
    table = data.outcomes.assign(best_response_unconfirmed="PR")
    row = cells(grid(response_section(replace(data, outcomes=table)), "Outcome"), "P05")
    assert row["best response"] == "SD\nstable disease; PR if unconfirmed counted"


def test_each_visit_has_both_words_and_what_made_them(data):
    table = grid(response_section(data), "Sum of target diameters at each of")
    assert table.collapsed
    last = [dict(zip(table.columns, row, strict=True)) for row in table.rows if row[0] == "P02"][-1]
    assert (last["RECIST 1.1"], last["iRECIST"], last["new lesion"]) == ("PD", "iUPD", "yes")
    first = dict(zip(table.columns, table.rows[0], strict=True))
    assert (first["RECIST 1.1"], first["new lesion"]) == ("baseline", "\N{EN DASH}")


def test_remarks_on_the_tables_wait_closed(data):
    table = grid(response_section(data), "Remarks on the clinical tables (3)")
    assert table.collapsed
    assert table.rows[0] == ("P01", "\N{MINUS SIGN}7", "lesions", "T2 has 9 mm at baseline", table.rows[0][4])
    assert table.rows[2][:2] == ("all", "\N{EN DASH}")


def test_no_remark_is_said_to_be_none(data):
    table = grid(response_section(replace(data, remarks=REMARKS.empty())), "Remarks")
    assert (table.rows, table.note) == ([], "None.")


# ---- course ----------------------------------------------------------------------------------------------------------


def test_the_course_has_swimmer_and_curves(data):
    names = [block.name for block in course_section(data).blocks if isinstance(block, Picture)]
    assert names == ["swimmer", "survival-pfs", "survival-os", "survival-response-duration"]


def test_curves_carry_the_medians_of_the_summary(armed):
    pictures = {block.name: block.content for block in course_section(armed).blocks if isinstance(block, Picture)}
    assert "median RA + anti-PD-1: 253 days" in pictures["survival-pfs"].layout.title.subtitle.text
    assert pictures["survival-response-duration"].layout.title.subtitle.text == "median 189 days (27.0 weeks)"


def test_a_trial_of_which_no_time_is_known_has_no_curve_and_says_so(data):
    said = prose(course_section(replace(data, survival=SURVIVAL.empty())))
    assert said == "No survival curves: no patient has a known time to progression or death."


# ---- the decision ----------------------------------------------------------------------------------------------------


def test_the_decision_says_where_the_trial_stands(data):
    section = decision_section(data)
    assert prose(section).startswith(data.summary["decision"]["design"]["reading"])
    assert "The design stops after 10 patients with 1 responder or fewer; of all 29, 5 or fewer are too few." in prose(
        section
    )
    table = grid(section, "Two-stage design (optimal)")
    # Simon 1989, table 1: p0 0.10, p1 0.30, alpha 0.05, beta 0.20: 1/10, 5/29, EN 15.0, PET 0.74
    assert [row[1].replace("\N{NO-BREAK SPACE}", " ") for row in table.rows][:3] == ["4.7 %", "73.6 %", "15.0"]


def test_a_trial_without_a_design_says_so_and_keeps_its_posterior(data):
    decision = {"design": None, "note": "no design is named"}
    section = decision_section(told(data, decision=data.summary["decision"] | decision))
    assert prose(section).startswith("No design is named. Under a beta prior (0.5, 0.5)")
    assert not [block for block in section.blocks if isinstance(block, Grid) and "stage" in block.caption]


def test_published_rates_are_parted_by_whether_they_compare_with_the_reason(data):
    section = decision_section(data)
    near, far = grid(section, "Published rates nearest"), grid(section, "Other published rates")
    rows = data.summary["decision"]["posterior"]["historical"]
    assert len(near.rows) == sum(row["comparable"] for row in rows)
    assert len(near.rows) + len(far.rows) == len(rows)
    assert far.collapsed
    assert [row[-1] for row in far.rows] == [row["note"] for row in rows if not row["comparable"]]


def test_the_range_over_published_rates_is_told_with_its_ends(data):
    rows = [row for row in data.summary["decision"]["posterior"]["historical"] if row["comparable"]]
    assert f"the {len(rows)} nearest published rates runs from 38.6\N{NO-BREAK SPACE}% (ASCENT, sacituzumab" in prose(
        decision_section(data)
    )


def test_a_single_published_rate_has_no_range(data):
    posterior = data.summary["decision"]["posterior"]
    one = {**posterior, "historical": [{"trial": "T", "regimen": "R", "rate": 0.2, "n": 10, "comparable": True}]}
    one["historical"][0]["probability_above"] = 0.8
    said = prose(decision_section(told(data, decision={"design": None, "posterior": one})))
    assert "above the 1 nearest published rate is 80\N{NO-BREAK SPACE}% (T, R: 20\N{NO-BREAK SPACE}%)." in said


def test_a_posterior_of_nobody_is_not_estimable(data):
    posterior = {"median": None, "note": "not estimable: no patient with an evaluable response", "historical": []}
    said = prose(decision_section(told(data, decision={"design": None, "posterior": posterior})))
    assert said.endswith("is not estimable: no patient with an evaluable response.")


# ---- adverse events --------------------------------------------------------------------------------------------------


def test_patients_are_counted_by_their_worst_grade_of_any_cause_and_related(data):
    table = grid(safety_section(data), "Patients with adverse events")
    row = cells(table, "grade 3 or higher")
    events = data.summary["adverse_events"]
    assert row["any cause"] == f"{events['patients_with_grade_3_or_higher']} of 10"
    assert row["related to treatment"] == f"{events['patients_with_related_grade_3_or_higher']} of 10"
    assert cells(table, "no event")["related to treatment"] == "\N{EN DASH}"


def test_terms_follow_and_a_long_list_waits_closed(data):
    table = grid(safety_section(data), "Adverse events by term")
    assert len(table.rows) == len(data.toxicity)
    assert not table.collapsed
    many = pd.concat([data.toxicity.assign(term=f"{number}") for number in range(3)], ignore_index=True)
    assert grid(safety_section(replace(data, toxicity=many)), "Adverse events by term").collapsed


def test_a_fatal_event_is_named(data):
    events = {**data.summary["adverse_events"], "grade_5_terms": ["colitis"]}
    assert prose(safety_section(told(data, adverse_events=events))) == "Fatal events (grade 5): colitis."


def test_a_study_without_a_table_of_adverse_events_is_not_one_without_events(data):
    nothing = told(data, adverse_events={"n": 10, "patients_with_any": None, "note": "no adverse events table"})
    section = safety_section(replace(nothing, toxicity=TOXICITY.empty()))
    assert [block.note for block in section.blocks] == ["Not estimable: no adverse events table."]


def test_severity_in_words_is_counted_where_there_are_no_grades(data):
    events = {"n": 10, "patients_with_any": 4, "by_severity": {"mild": 3, "moderate": 0, "severe": 1}}
    table = grid(safety_section(told(data, adverse_events=events)), "Patients with")
    assert cells(table, "worst severity severe")["any cause"] == "1 of 10"


# ---- folders of the first version, and nothing at all ----------------------------------------------------------------


def test_a_folder_of_the_first_version_says_what_it_lacks(old):
    sections = [make(old) for make in SECTIONS]
    words = " ".join(prose(section) for section in sections)
    assert words.count(LATER) == 3  # rule sets, curves, the decision
    swimmer = next(block for block in sections[1].blocks if isinstance(block, Picture))
    assert swimmer.message == f"No swimmer plot. {LATER}"
    assert grid(sections[0], "Remarks").note == LATER
    assert grid(sections[3], "Adverse events by term").note == LATER


def test_a_folder_of_the_first_version_still_has_its_numbers(old):
    section = response_section(old)
    assert cells(grid(section, "Response rates"), "objective response (CR or PR)")["counted"].startswith("3")
    row = cells(grid(section, "Outcome"), "P01")
    assert (row["best response"], row["survival"]) == ("PR\npartial response", "not known")
    assert any(isinstance(block, Picture) and block.name == "spider" and not block.message for block in section.blocks)


@pytest.mark.parametrize("make", SECTIONS)
def test_a_trial_without_patients_has_all_sections_in_words(data, make):
    tables = {name: getattr(data, name).head(0) for name in ("sums", "timeline", "survival", "toxicity", "remarks")}
    empty = replace(data, outcomes=OUTCOMES.empty(), summary={}, **tables)
    for block in make(empty).blocks:
        if isinstance(block, Picture):
            assert block.message
        elif isinstance(block, Grid):
            assert block.rows or block.note
