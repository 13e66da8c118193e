import numpy as np
import pandas as pd
import pytest

from rabiomarkers.errors import TableError
from rabiomarkers.features.multimodal import features_as_mudata, multimodal_step
from rabiomarkers.files import write_table
from rabiomarkers.tables.samples import FEATURES, SAMPLES
from tests.support.outcomes import whole_outcomes


@pytest.fixture
def samples() -> pd.DataFrame:
    rows = [
        ("T1", "P1", "pre", "tumour", "rna_counts"),
        ("T2", "P2", "pre", "tumour", "rna_counts"),
        ("S1", "P1", "pre", "faecal", "taxa_counts"),
    ]
    named = pd.DataFrame(rows, columns=["sample_id", "patient_id", "timepoint", "compartment", "assay"])
    texts = dict.fromkeys(("tree", "taxonomy", "panel", "gating", "compensation", "exclude"), "")
    return SAMPLES.check(named.assign(path="a.csv", batch="all", collected_day=np.nan, replicate=1, **texts))


@pytest.fixture
def features(samples) -> pd.DataFrame:
    values = [("T1", "A", 0.1), ("T1", "B", 0.2), ("T2", "A", 0.3), ("S1", "A", 4.0)]
    table = pd.DataFrame(values, columns=["sample_id", "feature", "value"]).merge(samples.iloc[:, :5])
    return FEATURES.check(table.assign(unit="rank score", method="rank", coverage=1.0, cohort_dependent=False, note=""))


@pytest.fixture
def outcomes() -> pd.DataFrame:
    table = pd.DataFrame({"patient_id": ["P1", "P2"], "best_response": ["PR", "NE"], "responder": [True, None]})
    return whole_outcomes(table)


def test_each_compartment_and_assay_is_a_modality(features, samples, outcomes):
    study = features_as_mudata(features, samples, outcomes)
    assert sorted(study.mod) == ["faecal_taxa_counts", "tumour_rna_counts"]
    tumour = study["tumour_rna_counts"]
    assert tumour.obs_names.tolist() == ["T1", "T2"]
    assert tumour.var_names.tolist() == ["tumour:A", "tumour:B"]
    assert tumour[:, "tumour:A"].X.ravel().tolist() == [0.1, 0.3]
    assert np.isnan(tumour.X[1, 1])  # T2 has no B


def test_samples_bear_patient_timepoint_and_response(features, samples, outcomes):
    people = features_as_mudata(features, samples, outcomes)["tumour_rna_counts"].obs
    assert people.to_numpy().tolist() == [["P1", "pre", "yes"], ["P2", "pre", "unknown"]]


def test_the_step_writes_the_same_bytes_twice_whatever_the_order_of_rows(features, samples, outcomes, tmp_path):
    import mudata

    for folder, order in (("one", 1), ("two", -1)):
        (tmp_path / folder).mkdir()
        tables = {"features": features[::order], "samples": samples[::order], "outcomes": outcomes[::order]}
        for name, table in tables.items():
            write_table(table, tmp_path / folder / f"{name}.parquet")
        inputs = {name: tmp_path / folder / f"{name}.parquet" for name in tables}
        assert multimodal_step(inputs, tmp_path / folder) == {"modalities": 2}
    assert (tmp_path / "one" / "study.h5mu").read_bytes() == (tmp_path / "two" / "study.h5mu").read_bytes()
    study = mudata.read_h5mu(tmp_path / "one" / "study.h5mu")
    assert study["faecal_taxa_counts"].X.tolist() == [[4.0]]
    assert study["tumour_rna_counts"].obs["responder"].tolist() == ["yes", "unknown"]


def test_without_any_feature_nothing_is_written(samples, outcomes, tmp_path):
    tables = {"features": FEATURES.empty(), "samples": samples, "outcomes": outcomes}
    for name, table in tables.items():
        write_table(table, tmp_path / f"{name}.parquet")
    inputs = {name: tmp_path / f"{name}.parquet" for name in tables}
    (tmp_path / "out").mkdir()
    assert multimodal_step(inputs, tmp_path / "out") == {"modalities": 0}
    assert not list((tmp_path / "out").iterdir())
    with pytest.raises(TableError, match="no sample passed quality control"):
        features_as_mudata(FEATURES.empty(), samples, outcomes)


def test_a_sample_that_is_not_in_the_sheet_is_refused(features, samples, outcomes):
    with pytest.raises(TableError, match="not in the sheet: S1"):
        features_as_mudata(features, samples[:2], outcomes)
