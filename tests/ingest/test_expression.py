"""Expression matrices: what is read, what is refused and why."""

import gzip
from pathlib import Path
from time import perf_counter

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.errors import InputError
from rabiomarkers.files import read_table
from rabiomarkers.ingest.expression import read_expression, split_expression

ALIASES = pd.Series({"RARRES3": "PLAAT4", "CTGF": "CCN2"}, name="gene")
SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"
COUNTS = "gene,S1,S2\nCYP26A1,10,0\nRARRES3,5,7\nPLAAT4,1,2\nCD8A,100,300\n"


@pytest.fixture
def write(tmp_path):
    def writer(content, name="counts.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return writer


def read(path, *, assay="rna_counts", sample_ids=("S1", "S2")):
    return read_expression(path, label=path.name, assay=assay, sample_ids=sample_ids, aliases=ALIASES)


def problems_of(path, **options):
    with pytest.raises(InputError) as raised:
        read(path, **options)
    return raised.value.problems


def test_aliases_become_symbols_and_one_gene_is_summed(write):
    pieces = read(write(COUNTS))
    assert pieces["S1"]["gene"].to_list() == ["CD8A", "CYP26A1", "PLAAT4"]
    assert pieces["S1"]["value"].to_list() == [100, 10, 6]
    assert pieces["S2"]["value"].to_list() == [300, 0, 9]
    assert pieces["S1"].attrs["passport"] == {
        "scale": "counts",
        "declared": "rna_counts",
        "annotation": "undeclared",
        "genes": 3,
        "aliases_resolved": 1,
        "genes_without_symbol": 0,
        "repeated_symbols": 1,
        "estimated": False,
        "total": 116.0,
    }


@pytest.mark.parametrize(
    "content",
    [
        COUNTS.replace(",", "\t"),
        COUNTS.replace(",", ";"),
        COUNTS.replace("\n", "\r\n"),
        "\ufeff" + COUNTS + "\n\n",
        gzip.compress(COUNTS.encode(), mtime=0),
        COUNTS.replace("gene,S1,S2", "S1,S2"),  # R leaves the title of its row names out
        '"gene","S1","S2"\n"CYP26A1",10,0\n"RARRES3",5,7\n"PLAAT4",1,2\n"CD8A",100,300\n',
        "entrez_id,symbol,S2,S1,S9\n1,CYP26A1,0,10,x\n2,RARRES3,7,5,x\n3,PLAAT4,2,1,x\n4,CD8A,300,100,x\n5,,9,9,x\n",
        "# made by featureCounts\n" + COUNTS,
    ],
)
def test_the_same_table_is_read_from_every_dialect(write, content):
    pieces = read(write(content))
    expected = read(write(COUNTS, "plain.csv"))
    for sample in ("S1", "S2"):
        assert pieces[sample].equals(expected[sample])


def test_genes_without_a_symbol_are_left_out_and_counted(write):
    pieces = read(write(COUNTS + ",4,4\nNA,1,1\n"))
    assert pieces["S1"].attrs["passport"]["genes_without_symbol"] == 2
    assert len(pieces["S1"]) == 3


def table(names, values=("10", "20")):
    return "gene,S1,S2\n" + "".join(f"{name},{','.join(values)}\n" for name in names)


@pytest.mark.parametrize(
    ("names", "row", "told"),
    [
        (["ENSG00000141510", "ENSG00000153563.12"], 2, "Ensembl ids in 2 of 2 gene names"),
        (["ENST00000311234", "ENST00000311235"], 2, "Ensembl ids"),
        (["7157", "925"], 2, "Entrez or row numbers"),
        (["Cd8a", "Gzmb", "Cyp26a1"], 2, "mouse symbols"),
        (["CD8A", "1-Mar", "2-Sep", "GZMB"], 3, "2 dates among the gene names: 1-Mar, 2-Sep"),
        (["CD8A", "Sep-07"], 3, "dates among the gene names"),
        (["CD8A", "2024-03-01"], 3, "dates among the gene names"),
        (["probe 1", "probe 2", "CD8A"], 2, "2 of 3 gene names that are no symbols"),
        (["", "NA"], None, "no gene names"),
        ([f"GENE{number}" for number in range(120)], 2, "none of 120 gene names is known"),
    ],
)
def test_names_that_are_no_symbols_are_told(write, names, row, told):
    problems = problems_of(write(table(names)))
    assert [problem.row for problem in problems] == [row]
    assert told in str(problems[0])
    assert "HGNC" in problems[0].expected


def test_a_column_of_symbols_saves_a_table_of_ensembl_ids(write):
    pieces = read(write("gene_id,gene_name,S1,S2\nENSG00000153563,CD8A,1,2\n"))
    assert pieces["S1"]["gene"].to_list() == ["CD8A"]


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("-4", "-4; expression: zero or more"),
        ("NA", "'NA'; a number"),
        ("NaN", "'NaN'; a number"),
        ("", "an empty cell; a number"),
        ("inf", "'inf'; a number"),
        ("many", "'many'; a number"),
        ("TRUE", "'TRUE'; a number"),
        ('"1,5"', "write a decimal point, not a comma"),
    ],
)
def test_a_wrong_cell_is_told_with_line_and_sample(write, cell, told):
    problems = problems_of(write(f"gene,S1,S2\nCD8A,1,2\nGZMB,3,{cell}\nPRF1,5,6\n"))
    assert [(problem.row, problem.column) for problem in problems] == [(3, "S2")]
    assert told in str(problems[0])


def test_many_wrong_cells_are_counted_after_the_first_ten(write):
    rows = "".join(f"GENE{number},NA,1\n" for number in range(30))
    problems = problems_of(write(f"gene,S1,S2\nCD8A,1,2\n{rows}"))
    assert len(problems) == 11
    assert "20 more cells" in problems[-1].found


LOGS = "gene,S1,S2\nCD8A,3.25,7.1\nGZMB,0,12.5\nPRF1,9.75,1.5\n"
TPM = "gene,S1,S2\nCD8A,900000.5,10.5\nGZMB,99999.5,999989.5\n"


@pytest.mark.parametrize(
    ("content", "assay", "told"),
    [
        (LOGS, "rna_counts", "values that look like log2 in 2 of 2 samples (S1, S2; S1: 0 to 9.75"),
        (LOGS.replace("3.25", "-3.25"), "rna_counts", "values that look like log2"),
        (LOGS, "rna_tpm", "TPM, not logarithms"),
        (TPM, "rna_counts", "TPM or CPM"),
        (COUNTS, "rna_tpm", "whole numbers, so counts"),
        (COUNTS.replace("300", "3000000.5"), "rna_tpm", "a sum above a million"),
    ],
)
def test_another_scale_than_declared_is_refused(write, content, assay, told):
    problems = problems_of(write(content), assay=assay)
    assert told in "\n".join(map(str, problems))
    assert all(problem.remedy for problem in problems)


def test_tpm_are_read_as_tpm(write):
    pieces = read(write(TPM), assay="rna_tpm")
    assert pieces["S1"].attrs["passport"]["scale"] == "tpm"
    assert pieces["S1"]["value"].to_list() == [900000.5, 99999.5]


def test_estimated_counts_are_accepted_and_marked(write):
    pieces = read(write("gene,S1,S2\nCD8A,1250.5,3\nGZMB,20.25,8\n"))
    assert [pieces[sample].attrs["passport"]["estimated"] for sample in ("S1", "S2")] == [True, False]


def test_a_sample_that_the_matrix_lacks_is_told_with_the_likely_one(write):
    problems = problems_of(write(COUNTS), sample_ids=("S1", "s2", "X"))
    assert [problem.column for problem in problems] == ["X", "s2"]
    assert "did you mean 'S2'?" in str(problems[1])


def test_a_sample_that_stands_twice_is_told(write):
    assert "2 columns of this name" in str(problems_of(write("gene,S1,S1,S2\nCD8A,1,1,2\n"))[0])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "an empty file"),
        (b"\n\n", "an empty file"),
        (gzip.compress(COUNTS.encode(), mtime=0)[:-12], "the gzip data are damaged or break off"),
        (gzip.compress(COUNTS.encode() * 50, mtime=0)[:40], "the gzip data are damaged or break off"),
        (COUNTS.encode()[:-8], "counts.csv:5: 2 fields; 3, as many as the header"),
        (b"gene,S1,S2\n", "no rows below the header"),
        (b"gene\nCD8A\n", "a single column"),
        (b"PK\x03\x04", "an Excel workbook"),
        (b'gene,S1,S2\n"CD8A,1,2\nGZMB",3,4\n', "1 fields; 3"),
        (b'gene,S1,S2\n"CD8A",1,"2\n"GZMB",3,4\n', "a quotation mark that is not closed"),
        (b"gene,S1,S2\n" + b"CD8A,1\n" * 9, "counts.csv: 4 more such lines"),
        (b"gene,S1,S2\nCD8A\x00,1,2\n", "binary data"),
        (b"\x89HDF\r\n\x1a\nrest", "a damaged HDF5 file"),
        (b'gene,S1,S2\n"' + b"C" * 200_000 + b'",1,2\n', "counts.csv:2: a line that cannot be split"),
    ],
)
def test_an_empty_or_broken_file_is_told(write, content, told):
    assert told in "\n".join(map(str, problems_of(write(content))))


def test_a_file_that_is_not_there_is_told(tmp_path):
    assert "no such file" in str(problems_of(tmp_path / "none.csv")[0])
    assert "a folder" in str(problems_of(tmp_path)[0])


def test_every_problem_of_a_file_is_told_at_once(write):
    problems = problems_of(write("gene,S1,S2\n1-Mar,NA,2.5\nCD8A,1,-7.5\n"), sample_ids=("S1", "S2", "S3"))
    told = "\n".join(map(str, problems))
    assert all(part in told for part in ("no column 'S3'", "'NA'", "dates", "log2"))


QUANT = "Name\tLength\tEffectiveLength\tTPM\tNumReads\n"
PIPED = "ENST1.1|ENSG1.2|OTTG|OTTT|CD8A-201|CD8A|900|protein_coding|\t900\t700\t600000\t10.5\n" + (
    "ENST2.1|ENSG1.2|OTTG|OTTT|CD8A-202|CD8A|900|protein_coding|\t900\t700\t400000\t4.5\n"
)


def test_salmon_transcripts_are_summed_to_genes(write):
    path = write(QUANT + PIPED, "quant.sf")
    counts, tpm = (read(path, assay=assay, sample_ids=["S1"])["S1"] for assay in ("rna_counts", "rna_tpm"))
    assert counts[["gene", "value"]].to_numpy().tolist() == [["CD8A", 15.0]]
    assert tpm["value"].to_list() == [1_000_000.0]


def test_a_salmon_file_is_one_sample_and_needs_symbols(write):
    path = write(QUANT + "ENST00000311234.5\t900\t700\t1000000\t10\n", "quant.sf")
    assert "transcripts without their gene in 1 of 1 names" in str(problems_of(path, sample_ids=["S1"])[0])
    assert "one sample for each quant.sf" in str(problems_of(path)[0])


@pytest.fixture
def adata():
    return anndata.AnnData(
        X=np.array([[10.0, 5.0], [0.0, 7.0]], dtype=np.float32),
        obs=pd.DataFrame(index=["S1", "S2"]),
        var=pd.DataFrame({"gene_name": ["CYP26A1", "RARRES3"]}, index=["ENSG1", "ENSG2"]),
    )


def test_h5ad_is_samples_by_genes_and_may_carry_its_symbols(adata, tmp_path):
    adata.write_h5ad(tmp_path / "bulk.h5ad")
    pieces = read(tmp_path / "bulk.h5ad")
    assert pieces["S1"].to_numpy().tolist() == [["CYP26A1", 10.0], ["PLAAT4", 5.0]]


def test_h5ad_that_is_turned_or_holds_nan_is_told(adata, tmp_path):
    adata.T.write_h5ad(tmp_path / "turned.h5ad")
    assert "transpose it" in "\n".join(map(str, problems_of(tmp_path / "turned.h5ad")))
    adata.X[0, 0] = np.nan
    adata.write_h5ad(tmp_path / "nan.h5ad")
    assert "not finite" in str(problems_of(tmp_path / "nan.h5ad")[0])


@settings(deadline=None, max_examples=25)
@given(
    counts=st.lists(st.integers(0, 10**7), min_size=4, max_size=4),
    factor=st.integers(1, 50),
    order=st.permutations(range(4)),
)
def test_pieces_scale_with_the_counts_and_do_not_know_the_order_of_genes(tmp_path_factory, counts, factor, order):
    names = ["CD8A", "RARRES3", "PLAAT4", "GZMB"]
    path = tmp_path_factory.mktemp("counts") / "counts.csv"

    def piece(rows, times):
        path.write_text("gene,S1\n" + "".join(f"{names[at]},{counts[at] * times}\n" for at in rows))
        return read(path, sample_ids=["S1"])["S1"]

    plain, scaled = piece(range(4), 1), piece(order, factor)
    assert plain["gene"].equals(scaled["gene"])
    assert (plain["value"] * factor).to_list() == scaled["value"].to_list()


def test_a_sample_does_not_depend_on_the_others_of_its_file(write):
    path = write(COUNTS)
    together, alone = read(path)["S1"], read(path, sample_ids=["S1"])["S1"]
    assert together.equals(alone)
    assert together.attrs == alone.attrs


def test_the_step_writes_one_piece_a_sample_and_nothing_when_it_refuses(write, tmp_path):
    aliases = write("alias,gene,source\nRARRES3,PLAAT4,HGNC\n", "aliases.csv")
    parameters = {"label": "counts.csv", "assay": "rna_counts", "sample_ids": ["S1", "S2"], "annotation": "GENCODE v44"}
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(InputError, match="log2"):
        split_expression({"matrix": write(LOGS, "logs.csv"), "aliases": aliases}, out, **parameters)
    assert list(out.iterdir()) == []
    info = split_expression({"matrix": write(COUNTS), "aliases": aliases}, out, **parameters)
    assert sorted(path.name for path in out.iterdir()) == ["S1.parquet", "S2.parquet"]
    assert info["scale"] == "counts"
    assert read_table(out / "S2.parquet").attrs["passport"]["annotation"] == "GENCODE v44"


def test_riaz_counts_are_read_in_time():
    path = SHARED / "riaz_bms038" / "counts.csv.gz"
    if not path.exists():
        pytest.skip("the shared data folder is not beside the repository")
    header = pd.read_csv(path, nrows=0).columns
    started = perf_counter()
    pieces = read(path, sample_ids=list(header[2:]))
    assert perf_counter() - started < 8  # 4 s on an idle machine
    assert len(pieces) == 118  # README: 22,333 genes, 57 of them without a symbol
    passport = pieces["Pt101_On"].attrs["passport"]
    assert (passport["genes"], passport["genes_without_symbol"], passport["scale"]) == (22_276, 57, "counts")
    assert pieces["Pt101_On"].set_index("gene")["value"]["A1BG"] == 251


def test_a_transposed_table_is_told_once(write):
    problems = problems_of(write("sample,CD8A,CYP26A1\nS1,1,2\nS2,3,4\n"))
    assert [(problem.row, problem.found) for problem in problems] == [(1, "samples in the rows, genes in the columns")]


def test_a_table_with_none_of_the_samples_names_each(write):
    problems = problems_of(write("gene,X1,X2\nCD8A,1,2\n"))
    assert [problem.found for problem in problems] == ["no column 'S1'; it has X1, X2", "no column 'S2'; it has X1, X2"]


def test_an_annotated_file_without_a_matrix_is_told(tmp_path):
    anndata.AnnData(obs=pd.DataFrame(index=["S1", "S2"]), var=pd.DataFrame(index=["CD8A"])).write_h5ad(
        tmp_path / "x.h5ad"
    )
    assert [problem.found for problem in problems_of(tmp_path / "x.h5ad")] == ["no matrix in .X"]


@pytest.mark.parametrize("date", ["1/3/2024", "01.03.24", "2-Sep"])
def test_a_date_among_the_genes_is_told_however_it_is_written(write, date):
    assert f"1 dates among the gene names: {date}" in str(problems_of(write(f"gene,S1,S2\n{date},1,2\nCD8A,3,4\n"))[0])


def test_a_very_long_cell_is_cut_short_in_the_problem(write):
    problem = problems_of(write(f"gene,S1,S2\nCD8A,{'x' * 5000},2\n"))[0]
    assert (problem.row, problem.column, len(problem.found)) == (2, "S1", 300)
