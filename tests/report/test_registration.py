"""A study whose plan is not the one that was registered: nothing is primary, and no sentence blames the data or the plan for it."""

import pytest

from rabiomarkers.change.by_response import by_response_step
from rabiomarkers.change.mechanism import mechanism_step
from rabiomarkers.change.sensitivity import sensitivity_step
from rabiomarkers.change.step import change_step
from rabiomarkers.change.table import change_table
from rabiomarkers.files import read_table, write_json, write_table
from rabiomarkers.report.blocks import Grid, Prose
from rabiomarkers.report.data import data_of_results
from rabiomarkers.report.page import render
from rabiomarkers.report.registration import EXPLORATORY, NOTHING_PRIMARY, STAMP
from rabiomarkers.report.sections_change import change_section, pairs_section
from rabiomarkers.report.sections_courses import courses_section
from rabiomarkers.report.sections_mechanism import mechanism_section
from rabiomarkers.report.sections_sensitivity import sensitivity_section
from rabiomarkers.report.summary import summary_step
from rabiomarkers.results import open_results
from rabiomarkers.settings.plan import PlanSettings
from tests.support.synthetic_results import Invented, make_results

CONTRAST = ["pre", "post"]
FALSE = (
    "the plan names no primary feature",
    "names no other primary feature",
    "No feature that the plan names",
    "no primary or secondary feature was measured",
    "No paired lines: no patient has both samples",
    "one family, Holm",
)


def told_again(folder, *, registered):
    """The results with every table of changes tested anew, as the steps of a run do it."""
    plan = PlanSettings().model_dump(mode="json")
    tested = {name: plan[name] for name in ("primary", "secondary", "families", "secondary_correction")}
    files = {name: folder / f"{name}.parquet" for name in ("features", "changes", "deltas", "outcomes", "ledger", "qc")}
    change_step(files, folder, contrast=CONTRAST, registered=registered is not False, **tested)
    by_response_step(files, folder)
    mechanism_step(files, folder, chain=plan["chain"], infiltration=plan["infiltration"])
    write_table(read_table(files["features"]).head(0), folder / "flagged.parquet")
    sensitivity_step(files | {"flagged": folder / "flagged.parquet"}, folder, contrast=CONTRAST, flips=10)
    before = open_results(folder).summary
    for name, document in (("endpoints", before), ("models", before["models"])):
        write_json(document, folder / f"{name}.json")
        files[name] = folder / f"{name}.json"
    files |= {"distances_json": folder / "distances.json", "retinoic_acid": folder / "retinoic_acid.json"}
    summary_step(files, folder, study="again", contrast=CONTRAST, plan={"hash": "0" * 64, "registered": registered})
    return data_of_results(open_results(folder))


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    def make(registered):
        folder = make_results(tmp_path_factory.mktemp("trial") / "results", Invented(later_timepoint=True))
        return told_again(folder, registered=registered)

    return make


@pytest.fixture(scope="module")
def unregistered(trial):
    return trial(False)


@pytest.fixture(scope="module")
def page(unregistered):
    return render(unregistered)


def prose(section):
    return [block.text for block in section.blocks if isinstance(block, Prose)]


def grid(section, start):
    return next(block for block in section.blocks if isinstance(block, Grid) and block.caption.startswith(start))


def test_nothing_is_primary_and_nothing_is_analysed_otherwise(unregistered):
    assert set(unregistered.changes["tier"]) == {"exploratory"}
    assert unregistered.sensitivity.empty
    assert unregistered.power.empty


def test_the_section_on_sensitivity_tells_the_true_reason_and_keeps_the_shadow_null(unregistered):
    section = sensitivity_section(unregistered)
    (said,) = prose(section)
    assert said.startswith(NOTHING_PRIMARY)
    assert grid(section, "False positives").rows


def test_both_answers_that_rest_on_the_plan_begin_with_it(unregistered):
    answer = unregistered.summary["answer"]
    assert [sentence.startswith(EXPLORATORY) for sentence in answer] == [False, True, True, False, False]
    assert "retinoic-acid response" in answer[1]


def test_the_mechanism_repeats_the_sentence_of_the_front_page_and_is_stamped(unregistered):
    section = mechanism_section(unregistered)
    assert section.blocks[0].text == unregistered.summary["answer"][1]
    assert section.title.endswith("(exploratory)")


def test_the_features_the_plan_names_are_shown_and_said_to_be_as_exploratory_as_the_others(unregistered):
    section = change_section(unregistered)
    assert section.blocks[0].text == NOTHING_PRIMARY
    named = grid(section, "Change of the 9 features the plan names, as exploratory as all others")
    assert {row[0].partition("\n")[0] for row in named.rows} == {
        *PlanSettings().primary,
        *PlanSettings().secondary,
    }
    assert all(STAMP in row[1] for row in named.rows)


def test_the_stamp_is_the_note_of_the_tests(unregistered):
    told = change_table(unregistered.deltas, primary=["NLR"], registered=False).set_index("feature")["note"]
    assert told["NLR"] == STAMP
    assert STAMP not in told["RA_RESPONSE_CORE"]


def test_change_by_response_and_courses_tell_the_named_features_too(unregistered):
    section = pairs_section(unregistered)
    assert prose(section) == [NOTHING_PRIMARY]
    table = grid(section, "Change in patients who responded")
    assert len(table.rows) == 9
    assert "All features are exploratory here (Benjamini-Hochberg" in table.note
    assert grid(courses_section(unregistered), "Every later timepoint").caption.endswith("the features the plan names")


@pytest.mark.parametrize("false", FALSE)
def test_no_sentence_of_the_page_blames_the_plan_or_the_data(page, false):
    assert false not in page


def test_the_registered_plan_and_one_never_registered_are_not_stamped(trial, results):
    for data in (trial(True), data_of_results(results)):
        assert not data.unregistered
        assert len(data.sensitivity)
        said = [*data.summary["answer"], *prose(change_section(data)), *prose(pairs_section(data))]
        assert not any(NOTHING_PRIMARY in text or EXPLORATORY in text for text in said)
        assert "exploratory" not in mechanism_section(data).title
