import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from rabiomarkers.change.courses import course_step, course_table
from rabiomarkers.features.diversity import diversity_of_shares
from rabiomarkers.files import read_table, write_table
from rabiomarkers.stats.mixed import mixed_courses
from rabiomarkers.stats.multiplicity import benjamini_hochberg
from rabiomarkers.tables.changes import COURSES
from rabiomarkers.tables.samples import FEATURES

TIMEPOINTS = ["pre", "week 4", "week 8"]
REFERENCE = (Path(__file__).parents[1] / "reference" / "mixed.csv").read_text()
REAL = {(case["case"], case["statistic"]): case["value"] for case in csv.DictReader(REFERENCE.splitlines())}


def table(rows):
    """FEATURES from (patient, timepoint, compartment, feature, value, unit)."""
    frame = pd.DataFrame(rows, columns=["patient_id", "timepoint", "compartment", "feature", "value", "unit"])
    kind = {"assay": "assay", "method": "method", "coverage": 1.0, "cohort_dependent": False, "note": ""}
    return FEATURES.check(frame.assign(sample_id=frame["patient_id"] + "-" + frame["timepoint"], **kind))


def rows_of(feature, values, unit="rank score", compartment="blood", timepoints=TIMEPOINTS):
    """Rows of one feature from patients x timepoints; None where there is no sample."""
    return [
        (f"P{number:02}", timepoint, compartment, feature, value, unit)
        for number, patient in enumerate(values)
        for timepoint, value in zip(timepoints, patient, strict=True)
        if value is not None
    ]


def random_rows(seed=1, patients=7):
    random = np.random.default_rng(seed)
    rows = []
    for compartment, feature, unit in [
        ("blood", "NLR", "ratio"),
        ("blood", "IL6", "pg/mL"),
        ("tumour", "RA", "rank score"),
    ]:
        values = np.exp(random.normal(size=(patients, 3)) + random.normal(size=(patients, 1))).tolist()
        rows += rows_of(feature, values, unit, compartment)
    return rows


def courses(rows, **options):
    told = course_table(table(rows), timepoints=TIMEPOINTS, **options)
    return told.set_index(["compartment", "feature", "timepoint"])


# ---- what it tells ---------------------------------------------------------------------------------------------------


def test_each_later_timepoint_is_set_against_the_first_on_the_scale_of_the_changes():
    values = [(2.0, 8.0, 4.0), (1.0, 2.0, 8.0), (4.0, 8.0, 4.0), (2.0, 2.0, 16.0)]
    told = course_table(table(rows_of("NLR", values, "ratio")), timepoints=TIMEPOINTS)
    assert told["timepoint"].tolist() == ["week 4", "week 8"]
    assert told["reference"].tolist() == ["pre", "pre"]
    assert told["unit"].tolist() == ["log2 ratio"] * 2
    np.testing.assert_allclose(told["estimate"], [1.0, 1.75], rtol=1e-12)  # mean log2 ratios, by hand
    expected = mixed_courses(np.log2(values)[None])
    np.testing.assert_allclose(told["p_value"], expected.p_value[0], rtol=1e-12)
    np.testing.assert_allclose(told["degrees_of_freedom"], 6.0)  # (patients - 1) x (timepoints - 1)
    assert told["tier"].tolist() == ["exploratory"] * 2
    assert told["p_floor"].isna().all()
    COURSES.check(told)


def test_q_corrects_the_one_question_of_each_feature_within_its_compartment():
    told = courses(random_rows())
    one_each = told.groupby(["compartment", "feature"])[["p_any", "q_value"]].agg(["min", "max"])
    for name in ("p_any", "q_value"):
        assert (one_each[name]["min"] == one_each[name]["max"]).all()
    blood = one_each.loc["blood"]
    np.testing.assert_allclose(blood["q_value"]["min"], benjamini_hochberg(blood["p_any"]["min"]))
    alone = one_each.loc["tumour"]
    assert alone["q_value"]["min"].tolist() == alone["p_any"]["min"].tolist()


def test_patients_with_one_sample_are_used_and_those_without_a_value_are_counted():
    values = [(1.0, 2.0, 4.0), (2.0, 5.0, None), (None, 3.0, None), (2.0, None, 9.0), (0.0, 0.0, None), (1.5, 2.5, 3.0)]
    told = courses(rows_of("IL6", values, "pg/mL")).loc[("blood", "IL6")]
    assert told["n_patients"].tolist() == [5, 4]
    assert told["n_pairs"].tolist() == [3, 3]
    assert told["note"].str.contains("1 patient without a usable value", regex=False).all()
    assert told["p_value"].notna().all()


def test_a_timepoint_at_which_a_feature_was_not_measured_says_so():
    values = [(1.0, 2.0, None), (2.0, 5.0, None), (4.0, 3.0, None)]
    told = courses(rows_of("RA", values))
    measured, absent = told.loc[("blood", "RA", "week 4")], told.loc[("blood", "RA", "week 8")]
    assert np.isfinite(measured["p_value"])
    assert measured["p_any"] == pytest.approx(measured["p_value"])
    assert absent[["estimate", "ci_low", "ci_level", "p_value", "degrees_of_freedom"]].isna().all()
    assert (absent["test"], absent["note"]) == ("not tested", "no value at this timepoint")
    assert (absent["n_patients"], absent["n_pairs"]) == (3, 0)


@pytest.mark.parametrize(
    ("values", "note"),
    [
        ([(1.0, 2.0, 3.0)], "one pair: a change needs at least two"),
        ([(None, 2.0, 3.0), (None, 4.0, 1.0)], "no pair"),
        ([(np.nan, np.nan, np.nan)] * 2, "no pair; 2 patients without a usable value"),
        ([(2.0, 2.0, 2.0), (3.0, 3.0, 3.0)], "all differences are zero"),
    ],
)
def test_what_cannot_be_told_is_empty_with_its_reason(values, note):
    told = courses(rows_of("RA", values))
    assert told["note"].tolist() == [note] * 2
    assert told["test"].tolist() == ["not tested"] * 2
    assert told[["estimate", "ci_low", "ci_high", "ci_level", "p_value", "p_any", "q_value"]].isna().all(axis=None)


def test_values_of_other_timepoints_and_other_units_play_no_part():
    rows = random_rows()
    extra = [("P00", "unscheduled", "blood", "NLR", 50.0, "ratio"), ("P90", "pre", "blood", "NLR", 3.0, "percent")]
    expected, told = courses(rows), courses(rows + extra)
    pd.testing.assert_frame_equal(told.drop(columns="note"), expected.drop(columns="note"))
    assert told.loc[("blood", "NLR"), "note"].tolist() == ["1 patient without a usable value"] * 2


# ---- properties ------------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 1000))
@settings(max_examples=10)
def test_the_order_of_rows_changes_nothing(seed):
    features = table(random_rows(seed))
    shuffled = features.sample(frac=1.0, random_state=seed).reset_index(drop=True)
    told, expected = (course_table(frame, timepoints=TIMEPOINTS) for frame in (shuffled, features))
    pd.testing.assert_frame_equal(told, expected, check_exact=True)


@given(power=st.integers(-6, 6))
@settings(max_examples=10)
def test_another_unit_of_a_concentration_changes_nothing(power):
    features = table([row for row in random_rows() if row[3] == "IL6"])
    told, expected = (
        course_table(frame, timepoints=TIMEPOINTS)
        for frame in (features.assign(value=features["value"] * 10.0**power), features)
    )
    for name in ("estimate", "ci_low", "ci_high", "p_value", "p_any"):
        np.testing.assert_allclose(told[name], expected[name], rtol=1e-7, atol=1e-9)


# ---- the step --------------------------------------------------------------------------------------------------------


def test_the_step_writes_the_table(tmp_path):
    write_table(table(random_rows()), tmp_path / "features.parquet")
    info = course_step({"features": tmp_path / "features.parquet"}, tmp_path, timepoints=TIMEPOINTS)
    assert info == {"timepoints": 3, "features": 3, "rows": 6}
    assert len(COURSES.check(read_table(tmp_path / "courses.parquet"))) == 6


@pytest.mark.parametrize("timepoints", [[], ["pre"], ["pre", "week 4"]])
def test_two_timepoints_have_no_course(tmp_path, timepoints):
    write_table(table(random_rows()), tmp_path / "features.parquet")
    info = course_step({"features": tmp_path / "features.parquet"}, tmp_path, timepoints=timepoints)
    assert info["rows"] == 0
    assert COURSES.check(read_table(tmp_path / "courses.parquet")).empty


def test_no_feature_has_no_course():
    assert course_table(FEATURES.empty(), timepoints=TIMEPOINTS).empty


# ---- public data against lmerTest ------------------------------------------------------------------------------------


def real(case, statistic):
    return np.array([float(part) for part in REAL[case, statistic].split()])


def check_against_lmertest(rows, timepoints, case):
    frame = pd.DataFrame(rows, columns=["patient", "timepoint", "compartment", "feature", "value", "unit"])
    wide = frame.pivot(index="patient", columns="timepoint", values="value")[timepoints].to_numpy()
    same = mixed_courses(wide[None], freedom="satterthwaite")
    columns = (same.estimate, same.standard_error, same.degrees_of_freedom, same.p_value)
    expected = real(case, "contrasts by lmerTest")
    np.testing.assert_allclose(np.concatenate(columns).T.ravel(), expected, rtol=1e-6)
    np.testing.assert_allclose(same.p_any, real(case, "F test by lmerTest"), rtol=1e-6)
    variances = np.r_[same.patient_variance, same.residual_variance]
    np.testing.assert_allclose(variances, real(case, "variances by lme4"), rtol=1e-6)

    told = course_table(table(rows), timepoints=timepoints)  # on at most the degrees of freedom within patients
    estimate, error, freedom, _ = expected.reshape(-1, 4).T
    limited = np.minimum(freedom, real(case, "degrees of freedom within by nlme"))
    np.testing.assert_allclose(told["estimate"], estimate, rtol=1e-6)
    np.testing.assert_allclose(told["degrees_of_freedom"], limited, rtol=1e-6)
    np.testing.assert_allclose(told["p_value"], 2 * student.sf(np.abs(estimate / error), limited), rtol=1e-6)
    np.testing.assert_allclose(told["p_any"], same.p_any[0], rtol=0.01)


@pytest.mark.parametrize("protein", ["OID01216", "OID01276", "OID00471", "OID00525"])
def test_olink_proteins_go_as_lmertest_says(shared_data, protein):
    npx = pd.read_csv(shared_data / "olink_npx1" / "npx_long.csv.gz")
    treated = npx[npx["Subject"].notna() & (npx["Treatment"] == "Treated") & (npx["QC_Warning"] == "Pass")]
    chosen = treated.loc[treated["OlinkID"] == protein, ["Subject", "Time", "NPX"]]
    rows = [(patient, time, "blood", protein, value, "NPX") for patient, time, value in chosen.to_numpy()]
    check_against_lmertest(rows, ["Baseline", "Week.6", "Week.12"], f"olink_npx1 {protein}")


@pytest.mark.parametrize("nationality", ["AAM", "AFR"])
def test_the_diet_swap_goes_as_lmertest_says(shared_data, nationality):
    folder = shared_data / "dietswap_hitchip"
    samples = pd.read_csv(folder / "samples.csv", index_col="sample_id")
    samples = samples[samples["nationality"] == nationality]
    counts = pd.read_csv(folder / "abundance.csv.gz", index_col=0).loc[samples.index]
    shannon = counts.apply(lambda row: diversity_of_shares(row)["shannon"], axis=1)
    rows = [
        (patient, str(time), "faecal", "shannon", value, "nats")
        for patient, time, value in zip(samples["subject"], samples["timepoint"], shannon, strict=True)
    ]
    check_against_lmertest(rows, [str(time) for time in range(1, 7)], f"dietswap_hitchip Shannon {nationality}")
