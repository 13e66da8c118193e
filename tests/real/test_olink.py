"""184 synthetic proteins of treated subjects (OlinkAnalyze), Week 6 minus baseline: the facts of the README in the shared data."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.change.pairs import paired_deltas, pairing
from rabiomarkers.change.table import change_table
from rabiomarkers.features.detection import CONFOUNDED, detection_step, detection_table
from rabiomarkers.features.proteins import protein_step
from rabiomarkers.features.tidy import join_features
from rabiomarkers.files import read_table, write_table
from rabiomarkers.ingest.proteins import split_proteins
from rabiomarkers.stats.moderated import moderated_t_many
from rabiomarkers.stats.multiplicity import benjamini_hochberg
from rabiomarkers.stats.paired import sign_flip_many, signed_rank_many
from rabiomarkers.stats.parametric import paired_t_many
from rabiomarkers.tables.samples import SAMPLES

STRONGEST = "OID01276"


@pytest.fixture(scope="module")
def change(shared_data):
    """NPX (log2), proteins x 23 subjects; samples with QC Pass, without the controls."""
    table = pd.read_csv(shared_data / "olink_npx1" / "npx_long.csv.gz")
    used = table[table["Subject"].notna() & (table["QC_Warning"] == "Pass") & (table["Treatment"] == "Treated")]
    wide = used.pivot(index="OlinkID", columns=["Time", "Subject"], values="NPX")
    return wide["Week.6"] - wide["Baseline"]


def test_the_paired_t_finds_what_the_readme_says(change):
    told = paired_t_many(change).set_index(change.index)
    assert told["n"].value_counts().to_dict() == {22: 92, 23: 92}  # one sample of the second panel has a warning
    assert (told["p_value"] < 0.05).sum() == 17
    assert (benjamini_hochberg(told["p_value"]) <= 0.05).sum() == 2
    assert told["p_value"].idxmin() == STRONGEST
    assert told.loc[STRONGEST, "estimate"] == pytest.approx(4.88, abs=0.005)
    assert told.loc[STRONGEST, "p_value"] == pytest.approx(1.3e-7, rel=0.05)


@pytest.mark.parametrize(
    ("test", "nominal"),
    [(moderated_t_many, 18), (signed_rank_many, 18), (sign_flip_many, 16)],
    ids=["moderated", "rank", "flip"],
)
def test_every_test_calls_the_same_two_proteins(change, test, nominal):
    told = test(change).set_index(change.index)
    q_values = benjamini_hochberg(told["p_value"])
    assert (told["p_value"] < 0.05).sum() == nominal
    assert set(q_values[q_values <= 0.05].index) == {STRONGEST, "OID01248"}


def test_a_shared_variance_adds_three_degrees_of_freedom(change):
    told = moderated_t_many(change).set_index(change.index)
    assert set(told["test"]) == {"moderated t"}
    assert told["prior_degrees_of_freedom"].unique() == pytest.approx([2.87], abs=0.01)
    assert told.loc[STRONGEST, "p_value"] == pytest.approx(3.7e-8, rel=0.02)
    assert told.loc[STRONGEST, "degrees_of_freedom"] == pytest.approx(22 + 2.87, abs=0.01)


@pytest.fixture(scope="module")
def study(shared_data, tmp_path_factory):
    """Baseline and Week 6 of the treated subjects, read and scored by the steps of the pipeline: sheet, folder, joined features."""
    source = shared_data / "olink_npx1" / "npx_long.csv.gz"
    folder = tmp_path_factory.mktemp("olink")
    table = pd.read_csv(source, usecols=["SampleID", "Subject", "Treatment", "Time"]).dropna(subset="Subject")
    used = table[(table["Treatment"] == "Treated") & table["Time"].isin(["Baseline", "Week.6"])].drop_duplicates()
    names = {"SampleID": "sample_id", "Subject": "patient_id", "Time": "timepoint"}
    fixed = {"compartment": "blood", "assay": "proteins", "path": source.name, "batch": "all", "replicate": 1}
    samples = SAMPLES.check(used.rename(columns=names).assign(**fixed).reindex(columns=list(SAMPLES.columns)))
    told = split_proteins({"matrix": source}, folder, label=source.name, sample_ids=list(samples["sample_id"]))
    features, quality = {}, {}
    for sample in samples["sample_id"]:
        out = folder / f"scored-{sample}"
        out.mkdir()
        protein_step({"sample": folder / f"{sample}.parquet"}, out, scale="log2")
        features[sample, "proteins"] = read_table(out / "features.parquet")
        quality[sample, "proteins"] = read_table(out / "qc.parquet")
    return samples, folder, told, join_features(samples, features, quality)


def test_the_pipeline_finds_what_the_readme_says(study, shared_data):
    """17 of 184 nominal, 2 after Benjamini-Hochberg, the strongest OID01276, +4.88, p = 1.3e-7 (README)."""
    *_, joined = study
    assert joined.failed.empty
    deltas = paired_deltas(joined.features, contrast=["Baseline", "Week.6"])
    table = change_table(deltas, exploratory_test="paired_t")
    assert len(table) == 184
    assert set(table["unit"]) == {"NPX"}
    assert (table["p_value"] < 0.05).sum() == 17
    assert (table["q_value"] <= 0.05).sum() == 2
    names = pd.read_csv(shared_data / "olink_npx1" / "npx_long.csv.gz", usecols=["OlinkID", "Assay"]).drop_duplicates()
    strongest = table.sort_values("p_value").iloc[0]
    assert strongest["feature"] == names.set_index("OlinkID").loc[STRONGEST, "Assay"]
    assert strongest["estimate"] == pytest.approx(4.88, abs=0.005)
    assert strongest["p_value"] == pytest.approx(1.3e-7, rel=0.05)


def test_the_warned_panel_of_one_sample_is_left_out_and_the_other_is_not(study):
    *_, joined = study
    measured = pairing(joined.features, contrast=["Baseline", "Week.6"])
    assert measured["n_pairs"].value_counts().to_dict() == {22: 92, 23: 92}
    warned = joined.quality[joined.quality["measure"].str.startswith("warned_share ") & (joined.quality["value"] == 1)]
    assert len(warned) == 1


def test_controls_are_left_out_and_told(study):
    _, _, told, _ = study
    assert told["control_samples"] == 2


def test_what_lies_below_the_limit_is_counted_per_analyte(study, shared_data):
    samples, folder, *_ = study
    inputs = {f"piece:{sample}": folder / f"{sample}.parquet" for sample in samples["sample_id"]}
    write_table(samples, folder / "samples.parquet")
    detection_step({"samples": folder / "samples.parquet", **inputs}, folder)
    table = read_table(folder / "detection.parquet")
    source = pd.read_csv(shared_data / "olink_npx1" / "npx_long.csv.gz")
    own = source[source["SampleID"].isin(set(samples["sample_id"]))]
    expected = (own["NPX"] < own["LOD"]).groupby(own["Assay"]).mean()
    assert table.set_index("analyte")["below_detection_share"].to_dict() == pytest.approx(expected.to_dict())
    assert set(table["plates"]) == {2}


def test_a_plate_that_holds_one_timepoint_is_told(study):
    """The plates of the file hold whole subjects; laid out by timepoint, every analyte bears the warning."""
    samples, folder, *_ = study
    timepoints = samples.set_index("sample_id")["timepoint"]
    pieces = {sample: read_table(folder / f"{sample}.parquet") for sample in samples["sample_id"]}
    as_given = detection_table(samples, pieces)
    laid_out = {sample: piece.assign(plate=timepoints[sample]) for sample, piece in pieces.items()}
    by_timepoint = detection_table(samples, laid_out)
    assert not as_given["note"].str.contains(CONFOUNDED, regex=False).any()
    assert by_timepoint["note"].str.contains(CONFOUNDED, regex=False).all()
    assert np.array_equal(as_given["below_detection_share"], by_timepoint["below_detection_share"])
