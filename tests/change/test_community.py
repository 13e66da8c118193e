import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.change.community import community_step, community_table
from rabiomarkers.change.distances import distance_table, within_between
from rabiomarkers.change.metrics import distances_of
from rabiomarkers.files import read_table, write_table
from rabiomarkers.stats.patient_effects import response_effect, response_time_effect, time_effect
from rabiomarkers.tables.changes import COMMUNITY, COMMUNITY_QUESTIONS, DISTANCES
from tests.support.outcomes import whole_outcomes

CONTRAST = ["pre", "post"]


def stool(patients=6, *, shift=0.0, responders_shift=0.0, responders=(), seed=1, drop=(), names="P{}"):
    """The DISTANCES of patients with stool before and after, and of a third timepoint nobody asked for."""
    random = np.random.default_rng(seed)
    rows, sheet = {}, []
    for number in range(patients):
        own = random.normal(size=20)
        for timepoint in ("pre", "post", "late"):
            logs = own + random.normal(0, 0.4, size=20)
            if timepoint == "post":
                logs[:4] += shift + (responders_shift if number in responders else 0.0)
            if (number, timepoint) not in drop:
                name = f"S{number}{timepoint}"
                rows[name] = np.exp(logs)
                sheet.append((name, names.format(number), timepoint))
    samples = pd.DataFrame(sheet, columns=["sample_id", "patient_id", "timepoint"])
    abundances = pd.DataFrame.from_dict(rows, orient="index").reindex(samples["sample_id"])
    return samples, distances_of(abundances, "bray_curtis")


def long(patients=6, **options):
    samples, distances = stool(patients, **options)
    return distance_table(distances, samples)


def by_question(distances, outcomes=None, **options):
    return community_table(distances, outcomes, contrast=CONTRAST, **options).set_index("question")


def responses(*told):
    """None: could not be evaluated."""
    best = ["NE" if response is None else "PR" if response else "SD" for response in told]
    responder = [bool(response) for response in told]
    patients = [f"P{number}" for number in range(len(told))]
    return whole_outcomes(pd.DataFrame({"patient_id": patients, "best_response": best, "responder": responder}))


def test_every_question_has_its_row_in_their_order():
    table = community_table(long(), responses(1, 1, 0, 0, 0, 0), contrast=CONTRAST)
    COMMUNITY.check(table)
    assert tuple(table["question"]) == COMMUNITY_QUESTIONS
    assert table["p_value"].between(table["p_floor"], 1).all()
    assert set(table["compartment"]) == {"faecal"}
    assert set(table["metric"]) == {"Bray-Curtis"}
    assert table["n_samples"].eq(12).all()


def test_the_rows_say_what_the_tests_say():
    samples, distances = stool()
    outcomes = responses(1, 1, 0, 0, 0, 0)
    told = by_question(distance_table(distances, samples), outcomes)
    chosen = samples[samples["timepoint"].isin(CONTRAST)]
    square = distances.loc[chosen["sample_id"], chosen["sample_id"]].to_numpy()
    who, when = chosen["patient_id"].to_numpy(), chosen["timepoint"].to_numpy()
    responded = np.isin(who, ["P0", "P1"])
    for question, term in {
        "time": time_effect(square, who, when),
        "response": response_effect(square, who, responded),
        "response x time": response_time_effect(square, who, when, responded),
    }.items():
        row = told.loc[question]
        assert (row["p_count"], row["p_total"], row["p_floor"]) == (term.p_count, term.p_total, term.p_floor)
        assert row["statistic"] == pytest.approx(term.pseudo_f, rel=1e-9)
        assert row["r_squared"] == pytest.approx(term.r_squared, rel=1e-9)
    facts = within_between(distances, samples, contrast=CONTRAST)
    assert told.loc["own pairs against others", "p_value"] == facts.p_value
    assert told["test"].tolist() == [
        "PERMANOVA, exact permutation inside patients",
        "PERMANOVA, exact permutation of patients",
        "PERMANOVA, exact permutation of patients",
        "exact swaps inside patients",
        "exact matching permutation",
    ]


def test_a_shift_of_all_is_time_and_a_shift_of_responders_is_their_interaction():
    outcomes = responses(1, 1, 1, 0, 0, 0, 0, 0)
    all_moved = by_question(long(8, shift=1.5), outcomes)["p_value"]
    some_moved = by_question(long(8, responders_shift=3.0, responders=(0, 1, 2)), outcomes)["p_value"]
    assert all_moved["time"] == 2 / 2**8
    assert all_moved["response x time"] > 0.05
    assert some_moved["response x time"] == 1 / 56


def test_who_has_one_sample_or_no_known_response_is_counted():
    distances = long(7, drop=[(0, "post"), (1, "pre"), (1, "post")])
    told = by_question(distances, responses(1, 1, 1, 0, 0, 0, None))
    assert told["n_patients"].tolist() == [5, 4, 4, 5, 5]
    one = "patients with one of the two samples only: 1"
    assert told.loc["time", "note"] == one
    assert told.loc["response", "note"] == f"{one}; patients without a known response: 1"


def test_without_outcomes_only_the_response_has_no_answer():
    told = by_question(long())
    assert told["p_value"].isna().tolist() == [False, True, True, False, False]
    assert told.loc["response", "note"] == "no response is known; patients without a known response: 6"


def test_without_a_pair_the_response_is_not_what_is_missing():
    """Neither where no stool could be compared (another reason, said beside the distances), nor where nobody has two."""
    told = by_question(DISTANCES.empty(), responses(1, 0, 1))
    assert told["note"].unique().tolist() == ["no two stools were compared"]
    distances = long(2)
    strangers = distances[(distances["patient_a"] != distances["patient_b"]) & (distances["timepoint_a"] == "pre")]
    told = by_question(strangers[strangers["timepoint_b"] == "pre"], responses(1, 0))
    assert told["note"].str.split(";").str[0].unique().tolist() == ["no pair"]


@pytest.mark.parametrize(
    ("told", "reason"),
    [((0,) * 6, "no responder among the patients"), ((1,) * 6, "every patient responded")],
)
def test_one_kind_of_patients_has_nothing_to_compare(told, reason):
    table = by_question(long(), responses(*told))
    for question in ("response", "response x time"):
        row = table.loc[question]
        assert (row["note"], row["n_patients"], row["test"]) == (reason, 6, "not tested")
        assert row[["statistic", "r_squared", "p_value", "p_floor", "p_count", "p_total"]].isna().all()


@pytest.mark.parametrize(
    ("patients", "reason"), [(0, "no two stools were compared"), (1, "one pair: a change needs at least two")]
)
def test_too_few_pairs_give_rows_with_the_reason(patients, reason):
    distances = long(patients) if patients else DISTANCES.empty()
    told = by_question(distances, responses(*[1] * patients) if patients else None)
    assert told["p_value"].isna().all()
    assert told["statistic"].isna().all()
    assert told.loc[["time", "dispersion", "own pairs against others"], "note"].eq(reason).all()
    assert told["n_patients"].eq(patients).all()


def test_equal_communities_have_nothing_to_tell():
    distances = long().assign(distance=0.0)
    told = by_question(distances, responses(1, 1, 0, 0, 0, 0))
    assert told["note"].eq("all distances are zero").all()
    assert told["p_value"].isna().all()


def test_two_patients_one_of_each_kind_have_a_time_but_no_response():
    told = by_question(long(2), responses(1, 0))
    assert told.loc["time", ["p_floor", "p_total"]].tolist() == [0.5, 4]
    assert told.loc["response", "note"] == "no sample is left to tell the spread within groups"


@given(st.permutations(list(range(66))))
@settings(deadline=None, max_examples=4)
def test_the_order_of_rows_and_of_the_two_sides_plays_no_part(order):
    distances, outcomes = long(4), responses(1, 1, 0, 0)
    turned = distances.iloc[list(order)].reset_index(drop=True)
    swapped = turned.rename(
        columns=lambda name: name[:-1] + {"a": "b", "b": "a"}[name[-1]] if name[-2] == "_" else name
    )
    expected = community_table(distances, outcomes, contrast=CONTRAST)
    for other in (turned, swapped[list(distances.columns)]):
        pd.testing.assert_frame_equal(
            community_table(other, outcomes.iloc[::-1], contrast=CONTRAST), expected, check_exact=True
        )


def test_names_of_patients_change_nothing():
    told, renamed = by_question(long(6)), by_question(long(6, names="{}X"))
    for column in ("statistic", "r_squared", "p_value", "p_floor"):
        np.testing.assert_allclose(told[column], renamed[column], rtol=1e-9)


def test_the_step_writes_the_table_and_the_same_bytes_again(tmp_path):
    inputs = {"distances": tmp_path / "distances.parquet", "outcomes": tmp_path / "outcomes.parquet"}
    write_table(long(), inputs["distances"])
    write_table(responses(1, 1, 0, 0, 0, 0), inputs["outcomes"])
    info = community_step(inputs, tmp_path, contrast=CONTRAST, seed=1)
    assert info == {"questions": 5, "answered": 5}
    first = (tmp_path / "community.parquet").read_bytes()
    write_table(long().iloc[::-1].reset_index(drop=True), inputs["distances"])
    community_step(inputs, tmp_path, contrast=CONTRAST, seed=1)
    assert (tmp_path / "community.parquet").read_bytes() == first
    COMMUNITY.check(read_table(tmp_path / "community.parquet"))


def test_each_metric_is_asked_the_same_questions(tmp_path):
    distances = pd.concat([long(), long(shift=2.0).assign(metric="aitchison")], ignore_index=True)
    write_table(distances, tmp_path / "distances.parquet")
    community_step({"distances": tmp_path / "distances.parquet"}, tmp_path, contrast=CONTRAST, seed=1)
    table = read_table(tmp_path / "community.parquet")
    assert table["metric"].unique().tolist() == ["Bray-Curtis", "Aitchison"]
    for title, shift in (("Bray-Curtis", 0.0), ("Aitchison", 2.0)):
        alone = community_table(long(shift=shift), contrast=CONTRAST, metric=title)
        pd.testing.assert_frame_equal(table[table["metric"] == title].reset_index(drop=True), alone)


def test_without_any_distance_each_question_has_its_reason(tmp_path):
    write_table(DISTANCES.empty(), tmp_path / "distances.parquet")
    info = community_step({"distances": tmp_path / "distances.parquet"}, tmp_path, contrast=CONTRAST, seed=1)
    assert info == {"questions": 5, "answered": 0}
    table = read_table(tmp_path / "community.parquet")
    assert table["metric"].unique().tolist() == ["any metric"]
    assert table["note"].eq("no two stools were compared").all()
