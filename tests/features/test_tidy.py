import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.errors import TableError
from rabiomarkers.features.tidy import failed_samples, join_features, join_step
from rabiomarkers.files import read_table, write_table
from rabiomarkers.tables.samples import SAMPLE_FEATURES, SAMPLE_QC, SAMPLES


def sheet(*rows: tuple[str, str, str, str, str]) -> pd.DataFrame:
    """Rows of sample_id, patient_id, timepoint, compartment, assay."""
    named = pd.DataFrame(rows, columns=["sample_id", "patient_id", "timepoint", "compartment", "assay"])
    texts = dict.fromkeys(("tree", "taxonomy", "panel", "gating", "compensation", "exclude"), "")
    return SAMPLES.check(named.assign(path="a.csv", batch="all", collected_day=np.nan, replicate=1, **texts))


def features(**values: float) -> pd.DataFrame:
    table = pd.DataFrame({"feature": list(values), "value": list(values.values())})
    rest = {"unit": "rank score", "method": "rank", "coverage": 1.0, "cohort_dependent": False, "note": ""}
    return SAMPLE_FEATURES.check(table.assign(**rest))


def quality(*rows: tuple[str, float, str, str, bool]) -> pd.DataFrame:
    return SAMPLE_QC.check(pd.DataFrame(rows, columns=list(SAMPLE_QC.columns)))


GOOD = quality(("library_size", 2e6, "reads", ">= 1000000", True))
BAD = quality(
    ("library_size", 2e5, "reads", ">= 1000000", False),
    ("genes_detected", 900, "genes", ">= 5000", False),
    ("y_chromosome_log2cpm", 0.5, "log2 CPM", "", True),
)
TWO = sheet(("T1", "P1", "pre", "tumour", "rna_counts"), ("T2", "P1", "post", "tumour", "rna_counts"))


def key(sample_id: str, assay: str = "rna_counts") -> tuple[str, str]:
    return sample_id, assay


def test_features_get_the_identity_of_their_sample_and_are_sorted():
    joined = join_features(
        TWO, {key("T2"): features(B=2, A=1), key("T1"): features(A=3)}, {key("T2"): GOOD, key("T1"): GOOD}
    )
    rows = joined.features[["sample_id", "patient_id", "timepoint", "feature", "value"]].to_numpy().tolist()
    assert rows == [["T2", "P1", "post", "A", 1.0], ["T2", "P1", "post", "B", 2.0], ["T1", "P1", "pre", "A", 3.0]]
    assert joined.failed.empty
    assert joined.quality["sample_id"].tolist() == ["T1", "T2"]


def test_a_sample_that_failed_is_named_with_its_reason_and_has_no_features():
    joined = join_features(TWO, {key("T1"): features(A=1), key("T2"): features(A=2)}, {key("T1"): BAD, key("T2"): GOOD})
    assert joined.features["sample_id"].tolist() == ["T2"]
    reason = "genes_detected 900 genes, limit >= 5000; library_size 200000 reads, limit >= 1000000"
    assert joined.failed.to_numpy().tolist() == [["T1", "rna_counts", reason]]
    assert set(joined.quality["sample_id"]) == {"T1", "T2"}
    assert joined.flagged[["sample_id", "feature", "value"]].to_numpy().tolist() == [["T1", "A", 1.0]]
    assert joined.flagged.dtypes.equals(joined.features.dtypes)


def test_a_measure_without_a_value_fails_in_words():
    measures = quality(("reads", np.nan, "reads", ">= 10", False)).assign(sample_id="S", assay="taxa_counts")
    assert failed_samples(measures)["reason"].tolist() == ["reads not measured, limit >= 10"]


def test_the_same_name_in_two_assays_of_a_compartment_is_told_apart_everywhere():
    samples = sheet(
        ("T1", "P1", "pre", "tumour", "rna_counts"),
        ("T1", "P1", "pre", "tumour", "rna_tpm"),
        ("T2", "P2", "pre", "tumour", "rna_counts"),
        ("B1", "P1", "pre", "blood", "rna_counts"),
    )
    tables = {
        key("T1"): features(A=1, B=2),
        key("T1", "rna_tpm"): features(A=3),
        key("T2"): features(A=4),
        key("B1"): features(A=5),
    }
    joined = join_features(samples, tables, dict.fromkeys(tables, GOOD))
    named = joined.features.set_index(["sample_id", "assay", "feature"])["value"].to_dict()
    assert named == {
        ("B1", "rna_counts", "A"): 5.0,
        ("T1", "rna_counts", "A@rna_counts"): 1.0,
        ("T1", "rna_tpm", "A@rna_tpm"): 3.0,
        ("T1", "rna_counts", "B"): 2.0,
        ("T2", "rna_counts", "A@rna_counts"): 4.0,
    }


def test_names_do_not_depend_on_which_samples_pass():
    samples = sheet(("T1", "P1", "pre", "tumour", "rna_counts"), ("T1", "P1", "pre", "tumour", "rna_tpm"))
    tables = {key("T1"): features(A=1), key("T1", "rna_tpm"): features(A=3)}
    joined = join_features(samples, tables, {key("T1"): GOOD, key("T1", "rna_tpm"): BAD})
    assert joined.features["feature"].tolist() == ["A@rna_counts"]
    assert joined.flagged["feature"].tolist() == ["A@rna_tpm"]


def test_a_failed_library_stands_back_behind_one_that_passed_and_the_second_behind_the_first():
    samples = sheet(
        ("T1", "P1", "pre", "tumour", "rna_counts"),
        ("T1b", "P1", "pre", "tumour", "rna_counts"),
        ("T2", "P1", "post", "tumour", "rna_counts"),
        ("T2b", "P1", "post", "tumour", "rna_counts"),
    )
    tables = {
        key("T1"): features(A=1),
        key("T1b"): features(A=2, B=3),
        key("T2"): features(A=4),
        key("T2b"): features(A=5),
    }
    joined = join_features(samples, tables, dict.fromkeys(tables, BAD) | {key("T1"): GOOD})
    assert joined.features[["sample_id", "feature"]].to_numpy().tolist() == [["T1", "A"]]
    assert joined.flagged[["sample_id", "feature"]].to_numpy().tolist() == [["T2", "A"], ["T1b", "B"]]


@settings(max_examples=8, deadline=None)
@given(st.permutations(range(4)), st.permutations(range(4)))
def test_the_order_of_rows_and_samples_plays_no_part(of_sheet, of_tables):
    samples = sheet(*[(f"T{n}", f"P{n}", "pre", "tumour", "rna_counts") for n in range(4)])
    straight = {key(f"T{n}"): features(A=n, B=-n) for n in range(4)}
    mixed = {key(f"T{n}"): straight[key(f"T{n}")][::-1] for n in of_tables}
    checks = {key(f"T{n}"): BAD if n == 2 else GOOD for n in range(4)}
    first = join_features(samples, straight, checks)
    second = join_features(samples.iloc[list(of_sheet)], mixed, {sample: checks[sample][::-1] for sample in mixed})
    pd.testing.assert_frame_equal(second.features, first.features)
    pd.testing.assert_frame_equal(second.quality, first.quality)
    pd.testing.assert_frame_equal(second.failed, first.failed)
    pd.testing.assert_frame_equal(second.flagged, first.flagged)


def test_no_sample_gives_empty_tables():
    joined = join_features(TWO, {}, {})
    assert joined.features.empty
    assert joined.quality.empty
    assert joined.failed.columns.tolist() == ["sample_id", "assay", "reason"]
    assert joined.flagged.empty


def test_all_samples_failed_gives_an_empty_features_table():
    joined = join_features(TWO, {key("T1"): features(A=1)}, {key("T1"): BAD})
    assert joined.features.empty
    assert len(joined.failed) == 1
    assert joined.flagged["sample_id"].tolist() == ["T1"]


def test_two_libraries_of_one_sample_are_refused_by_name():
    samples = sheet(("T1", "P1", "pre", "tumour", "rna_counts"), ("T1b", "P1", "pre", "tumour", "rna_counts"))
    tables = {key("T1"): features(A=1), key("T1b"): features(A=2)}
    with pytest.raises(TableError, match=r"same patient, timepoint and assay: T1, T1b\. Give the second library"):
        join_features(samples, tables, dict.fromkeys(tables, GOOD))


def test_samples_that_are_not_in_the_sheet_or_lack_a_table_are_refused():
    with pytest.raises(TableError, match="not in the sheet: X rna_counts"):
        join_features(TWO, {key("X"): features(A=1)}, {key("X"): GOOD})
    with pytest.raises(TableError, match="lack features or quality: T1 rna_counts"):
        join_features(TWO, {key("T1"): features(A=1)}, {})


def test_the_step_finds_samples_by_the_names_of_its_inputs(tmp_path):
    write_table(TWO, tmp_path / "samples.parquet")
    inputs = {"samples": tmp_path / "samples.parquet"}
    for sample, check in (("T1", BAD), ("T2", GOOD)):
        write_table(features(A=1), tmp_path / f"{sample}.f.parquet")
        write_table(check, tmp_path / f"{sample}.q.parquet")
        inputs[f"features:{sample}:rna_counts"] = tmp_path / f"{sample}.f.parquet"
        inputs[f"qc:{sample}:rna_counts"] = tmp_path / f"{sample}.q.parquet"
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        assert join_step(inputs, tmp_path / folder) == {"samples": 2, "failed": 1}
    for name in ("features.parquet", "qc.parquet", "failed.parquet", "flagged.parquet"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert read_table(tmp_path / "one" / "failed.parquet")["sample_id"].tolist() == ["T1"]
    assert read_table(tmp_path / "one" / "flagged.parquet")["sample_id"].tolist() == ["T1"]
