"""Paired changes of single genes against limma (`reference/edger.csv`), and the step that writes them."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.change.genes import gene_change, gene_step, shown_genes
from rabiomarkers.errors import StatisticsError
from rabiomarkers.files import read_table, write_table
from rabiomarkers.schema import config_path
from rabiomarkers.tables.genes import ENRICHMENT, GENE_DELTAS, GENES
from rabiomarkers.tables.samples import SAMPLES
from tests.support.edger import COUNTS, KEPT, numbers

GENE_NAMES = pd.Index([f"G{place:03d}" for place in range(60)])
PATIENTS = [f"P{place}" for place in range(1, 7)]


def timepoints(counts=COUNTS):
    names = GENE_NAMES[: len(counts)]
    return (
        pd.DataFrame(counts[:, :6], index=names, columns=PATIENTS),
        pd.DataFrame(counts[:, 6:], index=names, columns=PATIENTS),
    )


def test_estimate_t_and_p_are_those_of_limma_on_edgers_values():
    genes = gene_change(*timepoints(), scale="counts").genes
    tested = genes[genes["p_value"].notna()]
    assert tested["gene"].tolist() == GENE_NAMES[KEPT].tolist()
    assert tested["estimate"].to_numpy() == pytest.approx(numbers("estimate"), abs=1e-8)
    assert tested["statistic"].to_numpy() == pytest.approx(numbers("t"), rel=1e-8)
    assert tested["p_value"].to_numpy() == pytest.approx(numbers("p"), rel=1e-8)


def test_the_order_of_genes_and_patients_changes_no_bit():
    earlier, later = timepoints()
    genes, patients = list(reversed(GENE_NAMES)), ["P3", "P1", "P6", "P2", "P5", "P4"]
    straight = gene_change(earlier, later, scale="counts")
    mixed = gene_change(earlier.loc[genes, patients], later.loc[genes, patients], scale="counts")
    pd.testing.assert_frame_equal(mixed.genes, straight.genes, check_exact=True)
    pd.testing.assert_frame_equal(mixed.deltas, straight.deltas, check_exact=True)


def test_swapping_the_timepoints_turns_every_sign():
    earlier, later = timepoints()
    forth, back = (gene_change(*pair, scale="counts").genes for pair in ((earlier, later), (later, earlier)))
    assert back["estimate"].to_numpy() == pytest.approx(-forth["estimate"].to_numpy(), nan_ok=True)
    assert back["p_value"].to_numpy() == pytest.approx(forth["p_value"].to_numpy(), nan_ok=True)


def test_named_genes_that_are_counted_too_rarely_say_so():
    change = gene_change(*timepoints(), scale="counts", named=["G058", "G059", "G000"])
    told = change.genes.set_index("gene")
    assert told.loc["G058", "note"] == "counted too rarely to be tested"
    assert np.isnan(told.loc["G058", "p_value"])
    assert told.loc["G000", "p_value"] < 1
    assert change.filtered == int((~KEPT).sum())


def test_two_pairs_are_too_few():
    earlier, later = (frame[["P1", "P2"]] for frame in timepoints())
    change = gene_change(earlier, later, scale="counts", named=["G000"])
    assert change.genes["note"].tolist() == ["2 pairs: genes are tested from 3 on"]
    assert change.deltas.empty


def test_tpm_are_compared_as_they_are():
    earlier, later = timepoints(COUNTS / COUNTS.sum(axis=0) * 1e6)
    change = gene_change(earlier, later, scale="tpm")
    expected = np.log2(later.loc["G003", "P2"] + 1) - np.log2(earlier.loc["G003", "P2"] + 1)
    assert change.deltas.loc["G003", "P2"] == pytest.approx(expected)


def test_the_shown_genes_are_those_of_smallest_p_and_of_the_plan():
    change = gene_change(*timepoints(), scale="counts")
    tested = change.genes.dropna(subset="p_value").sort_values("p_value")["gene"]
    shown = shown_genes(change, {"MINE": [tested.iloc[-1], "ABSENT"]}, 3)
    assert set(shown.loc[shown["chosen"] == "smallest p", "gene"]) == set(tested.head(3))
    assert set(shown.loc[shown["chosen"] == "MINE", "gene"]) == {tested.iloc[-1]}
    assert shown.groupby("gene")["patient_id"].nunique().eq(6).all()


def test_deseq2_agrees_with_the_moderated_t_on_what_changed():
    moderated = gene_change(*timepoints(), scale="counts").genes.set_index("gene")
    counted = gene_change(*timepoints(), scale="counts", test="deseq2").genes.set_index("gene")
    assert set(counted["test"]) == {"DESeq2 Wald test"}
    both = moderated["estimate"].corr(counted["estimate"], method="spearman")
    assert both > 0.95
    changed = [f"G{place:03d}" for place in range(8) if KEPT[place]]
    assert counted.loc[changed, "estimate"].median() == pytest.approx(
        moderated.loc[changed, "estimate"].median(), abs=0.4
    )


def test_deseq2_without_its_package_says_what_to_install(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "pydeseq2.dds", None)
    with pytest.raises(StatisticsError, match=r"install rabiomarkers\[deseq2\]"):
        gene_change(*timepoints(), scale="counts", test="deseq2")


@pytest.fixture
def study(tmp_path):
    """Six patients, both timepoints, a second library of one, a failed sample of another, and a patient without the later one."""
    rows, inputs = [], {"signatures": config_path("signatures/gene_signatures.csv")}
    names = [f"CYP26A{place}" if place in (1,) else f"G{place:03d}" for place in range(60)]
    for column, (timepoint, patient) in enumerate([(time, who) for time in ("pre", "post") for who in PATIENTS]):
        if (timepoint, patient) == ("post", "P6"):
            continue
        sample = f"{patient}-{timepoint}"
        rows.append((sample, patient, timepoint, 1))
        piece = pd.DataFrame({"gene": names, "value": COUNTS[:, column]})
        piece.attrs["passport"] = {"scale": "counts"}
        write_table(piece, tmp_path / f"{sample}.parquet")
        inputs[f"piece:{sample}:rna_counts"] = tmp_path / f"{sample}.parquet"
    sheet = pd.DataFrame(rows, columns=["sample_id", "patient_id", "timepoint", "replicate"])
    absent = dict.fromkeys(("collected_day", "tree", "taxonomy", "panel", "gating", "compensation", "exclude"))
    sheet = sheet.assign(compartment="tumour", assay="rna_counts", path="counts.csv", batch="all", **absent)
    write_table(SAMPLES.check(sheet.astype({"collected_day": "float64"})), tmp_path / "samples.parquet")
    failed = pd.DataFrame({"sample_id": ["P5-pre"], "assay": ["rna_counts"], "reason": ["poor"]})
    write_table(failed, tmp_path / "failed.parquet")
    return {**inputs, "samples": tmp_path / "samples.parquet", "failed": tmp_path / "failed.parquet"}


def test_the_step_takes_complete_pairs_that_passed_and_writes_what_it_promises(study, tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        info = gene_step(study, tmp_path / folder, contrast=["pre", "post"], planned=["RA_RESPONSE_CORE"], shown=5)
    assert info["groups"] == 1
    tables = {name: read_table(tmp_path / "one" / f"{name}.parquet") for name in ("genes", "gene_deltas", "enrichment")}
    for table, name in ((GENES, "genes"), (GENE_DELTAS, "gene_deltas"), (ENRICHMENT, "enrichment")):
        table.check(tables[name])
        assert (tmp_path / "one" / f"{name}.parquet").read_bytes() == (
            tmp_path / "two" / f"{name}.parquet"
        ).read_bytes()
    assert tables["genes"]["n_pairs"].eq(4).all()  # P5 failed before, P6 has no later sample
    assert set(tables["gene_deltas"]["patient_id"]) == {"P1", "P2", "P3", "P4"}
    assert tables["enrichment"]["note"].notna().all()  # no signature is among these genes


def test_a_study_without_bulk_rna_has_empty_tables(study, tmp_path):
    few = {name: path for name, path in study.items() if not name.startswith("piece:")}
    info = gene_step(few, tmp_path, contrast=["pre", "post"])
    assert info == {"groups": 0, "tested": 0, "not_tested": 0}
    assert read_table(tmp_path / "genes.parquet").empty
