from types import SimpleNamespace

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from rabiomarkers.change.detectable import power_table
from rabiomarkers.change.families import family_table
from rabiomarkers.change.pairs import pair_matrix, paired_deltas, pairing, single_values
from rabiomarkers.change.sensitivity import sensitivity_table
from rabiomarkers.change.shadow import shadow_null
from rabiomarkers.change.table import change_table
from rabiomarkers.report.blocks import Grid, Picture, Prose
from rabiomarkers.report.data import LATER
from rabiomarkers.report.figures.sensitivity import HIGHEST, LOWEST, sensitivity_panels
from rabiomarkers.report.figures.style import BUTTONS_REMOVED, Message
from rabiomarkers.report.sections_sensitivity import in_short, sensitivity_section
from rabiomarkers.report.words import DASH
from rabiomarkers.tables.changes import FAMILIES, POWER, SENSITIVITY, SHADOW_NULL
from tests.support.paired import CONTRAST, pairs_of, table
from tests.support.synthetic_results import INJECTION

STEADY = [(0.0, 1.0 + k / 10) for k in range(10)]


def report_data(rows, *, flagged=(), flips=20, **plan):
    features = table(rows)
    deltas, singles = paired_deltas(features, contrast=CONTRAST), single_values(features, contrast=CONTRAST)
    changes = change_table(deltas, pairing(features, contrast=CONTRAST), singles=singles, **plan)
    return SimpleNamespace(
        unregistered=False,
        changes=changes,
        families=family_table(changes),
        sensitivity=sensitivity_table(features, changes, contrast=CONTRAST, flagged=table(flagged)),
        shadow_null=shadow_null(pair_matrix(deltas, singles), changes, flips=flips),
        power=power_table(deltas, changes),
    )


def drawn(seed, patients):
    return np.random.default_rng(seed).normal(size=(patients, 2)).round(6).tolist()


def blocks(data, kind):
    return [block for block in sensitivity_section(data).blocks if isinstance(block, kind)]


@pytest.fixture(scope="module")
def ordinary():
    rows = pairs_of("RA_RESPONSE_CORE", STEADY) + pairs_of("B", drawn(2, 10))
    rows += pairs_of("clr_CD8_TEM", [*drawn(1, 8), (1.0, None)], "clr", "blood")
    flagged = [("P08", "post", "blood", "clr_CD8_TEM", 2.5, "clr")]
    return report_data(rows, flagged=flagged, primary=["RA_RESPONSE_CORE", "clr_CD8_TEM"])


# ---- the section -----------------------------------------------------------------------------------------------------


def test_each_primary_result_is_told_in_one_line(ordinary):
    agreement, _, _ = blocks(ordinary, Grid)
    assert len(agreement.rows) == 2
    first = agreement.rows[0]
    assert first[0].startswith("RA_RESPONSE_CORE\nretinoic-acid target genes, core set; tumour, 10 pairs")
    assert first[1] == "holds in 10 of 10 leave-one-outs; 6 of 6 tests agree"
    assert first[2].startswith("+1.45 rank score\np 0.00195 (floor")
    assert first[3] == "10 of 10 agree"
    assert first[4] == "6 of 6 agree"
    assert first[5] == "none was measured"
    second = agreement.rows[1]
    assert second[1].endswith("holds with flagged samples")
    assert second[5].startswith("agrees\n1 pair comes back; ")


def test_six_pairs_are_not_blamed_for_what_five_cannot_show():
    data = report_data(pairs_of("A", STEADY[:6]), primary=["A"])
    row = blocks(data, Grid)[0].rows[0]
    assert row[1].startswith("holds in 0 of 6 leave-one-outs")
    assert row[3] == (
        "0 of 6 agree\nnot: without P00, without P01, without P02, without P03, 2 more; "
        "6 of these cannot reach 0.05 with so few pairs"
    )


def test_a_result_without_a_p_says_why_once():
    data = report_data(pairs_of("A", [(1.0, 2.0)]), primary=["A", "nowhere"])
    rows = blocks(data, Grid)[0].rows
    assert [row[1] for row in rows] == [
        "not estimable\nnamed in the plan, no sample gave it",
        "not estimable\none pair: a change needs at least two",
    ]
    assert all(row[2:] == (DASH,) * 4 for row in rows)
    picture = blocks(data, Picture)[0]
    assert picture.message == "No figure of other analyses: no primary feature has an estimate."


def test_the_shadow_null_stands_beside_the_nominal_rate(ordinary):
    shadow = blocks(ordinary, Grid)[1]
    assert [row[0] for row in shadow.rows] == ["exploratory tumour", "primary"]
    assert [row[1:5] for row in shadow.rows] == [
        ("exact signed-rank", "1", "20", "5\N{NO-BREAK SPACE}%"),
        ("exact signed-rank", "2", "20", "5\N{NO-BREAK SPACE}%"),
    ]
    assert all(row[5].endswith("%") and row[6].endswith("%") for row in shadow.rows)


def test_the_detectable_change_is_in_the_features_unit(ordinary):
    power = blocks(ordinary, Grid)[2]
    assert power.caption == "The smallest change found with a probability of 80\N{NO-BREAK SPACE}%"
    row = power.rows[0]
    assert row[1:5] == ("10", "0.303 rank score", "\N{PLUS-MINUS SIGN}0.307 rank score", "1.01")
    unmeasured = blocks(report_data(pairs_of("A", [(1.0, 2.0)]), primary=["A"]), Grid)[2]
    assert unmeasured.rows[0][1:] == ("1", DASH, DASH, DASH, "no test with fewer than two pairs")


def test_results_of_an_earlier_version_have_a_sentence_in_place_of_tables(ordinary):
    empty = {"sensitivity": SENSITIVITY, "shadow_null": SHADOW_NULL, "power": POWER, "families": FAMILIES}
    tables = {name: promise.empty() for name, promise in empty.items()}
    data = SimpleNamespace(changes=ordinary.changes, unregistered=False, **tables)
    section = sensitivity_section(data)
    assert [type(block) for block in section.blocks] == [Prose]
    assert section.blocks[0].text.endswith(LATER)
    assert section.name == "sensitivity"


def test_a_plan_without_a_primary_feature_is_told_to_be_the_reason():
    data = report_data(pairs_of("A", STEADY), secondary=["A"])
    (said,) = blocks(data, Prose)
    assert said.text.startswith("No result was analysed otherwise, as the plan names no primary feature.")
    assert [table.caption[:15] for table in blocks(data, Grid)] == ["False positives"]


def test_tests_that_are_kin_are_said_to_be_one_opinion(ordinary):
    agreement = blocks(ordinary, Grid)[0]
    assert "their agreement is one opinion rather than four" in agreement.note
    part = ordinary.sensitivity[ordinary.sensitivity["feature"] == "RA_RESPONSE_CORE"].set_index("analysis")
    assert part.loc["mixed model", "p_value"] == pytest.approx(part.loc["paired t", "p_value"])
    assert part.loc["signed-rank, Pratt's zeros", "p_value"] == part.loc["as planned", "p_value"]  # no change is zero


@pytest.mark.parametrize("test", ["signed_rank", "signed_rank_pratt", "sign_flip"])
def test_an_exact_test_rejects_no_more_than_nominal_of_swapped_data_however_skewed_they_were(test):
    """Which is why the shadow null says nothing of skewness, as the note beside it has it."""
    skewed = [(0.0, float(np.exp(2 * value))) for value in np.random.default_rng(5).normal(size=8)]
    features = table(pairs_of("A", skewed))
    deltas = paired_deltas(features, contrast=CONTRAST)
    changes = change_table(deltas, pairing(features, contrast=CONTRAST), primary=["A"], test=test)
    told = shadow_null(pair_matrix(deltas), changes, test=test)  # all 256 swaps
    assert told["n_flips"].item() == 256
    assert 0 < told["observed"].item() <= 0.05
    note = sensitivity_section(report_data(pairs_of("A", skewed), primary=["A"])).blocks[2].note
    assert "it cannot show what skewed changes or a drift between the two samplings would do" in note


def test_in_short_counts_only_what_could_be_told(ordinary):
    part = ordinary.sensitivity[ordinary.sensitivity["feature"] == "RA_RESPONSE_CORE"]
    unknown = part.assign(agrees=part["agrees"].mask(part["kind"] == "leave one out"))
    assert in_short(unknown) == "6 of 6 tests agree"
    against = part[part["kind"] == "as planned"].assign(
        kind="flagged samples", agrees=pd.array([False], dtype="boolean")
    )
    assert in_short(against) == "does not hold with flagged samples"


# ---- the figure ------------------------------------------------------------------------------------------------------


def labels(figure):
    return list(figure.layout.yaxis.ticktext)


def test_the_figure_has_a_panel_a_feature_and_a_row_an_analysis(ordinary):
    figure = sensitivity_panels(ordinary.sensitivity)
    assert isinstance(figure, go.Figure)
    assert figure.layout.title.text == "Every analysis of 2 primary features (8 to 10 pairs as planned)"
    names = labels(figure)
    assert names[:2] == ["as planned", "without P00"]
    assert names[10:12] == ["without P09", "signed-rank, Pratt's zeros"]
    assert names[-1] == "with flagged samples"
    places = list(figure.layout.yaxis.tickvals)
    assert places == sorted(places)
    assert [trace.name for trace in figure.data if trace.showlegend] == [
        "as planned",
        "leave one out",
        "other test",
        "flagged samples",
    ]
    drawn_ = sum(len(trace.x) for trace in figure.data)
    assert drawn_ == int(ordinary.sensitivity["estimate"].notna().sum())


def test_the_numbers_of_the_figure_are_those_of_the_table(ordinary):
    figure = sensitivity_panels(ordinary.sensitivity)
    one_out = next(trace for trace in figure.data if trace.name == "leave one out")
    part = ordinary.sensitivity[
        (ordinary.sensitivity["feature"] == "RA_RESPONSE_CORE") & (ordinary.sensitivity["kind"] == "leave one out")
    ]
    assert list(one_out.x) == part["estimate"].tolist()
    np.testing.assert_allclose(np.add(one_out.x, one_out.error_x.array), part["ci_high"])
    np.testing.assert_allclose(np.subtract(one_out.x, one_out.error_x.arrayminus), part["ci_low"])


def test_signs_are_open_where_an_analysis_does_not_agree(ordinary):
    other = ordinary.sensitivity["analysis"] == "ANCOVA on baseline"
    table_ = ordinary.sensitivity.assign(agrees=ordinary.sensitivity["agrees"].mask(other, False))
    others = next(trace for trace in sensitivity_panels(table_).data if trace.name == "other test")
    assert [symbol.endswith("-open") for symbol in others.marker.symbol] == [False] * 4 + [True, False]


def test_more_than_twenty_leave_one_outs_are_folded_into_the_lowest_and_the_highest():
    data = report_data(pairs_of("A", drawn(3, 25)), primary=["A"])
    figure = sensitivity_panels(data.sensitivity)
    assert labels(figure)[:3] == ["as planned", LOWEST, HIGHEST]
    one_out = data.sensitivity[data.sensitivity["kind"] == "leave one out"]
    shown = next(trace for trace in figure.data if trace.name == "leave one out")
    assert list(shown.x) == [one_out["estimate"].min(), one_out["estimate"].max()]
    lowest = one_out.sort_values(["estimate", "analysis"])["analysis"].iloc[0]
    assert lowest in shown.hovertext[0]
    assert len(sensitivity_panels(report_data(pairs_of("A", drawn(3, 20)), primary=["A"]).sensitivity).data[1].x) == 20


def test_a_wide_interval_does_not_dwarf_the_others():
    data = report_data(pairs_of("A", STEADY), primary=["A"])
    wide = data.sensitivity.copy()
    wide.loc[wide["analysis"] == "paired t", ["ci_low", "ci_high"]] = [-1e6, 1e6]
    low, high = sensitivity_panels(wide).layout.xaxis.range
    assert -3 < low < 0
    assert high < 5


def test_zero_is_always_in_sight_and_so_is_every_estimate(ordinary):
    figure = sensitivity_panels(ordinary.sensitivity)
    for axis, feature in (("xaxis", "RA_RESPONSE_CORE"), ("xaxis2", "clr_CD8_TEM")):
        low, high = figure.layout[axis].range
        estimates = ordinary.sensitivity.loc[ordinary.sensitivity["feature"] == feature, "estimate"]
        assert low < min(0, estimates.min())
        assert high > max(0, estimates.max())


def test_more_features_than_fit_side_by_side_go_below():
    rows = [row for name in "ABCDE" for row in pairs_of(name, drawn(ord(name), 7))]
    figure = sensitivity_panels(report_data(rows, primary=list("ABCDE")).sensitivity)
    one_row = sensitivity_panels(report_data(rows, primary=list("ABC")).sensitivity)
    assert figure.layout.height > 1.7 * one_row.layout.height
    assert len({trace.xaxis for trace in figure.data}) == 5


@pytest.mark.parametrize("pairs", [[(1.0, 2.0), (1.0, 3.0)], [(0.3, 0.6)] * 4, [(1.0, 2.0), (2.0, 1.0)]])
def test_analyses_without_an_interval_or_a_spread_are_drawn_as_far_as_they_go(pairs):
    data = report_data(pairs_of("A", pairs), primary=["A"])
    figure = sensitivity_panels(data.sensitivity)
    assert isinstance(figure, go.Figure)
    low, high = figure.layout.xaxis.range
    assert low < high
    assert "nan" not in figure.to_json().lower()


def test_a_feature_without_an_estimate_is_counted_below_the_title():
    rows = pairs_of("A", STEADY) + pairs_of("B", [(1.0, 2.0)])
    figure = sensitivity_panels(report_data(rows, primary=["A", "B"]).sensitivity)
    assert figure.layout.title.subtitle.text.endswith("1 feature more without an estimate")
    assert isinstance(sensitivity_panels(SENSITIVITY.empty()), Message)


def test_a_table_made_on_demand_names_the_tier_of_its_features(ordinary):
    one = ordinary.sensitivity[ordinary.sensitivity["feature"] == "clr_CD8_TEM"].assign(tier="exploratory")
    assert sensitivity_panels(one).layout.title.text == "Every analysis of 1 exploratory feature (8 pairs as planned)"
    mixed = ordinary.sensitivity.assign(
        tier=np.where(ordinary.sensitivity["compartment"] == "blood", "secondary", "primary")
    )
    assert sensitivity_panels(mixed).layout.title.text.startswith("Every analysis of 2 features (")
    nothing = sensitivity_panels(one.assign(estimate=np.nan))
    assert nothing == "No figure of other analyses: no exploratory feature has an estimate."


def test_free_text_cannot_be_markup_and_the_figure_is_not_uploaded():
    rows = pairs_of(f"{INJECTION}A", [(1.0, 2.0 + k) for k in range(10)], unit=f"{INJECTION}unit")
    rows = [(f"{INJECTION}{patient}", *rest) for patient, *rest in rows]
    data = report_data(rows, primary=[f"{INJECTION}A"])
    figure = sensitivity_panels(data.sensitivity)
    assert "<script" not in figure.to_json(engine="json").replace("\\u003c", "<")
    assert set(figure.layout.modebar.remove) == set(BUTTONS_REMOVED)


def test_the_same_tables_give_the_same_figure(ordinary):
    first = sensitivity_panels(ordinary.sensitivity).to_json()
    assert sensitivity_panels(ordinary.sensitivity.copy()).to_json() == first
