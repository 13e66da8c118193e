import numpy as np
import pytest

from rabiomarkers.change.detectable import power_table
from rabiomarkers.change.pairs import paired_deltas, pairing
from rabiomarkers.change.table import change_table
from rabiomarkers.stats.power import detectable_effect
from rabiomarkers.tables.changes import POWER
from tests.support.paired import CONTRAST, pairs_of, random_study, table


def told(rows, primary, *, test="signed_rank", **options):
    features = table(rows)
    deltas = paired_deltas(features, contrast=CONTRAST)
    changes = change_table(deltas, pairing(features, contrast=CONTRAST), primary=primary, test=test)
    return power_table(deltas, changes, test=test, **options).set_index("feature")


def test_the_change_is_the_effect_times_the_spread_in_the_unit_of_analysis():
    rows = pairs_of("A", [(0.0, float(k)) for k in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)], "nats")
    row = told(rows, ["A"]).loc["A"]
    assert row["spread"] == pytest.approx(np.sqrt(55 / 6))  # of 1..10
    assert row["detectable_effect"] == detectable_effect(10).effect
    assert row["detectable_change"] == pytest.approx(row["detectable_effect"] * row["spread"])
    assert (row["n_pairs"], row["unit"], row["alpha"], row["power"]) == (10, "nats", 0.05, 0.8)
    assert row["note"] == ""


def test_only_primary_features_are_told_and_in_the_order_of_the_plan():
    table_ = told(random_study(1), ["NLR", "A"])
    assert table_.index.tolist() == ["NLR", "A"]
    assert table_.loc["NLR", "unit"] == "log2 ratio"


def test_more_power_asks_for_larger_changes():
    usual = told(random_study(2), ["A"])["detectable_change"].iloc[0]
    assert told(random_study(2), ["A"], power=0.9)["detectable_change"].iloc[0] > usual


@pytest.mark.parametrize("test", ["moderated_t", "mixed_model"])
def test_an_approximation_is_called_one(test):
    assert "power of the paired t" in told(random_study(3), ["A"], test=test).loc["A", "note"]


def test_of_ancova_the_note_says_what_it_pays():
    rows = {test: told(random_study(3), ["A"], test=test).loc["A"] for test in ("ancova", "paired_t")}
    assert "pairs - 2" in rows["ancova"]["note"]
    assert rows["ancova"]["detectable_change"] > rows["paired_t"]["detectable_change"]


@pytest.mark.parametrize(
    ("pairs", "n_pairs", "note"),
    [
        ([(1.0, None), (None, 2.0)], 0, "no test with fewer than two pairs"),
        ([(1.0, 2.0)], 1, "no test with fewer than two pairs"),
        ([(1.0, 2.0), (1.0, 3.0)], 2, "no change can be found, however large: with 2 pairs no p is below 0.5"),
        ([(0.3, 0.6)] * 6, 6, "the changes have no spread"),
        ([(0.3, 0.3)] * 6, 6, "the changes have no spread"),
    ],
)
def test_where_nothing_can_be_told_the_row_says_why(pairs, n_pairs, note):
    row = told(pairs_of("A", pairs), ["A"]).loc["A"]
    assert row["n_pairs"] == n_pairs
    assert np.isnan(row["detectable_change"])
    assert row["note"].startswith(note)


def test_a_planned_feature_nobody_measured_has_a_row_and_a_study_without_a_plan_has_none():
    row = told(random_study(4), ["nowhere"]).loc["nowhere"]
    assert (row["n_pairs"], row["note"]) == (0, "no test with fewer than two pairs")
    empty = told(random_study(4), [])
    assert empty.reset_index()[list(POWER.columns)].dtypes.equals(POWER.empty().dtypes)
    assert empty.empty


def test_the_order_of_rows_plays_no_part():
    rows = random_study(5)
    assert told(rows, ["A", "IL6"]).equals(told(rows[::-1], ["A", "IL6"]))
