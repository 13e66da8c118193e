"""The report's part on prediction, and the card of a model."""

import re
from dataclasses import replace

import pandas as pd
import pytest

from rabiomarkers.files import read_json, write_json, write_table
from rabiomarkers.report.blocks import Grid, Picture, Prose
from rabiomarkers.report.data import data_of_results
from rabiomarkers.report.figures.calibration import calibration_figure
from rabiomarkers.report.figures.coefficients import coefficient_figure
from rabiomarkers.report.figures.decision_curve import decision_figure
from rabiomarkers.report.figures.learning_curve import learning_figure
from rabiomarkers.report.figures.stability import stability_figure
from rabiomarkers.report.figures.style import Message
from rabiomarkers.report.model_card import card_step, model_card
from rabiomarkers.report.sections_models import model_section, primary_of
from rabiomarkers.report.tables_of_models import batch_table, guard_table
from rabiomarkers.results import open_results
from rabiomarkers.tables.predictions import BATCH_VALIDATION, CALIBRATION
from tests.support.synthetic_results import Invented, make_results

HOSTILE = "<script>alert(1)</script> | `x` [a](b)\n# head"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return data_of_results(open_results(make_results(tmp_path_factory.mktemp("models") / "r")))


@pytest.fixture(scope="module")
def nobody(tmp_path_factory):
    """A trial in which nobody responded."""
    return data_of_results(open_results(make_results(tmp_path_factory.mktemp("models") / "r", Invented(responders=0))))


def grids(section):
    return {block.caption.split(" (")[0]: block for block in section.blocks if isinstance(block, Grid)}


def pictures(section):
    return {block.name: block for block in section.blocks if isinstance(block, Picture)}


def prose(section):
    return " ".join(block.text for block in section.blocks if isinstance(block, Prose))


def primary(data):
    return primary_of(data.summary["models"])


def test_models_stand_side_by_side_the_primary_one_first(data):
    table = grids(model_section(data))["The models side by side"]
    assert [row[0] for row in table.rows] == ["ridge_baseline (primary)", "ridge_change"]
    assert table.rows[0][3] == "0.430 (0.120 to 1)"
    assert "corrected" not in table.rows[0][4]
    assert "corrected" in table.rows[1][4]
    assert "rough: a bootstrap of 10 patients" in table.note


def test_the_primary_model_has_its_pictures_and_the_others_their_null(data):
    shown = pictures(model_section(data))
    assert list(shown) == [
        "null-primary",
        "coefficients",
        "calibration",
        "decision-curve",
        "learning-curve",
        "stability-baseline",
        "stability-change",
        "null-1",
    ]
    assert shown["calibration"].message == ("Calibration of ridge_baseline is not estimable: 20 of each are needed.")
    assert "20 patients would tell it from chance" not in shown["null-1"].caption


def test_what_must_not_be_concluded_stands_below_the_verdict(data):
    assert "What must not be concluded from ridge_baseline: no decision about a patient may rest on it" in prose(
        model_section(data)
    )


def test_stability_is_a_description_and_no_signature(data):
    section = model_section(data)
    assert "no list made of it may be called a signature" in prose(section)
    captions = " ".join(picture.caption for picture in pictures(section).values())
    assert "signature" not in captions


def test_guards_are_counted_and_a_leak_is_shouted(data):
    (quiet,) = guard_table(data.summary["models"])
    assert quiet.caption == "Guards against leaks: 2 checks, none found any"
    leaky = [{"name": "m", "guards": [{"guard": "label", "words": "w", "folds": 3, "findings": ["P1 moves"]}]}]
    (loud,) = guard_table(leaky)
    assert loud.caption.endswith("SOME FOUND A LEAK")
    assert loud.rows[0][-1] == "P1 moves"
    assert guard_table([{"name": "m"}]) == []


def test_batches_are_shown_where_there_are_several(data):
    assert batch_table(data.batch_validation) == []
    rows = [("m", "A", 10, 3, 0.7, 0.2, ""), ("m", "B", 8, 0, None, 0.1, "no AUC: nobody of the batch responded")]
    (table,) = batch_table(BATCH_VALIDATION.check(pd.DataFrame(rows, columns=list(BATCH_VALIDATION.columns))))
    assert [row[3] for row in table.rows] == ["0.700", "\N{EN DASH}"] or table.rows[1][3] != "0"
    assert table.rows[1][5] == "no AUC: nobody of the batch responded"


def test_a_trial_without_responders_has_words_and_no_number(nobody):
    section = model_section(nobody)
    assert all(block.message for block in pictures(section).values())
    for row in grids(section)["The models side by side"].rows:
        assert not re.search(r"\d", "".join(row[3:6]))
        assert row[6].startswith("not estimable")


def test_a_study_without_models_says_so(data):
    none = replace(data, summary={**data.summary, "models": []})
    assert prose(model_section(none)) == "Not estimable: no model could be fitted to this study."


def test_results_of_the_first_version_are_shown_as_far_as_they_go(tmp_path):
    old = data_of_results(open_results(make_results(tmp_path / "r", Invented(first_version=True))))
    section = model_section(old)
    assert [row[0] for row in grids(section)["The models side by side"].rows] == ["ridge_baseline", "ridge_change"]
    assert {"null-primary", "null-1"} <= set(pictures(section))


def test_calibration_is_drawn_where_it_can_be_told(data):
    rows = [
        ("ridge_baseline", group, 20, group / 10, group / 10, group / 10 - 0.05, group / 10 + 0.1) for group in (2, 5)
    ]
    table = CALIBRATION.check(pd.DataFrame(rows, columns=list(CALIBRATION.columns)))
    figure = calibration_figure(table, primary(data))
    assert list(figure.data[1].x) == [0.2, 0.5]
    assert list(figure.data[1].error_y.array) == pytest.approx([0.1, 0.1])
    assert "40 patients" in figure.layout.title.text
    assert isinstance(calibration_figure(table, {"name": "other"}), Message)


def test_figures_without_rows_are_words(data):
    other = {"name": "other", "n": 10}
    for figure in (
        coefficient_figure(data.coefficients, other),
        decision_figure(data.decision_curve, other),
        learning_figure(data.learning_curve, other),
        stability_figure(data.stability, "both"),
    ):
        assert isinstance(figure, Message)


def test_the_learning_curve_has_a_line_an_effect_and_tells_what_each_point_is(data):
    figure = learning_figure(data.learning_curve, primary(data))
    assert [trace.name for trace in figure.data] == [
        "effect as observed",
        "effect at the upper limit",
        "effect at the lower limit",
    ]
    assert list(figure.data[0].x) == [10, 20, 40, 100]


def test_coefficients_go_right_where_they_rise(data):
    figure = coefficient_figure(data.coefficients, primary(data))
    told = {trace.name: (list(trace.x), list(trace.y)) for trace in figure.data}
    assert told == {
        "higher in responders": ([0.17], ["tumour:RA_RESPONSE_CORE"]),
        "lower in responders": ([-0.05], ["blood:clr_CD8_TEM"]),
    }


def card(data, model=None, **options):
    model = model or primary(data)
    return model_card(model, data.summary, judged=True, coefficients=data.coefficients, **options)


def test_a_card_has_every_part_and_is_the_same_each_time(data):
    text = card(data, learning="20 patients would do.")
    assert text == card(data, learning="20 patients would do.")
    assert re.findall(r"^## (.*)$", text, flags=re.MULTILINE) == [
        "What must not be concluded",
        "What it is",
        "Features",
        "What it is worth",
        "Guards that ran on it",
        "Patients",
        "More patients",
        "Risk of bias by our own rating (PROBAST+AI): high",
        "TRIPOD+AI",
    ]
    assert "| AUC | 0.430 (95 % 0.120 to 1) |" in text
    assert "| tumour:RA\\_RESPONSE\\_CORE | rank score | 0.400 | 0.0100 | 0.170 |" in text
    assert "20 patients would do." in text


def test_a_card_of_a_model_that_was_not_estimated_says_why_and_shows_no_number(nobody):
    text = card(nobody)
    worth = text.partition("## What it is worth")[2].partition("## ")[0]
    assert "not estimable" in worth
    assert not re.search(r"\| [\d.]+ ", worth)
    assert "No larger trial was simulated for this model." in text


def test_hostile_words_are_shown_as_they_stand(data):
    model = primary(data) | {"verdict": HOSTILE, "features": [HOSTILE], "units": {}}
    text = card(data, model, learning=HOSTILE)
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "\n# head" not in text
    assert re.search(r"(?<!\\)\[a", text) is None
    for line in text.splitlines():
        if line.startswith("|"):
            assert line.endswith("|")


def test_the_step_writes_a_card_for_every_model(data, tmp_path):
    write_json(dict(data.summary), tmp_path / "summary.json")
    inputs = {"summary": tmp_path / "summary.json"}
    for name in ("coefficients", "learning_curve", "sums"):
        inputs[name] = tmp_path / f"{name}.parquet"
        write_table(getattr(data, name), inputs[name])
    out = tmp_path / "cards"
    out.mkdir()
    assert card_step(inputs, out) == {"cards": 2}
    assert sorted(path.name for path in out.iterdir()) == ["ridge_baseline.md", "ridge_change.md"]
    assert "would tell it from chance" in (out / "ridge_baseline.md").read_text()
    assert "No larger trial" in (out / "ridge_change.md").read_text()
    assert read_json(inputs["summary"])["study"] == data.summary["study"]
