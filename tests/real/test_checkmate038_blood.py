"""Serum sPD-L1 of CheckMate 038, its values above quantification flagged by the laboratory: the published medians."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.change.pairs import paired_deltas
from rabiomarkers.change.table import change_table
from rabiomarkers.features.proteins import protein_features, protein_step
from rabiomarkers.features.tidy import failed_samples
from rabiomarkers.files import read_table
from rabiomarkers.ingest.proteins import split_proteins
from rabiomarkers.tables.samples import FEATURES, SAMPLES

TIMEPOINTS = {"pre": "day1", "on": "day29"}
TITLE = "sPD-L1 [pg/ml]"


@pytest.fixture(scope="module")
def study(shared_data, tmp_path_factory):
    """The sheet, and the folder of the pieces."""
    folder = tmp_path_factory.mktemp("serum")
    serum = pd.read_csv(shared_data / "checkmate038_blood" / "soluble_pdl1.csv")
    parts = [
        pd.DataFrame(
            {
                "sample_id": serum["subject_id"] + f"-{timepoint}",
                "patient_id": serum["subject_id"],
                "timepoint": timepoint,
                TITLE: serum[f"spdl1_pg_ml_{day}"],
                "sPD-L1 flag": serum[f"uloq_flag_{day}"].map({1.0: "ULOQ"}),
            }
        )
        for timepoint, day in TIMEPOINTS.items()
    ]
    rows = pd.concat(parts).dropna(subset=TITLE)
    rows[["sample_id", TITLE, "sPD-L1 flag"]].to_csv(folder / "spdl1.csv", index=False)
    fixed = {"compartment": "blood", "assay": "proteins", "path": "spdl1.csv", "batch": "all", "replicate": 1}
    samples = SAMPLES.check(rows.assign(**fixed).reindex(columns=list(SAMPLES.columns)))
    split_proteins({"matrix": folder / "spdl1.csv"}, folder, label="spdl1.csv", sample_ids=list(samples["sample_id"]))

    return samples, folder


@pytest.fixture(scope="module")
def quantified(study):
    """The features of all samples as the pipeline takes them by default: values above quantification left out, log2."""
    samples, folder = study
    parts = [
        protein_features(read_table(folder / f"{sample}.parquet"), scale="log2").assign(sample_id=sample)
        for sample in samples["sample_id"]
    ]
    identity = samples[["sample_id", "patient_id", "timepoint", "compartment", "assay"]]
    return FEATURES.check(pd.concat(parts).merge(identity))


def test_the_published_change_over_63_pairs(quantified):
    """+175 pg/ml over the 63 pairs without values above quantification (published); mean log2 change +0.125 (README).

    The README's Wilcoxon p of 1.6e-4 is the normal approximation; the exact one is 1.0287e-4 (scipy 1.18, method="exact").
    """
    assert set(quantified["unit"]) == {"log2 pg/mL"}
    deltas = paired_deltas(quantified, contrast=list(TIMEPOINTS))
    assert len(deltas) == 63
    before, after = np.exp2(deltas["before"]), np.exp2(deltas["after"])
    assert (after - before).median() == pytest.approx(175, abs=1)
    assert deltas["change"].mean() == pytest.approx(0.125, abs=0.0005)
    assert change_table(deltas).loc[0, "p_value"] == pytest.approx(1.0287e-4, rel=1e-4)


def test_samples_above_quantification_have_no_value_and_say_why(quantified):
    lost = quantified[quantified["value"].isna()]
    assert lost["timepoint"].value_counts().to_dict() == {"pre": 6, "on": 6}
    assert set(lost["note"]) == {"above the upper limit of quantification"}


def test_a_sample_of_which_nothing_can_be_used_fails_with_its_reason(study, quantified, tmp_path):
    _, folder = study
    sample = quantified.loc[quantified["value"].isna(), "sample_id"].iloc[0]
    protein_step({"sample": folder / f"{sample}.parquet"}, tmp_path, scale="log2")
    failed = failed_samples(read_table(tmp_path / "qc.parquet").assign(sample_id=sample, assay="proteins"))
    assert failed["reason"].tolist() == ["analytes_used 0 analytes, limit >= 1"]


def test_the_published_medians(study):
    """Day 1 2,312, day 29 2,361 pg/ml, of all samples: those above quantification count as high."""
    samples, folder = study
    pieces = pd.concat(
        [read_table(folder / f"{sample}.parquet").assign(sample_id=sample) for sample in samples["sample_id"]]
    )
    values = pieces.merge(samples[["sample_id", "timepoint"]])
    assert values["flag"].value_counts().to_dict() == {"": 135, "above_uloq": 12}
    medians = values.groupby("timepoint")["value"].median()
    assert medians["pre"] == pytest.approx(2312, abs=1)
    assert medians["on"] == pytest.approx(2361, abs=1)
