"""Studies with broken files: what is wrong is told, all of it at once, and nothing else happens."""

import os

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from anndata import AnnData
from scipy import sparse

from rabiomarkers.errors import InputError
from rabiomarkers.files import write_csv
from rabiomarkers.ingest.cells import read_single_cells
from rabiomarkers.ingest.proteins import read_proteins
from rabiomarkers.pipeline import run_study
from rabiomarkers.store import Store
from rabiomarkers.study import check_study, open_study

ALIASES = pd.Series(dtype=str)


def read_cells(path):
    return read_single_cells(path, label="cells.h5ad", sample_ids=["S1"], aliases=ALIASES)


def write_cells(path, matrix=sparse.csr_matrix):
    counts = np.array([[3, 0, 1], [0, 2, 0], [1, 1, 4]], dtype=np.float32)
    AnnData(
        matrix(counts),
        obs=pd.DataFrame(index=["a", "b", "c"]),
        var=pd.DataFrame(index=["CD3E", "CD4", "CD8A"]),
    ).write_h5ad(path)


@pytest.mark.parametrize("matrix", [sparse.csr_matrix, sparse.csc_matrix])
@pytest.mark.parametrize(
    ("part", "at", "value"),
    [("indices", 0, 1_000_000), ("indices", 2, -1), ("indptr", 1, -5), ("indptr", 1, 1_000_000), ("indptr", 0, 1)],
)
def test_a_sparse_matrix_whose_positions_lead_out_of_it_is_told_before_scipy_believes_them(
    tmp_path, matrix, part, at, value
):
    path = tmp_path / "cells.h5ad"
    write_cells(path, matrix)
    assert read_cells(path)["S1"].n_obs == 3
    with h5py.File(path, "a") as file:
        file[f"X/{part}"][at] = value
    with pytest.raises(InputError, match="its positions lead out of it"):
        read_cells(path)


@pytest.mark.parametrize(("part", "value"), [("indices", 77), ("indptr", -1)])
def test_so_is_one_of_10x(tmp_path, part, value):
    path = tmp_path / "cells.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        group["barcodes"] = np.array(["a", "b"], dtype="S1")
        group["data"], group["indices"] = np.array([3, 1, 2]), np.array([0, 2, 1])
        group["indptr"], group["shape"] = np.array([0, 2, 3]), np.array([3, 2])
        for name, values in {
            "id": ["ENSG1", "ENSG2", "ENSG3"],
            "name": ["CD3E", "CD4", "CD8A"],
            "feature_type": ["Gene Expression"] * 3,
            "genome": ["GRCh38"] * 3,
        }.items():
            group[f"features/{name}"] = np.array(values, dtype="S20")
    assert read_cells(path)["S1"].n_obs == 2
    with h5py.File(path, "a") as file:
        file[f"matrix/{part}"][1] = value
    with pytest.raises(InputError, match="its positions lead out of it"):
        read_cells(path)


def test_proteins_tell_of_titles_and_of_cells_at_once(tmp_path):
    path = tmp_path / "proteins.csv"
    path.write_text("sample_id,IL6 [foo],IL8 [pg/mL],IL8 [pg/mL]\nS1,high,QC fail,1\n")
    with pytest.raises(InputError) as error:
        read_proteins(path, label="proteins.csv", sample_ids=["S1", "S2"])
    found = {(problem.row, problem.column): problem.found for problem in error.value.problems}
    assert found[1, "IL6 [foo]"] == "unit 'foo'"
    assert found[1, "IL8"] == "two columns of this analyte"
    assert found[2, "IL6 [foo]"] == "'high'"
    assert found[2, "IL8 [pg/mL]"] == "'QC fail'"
    assert found[None, "S2"].startswith("no row 'S2'")


@pytest.fixture
def stools(tmp_path):
    """A study of two patients' stools that is in order; gives its folder and writes other settings of `stool` into it."""
    samples = [f"{patient}-{time}" for patient in ("P1", "P2") for time in ("pre", "post")]
    counts = {sample: [50, 20 + place, 0] for place, sample in enumerate(samples)}
    pd.DataFrame(counts, index=pd.Index(["A", "B", "C"], name="taxon")).to_csv(tmp_path / "counts.csv")
    (tmp_path / "tree.nwk").write_text("((A:1,B:1):1,C:2);\n")
    (tmp_path / "patients.csv").write_text("patient_id,best_response\nP1,PR\nP2,PD\n")
    rows = [f"{sample},{sample[:2]},{sample[3:]},faecal,taxa_counts,counts.csv,tree.nwk" for sample in samples]
    header = "sample_id,patient_id,timepoint,compartment,assay,path,tree"
    (tmp_path / "samples.csv").write_text("\n".join([header, *rows]) + "\n")

    def write(**stool):
        (tmp_path / "study.yaml").write_text(yaml.safe_dump({"name": "stools", "stool": stool}))
        return tmp_path

    return write


def told(folder):
    return [(problem.file, problem.column, problem.found) for problem in check_study(folder)]


@pytest.mark.parametrize(("key", "words"), [("ranks", ["genus", "genus"]), ("metrics", ["jaccard", "jaccard"])])
def test_what_is_asked_twice_of_stool_is_told_before_it_breaks_a_table(stools, key, words):
    assert told(stools(**{key: words[:1]})) == []
    assert told(stools(**{key: words})) == [("study.yaml", f"stool.{key}", f"{words[0]} more than once")]


def test_unifrac_is_not_asked_of_stools_without_a_tree(stools):
    folder = stools(metrics=["weighted_unifrac", "jaccard"])
    assert told(folder) == []
    sheet = (folder / "samples.csv").read_text()
    one_left = sheet.replace(",tree.nwk", ",", 3)
    (folder / "samples.csv").write_text(one_left)
    assert told(folder) == []
    (folder / "samples.csv").write_text(sheet.replace(",tree.nwk", ","))
    assert told(folder) == [("study.yaml", "stool.metrics", "weighted_unifrac, but no stool has a tree")]
    assert told(stools(metrics=["jaccard"])) == []


def test_the_table_its_tree_and_its_lineages_are_told_together(stools):
    folder = stools()
    (folder / "counts.csv").write_text("taxon,P1-pre,P1-post,P2-pre,P2-post\nA,5,-3,2,1\nB,1.5,2,3,4\nD,1,1,1,1\n")
    (folder / "taxonomy.csv").write_text("taxon,lineage\nA,k__Bacteria\nA,k__Archaea\n")
    sheet = pd.read_csv(folder / "samples.csv").assign(taxonomy="taxonomy.csv")
    sheet.to_csv(folder / "samples.csv", index=False)
    found = " / ".join(what for _, _, what in told(folder))
    for words in ("-3", "not whole", "'A' a second time", "no tip for 1 of 3 taxa"):
        assert words in found


def test_a_run_tells_of_the_named_files_before_it_computes(stools, tmp_path):
    folder = stools(blanks="blanks.csv")
    (folder / "blanks.csv").write_text("taxon,b1\nA,-1\n")
    (folder / "counts.csv").write_text("taxon,P1-pre,P1-post,P2-pre,P2-post\nA,-5,3,2,1\nB,1,2,3,4\n")
    store = Store(tmp_path / "store")
    with pytest.raises(InputError) as error:
        run_study(open_study(folder), store, tmp_path / "results")
    assert {problem.file for problem in error.value.problems} == {"blanks.csv", "counts.csv"}
    assert not (tmp_path / "results").exists()


def test_no_hint_leads_to_the_sample_of_another_patient_or_time(stools):
    folder = stools()
    (folder / "counts.csv").write_text("taxon,p1_pre,P1-post,P2-pre,P3-post\nA,5,3,2,1\nB,1,2,3,4\nC,0,0,0,1\n")
    hints = {problem.column: problem.expected for problem in check_study(folder)}
    assert "did you mean 'p1_pre'?" in hints["P1-pre"]
    assert "did you mean" not in hints["P2-post"]


def test_a_pipe_is_not_waited_for(stools):
    folder = stools()
    (folder / "counts.csv").unlink()
    os.mkfifo(folder / "counts.csv")
    assert {found for _, _, found in told(folder)} == {"'counts.csv' is a pipe or a device"}


def test_more_reads_than_a_sequencer_gives_are_told(stools):
    folder = stools()
    (folder / "counts.csv").write_text(f"taxon,P1-pre,P1-post,P2-pre,P2-post\nA,{10**19},3,2,1\nB,1,2,3,4\n")
    ((file, _, found),) = told(folder)
    assert file == "counts.csv"
    assert found == "1e+19 reads"


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        (["P1-pre", "blank-1"], []),
        (["p1_pre", "P1-post"], ["p1_pre, no stool of the sheet"]),
        (["X", "Y"], ["X, Y, no stool of the sheet"]),
    ],
)
def test_reads_of_no_stool_of_the_sheet_are_not_passed_over(stools, ids, found):
    folder = stools(sequencing="reads.csv")
    rows = "".join(f"{name},100,10\n" for name in ids)
    (folder / "reads.csv").write_text(f"sample_id,total_reads,host_reads\n{rows}")
    assert [what for _, _, what in told(folder)] == found


def test_a_taxon_that_begins_with_a_negative_number_is_no_formula_either(tmp_path):
    names = ["-2+cmd|' /C calc'!A0", "-1*HYPERLINK(1)", "-0.5 to 2", "-3"]
    write_csv(pd.DataFrame({"taxon": names}), tmp_path / "taxa.csv")
    cells = pd.read_csv(tmp_path / "taxa.csv")["taxon"].astype(str)
    assert cells.tolist() == [f"'{names[0]}", f"'{names[1]}", *names[2:]]
