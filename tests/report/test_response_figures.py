import json

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.report.figures.spider import spider
from rabiomarkers.report.figures.style import (
    MARKS,
    RESPONSE_LOOKS,
    Message,
    in_response_order,
    pale,
    people,
    response_class,
    response_look,
)
from rabiomarkers.report.figures.survival import survival_curves
from rabiomarkers.report.figures.swimmer import swimmer
from rabiomarkers.report.figures.waterfall import waterfall
from rabiomarkers.report.labels import RESPONSES
from rabiomarkers.response.codes import as_recist
from rabiomarkers.response.endpoints import survival_table
from rabiomarkers.tables.outcomes import BEST_RESPONSES, OUTCOMES, SUMS, SURVIVAL, TIMELINE
from tests.support.synthetic_results import INJECTION, Invented, response_tables


def outcomes(**patients):
    """An outcomes table: best response by patient, or a dict of its columns."""
    rows = [
        {"patient_id": name} | (told if isinstance(told, dict) else {"best_response": told})
        for name, told in patients.items()
    ]
    defaults = {"best_response_recist_1_1": "NE", "best_response_admiralonco": "NE", "best_response_irecist": "NE"}
    defaults |= {"best_response_unconfirmed": "NE", "evaluable": True}
    frame = pd.DataFrame([defaults | row for row in rows]).reindex(columns=list(OUTCOMES.columns))
    return OUTCOMES.check(frame)


def sums(*rows):
    """Patient, day, change in percent, response."""
    frame = pd.DataFrame(rows, columns=["patient_id", "day", "change_percent", "response"])
    frame["sum_mm"] = 50 * (1 + frame["change_percent"].astype(float) / 100)
    return SUMS.check(frame.reindex(columns=list(SUMS.columns)))


def happened(*rows):
    """Patient, day, kind and, where there is one, detail."""
    return TIMELINE.check(pd.DataFrame([(*row, None)[:4] for row in rows], columns=list(TIMELINE.columns)))


def traces(figure, **wanted):
    return [trace for trace in figure.data if all(getattr(trace, key) == value for key, value in wanted.items())]


def named(figure, start):
    return next(trace for trace in figure.data if (trace.name or "").startswith(start))


def said(figure):
    return figure.layout.title.text, figure.layout.title.subtitle.text


# ---- how responses look ----------------------------------------------------------------------------------------------


def test_every_response_has_a_look_and_a_word():
    assert {response_class(word) for word in BEST_RESPONSES} == set(RESPONSE_LOOKS)
    assert set(RESPONSES) == set(BEST_RESPONSES)


def test_a_response_of_irecist_looks_as_what_recist_calls_it():
    for word in BEST_RESPONSES:
        assert response_class(word) == as_recist(word)
        assert response_look(word) == response_look(as_recist(word))


def test_no_two_responses_share_sign_and_line():
    assert len({(look.symbol, look.dash) for look in RESPONSE_LOOKS.values()}) == len(RESPONSE_LOOKS)


def test_no_two_events_share_a_sign():
    assert len({mark.symbol for mark in MARKS.values()}) == len(MARKS)


def test_responses_are_listed_best_first():
    assert in_response_order(["NE", "iPR", "iUPD", "iCPD", "iCR", "iSD"]) == ["iCR", "iPR", "iSD", "iCPD", "iUPD", "NE"]


def test_a_pale_colour_is_mixed_with_white():
    assert pale("#0072B2", 0.5) == "#80B8D8"  # by hand: 255 - (255 - 0x72) / 2 = 184.5, rounded to even


def test_patients_are_named_only_where_there_is_room():
    assert people(["P1", "<P2>"]) == "2 patients (P1, &lt;P2&gt;)"
    assert people([f"CDISC001-001-00{number}" for number in range(5)]) == "5 patients"
    assert people([]) == "0 patients"


# ---- waterfall -------------------------------------------------------------------------------------------------------


def test_progression_by_a_new_lesion_has_a_sign_across_the_line_from_its_bar():
    told = outcomes(
        a={"best_response": "SD", "best_change_percent": 8.0, "new_lesion_day": 84.0},
        b={"best_response": "PR", "best_change_percent": -40.0, "new_lesion_day": 126.0},
        c={"best_response": "PD", "best_change_percent": 30.0},
    )
    sign = named(waterfall(told), "progression by a new lesion")
    assert sign.name == "progression by a new lesion (2)"
    assert dict(zip(sign.x, np.sign(sign.y), strict=True)) == {"a": -1, "b": 1}
    assert "day 126" in sign.hovertext[list(sign.x).index("b")]


def test_a_waterfall_without_new_lesions_has_no_entry_for_them():
    figure = waterfall(outcomes(a={"best_response": "SD", "best_change_percent": 8.0}))
    assert not [trace for trace in figure.data if "new lesion" in (trace.name or "")]


def test_bars_of_irecist_have_their_words_and_the_colours_of_recist():
    words = {"a": "iUPD", "b": "iSD", "c": "iPR"}
    told = {name: {"best_response": word, "best_change_percent": 20.0} for name, word in words.items()}
    bars = traces(waterfall(outcomes(**told)), type="bar")
    assert [bar.name for bar in bars] == ["iPR (1)", "iSD (1)", "iUPD (1)"]
    assert [bar.marker.color for bar in bars] == [RESPONSE_LOOKS[code].colour for code in ("PR", "SD", "PD")]
    assert [bar.text for bar in bars] == [("iPR",), ("iSD",), ("iUPD",)]


def test_a_patient_without_target_lesions_stands_in_the_waterfall_as_not_measured():
    told = outcomes(a={"best_response": "PR", "best_change_percent": -40.0}, b="NON-CR/NON-PD")
    assert named(waterfall(told), "not measured").text == ("NON-CR/<br>NON-PD",)


def test_long_responses_make_a_long_waterfall_wider():
    short = outcomes(**{f"P{n}": {"best_response": "SD", "best_change_percent": 5.0} for n in range(50)})
    long = outcomes(**{f"P{n}": {"best_response": "iUPD", "best_change_percent": 5.0} for n in range(50)})
    assert waterfall(long).layout.width > waterfall(short).layout.width


def test_a_waterfall_of_nobody_is_a_message():
    assert waterfall(OUTCOMES.empty()).startswith("No waterfall: none of 0 patients")


# ---- spider ----------------------------------------------------------------------------------------------------------

TWO = sums(
    ("P1", -7.0, 0.0, None),
    ("P1", 42.0, -30.0, "PR"),
    ("P1", 84.0, -44.0, "PR"),
    ("P2", 0.0, 0.0, None),
    ("P2", 42.0, 25.0, "PD"),
)


def test_a_spider_begins_at_0_on_the_day_of_the_baseline_and_counts_weeks():
    figure = spider(TWO, outcomes(P1="PR", P2="PD", P3="NE"))
    line = named(figure, "PR")
    assert list(line.x) == [-1.0, 6.0, 12.0]
    assert list(line.y) == [0.0, -30.0, -44.0]
    assert figure.layout.xaxis.title.text == "weeks from first dose"


def test_a_spider_says_who_is_not_drawn():
    assert said(spider(TWO, outcomes(P1="PR", P2="PD", P10="NE", P3="NE"))) == (
        "Change of the sum of target diameters over time: 2 of 4 patients",
        "no sum after baseline: 2 patients (P3, P10)",
    )


def test_the_spider_has_the_lines_of_response_and_progression():
    figure = spider(TWO, outcomes(P1="PR", P2="PD"))
    assert {shape.y0 for shape in figure.layout.shapes} == {-30, 0, 20}


def test_a_visit_without_a_sum_interrupts_the_line_and_is_told():
    gap = sums(("P1", 0.0, 0.0, None), ("P1", 42.0, 5.0, "SD"), ("P1", 84.0, np.nan, "NE"), ("P1", 126.0, 9.0, "SD"))
    figure = spider(gap, outcomes(P1="SD"))
    whole, bridge = named(figure, "SD"), next(trace for trace in figure.data if trace.connectgaps)
    assert np.isnan(whole.y[2])
    assert not whole.connectgaps
    assert (bridge.line.dash, bridge.showlegend, bridge.legendgroup) == ("dot", False, whole.legendgroup)
    assert said(figure)[1] == "1 visit without a sum interrupts a line"


def test_a_sum_that_is_missing_at_the_end_needs_no_bridge():
    gap = sums(("P1", 0.0, 0.0, None), ("P1", 42.0, 5.0, "SD"), ("P1", 84.0, np.nan, "NE"))
    assert not [trace for trace in spider(gap, outcomes(P1="SD")).data if trace.connectgaps]


def test_progression_and_new_lesions_are_marked_where_the_line_is():
    told = outcomes(
        P1={"best_response": "PR", "progression_day": 84.0, "new_lesion_day": 84.0},
        P2={"best_response": "PD", "progression_day": 42.0},
    )
    figure = spider(TWO, told)
    cross, diamond = named(figure, "progression"), named(figure, "new lesion")
    assert list(zip(cross.x, cross.y, strict=True)) == [(12.0, -44.0), (6.0, 25.0)]
    assert list(zip(diamond.x, diamond.y, strict=True)) == [(12.0, -44.0)]
    assert (cross.name, diamond.name) == ("progression (2)", "new lesion (1)")
    assert cross.marker.symbol != diamond.marker.symbol


@pytest.mark.parametrize(("day", "height"), [(60.0, -30.0), (-30.0, 0.0)])
def test_progression_on_a_day_without_a_sum_is_marked_at_the_last_one_and_says_so(day, height):
    figure = spider(TWO, outcomes(P1={"best_response": "PR", "progression_day": day}))
    cross = named(figure, "progression")
    assert list(cross.y) == [height]
    assert "no sum on this day" in cross.hovertext[0]


def test_a_spider_of_irecist_has_the_colours_of_recist():
    figure = spider(TWO, outcomes(P1="iPR", P2="iUPD"))
    lines = [named(figure, word) for word in ("iPR", "iUPD")]
    assert [line.line.color for line in lines] == [RESPONSE_LOOKS["PR"].colour, RESPONSE_LOOKS["PD"].colour]


def test_a_spider_by_responder_has_colour_line_and_sign():
    told = outcomes(P1={"best_response": "PR", "responder": True}, P2={"best_response": "PD", "responder": False})
    lines = traces(spider(TWO, told, colour="responder"), mode="lines+markers+text")
    assert [line.name for line in lines] == ["responder (1)", "non-responder (1)"]
    assert len({line.line.color for line in lines}) == len({line.line.dash for line in lines}) == 2
    assert len({line.marker.symbol for line in lines}) == 2


def test_a_spider_by_another_flag_names_it():
    told = outcomes(P1={"best_response": "PR", "disease_control": True}, P2={"best_response": "PD"})
    lines = traces(spider(TWO, told, colour="disease_control"), mode="lines+markers+text")
    assert [line.name for line in lines] == ["disease control (1)", "disease control not known (1)"]


def test_names_at_the_same_place_do_not_cover_each_other():
    same = sums(*((name, day, change, word) for name in "abc" for day, change, word in ((0, 0, None), (42, 5, "SD"))))
    lines = traces(spider(same, outcomes(a="SD", b="SD", c="SD")), mode="lines+markers+text")
    assert len({line.textposition for line in lines}) == 3


def test_a_name_stands_at_the_last_known_sum():
    gap = sums(("P1", 0.0, 0.0, None), ("P1", 42.0, 5.0, "SD"), ("P1", 84.0, np.nan, "NE"))
    line = named(spider(gap, outcomes(P1="SD")), "SD")
    assert [text.strip() for text in line.text] == ["", "P1", ""]


def test_many_lines_are_not_named():
    names = [f"P{number}" for number in range(60)]
    many = sums(*((name, day, change, word) for name in names for day, change, word in ((0, 0, None), (42, 5, "SD"))))
    figure = spider(many, outcomes(**dict.fromkeys(names, "SD")))
    assert said(figure)[0].endswith("60 of 60 patients")
    assert not [trace for trace in figure.data if trace.mode == "lines+markers+text"]


@pytest.mark.parametrize(
    "table", [SUMS.empty(), sums(("P1", 0.0, 0.0, None)), sums(("P1", 0.0, 0.0, None), ("P1", 42.0, np.nan, "NE"))]
)
def test_a_spider_without_a_sum_after_baseline_is_a_message(table):
    message = spider(table, outcomes(P1="NE"))
    assert isinstance(message, Message)
    assert message.startswith("No spider plot: none of 1 patient")


# ---- swimmer ---------------------------------------------------------------------------------------------------------


def bars(figure):
    """Patient: first and last week of its bar; the longest first."""
    rows = dict(zip(figure.layout.yaxis.tickvals, figure.layout.yaxis.ticktext, strict=True))
    found = {
        row: (base, base + length)
        for trace in traces(figure, type="bar")
        for row, base, length in zip(trace.y, trace.base, trace.x, strict=True)
    }
    return {rows[row].split()[0]: found[row] for row in sorted(found, reverse=True)}


def test_a_bar_runs_to_the_last_dose_else_the_last_assessment_else_the_last_day_known():
    figure = swimmer(
        happened(
            *((name, 0.0, "first_dose") for name in "abc"),
            ("a", 42.0, "assessment", "SD"),
            ("a", 70.0, "last_dose"),
            ("a", 140.0, "last_contact"),
            ("b", 42.0, "assessment", "PD"),
            ("b", 42.0, "progression"),
            ("b", 140.0, "last_contact"),
            ("c", 21.0, "last_contact"),
        ),
        outcomes(a="SD", b="PD", c="NE", d="NE"),
    )
    assert bars(figure) == {"a": (0.0, 10.0), "b": (0.0, 6.0), "c": (0.0, 3.0)}
    assert said(figure) == (
        "Course of each patient: 3 of 4 patients",
        "bars end with the last dose (1 patient), else with the last assessment; no day known: 1 patient (d)",
    )


def test_the_best_response_stands_beside_the_name_so_that_colour_is_not_alone():
    figure = swimmer(happened(("a", 42.0, "assessment", "iSD")), outcomes(a="iSD"))
    assert "<b>iSD</b>" in figure.layout.yaxis.ticktext[0]
    assert traces(figure, type="bar")[0].name == "iSD (1)"


def test_a_response_is_drawn_for_as_long_as_it_lasted():
    told = outcomes(a={"best_response": "iPR", "responder": True, "response_day": 42.0, "response_days": 84.0})
    figure = swimmer(happened(("a", 42.0, "response", "iPR"), ("a", 126.0, "assessment", "iPR")), told)
    assert list(named(figure, "in response").x[:2]) == [6.0, 18.0]
    assert list(named(figure, "response (PR)").x) == [6.0]


@pytest.mark.parametrize("end", ["progression", "death", "last_dose", "new_therapy"])
def test_only_a_patient_without_an_end_is_ongoing(end):
    figure = swimmer(happened(("a", 42.0, "assessment", "SD"), ("b", 42.0, end)), outcomes(a="SD", b="SD"))
    arrow = named(figure, "ongoing")
    assert arrow.name == "ongoing (1)"
    assert list(arrow.x) == [6.0]


def test_progression_by_a_new_lesion_is_a_cross_in_a_diamond():
    figure = swimmer(happened(("a", 42.0, "progression"), ("a", 42.0, "new_lesion")), outcomes(a="PD"))
    names = [trace.name for trace in figure.data]
    assert names.index("new lesion (1)") < names.index("progression (1)")  # what is drawn later lies on top
    assert list(named(figure, "new lesion").y) == list(named(figure, "progression").y)


def test_severe_and_serious_events_are_told_with_the_worst_grade_of_their_day():
    figure = swimmer(
        happened(
            ("a", 9.0, "adverse_event", "rash, grade 2"),
            ("a", 14.0, "adverse_event", "rash, grade 3, related"),
            ("a", 14.0, "adverse_event", "colitis, grade 4, related, serious"),
            ("a", 21.0, "adverse_event", "fever, serious"),
            ("a", 28.0, "adverse_event", "burn, grade 2, of the skin, grade 5"),
            ("a", 35.0, "adverse_event", "fall, grade 1, serious"),
        ),
        outcomes(a="SD"),
    )
    events = named(figure, "grade 3+ or serious")
    assert dict(zip(events.x, events.text, strict=True)) == {2.0: "4", 3.0: "S", 4.0: "5", 5.0: "1"}
    assert "rash" in events.hovertext[0]
    assert "colitis" in events.hovertext[0]
    assert events.name == "grade 3+ or serious (1)"


def test_adverse_events_lie_above_what_else_happened_that_day():
    day = happened(("a", 42.0, "progression"), ("a", 42.0, "adverse_event", "rash, grade 3"))
    figure = swimmer(day, outcomes(a="PD"))
    assert named(figure, "grade 3+").y[0] > named(figure, "progression").y[0]


def test_the_longest_bar_is_on_top_and_equal_ones_are_sorted_as_people_sort():
    table = happened(*((name, 42.0, "assessment", "SD") for name in ("P10", "P2")), ("P3", 84.0, "assessment", "SD"))
    assert list(bars(swimmer(table, outcomes(P10="SD", P2="SD", P3="SD")))) == ["P3", "P2", "P10"]


def test_sixty_patients_have_narrow_rows_and_the_weeks_on_top():
    names = [f"S{number}" for number in range(60)]
    table = happened(*((name, 42.0 + place, "assessment", "SD") for place, name in enumerate(names)))
    sixty = swimmer(table, outcomes(**dict.fromkeys(names, "SD")))
    ten = swimmer(table[:10], outcomes(**dict.fromkeys(names[:10], "SD")))
    assert sixty.layout.xaxis.side == "top"
    assert ten.layout.xaxis.side == "bottom"
    assert sixty.layout.height < 6 * ten.layout.height


def test_one_patient_does_not_fill_the_figure():
    figure = swimmer(happened(("a", 42.0, "assessment", "SD")), outcomes(a="SD"))
    low, high = figure.layout.yaxis.range
    assert high - low > 3


@pytest.mark.parametrize("table", [TIMELINE.empty(), happened(("a", 0.0, "first_dose"), ("a", -7.0, "assessment"))])
def test_a_swimmer_of_no_day_after_first_dose_is_a_message(table):
    assert swimmer(table, outcomes(a="NE")).startswith("No swimmer plot: of none of 1 patient")


def test_a_swimmer_of_nobody_is_a_message():
    assert isinstance(swimmer(TIMELINE.empty(), OUTCOMES.empty()), Message)


# ---- survival --------------------------------------------------------------------------------------------------------

DAYS = [(7.0, True), (14.0, False), (21.0, True), (28.0, False)]


def curves(days=DAYS, arms=None):
    told = {
        f"P{place}": {"best_response": "SD", "pfs_days": day, "progressed": event, "arm": arms[place] if arms else None}
        for place, (day, event) in enumerate(days)
    }
    return survival_table(outcomes(**told))


def test_a_curve_says_how_many_events_in_how_many_of_whom():
    figure = survival_curves(curves(), endpoint="pfs", patients=6, medians={"all": 21.0})
    assert said(figure) == (
        "Progression-free survival: 2 events in 4 of 6 patients",
        "median 21 days (3.0 weeks)",
    )


def test_a_curve_steps_and_ticks_where_patients_were_censored():
    figure = survival_curves(curves(), endpoint="pfs", patients=4)
    step = traces(figure, mode="lines", showlegend=None)[0]
    assert list(step.x) == [0, 1, 2, 3, 4]
    assert list(step.y) == pytest.approx([1, 0.75, 0.75, 0.375, 0.375])  # by hand: 3/4, then 1/2 of it
    assert step.line.shape == "hv"
    assert list(named(figure, "censored").x) == [2, 4]


def test_limits_hold_until_the_last_day():
    figure = survival_curves(curves(), endpoint="pfs", patients=4)
    high = next(trace for trace in figure.data if trace.fill == "tonexty")
    assert (high.x[0], high.x[-1]) == (1, 4)
    assert high.y[-1] == high.y[-2]


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 400).map(float), st.booleans()), min_size=1, max_size=12))
def test_the_numbers_at_risk_are_those_who_are_followed_at_least_that_long(days):
    figure = survival_curves(curves(days), endpoint="pfs", patients=len(days))
    counts = traces(figure, mode="text")[0]
    told = dict(zip(counts.x, map(int, counts.text), strict=True))
    assert told == {week: sum(day >= week * 7 for day, _ in days) for week in told}


def test_the_median_falls_from_one_half_to_the_axis():
    figure = survival_curves(curves(), endpoint="pfs", patients=4, medians={"all": 21.0})
    lines = [(shape.x0, shape.y0, shape.y1) for shape in figure.layout.shapes]
    assert (3.0, 0, 0.5) in lines
    assert said(survival_curves(curves(), endpoint="pfs", patients=4, medians={"all": None}))[1] == "median not reached"


def test_each_arm_has_a_curve_of_its_own_look():
    table = curves(arms=["A", "B", "A", "B"])
    figure = survival_curves(table, endpoint="pfs", patients=4, medians={"all": 21.0, "A": 14.0, "B": None})
    lines = [trace for trace in figure.data if (trace.name or "")[:1] in "AB" and trace.mode == "lines" and trace.name]
    assert [line.name for line in lines] == ["A (2 patients)", "B (2 patients)"]
    assert len({line.line.color for line in lines}) == len({line.line.dash for line in lines}) == 2
    assert said(figure)[1] == "median A: 14 days (2.0 weeks); median B: not reached"
    assert list(figure.layout.yaxis2.ticktext) == ["A", "B"]


def test_one_arm_or_all_patients_can_be_shown_alone():
    table = curves(arms=["A", "B", "A", "B"])
    assert said(survival_curves(table, endpoint="pfs", patients=4, arm="A"))[0].endswith("2 events in 2 of 4 patients")
    together = survival_curves(table, endpoint="pfs", patients=4, arm="all")
    assert said(together)[0].endswith("2 events in 4 of 4 patients")
    assert together.layout.showlegend is False


def test_a_duration_of_response_is_of_responders():
    told = {"best_response": "PR", "response_days": 70.0, "response_ended": False, "responder": True}
    figure = survival_curves(survival_table(outcomes(a=told)), endpoint="response_duration", patients=1)
    assert said(figure)[0] == "Duration of response: 0 events in 1 of 1 responder"
    assert figure.layout.xaxis.title.text == "weeks from the start of the response"


@pytest.mark.parametrize("table", [SURVIVAL.empty(), curves()])
def test_a_curve_of_nothing_is_a_message(table):
    assert survival_curves(table, endpoint="os", patients=4) == (
        "No curve of overall survival: no patient has a known day for it."
    )


# ---- all of them -----------------------------------------------------------------------------------------------------


def every(trial):
    told = response_tables(trial)
    patients = told["outcomes"]
    return {
        "waterfall": waterfall(patients),
        "spider": spider(told["sums"], patients),
        "swimmer": swimmer(told["timeline"], patients),
        **{
            name: survival_curves(told["survival"], endpoint=name, patients=len(patients))
            for name in ("pfs", "os", "response_duration")
        },
    }


TRIALS = {
    "sixty": Invented(patients=tuple(f"S-{number:03d}" for number in range(60)), responders=14, arms=True),
    "one": Invented(patients=("P1",), responders=1),
    "irecist": Invented(rule_set="irecist", arms=True),
    "nobody responded": Invented(responders=0),
    "no lesions": Invented(lesions=False),
}


@pytest.mark.parametrize("name", TRIALS)
def test_every_figure_of_a_trial_names_its_denominator_or_says_why_it_is_not_there(name):
    for figure in every(TRIALS[name]).values():
        told = figure if isinstance(figure, Message) else said(figure)[0]
        assert "patient" in told or "responder" in told


def test_figures_do_not_change_the_tables():
    told = response_tables(TRIALS["irecist"])
    before = {name: frame.copy() for name, frame in told.items()}
    every(TRIALS["irecist"])
    spider(told["sums"], told["outcomes"])
    swimmer(told["timeline"], told["outcomes"])
    for name, frame in told.items():
        pd.testing.assert_frame_equal(frame, before[name])


def test_the_order_of_rows_plays_no_part():
    told = response_tables(TRIALS["irecist"])
    mixed = {name: frame.sample(frac=1, random_state=5) for name, frame in told.items()}
    patients = mixed["outcomes"]
    assert spider(mixed["sums"], patients).to_json() == spider(told["sums"], told["outcomes"]).to_json()
    assert swimmer(mixed["timeline"], patients).to_json() == swimmer(told["timeline"], told["outcomes"]).to_json()
    shown = [survival_curves(table["survival"], endpoint="pfs", patients=10).to_json() for table in (mixed, told)]
    assert shown[0] == shown[1]


def test_hostile_names_and_terms_are_text():
    trial = Invented(
        patients=tuple(f"{INJECTION}{number}" for number in range(8)), responders=2, note="<img src=x onerror=alert(1)>"
    )
    told = response_tables(trial)
    told["outcomes"]["arm"] = pd.array([f"<b>{number % 2}</b>" for number in range(8)], dtype="string")
    told["survival"] = survival_table(told["outcomes"])
    figures = [
        *every(trial).values(),
        survival_curves(told["survival"], endpoint="pfs", patients=8, medians={"<b>0</b>": 50.0}),
    ]
    for figure in figures:
        assert isinstance(figure, go.Figure)
        words = json.dumps(json.loads(figure.to_json()))
        assert not [tag for tag in ("<script", "<img", "<b>0") if tag in words]
