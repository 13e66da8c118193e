"""Ensembl ids, transcripts and units other than TPM: what becomes of them, and what is refused."""

import gzip

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.errors import InputError
from rabiomarkers.files import read_table
from rabiomarkers.ingest.cells import read_single_cells
from rabiomarkers.ingest.expression import read_expression, split_expression
from rabiomarkers.ingest.gene_tables import read_gene_names, read_transcripts
from rabiomarkers.knowledge import load_aliases, load_ensembl, load_markers, load_signatures
from rabiomarkers.schema import config_path

ALIASES = pd.Series({"RARRES3": "PLAAT4"}, name="gene")
NAMES = pd.Series({"ENSG00000095596": "CYP26A1", "ENSG00000133321": "RARRES3", "ENSG00000153563": "CD8A"})
QUANT = "Name\tLength\tEffectiveLength\tTPM\tNumReads\n"
ENSEMBL = config_path("signatures/ensembl_genes.csv")


@pytest.fixture
def write(tmp_path):
    def writer(content, name="counts.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return writer


def read(path, *, assay="rna_counts", sample_ids=("S1",), gene_names=lambda: NAMES, **options):
    pieces = read_expression(
        path,
        label=path.name,
        assay=assay,
        sample_ids=sample_ids,
        aliases=ALIASES,
        gene_names=gene_names,
        **options,
    )
    piece = pieces[sample_ids[0]]
    return dict(zip(piece["gene"], piece["value"], strict=True)), piece.attrs["passport"]


def told(path, **options):
    with pytest.raises(InputError) as raised:
        read(path, **options)
    return " | ".join(map(str, raised.value.problems))


# --- Ensembl ids ----------------------------------------------------------------------------------------------------


def test_ids_become_symbols_with_or_without_a_version_and_then_the_present_symbol(write):
    path = write("gene_id,S1\nENSG00000095596.12,10\nENSG00000133321,5\nENSG00000153563.4,100\n")
    values, passport = read(path)
    assert values == {"CYP26A1": 10, "PLAAT4": 5, "CD8A": 100}
    assert passport["ensembl_translated"] == 3
    assert passport["aliases_resolved"] == 1


def test_an_id_no_table_knows_stays_a_gene_and_is_counted(write):
    path = write("gene_id,S1\nENSG00000095596,10\nENSG00000999998.1,5\nENSG00000999999,7\nENSG00000999997,1\n")
    values, passport = read(path)
    assert values == {"CYP26A1": 10, "ENSG00000999998": 5, "ENSG00000999999": 7, "ENSG00000999997": 1}
    assert (passport["ensembl_translated"], passport["ensembl_unknown"]) == (1, 3)


def test_both_copies_of_a_pseudoautosomal_gene_are_one_gene(write):
    path = write("gene_id,S1\nENSG00000095596.12,10\nENSG00000095596.12_PAR_Y,4\n")
    assert read(path)[0] == {"CYP26A1": 14}


def test_symbols_among_ids_stay(write):
    values, _ = read(write("gene_id,S1\nENSG00000095596,10\nCD8A,3\nENSG00000153563,4\n"))
    assert values == {"CYP26A1": 10, "CD8A": 7}


def test_ids_of_which_no_table_knows_one_are_refused(write):
    path = write("gene_id,S1\nENSG00000999998,5\nENSG00000999999,7\n")
    assert "Ensembl ids in 2 of 2 gene names" in told(path)
    assert "Ensembl ids in 2 of 2 gene names" in told(path, gene_names=None)


def test_ids_of_mice_are_refused(write):
    assert "Ensembl ids in 2 of 2" in told(write("gene_id,S1\nENSMUSG00000024987,5\nENSMUSG00000022853,7\n"))


def test_a_matrix_of_symbols_never_opens_the_table_of_ids(write):
    def never():
        raise AssertionError

    assert read(write("gene,S1\nCYP26A1,10\nCD8A,3\n"), gene_names=never)[1].get("ensembl_translated") is None


@given(st.permutations(list(NAMES.index)), st.lists(st.integers(1, 30), min_size=3, max_size=3))
def test_neither_the_order_of_ids_nor_their_versions_matter(tmp_path_factory, ids, versions):
    path = tmp_path_factory.mktemp("ids") / "counts.csv"
    values = {"ENSG00000095596": 10, "ENSG00000133321": 5, "ENSG00000153563": 100}
    rows = [f"{name}.{version},{values[name]}" for name, version in zip(ids, versions, strict=True)]
    path.write_text("gene_id,S1\n" + "\n".join(rows) + "\n")
    assert read(path)[0] == {"CYP26A1": 10, "PLAAT4": 5, "CD8A": 100}


def test_annotated_files_and_single_cells_have_their_ids_translated_too(tmp_path):
    counts = np.array([[3.0, 1.0, 0.0], [0.0, 2.0, 5.0]], dtype=np.float32)
    var = pd.DataFrame(index=["ENSG00000095596.3", "ENSG00000153563", "ENSG00000999999"])
    path = tmp_path / "cells.h5ad"
    anndata.AnnData(counts, obs=pd.DataFrame(index=["S1", "S2"]), var=var).write_h5ad(path)
    assert read(path)[0] == {"CYP26A1": 3, "CD8A": 1, "ENSG00000999999": 0}
    pieces = read_single_cells(path, label="cells.h5ad", sample_ids=["A"], aliases=ALIASES, ensembl=lambda: NAMES)
    assert list(pieces["A"].var_names) == ["CD8A", "CYP26A1", "ENSG00000999999"]
    assert pieces["A"].uns["passport"]["ensembl_unknown"] == 1


def test_the_table_that_ships_knows_the_genes_of_our_own_tables():
    ensembl = load_ensembl(ENSEMBL)
    aliases = load_aliases(config_path("signatures/gene_aliases.csv"))
    known = {*ensembl, *ensembl.map(aliases).dropna()}
    listed = set(load_signatures(config_path("signatures/gene_signatures.csv"))["gene"])
    marked = set(load_markers(config_path("markers/immune_markers.csv"))["hgnc"]) - {"-"}
    assert listed | marked <= known | {"KIR3DS1"}  # on an alternative haplotype, not in the primary assembly
    assert {"XIST", "RPS4Y1", "DDX3Y", "MT-CO1", "TBP"} <= known
    assert len(ensembl) > 19_000


def test_facts_of_the_table_that_ships():
    """Ensembl's own pages of these genes."""
    ensembl = load_ensembl(ENSEMBL)
    known = {
        "ENSG00000095596": "CYP26A1",
        "ENSG00000141510": "TP53",
        "ENSG00000229807": "XIST",
        "ENSG00000081237": "PTPRC",
    }
    assert {name: ensembl[name] for name in known} == known


# --- tables of the study --------------------------------------------------------------------------------------------


def test_a_table_of_gene_names_is_read_from_every_dialect(write):
    text = "gene_id\tgene_name\nENSG00000095596.12\tCYP26A1\nENSG00000999999\t\n"
    for path in (write(text, "names.tsv"), write(gzip.compress(text.encode()), "names.tsv.gz")):
        assert read_gene_names(path).to_dict() == {"ENSG00000095596": "CYP26A1"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("gene,name\nENSG00000095596,CYP26A1\n", "a column gene_id"),
        ("gene_id,symbol\nENSG00000095596.1,CYP26A1\nENSG00000095596.2,CYP26B1\n", "ENSG00000095596: CYP26A1, CYP26B1"),
        ("gene_id,symbol\nENSG00000095596,\n", "no row with an id and a name"),
    ],
)
def test_a_table_of_gene_names_that_cannot_be_used_is_refused(write, text, found):
    with pytest.raises(InputError, match=found):
        read_gene_names(write(text, "names.csv"))


def test_a_table_of_transcripts_may_name_symbols_or_gene_ids_or_both(write):
    both = "transcript_id,gene_id,gene_name\nENST00000224356.5,ENSG00000095596.12,CYP26A1\nENST2,ENSG00000999999.1,\n"
    assert read_transcripts(write(both, "t.csv")).to_dict() == {
        "ENST00000224356": "CYP26A1",
        "ENST2": "ENSG00000999999.1",
    }
    ids = "transcript_id,gene_id\nENST00000224356.5,ENSG00000095596.12\n"
    assert read_transcripts(write(ids, "t.csv")).to_dict() == {"ENST00000224356": "ENSG00000095596.12"}


def test_a_transcript_of_two_genes_is_refused(write):
    with pytest.raises(InputError, match="1 ids with two genes, such as ENST1: A, B"):
        read_transcripts(write("transcript_id,symbol\nENST1,A\nENST1,B\n", "t.csv"))


# --- salmon ---------------------------------------------------------------------------------------------------------


def quant(write):
    rows = [("ENST00000000001.2", 10), ("ENST00000000002.1", 5), ("ENST00000000003", 7), ("ENST00000000009.1", 2)]
    return write(QUANT + "".join(f"{name}\t900\t700\t{1e6 * n / 24}\t{n}\n" for name, n in rows), "quant.sf")


def test_transcripts_are_summed_to_the_genes_of_the_study_s_table(write):
    genes = pd.Series(
        {"ENST00000000001": "CYP26A1", "ENST00000000002": "CYP26A1", "ENST00000000003": "ENSG00000153563.1"}
    )
    values, passport = read(quant(write), transcripts=genes)
    assert values == {"CYP26A1": 15, "CD8A": 7}
    assert passport["genes_without_symbol"] == 1  # a transcript without a gene: left out and counted
    tpm, _ = read(quant(write), transcripts=genes, assay="rna_tpm", tpm_files="fpkm")  # salmon's own column is TPM
    assert tpm == pytest.approx({"CYP26A1": 625_000, "CD8A": 1e6 * 7 / 24})


def test_a_table_of_another_annotation_is_refused(write):
    found = told(quant(write), transcripts=pd.Series({"ENST00000000001": "CYP26A1"}))
    assert "3 of 4 transcripts that the table of transcripts does not know" in found


def test_transcripts_without_any_table_say_which_setting_is_meant(write):
    assert "expression: transcripts:" in told(quant(write))


# --- units ----------------------------------------------------------------------------------------------------------

FPKM = "gene,S1\nCYP26A1,12.5\nCD8A,50\nGPX4,137.5\n"


def test_fpkm_become_tpm_by_their_sum(write):
    values, passport = read(write(FPKM), assay="rna_tpm", tpm_files="fpkm")
    assert values == pytest.approx({"CYP26A1": 62_500, "CD8A": 250_000, "GPX4": 687_500})
    assert (passport["declared"], passport["file_holds"], passport["seen"]) == ("rna_tpm", "fpkm", "fractional")
    assert passport["done"] == "each sample divided by its sum, times a million"


@given(st.lists(st.floats(0.0, 3e5), min_size=3, max_size=3))
def test_a_logarithm_is_undone_to_the_value_it_was_taken_of(tmp_path_factory, tpm):
    path = tmp_path_factory.mktemp("log") / "tpm.csv"
    rows = [
        f"{gene},{float(np.log2(value + 1))!r}" for gene, value in zip(("CD8A", "CYP26A1", "GPX4"), tpm, strict=True)
    ]
    path.write_text("gene,S1\n" + "\n".join(rows) + "\n")
    values, passport = read(path, assay="rna_tpm", tpm_files="log2_tpm")
    assert list(values.values()) == pytest.approx(tpm, rel=1e-9, abs=1e-9)
    assert passport["done"].startswith("logarithm undone")


@pytest.mark.parametrize(
    ("text", "held", "found"),
    [
        ("gene,S1\nCYP26A1,2.5\nCD8A,5.1\n", "fpkm", "values that look like log2"),
        ("gene,S1\nCYP26A1,20000\nCD8A,51000\n", "fpkm", "whole numbers, so counts"),
        ("gene,S1\nCYP26A1,-2.5\nCD8A,510\n", "fpkm", "zero or more"),
        (FPKM, "log2_tpm", r"values that are no log2\(TPM \+ 1\)"),
        ("gene,S1\nCYP26A1,-2.5\nCD8A,5.1\n", "log2_tpm", r"values that are no log2\(TPM \+ 1\)"),
        ("gene,S1\nCYP26A1,21.5\nCD8A,5.1\n", "log2_tpm", "sum to more than a million"),
        ("gene,S1\nCYP26A1,NA\nCD8A,5.1\n", "log2_tpm", "a number"),
        ("gene,S1\nCYP26A1,2.5\nCD8A,5.1\n", "tpm", "tpm_files: log2_tpm"),
        ("gene,S1\nCYP26A1,2000000.5\nCD8A,5.1\n", "tpm", "tpm_files: fpkm"),
    ],
)
def test_a_file_that_does_not_hold_what_is_said_is_refused(write, text, held, found):
    with pytest.raises(InputError, match=found):
        read(write(text), assay="rna_tpm", tpm_files=held)


@pytest.mark.parametrize("logarithm", [np.log1p, lambda tpm: np.log10(tpm + 1)])
def test_logarithms_of_another_base_are_told_where_the_whole_transcriptome_is_there(write, logarithm):
    tpm = np.random.default_rng(1).lognormal(0.5, 2.2, 12_000)
    tpm *= 1e6 / tpm.sum()

    def table(values):
        return write("gene,S1\nPLAAT4,0\n" + "".join(f"AB{at},{value!r}\n" for at, value in enumerate(values.tolist())))

    assert "natural logarithms" in told(table(logarithm(tpm)), assay="rna_tpm", tpm_files="log2_tpm")
    _, passport = read(table(np.log2(tpm + 1)), assay="rna_tpm", tpm_files="log2_tpm")
    assert (passport["declared"], passport["file_holds"], passport["seen"]) == ("rna_tpm", "log2_tpm", "log")


def test_a_sample_of_zeros_stays_zero_and_is_judged_by_its_quality(write):
    path = write("gene,S1,S2\nCYP26A1,0,12.5\nCD8A,0,100\n")
    assert read(path, assay="rna_tpm", tpm_files="fpkm", sample_ids=("S1", "S2"))[0] == {"CYP26A1": 0, "CD8A": 0}
    assert read(path, assay="rna_tpm", tpm_files="log2_tpm", sample_ids=("S1",))[0] == {"CYP26A1": 0, "CD8A": 0}


def test_the_declaration_of_tpm_files_says_nothing_of_counts(write):
    assert read(write("gene,S1\nCYP26A1,10\nCD8A,3\n"), tpm_files="log2_tpm")[0] == {"CYP26A1": 10, "CD8A": 3}


def test_the_step_takes_the_study_s_own_tables(write, tmp_path):
    own = write("gene_id,symbol\nENSG00000999999,CD8A\nENSG00000999998,CYP26A1\n", "own.csv")
    matrix = write("gene_id,S1\nENSG00000999999.2,4\nENSG00000999998,5\n")
    inputs = {"matrix": matrix, "aliases": config_path("signatures/gene_aliases.csv"), "ensembl": ENSEMBL}
    options = {"label": "counts.csv", "assay": "rna_counts", "sample_ids": ["S1"], "annotation": "GENCODE 48"}
    with pytest.raises(InputError, match="Ensembl ids"):
        split_expression(inputs, tmp_path, **options)
    info = split_expression(inputs | {"gene_names": own}, tmp_path, **options)
    assert info["ensembl_translated"] == 2
    assert read_table(tmp_path / "S1.parquet")["gene"].tolist() == ["CD8A", "CYP26A1"]
