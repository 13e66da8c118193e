"""What a study says of its files of genes, from the sheet to the features: ids, units, libraries, references, profiles."""

import numpy as np
import pandas as pd
import pytest
import yaml

from rabiomarkers.knowledge import load_ensembl
from rabiomarkers.pipeline import run_study
from rabiomarkers.results import open_results
from rabiomarkers.schema import config_path
from rabiomarkers.store import Store
from rabiomarkers.study import check_study, open_study

PATIENTS = ("P1", "P2", "P3", "P4")
SHEET = "sample_id,patient_id,timepoint,compartment,assay,path,replicate,batch\n"
CYTOLYTIC = {"ENSG00000145649": "GZMA", "ENSG00000180644": "PRF1"}  # Ensembl's ids of both
SETTINGS = {
    "name": "ids",
    "signatures": ["CYT_ROONEY_2015"],
    "plan": {"primary": ["CYT_ROONEY_2015"], "secondary": []},
    "expression": {"minimum_library_size": 1000, "minimum_genes": 100, "methods": ["rank"]},
    "change": {"flips": 20},
    "composition": {"draws": 20},
    "prediction": {"bootstraps": 50, "simulations": 10},
}


def matrix(seed=1) -> pd.DataFrame:
    """Ensembl ids x samples, four patients before and after, and second libraries of P1 before treatment."""
    rng = np.random.default_rng(seed)
    ids = [*load_ensembl(config_path("signatures/ensembl_genes.csv")).index[:400], *CYTOLYTIC]
    names = [f"{patient}-{time}" for patient in PATIENTS for time in ("pre", "post")] + ["P1-pre-2", "P1-pre-3"]
    counts = rng.negative_binomial(2, 0.01, (len(ids), len(names)))
    return pd.DataFrame(counts, index=pd.Index(ids, name="gene_id"), columns=names)


def study(folder, counts, *, assay="rna_counts", **expression):
    folder.mkdir()
    counts.to_csv(folder / "genes.csv")
    rows = []
    for name in counts.columns:
        patient, timepoint, *library = name.split("-")
        rows.append(f"{name},{patient},{timepoint},tumour,{assay},genes.csv,{library[0] if library else 1},one\n")
    (folder / "samples.csv").write_text(SHEET + "".join(rows))
    (folder / "patients.csv").write_text("patient_id,best_response\n" + "".join(f"{name},SD\n" for name in PATIENTS))
    told = SETTINGS | {"expression": SETTINGS["expression"] | expression}
    (folder / "study.yaml").write_text(yaml.safe_dump(told))
    return folder


def results_of(folder):
    assert check_study(folder) == []
    run_study(open_study(folder), Store(folder.parent / "store"), folder.parent / "results")
    return open_results(folder.parent / "results")


def value(results, sample, feature):
    table = results.features.set_index(["sample_id", "feature"])["value"]
    return table[sample, feature]


def test_ensembl_ids_are_read_and_libraries_added_up(tmp_path):
    counts = matrix()
    results = results_of(study(tmp_path / "study", counts, replicates="sum", methods=["rank", "mean"]))
    added = counts[["P1-pre", "P1-pre-2", "P1-pre-3"]].sum(axis=1)
    by_hand = np.log2(added / added.sum() * 1e6 + 1).loc[list(CYTOLYTIC)].mean()
    assert value(results, "P1-pre", "CYT_ROONEY_2015:mean") == pytest.approx(by_hand, rel=1e-12)
    sizes = results.qc[results.qc["measure"] == "library_size"].set_index("sample_id")["value"]
    assert sizes["P1-pre"] == added.sum()
    assert "P1-pre-2" not in sizes.index
    ledger = results.ledger.set_index("sample_id")
    assert ledger.loc["P1-pre-3", "reason"] == "second library of P1-pre; put together with P1-pre"
    assert ledger.loc["P1-pre", "status"] == "used"


def test_without_the_setting_only_the_first_library_counts(tmp_path):
    counts = matrix()
    results = results_of(study(tmp_path / "study", counts))
    sizes = results.qc[results.qc["measure"] == "library_size"].set_index("sample_id")["value"]
    assert sizes["P1-pre"] == counts["P1-pre"].sum()
    assert results.ledger.set_index("sample_id").loc["P1-pre-2", "reason"] == "second library of P1-pre"


def test_fpkm_give_the_context_and_the_shares_of_their_tpm(tmp_path):
    fpkm = matrix().drop(columns=["P1-pre-2", "P1-pre-3"]) * 0.93
    folder = study(
        tmp_path / "study", fpkm, assay="rna_tpm", tpm_files="fpkm", profile="profile.csv", methods=["rank", "authors"]
    )
    symbols = load_ensembl(config_path("signatures/ensembl_genes.csv")).reindex(fpkm.index).to_numpy()
    pure = pd.DataFrame({"gene": symbols, "T": fpkm["P1-pre"].to_numpy(), "B": fpkm["P2-pre"].to_numpy()})
    pure.drop_duplicates("gene").to_csv(folder / "profile.csv", index=False)
    results = results_of(folder)
    tpm = fpkm / fpkm.sum() * 1e6
    by_hand = np.exp(
        np.log(tpm.loc[list(CYTOLYTIC), "P3-post"] + 0.01).mean()
    )  # Rooney 2015: geometric mean, offset 0.01
    assert value(results, "P3-post", "CYT_ROONEY_2015:authors") == pytest.approx(by_hand, rel=1e-9)
    assert value(results, "P1-pre", "nnls_T") == pytest.approx(1, abs=1e-6)
    assert value(results, "P2-pre", "nnls_B") == pytest.approx(1, abs=1e-6)


def test_every_fault_of_the_named_files_is_told_by_check(tmp_path):
    folder = study(
        tmp_path / "study",
        matrix(),
        gene_names="names.csv",
        reference="reference.csv",
        methods=["rank", "z"],
        profile="profile.csv",
    )
    assert {problem.column for problem in check_study(folder)} == {
        "expression.gene_names",
        "expression.reference",
        "expression.profile",
    }
    (folder / "names.csv").write_text("gene_id,symbol\nENSG1,A\nENSG1,B\n")
    (folder / "reference.csv").write_text("gene,mean\nCD8A,1\n")
    (folder / "profile.csv").write_text("gene,T\nCD8A,100\n")
    told = {problem.file for problem in check_study(folder)}
    assert told == {"names.csv", "reference.csv", "profile.csv"}


def test_a_matrix_of_logarithms_is_refused_until_it_is_declared(tmp_path):
    counts = matrix().drop(columns=["P1-pre-2", "P1-pre-3"])
    logs = np.log2(counts / counts.sum() * 1e6 + 1)
    folder = study(tmp_path / "study", logs, assay="rna_tpm")
    assert "tpm_files: log2_tpm" in check_study(folder)[0].remedy
    told = yaml.safe_load((folder / "study.yaml").read_text())
    told["expression"]["tpm_files"] = "log2_tpm"
    (folder / "study.yaml").write_text(yaml.safe_dump(told))
    assert check_study(folder) == []
