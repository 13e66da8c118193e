"""Whether features moved otherwise in responders than in the others."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import mannwhitneyu

from rabiomarkers.change.by_response import by_response_step, change_by_response
from rabiomarkers.files import read_table, write_table
from rabiomarkers.tables.changes import BY_RESPONSE

NUMBERS = ["estimate", "ci_low", "ci_high", "ci_level", "p_value", "p_floor", "q_value", "p_count", "p_total"]
RIAZ = Path(__file__).parents[2] / ".." / "shared" / "data" / "riaz_bms038"


def deltas_of(changes: dict[str, float], feature: str = "A", compartment: str = "tumour") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "patient_id": list(changes),
            "compartment": compartment,
            "feature": feature,
            "unit": "rank score",
            "before": 0.0,
            "after": list(changes.values()),
            "change": list(changes.values()),
        }
    )


def outcomes_of(responder: dict[str, bool | None]) -> pd.DataFrame:
    return pd.DataFrame(
        {"patient_id": list(responder), "responder": pd.array(list(responder.values()), dtype="boolean")}
    ).assign(evaluable=True)


def groups_of(responders: int, others: int) -> dict[str, bool | None]:
    return {f"P{number}": number < responders for number in range(responders + others)}


def changes_of(**tiers: str) -> pd.DataFrame:
    return pd.DataFrame({"compartment": "tumour", "feature": list(tiers), "tier": list(tiers.values())})


def rows_of(*args, **options) -> list[dict]:
    return change_by_response(*args, **options).to_dict("records")


# ---- what is told ----------------------------------------------------------------------------------------------------


def test_the_median_change_is_told_for_responders_and_others():
    deltas = deltas_of({"P0": 1.0, "P1": 3.0, "P2": -1.0, "P3": 7.0, "P4": 9.0})
    outcomes = outcomes_of({"P0": True, "P1": True, "P2": False, "P3": None})  # P4 has no outcome row
    (row,) = rows_of(deltas, outcomes)
    assert (row["n_responders"], row["median_responders"]) == (2, 2.0)
    assert (row["n_non_responders"], row["median_non_responders"]) == (1, -1.0)
    assert row["n_unknown"] == 2
    assert "response unknown of 2 patients, left out" in row["note"]


def test_three_responders_who_all_moved_further_give_the_smallest_p_of_ten_patients():
    deltas = deltas_of({f"P{number}": 10.0 - number for number in range(10)})
    (row,) = rows_of(deltas, outcomes_of(groups_of(3, 7)))
    assert (row["p_count"], row["p_total"]) == (2, 120)
    assert row["p_value"] == row["p_floor"] == row["q_value"] == pytest.approx(1 / 60)
    # of 21 differences 1 .. 9 the median is 5, the second smallest and largest are 2 and 8
    assert (row["estimate"], row["ci_low"], row["ci_high"]) == (5.0, 2.0, 8.0)
    assert row["ci_level"] == pytest.approx(1 - 4 / 120)
    assert row["test"] == "exact rank-sum"
    assert pd.isna(row["note"]) or row["note"] == ""


def test_a_patient_who_could_not_be_evaluated_is_no_non_responder():
    outcomes = outcomes_of({"P0": False, "P1": False}).assign(evaluable=[True, False])
    (row,) = rows_of(deltas_of({"P0": 1.0, "P1": 9.0}), outcomes)
    assert (row["n_non_responders"], row["median_non_responders"], row["n_unknown"]) == (1, 1.0, 1)


def test_only_patients_with_a_pair_of_that_feature_count():
    deltas = pd.concat([deltas_of({"P0": 1.0, "P2": 2.0}, "A"), deltas_of({"P0": 1.0, "P1": 3.0, "P2": 2.0}, "B")])
    first, second = rows_of(deltas, outcomes_of({"P0": True, "P1": True, "P2": False}))
    assert (first["n_responders"], second["n_responders"]) == (1, 2)
    assert first["n_unknown"] == second["n_unknown"] == 0


# ---- tiers and families ----------------------------------------------------------------------------------------------


def test_the_plan_s_primary_features_are_secondary_here_and_one_family_under_holm():
    values = {f"P{number}": 10.0 - number for number in range(10)}
    mixed = values | {"P2": -20.0}
    deltas = pd.concat(
        [deltas_of(values, name) for name in "ABC"]
        + [deltas_of(mixed, "D"), deltas_of(mixed, "E"), deltas_of(values, "A", "blood")]
    )
    changes = changes_of(A="primary", B="primary", C="secondary", D="primary", E="exploratory")
    table = change_by_response(deltas, outcomes_of(groups_of(3, 7)), changes).set_index(["compartment", "feature"])
    primary = table.loc[[("tumour", name) for name in "ABD"]]
    assert set(primary["tier"]) == {"secondary"}
    assert set(primary["family"]) == {"response primary"}
    others = table.drop(primary.index)
    assert set(others["tier"]) == {"exploratory"}
    assert others["family"].to_dict() == {
        ("blood", "A"): "response exploratory blood",
        ("tumour", "C"): "response exploratory tumour",
        ("tumour", "E"): "response exploratory tumour",
    }
    # Holm over A, B, D: 1/60 * 3; Benjamini-Hochberg over C, E: 1/60 * 2; alone in blood: 1/60
    assert table.loc[("tumour", "A"), "q_value"] == table.loc[("tumour", "B"), "q_value"] == pytest.approx(0.05)
    assert table.loc[("tumour", "C"), "q_value"] == pytest.approx(2 / 60)
    assert table.loc[("blood", "A"), "q_value"] == pytest.approx(1 / 60)
    assert table.loc[("tumour", "E"), "q_value"] == table.loc[("tumour", "E"), "p_value"] > 0.05


def test_without_a_plan_all_are_exploratory():
    (row,) = rows_of(deltas_of({"P0": 1.0, "P1": 2.0}), outcomes_of(groups_of(1, 1)))
    assert (row["tier"], row["family"]) == ("exploratory", "response exploratory tumour")


def test_a_planned_feature_nobody_has_a_pair_of_does_not_count_as_a_test():
    deltas = pd.concat([deltas_of({f"P{number}": float(number) for number in range(10)}), deltas_of({"P0": 1.0}, "B")])
    table = change_by_response(deltas, outcomes_of(groups_of(3, 7)), changes_of(A="primary", B="primary", C="primary"))
    assert table["feature"].tolist() == ["A", "B"]
    assert table["q_value"].tolist()[0] == table["p_value"].tolist()[0]
    assert math.isnan(table["q_value"].tolist()[1])


# ---- what cannot be told ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("responders", "others", "note"),
    [
        (0, 10, "no responder has a pair, so nothing to compare"),
        (10, 0, "no non-responder has a pair, so nothing to compare"),
        (1, 0, "no non-responder has a pair, so nothing to compare"),
        (0, 1, "no responder has a pair, so nothing to compare"),
    ],
)
def test_of_one_group_alone_there_are_medians_and_a_reason(responders, others, note):  # C14
    outcomes = outcomes_of(groups_of(responders, others))
    (row,) = rows_of(
        deltas_of({patient: 1.0 * place for place, patient in enumerate(outcomes["patient_id"])}), outcomes
    )
    assert row["note"] == note
    assert row["test"] == "not tested"
    assert all(pd.isna(row[name]) for name in NUMBERS)
    assert (row["n_responders"], row["n_non_responders"]) == (responders, others)
    assert math.isnan(row["median_responders"]) == (responders == 0)
    assert math.isnan(row["median_non_responders"]) == (others == 0)


@pytest.mark.parametrize(
    ("responders", "others", "floor"), [(1, 1, "1"), (1, 9, "0.2"), (2, 7, "0.0556"), (9, 1, "0.2"), (2, 2, "0.333")]
)
def test_groups_too_small_for_any_p_of_5_percent_are_told_so(responders, others, floor):
    deltas = deltas_of({f"P{number}": float(number) for number in range(responders + others)})
    (row,) = rows_of(deltas, outcomes_of(groups_of(responders, others)))
    assert f"cannot reach 0.05: with {responders} v {others} patients no p is below {floor}" in row["note"]


def test_two_of_ten_can_reach_5_percent_alone_but_not_as_one_of_two_primary_features():
    deltas = pd.concat([deltas_of({f"P{number}": float(number) for number in range(10)}, name) for name in "AB"])
    outcomes = outcomes_of(groups_of(2, 8))
    alone, _ = rows_of(deltas, outcomes)
    assert alone["p_value"] == alone["q_value"] == pytest.approx(2 / 45)
    assert pd.isna(alone["note"]) or alone["note"] == ""
    planned, _ = rows_of(deltas, outcomes, changes_of(A="primary", B="primary"))
    assert planned["q_value"] == pytest.approx(4 / 45)
    assert planned["note"] == "cannot pass: with 2 v 8 patients no p is below 0.0444, and 2 are tested"


def test_changes_that_are_all_equal_are_not_ranked():
    (row,) = rows_of(deltas_of(dict.fromkeys(groups_of(3, 7), 0.0)), outcomes_of(groups_of(3, 7)))
    assert row["note"] == "all values are equal"
    assert all(pd.isna(row[name]) for name in NUMBERS)
    assert row["median_responders"] == row["median_non_responders"] == 0.0


def test_where_nobody_s_response_is_known_the_table_says_so():
    (row,) = rows_of(deltas_of({"P0": 1.0, "P1": 2.0}), outcomes_of({"P0": None}))
    assert row["note"] == "the response of nobody with a pair is known (2 patients)"
    assert (row["n_responders"], row["n_non_responders"], row["n_unknown"]) == (0, 0, 2)


def test_without_a_pair_the_table_is_empty():
    table = change_by_response(deltas_of({}), outcomes_of({"P0": True}), changes_of(A="primary"))
    assert table.empty
    assert list(table.columns) == list(BY_RESPONSE.columns)


# ---- order and names -------------------------------------------------------------------------------------------------


def test_responders_and_others_exchanged_turn_the_estimate_and_keep_p():  # C13
    random = np.random.default_rng(2)
    deltas = pd.concat(
        [deltas_of(dict(zip(groups_of(4, 6), random.normal(size=10).round(1), strict=True)), name) for name in "AB"]
    )
    flags = groups_of(4, 6)
    one, other = (
        change_by_response(deltas, outcomes_of(groups))
        for groups in (flags, {patient: not flag for patient, flag in flags.items()})
    )
    same = ["p_value", "q_value", "p_floor", "p_count", "p_total", "ci_level"]
    pd.testing.assert_frame_equal(one[same], other[same], check_exact=True)
    assert one["estimate"].tolist() == (-other["estimate"]).tolist()
    assert one["ci_low"].tolist() == (-other["ci_high"]).tolist()


@pytest.mark.parametrize("order", [1, -1])
def test_the_step_writes_the_same_table_whatever_the_order_of_rows(tmp_path, order):
    deltas = deltas_of({"P0": 1.0, "P1": 3.0, "P2": -1.0})
    both = pd.concat([deltas, deltas.assign(feature="B")])
    write_table(both.iloc[::order], tmp_path / "deltas.parquet")
    write_table(outcomes_of({"P0": True, "P1": False, "P2": False}).iloc[::order], tmp_path / "outcomes.parquet")
    write_table(changes_of(B="primary"), tmp_path / "changes.parquet")
    inputs = {name: tmp_path / f"{name}.parquet" for name in ("deltas", "outcomes", "changes")}
    assert by_response_step(inputs, tmp_path) == {"features": 2, "tested": 2}
    table = read_table(tmp_path / "by_response.parquet")
    assert list(table["feature"]) == ["A", "B"]
    assert list(table["tier"]) == ["exploratory", "secondary"]
    assert list(table["median_non_responders"]) == [1.0, 1.0]
    assert list(table["estimate"]) == [0.0, 0.0]  # of 1 - 3 and 1 - (-1)


# ---- a real cohort ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cytolytic_changes():
    """Change of the cytolytic score on nivolumab by patient (mean log2 CPM + 1 of GZMA and PRF1), and the response."""
    if not RIAZ.is_dir():
        pytest.skip("the public cohort riaz_bms038 is not beside the repository")
    counts = pd.read_csv(RIAZ / "counts.csv.gz").dropna(subset="symbol").drop(columns="entrez_id")
    counts = counts.groupby("symbol").sum()
    score = np.log2(counts.loc[["GZMA", "PRF1"]] / counts.sum() * 1e6 + 1).mean()
    samples = pd.read_csv(RIAZ / "samples.csv").query("replicate == 1 and sample_id != 'Pt68_On'")
    pairs = samples.pivot(index="patient_id", columns="timepoint", values="sample_id").dropna()
    change = pd.Series(score[pairs["on"]].to_numpy() - score[pairs["pre"]].to_numpy(), index=pairs.index)
    return change, samples.drop_duplicates("patient_id").set_index("patient_id")["response3"].reindex(pairs.index)


def test_under_nivolumab_cytolysis_rises_further_in_responders_than_under_progression(cytolytic_changes):
    change, response = cytolytic_changes
    flags = {patient: {"PRCR": True, "PD": False}.get(group) for patient, group in response.items()}
    (row,) = rows_of(deltas_of(change.to_dict(), "CYT"), outcomes_of(flags), changes_of(CYT="primary"))
    groups = {group: change[response == group] for group in ("PRCR", "PD", "SD")}
    assert groups["PRCR"].mean() == pytest.approx(1.35, rel=0.02)  # the data set's README
    assert groups["PD"].mean() == pytest.approx(0.20, rel=0.04)
    assert (row["n_responders"], row["n_non_responders"]) == (groups["PRCR"].size, groups["PD"].size)
    assert row["median_responders"] == pytest.approx(groups["PRCR"].median(), abs=1e-12)
    exact = mannwhitneyu(groups["PRCR"], groups["PD"], method="exact")  # SciPy's own count: no change is tied
    assert row["p_value"] == pytest.approx(exact.pvalue, rel=1e-12)
    differences = groups["PRCR"].to_numpy()[:, None] - groups["PD"].to_numpy()
    assert row["estimate"] == pytest.approx(np.median(differences), rel=1e-9)
