"""FASTQ files to counts: reads of a small transcriptome, whose counts are known."""

import gzip
import shutil

import anndata
import numpy as np
import pandas as pd
import pytest

from rabiomarkers.counting import Counting, count_reads
from rabiomarkers.errors import CountingError, InputError, ResultsError
from rabiomarkers.ingest import quantify
from rabiomarkers.ingest.cells import read_single_cells
from rabiomarkers.ingest.expression import read_expression
from rabiomarkers.ingest.findings import Findings
from rabiomarkers.ingest.reads import check_index, read_genes_of_transcripts
from rabiomarkers.ingest.reads import count_reads as reads_in
from rabiomarkers.store import Store

pytest.importorskip("kb_python", reason="counting reads is the extra fastq")

from tests.support.transcriptome import random_barcodes, write_bulk, write_cells, write_reference

BEFORE = {"CYP26A1": 40, "CD8A": 50, "GZMB": 30, "GPX4": 300}
AFTER = {"CYP26A1": 160, "CD8A": 90, "GZMB": 0, "GPX4": 250}
ALIASES = pd.Series({"RARRES3": "PLAAT4"}, name="gene")


@pytest.fixture(scope="module")
def sequencer(tmp_path_factory):
    """A folder with an index, a sheet of two bulk libraries (one of two lanes) and their reads."""
    folder = tmp_path_factory.mktemp("sequencer")
    write_reference(folder)
    write_bulk(folder, "T1a", BEFORE)
    write_bulk(folder, "T1b", {"CD8A": 7}, seed=2)
    write_bulk(folder, "T2", AFTER, seed=3)
    rows = ["T1,T1a_1.fastq.gz,T1a_2.fastq.gz", "T2,T2_1.fastq.gz,T2_2.fastq.gz", "T1,T1b_1.fastq.gz,T1b_2.fastq.gz"]
    (folder / "reads.csv").write_text("sample_id,read1,read2\n" + "\n".join(rows) + "\n")
    return folder


@pytest.fixture
def own(sequencer, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(sequencer, tmp_path / "sequencer")


def asked(folder, **options):
    files = {"sheet": folder / "reads.csv", "index": folder / "transcripts.idx", "transcripts": folder / "t2g.txt"}
    return Counting(**(files | options))


def problems_of(folder, tmp_path, **options):
    with pytest.raises(InputError) as raised:
        count_reads(asked(folder, **options), Store(tmp_path / "store"), tmp_path / "counts")
    assert not (tmp_path / "counts").exists()
    return [str(problem) for problem in raised.value.problems]


def test_bulk_reads_give_back_their_counts_lanes_added_up(sequencer, tmp_path):
    done = count_reads(asked(sequencer), Store(tmp_path / "store"), tmp_path / "counts")
    pieces = read_expression(
        tmp_path / "counts" / "counts.h5ad",
        label="counts.h5ad",
        assay="rna_counts",
        sample_ids=["T1", "T2"],
        aliases=ALIASES,
    )
    found = {sample: dict(zip(piece["gene"], piece["value"], strict=True)) for sample, piece in pieces.items()}
    assert found["T1"] == pytest.approx(BEFORE | {"CD8A": 57, "DHRS3": 0})
    assert found["T2"] == pytest.approx(AFTER | {"DHRS3": 0})
    assert [step.info["reads"] for step in done] == [427, 500]
    quality = pd.read_csv(tmp_path / "counts" / "qc.csv")
    assert quality["share"].tolist() == [1.0, 1.0]
    lines = pd.read_csv(tmp_path / "counts" / "samples_lines.csv")
    assert lines[["sample_id", "assay", "path"]].to_numpy().tolist() == [
        ["T1", "rna_counts", "counts/counts.h5ad"],
        ["T2", "rna_counts", "counts/counts.h5ad"],
    ]


def test_the_lines_name_the_counts_as_seen_from_the_study_they_lie_in(sequencer, tmp_path):
    (tmp_path / "study.yaml").touch()
    out = tmp_path / "rna" / "march"
    count_reads(asked(sequencer), Store(tmp_path / "store"), out)
    assert set(pd.read_csv(out / "samples_lines.csv")["path"]) == {"rna/march/counts.h5ad"}


def test_what_was_counted_is_not_counted_again_and_gives_the_same_bytes(sequencer, tmp_path):
    store = Store(tmp_path / "store")
    first = count_reads(asked(sequencer), store, tmp_path / "counts")
    before = {path.name: path.read_bytes() for path in (tmp_path / "counts").iterdir()}
    again = count_reads(asked(sequencer), store, tmp_path / "counts")
    assert not any(step.reused for step in first)
    assert all(step.reused for step in again)
    afresh = count_reads(asked(sequencer), Store(tmp_path / "other"), tmp_path / "counts")
    assert [step.digests for step in afresh] == [step.digests for step in first]
    assert {path.name: path.read_bytes() for path in (tmp_path / "counts").iterdir()} == before


def test_what_people_wrote_or_put_beside_the_counts_is_not_replaced(sequencer, tmp_path):
    store, out = Store(tmp_path / "store"), tmp_path / "counts"
    count_reads(asked(sequencer), store, out)
    lines = out / "samples_lines.csv"
    completed = lines.read_text().replace("T1,,", "T1,P1,")
    lines.write_text(completed)
    with pytest.raises(ResultsError, match=r"samples_lines\.csv in 'counts' was completed by hand"):
        count_reads(asked(sequencer), store, out)
    assert lines.read_text() == completed
    lines.unlink()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ResultsError, match=r"holds 'notes.txt': move that elsewhere"):
        count_reads(asked(sequencer), store, out)
    (out / "notes.txt").unlink()
    count_reads(asked(sequencer), store, out)
    assert lines.is_file()


def test_reads_without_mates_are_counted_with_the_fragments_one_names(own, tmp_path):
    (own / "reads.csv").write_text("sample_id,read1,read2\nT2,T2_1.fastq.gz,\n")
    count_reads(asked(own, fragment_length=220.0, fragment_sd=25.0), Store(tmp_path / "store"), tmp_path / "counts")
    counts = anndata.read_h5ad(tmp_path / "counts" / "counts.h5ad").to_df()
    assert counts.loc["T2", list(AFTER)].to_dict() == pytest.approx(
        AFTER, abs=3
    )  # kallisto leaves out reads whose fragment would not fit


def test_ten_x_cells_give_back_their_molecules(own, tmp_path):
    barcodes = random_barcodes(12)
    truth = {name: {"CD8A": 10 + place, "GPX4": 5} for place, name in enumerate(barcodes)}
    write_cells(own, "B1", truth)
    (own / "reads.csv").write_text("sample_id,read1,read2\nB1,B1_R1.fastq.gz,B1_R2.fastq.gz\n")
    (own / "barcodes.txt").write_text("\n".join(barcodes) + "\n")
    options = {"technology": "10xv3", "barcodes": own / "barcodes.txt"}
    (done,) = count_reads(asked(own, **options), Store(tmp_path / "store"), tmp_path / "cells")
    path = tmp_path / "cells" / "B1.h5ad"
    cells = read_single_cells(path, label=path.name, sample_ids=["B1"], aliases=ALIASES)["B1"].to_df()
    assert cells.loc[barcodes, "CD8A"].tolist() == [10 + place for place in range(12)]
    assert cells.loc[barcodes, "GPX4"].tolist() == [5] * 12
    assert (done.info["cells"], done.info["reads"]) == (12, 2 * sum(sum(row.values()) for row in truth.values()))


def test_reads_of_another_species_are_counted_and_told(own, tmp_path):
    rng = np.random.default_rng(4)
    for read in (1, 2):
        with gzip.open(own / f"T2_{read}.fastq.gz", "at") as file:
            for place in range(1_500):
                bases = "".join(rng.choice(list("ACGT"), 75))
                file.write(f"@r{place}\n{bases}\n+\n{'I' * 75}\n")
    count_reads(asked(own), Store(tmp_path / "store"), tmp_path / "counts")
    quality = pd.read_csv(tmp_path / "counts" / "qc.csv").set_index("sample_id")
    assert quality.loc["T2", "finding"].startswith("fewer than 30% of the reads fit the index")
    assert pd.isna(quality.loc["T1", "finding"])


def test_every_fault_is_told_at_once_and_nothing_is_written(own, tmp_path):
    whole = (own / "T2_1.fastq.gz").read_bytes()
    (own / "T2_1.fastq.gz").write_bytes(whole[: len(whole) // 2])
    with gzip.open(own / "T1a_2.fastq.gz", "at") as file:
        file.write("@one more\nACGT\n+\nIIII\n")
    (own / "T1b_2.fastq.gz").write_text(">a\nACGT\n")
    (own / "reads.csv").write_text((own / "reads.csv").read_text() + "P/7,gone.fastq,\n")
    told = "\n".join(problems_of(own, tmp_path))
    assert "T2_1.fastq.gz: a damaged or incomplete file" in told
    assert "T1a_2.fastq.gz: 421 reads, and 420 in T1a_1.fastq.gz; a mate for every read" in told
    assert "T1b_2.fastq.gz: no '@' at the beginning" in told
    assert "reads.csv:5:sample_id: 'P/7'" in told
    assert "reads.csv:5:read1: no such file: 'gone.fastq'" in told
    told = problems_of(own, tmp_path, index=own / "no.idx", transcripts=own / "no.txt", barcodes=own / "no.list")
    assert {"no.idx", "no.txt", "no.list", "reads.csv"} <= {line.split(":")[0] for line in told}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("T1,T2_1.fastq.gz,T2_1.fastq.gz", "is on line 2, too"),
        ("T1,../reads.csv,", "no such file: '../reads.csv'"),
        ("T1,T1a_1.fastq.gz,T1a_2.fastq.gz\nT1,T2_1.fastq.gz,", "lanes of 'T1' with and without mates"),
    ],
)
def test_a_sheet_that_cannot_be_meant_is_refused(own, tmp_path, rows, told):
    (own / "reads.csv").write_text(f"sample_id,read1,read2\n{rows}\n")
    assert told in "\n".join(problems_of(own, tmp_path))


def test_ten_x_needs_both_files_and_barcodes_of_their_length(own, tmp_path):
    (own / "reads.csv").write_text("sample_id,read1,read2\nB1,T2_1.fastq.gz,\n")
    assert "no second file" in "\n".join(problems_of(own, tmp_path, technology="10xv3"))
    for read in (1, 2):
        with gzip.open(own / f"short_{read}.fastq.gz", "wt") as file:
            file.write("@a\nACGTACGTAC\n+\nIIIIIIIIII\n")
    (own / "reads.csv").write_text("sample_id,read1,read2\nB1,short_1.fastq.gz,short_2.fastq.gz\n")
    assert "reads of 10 bases; 28 or more" in "\n".join(problems_of(own, tmp_path, technology="10xv3"))


def test_an_index_of_another_program_is_refused(own, tmp_path):
    (own / "transcripts.idx").write_bytes(b"\x0a" + bytes(15))
    assert "an index of version 10; an index of kallisto 0.50 or later (version 13)" in problems_of(own, tmp_path)[0]
    (own / "transcripts.idx").write_text("not an index at all")
    with pytest.raises(InputError, match="no index"):
        check_index(own / "transcripts.idx")


def test_a_table_of_transcripts_may_be_kallisto_s_or_have_a_header(tmp_path):
    (tmp_path / "t2g.txt").write_text("ENST1.2\tENSG1.1\tCD8A\nENST2.1\tENSG2.4\t\n")
    assert read_genes_of_transcripts(tmp_path / "t2g.txt").to_dict() == {"ENST1": "CD8A", "ENST2": "ENSG2"}
    (tmp_path / "genes.csv").write_text("transcript_id,symbol\nENST1.2,CD8A\n")
    assert read_genes_of_transcripts(tmp_path / "genes.csv").to_dict() == {"ENST1": "CD8A"}
    (tmp_path / "t2g.txt").write_text("ENST1.2\tENSG1\tCD8A\nENST1.2\tENSG2\tGZMB\n")
    with pytest.raises(InputError, match="1 transcripts of two genes: ENST1"):
        read_genes_of_transcripts(tmp_path / "t2g.txt")


def test_a_file_is_counted_by_its_lines_zipped_or_not(tmp_path):
    text = "@a\nACGT\n+\nIIII\n@b\nAC\n+\nII"
    (tmp_path / "a.fastq").write_text(text)
    (tmp_path / "a.fastq.gz").write_bytes(gzip.compress(text.encode()))
    findings = Findings("a")
    assert [reads_in(tmp_path / name, findings) for name in ("a.fastq", "a.fastq.gz")] == [2, 2]
    (tmp_path / "a.fastq").write_text(text[:-5])
    assert reads_in(tmp_path / "a.fastq", findings) is None
    assert "four lines a read" in str(findings.problems[0])


def test_a_folder_of_somebody_else_s_is_left_alone(sequencer, tmp_path):
    (tmp_path / "counts").mkdir()
    (tmp_path / "counts" / "thesis.docx").write_text("mine")
    with pytest.raises(ResultsError, match="holds no counts of ours"):
        count_reads(asked(sequencer), Store(tmp_path / "store"), tmp_path / "counts")
    assert (tmp_path / "counts" / "thesis.docx").read_text() == "mine"


def test_without_the_package_one_is_told_what_to_install(sequencer, tmp_path, monkeypatch):
    monkeypatch.setattr(quantify, "find_spec", lambda name: None)
    with pytest.raises(CountingError, match=r"rabiomarkers\[fastq\]"):
        count_reads(asked(sequencer), Store(tmp_path / "store"), tmp_path / "counts")


def test_a_program_that_stops_is_told_with_its_last_words(own, tmp_path, monkeypatch):
    """A program of our own in its place: what kallisto itself does with a broken index may take for ever."""
    program = tmp_path / "kallisto"
    program.write_text('#!/bin/sh\nif [ "$1" = version ]; then exit 0; fi\necho "the disk is full" >&2\nexit 3\n')
    program.chmod(0o755)
    monkeypatch.setattr("kb_python.config.KALLISTO_PATH", str(program))
    with pytest.raises(CountingError, match=r"kallisto quant stopped \(status 3\)(?s:.*)the disk is full"):
        count_reads(asked(own), Store(tmp_path / "store"), tmp_path / "counts")
    assert not (tmp_path / "counts").exists()
