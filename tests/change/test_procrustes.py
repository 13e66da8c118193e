"""Maps laid over one another: against R's vegan (`reference/procrustes.csv`), SciPy, every order by hand, and by their laws."""

import csv
from itertools import permutations
from math import factorial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import procrustes

from rabiomarkers.change.procrustes import overlay, principal_axes, procrustes_step, procrustes_table
from rabiomarkers.errors import StatisticsError
from rabiomarkers.files import read_table, write_table
from rabiomarkers.tables.changes import DISTANCES
from rabiomarkers.tables.samples import FEATURES
from rabiomarkers.tables.stool import PROCRUSTES

TABLE = (Path(__file__).parents[1] / "reference" / "procrustes.csv").read_text()
CASES = [case for case in csv.DictReader(TABLE.splitlines()) if case["statistic"] != "versions"]
seeds = st.integers(0, 10_000)


def cases(statistic):
    chosen = [case for case in CASES if case["statistic"] == statistic]
    assert chosen
    return [pytest.param(*(table(case[key]) for key in ("first", "second", "value"))) for case in chosen]


def table(text):
    return np.array([[float(number) for number in row.split()] for row in text.split("; ")])


def maps(patients, seed=0, noise=1.0):
    random = np.random.default_rng(seed)
    first = random.normal(size=(patients, 2))
    return first, first @ np.array([[0.6, 0.8], [-0.8, 0.6]]) + noise * random.normal(size=(patients, 2))


@pytest.mark.parametrize(("first", "second", "expected"), cases("fit"))
def test_the_fit_is_that_of_vegan(first, second, expected):
    told = overlay(first, second, permutations_drawn=9)
    np.testing.assert_allclose([told.correlation, told.sum_of_squares], expected[0], rtol=0, atol=1e-10)


@pytest.mark.parametrize(("first", "second", "expected"), cases("exact p"))
def test_the_exact_p_is_that_of_vegan_over_every_order(first, second, expected):
    told = overlay(first, second)
    assert (told.p_count, told.p_total) == tuple(expected[0])
    assert told.p_value == told.p_count / told.p_total
    assert told.test == "Procrustes, exact permutations of patients"


@pytest.mark.parametrize(("first", "second", "expected"), cases("axes"))
def test_principal_axes_are_those_of_cmdscale(first, second, expected):
    axes = principal_axes(first)
    np.testing.assert_allclose(np.abs(axes).ravel(), expected[0], atol=1e-10)


@pytest.mark.parametrize(("first", "second", "expected"), cases("fit of axes"))
def test_two_sets_of_distances_fit_as_in_vegan(first, second, expected):
    told = overlay(principal_axes(first), principal_axes(second), permutations_drawn=9)
    np.testing.assert_allclose([told.correlation, told.sum_of_squares], expected[0], atol=1e-10)


def test_the_sum_of_squares_is_scipys_disparity():
    for seed in range(5):
        first, second = maps(11, seed)
        assert overlay(first, second, permutations_drawn=9).sum_of_squares == pytest.approx(
            procrustes(first, second)[2], abs=1e-12
        )


def test_each_order_counts_once():
    first, second = maps(5, seed=3)
    fits = [1.0 - procrustes(first, second[list(order)])[2] for order in permutations(range(5))]
    told = overlay(first, second)
    assert told.p_count == sum(fit >= fits[0] - 1e-12 for fit in fits)
    assert (told.p_total, told.p_floor) == (factorial(5), 1 / factorial(5))


def test_a_map_lies_on_itself_turned_flipped_moved_and_scaled():
    first, _ = maps(7)
    told = overlay(first, 5.0 * first[:, ::-1] * [1, -1] + 100.0)
    assert told.correlation == pytest.approx(1.0, abs=1e-12)
    assert told.sum_of_squares == pytest.approx(0.0, abs=1e-12)
    assert told.p_count == 1


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(5, 6), st.floats(0.01, 1000.0), st.floats(0.0, 6.3))
def test_neither_order_side_scale_nor_turn_plays_a_part(seed, patients, size, angle):
    first, second = maps(patients, seed)
    told = overlay(first, second)
    order = np.random.default_rng(seed).permutation(patients)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    for other in (
        overlay(second, first),
        overlay(first[order], second[order]),
        overlay(size * first @ turn - 3.0, second),
    ):
        assert other.correlation == pytest.approx(told.correlation, abs=1e-9)
        assert other.p_count == told.p_count
    assert 0.0 <= told.correlation <= 1.0
    assert told.correlation**2 + told.sum_of_squares == pytest.approx(1.0)


def test_beyond_eight_patients_orders_are_drawn_by_the_seed():
    first, second = maps(9, noise=2.0)
    told = overlay(first, second, permutations_drawn=499, seed=4)
    assert told == overlay(first, second, permutations_drawn=499, seed=4)
    assert (told.p_total, told.p_floor) == (500, 1 / 500)
    assert 1 <= told.p_count <= 500
    assert told.test == "Procrustes, 499 random permutations of patients"
    assert overlay(first, second, permutations_drawn=499, seed=5).p_count != told.p_count


def test_random_orders_come_near_the_exact_p(monkeypatch):
    first, second = maps(8, seed=2, noise=2.0)
    exact = overlay(first, second).p_value
    monkeypatch.setattr("rabiomarkers.change.procrustes.EXACT_PATIENTS", 4)
    drawn = overlay(first, second, permutations_drawn=9_999).p_value
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 9_999))


def test_unrelated_maps_are_called_no_oftener_than_the_level():
    random = np.random.default_rng(8)
    studies = 300
    p_values = [overlay(random.normal(size=(5, 2)), random.normal(size=(5, 2))).p_value for _ in range(studies)]
    for level in (0.05, 0.2):
        assert np.mean(np.array(p_values) <= level) <= level + 3 * np.sqrt(level * (1 - level) / studies)
    # ... and related ones are found
    assert np.mean([overlay(*maps(7, seed, noise=0.3)).p_value <= 0.05 for seed in range(20)]) > 0.8


@pytest.mark.parametrize(
    ("first", "second", "note"),
    [
        (np.zeros((6, 2)), maps(6)[1], "the patients do not differ in one of the two"),
        (maps(6)[0], np.full((6, 2), 1e6), "the patients do not differ in one of the two"),
        (maps(6)[0], np.empty((6, 0)), "the patients do not differ in one of the two"),
        (maps(4)[0], maps(4)[1], "4 patients with both; 5 are needed"),
        (np.empty((0, 2)), np.empty((0, 2)), "0 patients with both; 5 are needed"),
    ],
)
def test_what_cannot_be_told_has_a_reason_and_no_number(first, second, note):
    told = overlay(first, second)
    assert told.note == note
    assert told.test == "not tested"
    assert np.isnan([told.correlation, told.sum_of_squares, told.p_value, told.p_floor]).all()
    assert told.p_count is None


@pytest.mark.parametrize(
    ("first", "second", "drawn"),
    [
        (maps(6)[0], maps(7)[0], 9),
        (maps(6)[0], np.full((6, 2), np.nan), 9),
        (maps(6)[0][:, 0], maps(6)[1], 9),
        (maps(6)[0], maps(6)[1], 0),
    ],
)
def test_what_is_no_pair_of_maps_is_refused(first, second, drawn):
    with pytest.raises(StatisticsError):
        overlay(first, second, permutations_drawn=drawn)


# ---- out of the tables -----------------------------------------------------------------------------------------------


def feature_rows(values, compartment, assay, time="pre"):
    """FEATURES of patients x features."""
    rows = values.rename_axis("patient_id").melt(ignore_index=False, var_name="feature").reset_index()
    whose = {"sample_id": rows["patient_id"] + time, "timepoint": time, "compartment": compartment, "assay": assay}
    told = rows.assign(**whose, unit="1", method="m", coverage=1.0, cohort_dependent=False, note="")
    return FEATURES.check(told)


def distance_rows(table, time="pre", metric="bray_curtis"):
    first, second = np.triu_indices(len(table), k=1)
    return DISTANCES.check(
        pd.DataFrame(
            {
                "metric": metric,
                "patient_a": table.index[first],
                "timepoint_a": time,
                "patient_b": table.index[second],
                "timepoint_b": time,
                "same_patient": False,
                "distance": table.to_numpy()[first, second],
            }
        )
    )


def study(patients=7, seed=1):
    """A tumour of three features that follow the stool's two axes."""
    random = np.random.default_rng(seed)
    names = [f"P{number}" for number in range(patients)]
    places = random.normal(size=(patients, 2))
    apart = np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=2))
    tumour = np.column_stack([places, places.sum(axis=1)]) + random.normal(0, 0.05, size=(patients, 3))
    return pd.DataFrame(tumour, index=names, columns=["a", "b", "c"]), pd.DataFrame(apart, index=names, columns=names)


def test_patients_alike_in_the_tumour_and_in_the_stool_are_found_so():
    tumour, stool = study()
    told = procrustes_table(feature_rows(tumour, "tumour", "rna_counts"), distance_rows(stool), contrast=["pre"])
    (row,) = told.to_dict("records")
    assert (row["compartment_a"], row["assay_a"]) == ("faecal", "communities")
    assert (row["compartment_b"], row["assay_b"]) == ("tumour", "rna_counts")
    assert (row["n_patients"], row["p_total"]) == (7, 5040)
    assert row["correlation"] > 0.95
    assert row["p_value"] < 0.001
    whole = (tumour - tumour.mean()) / tumour.std()
    left, sizes, _ = np.linalg.svd(whole.to_numpy(), full_matrices=False)
    m2 = procrustes(principal_axes(stool.to_numpy()), left[:, :2] * sizes[:2])[2]
    assert row["sum_of_squares"] == pytest.approx(m2, abs=1e-12)


def test_only_patients_with_both_are_drawn():
    """Others move neither map: leaving them out of the tables changes nothing."""
    tumour, stool = study(9)
    few = stool.index[:6]
    part = procrustes_table(
        feature_rows(tumour, "tumour", "rna_counts"), distance_rows(stool.loc[few, few]), contrast=["pre"]
    )
    own = procrustes_table(
        feature_rows(tumour.loc[few], "tumour", "rna_counts"), distance_rows(stool.loc[few, few]), contrast=["pre"]
    )
    pd.testing.assert_frame_equal(part, own)
    assert part["n_patients"].tolist() == [6]


def test_a_gap_costs_its_patient_or_its_feature_never_all():
    tumour, stool = study(10)
    whole = procrustes_table(feature_rows(tumour, "tumour", "rna_counts"), distance_rows(stool), contrast=["pre"])
    gaps = tumour.assign(rare=[1.0, 5.0, *[np.nan] * 8])
    gaps.loc["P3"] = np.nan
    gaps.loc["P4", "a"] = np.nan
    told = procrustes_table(feature_rows(gaps, "tumour", "rna_counts"), distance_rows(stool), contrast=["pre"])
    assert (whole["n_patients"].item(), told["n_patients"].item()) == (10, 8)
    assert told["correlation"].item() > 0.9


def test_the_order_of_patients_features_and_distances_plays_no_part():
    tumour, stool = study(6)
    told = procrustes_table(feature_rows(tumour, "tumour", "rna_counts"), distance_rows(stool), contrast=["pre"])
    turned = procrustes_table(
        feature_rows(tumour.iloc[::-1, ::-1], "tumour", "rna_counts").sample(frac=1, random_state=1),
        distance_rows(stool.iloc[::-1, ::-1]),
        contrast=["pre"],
    )
    pd.testing.assert_frame_equal(told, turned, rtol=1e-9)


def test_every_two_compartments_at_each_timepoint_and_no_compartment_with_itself():
    tumour, stool = study(6)
    blood = tumour**2
    features = pd.concat(
        feature_rows(values.rename(columns=lambda name, c=compartment: f"{c}.{name}"), compartment, assay, time)
        for values, compartment, assay in (
            (tumour, "tumour", "rna_counts"),
            (blood, "blood", "flow"),
            (blood + 1, "blood", "proteins"),
            (tumour, "faecal", "taxa_counts"),
        )
        for time in ("pre", "post")
    )
    features["feature"] = features["assay"] + features["feature"]
    told = procrustes_table(features, distance_rows(stool), contrast=["pre", "post"])
    pairs = set(zip(told["assay_a"], told["assay_b"], told["timepoint"], strict=True))
    assert pairs == {
        ("flow", "communities", "pre"),
        ("flow", "rna_counts", "pre"),
        ("proteins", "communities", "pre"),
        ("proteins", "rna_counts", "pre"),
        ("communities", "rna_counts", "pre"),
        ("flow", "rna_counts", "post"),
        ("proteins", "rna_counts", "post"),
    }
    assert told["p_value"].notna().all()


def test_the_stools_go_by_their_first_metric():
    tumour, stool = study(6)
    other = pd.DataFrame(1.0 - np.eye(6), index=stool.index, columns=stool.index)
    both = pd.concat([distance_rows(stool), distance_rows(other, metric="aitchison")])
    features = feature_rows(tumour, "tumour", "rna_counts")
    pd.testing.assert_frame_equal(
        procrustes_table(features, both, contrast=["pre"]),
        procrustes_table(features, distance_rows(stool), contrast=["pre"]),
    )


def test_too_few_patients_and_features_that_do_not_vary_have_a_row_with_the_reason():
    tumour, stool = study(6)
    few = procrustes_table(
        feature_rows(tumour.iloc[:3], "tumour", "rna_counts"), distance_rows(stool), contrast=["pre"]
    )
    assert few["note"].tolist() == ["3 patients with both; 5 are needed"]
    flat = procrustes_table(
        feature_rows(tumour * 0 + 7.1, "tumour", "rna_counts"), distance_rows(stool), contrast=["pre"]
    )
    assert flat["note"].tolist() == ["the patients do not differ in one of the two"]
    assert flat["correlation"].isna().all()


def test_the_step_writes_a_table_even_of_nothing(tmp_path):
    inputs = {"features": tmp_path / "features.parquet", "distances": tmp_path / "distances.parquet"}
    write_table(FEATURES.empty(), inputs["features"])
    write_table(DISTANCES.empty(), inputs["distances"])
    assert procrustes_step(inputs, tmp_path, contrast=["pre", "post"], seed=1) == {"overlays": 0}
    tumour, stool = study(6)
    write_table(feature_rows(tumour, "tumour", "rna_counts"), inputs["features"])
    write_table(distance_rows(stool), inputs["distances"])
    assert procrustes_step(inputs, tmp_path, contrast=["pre", "post"], seed=1) == {"overlays": 1}
    PROCRUSTES.check(read_table(tmp_path / "procrustes.parquet"))
