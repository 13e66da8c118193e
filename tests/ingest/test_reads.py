"""FASTQ files and what is counted with them: every fault is found before anything is counted, or told by the step that meets it."""

import gzip

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.errors import InputError
from rabiomarkers.files import read_table
from rabiomarkers.ingest import reads as module
from rabiomarkers.ingest.findings import Findings
from rabiomarkers.ingest.reads import check_barcodes, check_reads, count_reads, read_libraries

LISTED = "ACGTACGTACGTACGT\nTTGTACGTACGTACGA\n"


def fastq(number, *, name="r", length=8, end="\n"):
    return "".join(f"@{name}{place}{end}{'A' * length}{end}+{end}{'I' * length}{end}" for place in range(number))


def look_at(path, text):
    path.write_bytes(text.encode())
    findings = Findings(path.name)
    return count_reads(path, findings), [str(problem) for problem in findings.problems]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("@r3", "r3", "a.fastq:13: no '@' and name where a read begins"),
        ("@r3", "@", "a.fastq:13: no '@' and name where a read begins"),
        ("@r3\nAAAAAAAA\n+", "@r3\nAAAAAAAA\nAAAA", "a.fastq:15: no '+' below the bases of a read"),
        ("@r3\nAAAAAAAA\n+\nIIIIIIII", "@r3\nAAAAAAAA\n+\nIIIII", "a.fastq:16: 5 qualities for 8 bases"),
        ("@r3\nAAAAAAAA\n+\nIIIIIIII", "@r3\nAAAA\nAAAA\n+\nIIII\nIIII", "a.fastq:15: no '+' below the bases"),
        ("@r0", ">r0", "a.fastq: no '@' at the beginning"),
    ],
)
def test_a_read_that_would_end_the_counting_in_silence_is_told_with_its_line(tmp_path, before, after, told):
    text = fastq(9)
    assert text.count(before) == 1
    counted, problems = look_at(tmp_path / "a.fastq", text.replace(before, after))
    assert counted is None
    assert problems[0].startswith(told)


def test_a_file_cut_within_its_last_read_is_told(tmp_path):
    text = fastq(9)
    assert look_at(tmp_path / "a.fastq", text[:-4])[1][0].startswith("a.fastq:36: 5 qualities for 8 bases")
    assert look_at(tmp_path / "a.fastq", text[:-15])[1][0].startswith("a.fastq:33: a last read of fewer than four")
    assert look_at(tmp_path / "a.fastq", "")[1][0].startswith("a.fastq: an empty file")


@given(
    number=st.integers(1, 12), chunk=st.integers(1, 40), end=st.sampled_from(["\n", "\r\n"]), blank=st.integers(0, 6)
)
def test_reads_are_counted_however_the_file_comes_in_pieces(tmp_path_factory, number, chunk, end, blank):
    path = tmp_path_factory.mktemp("reads") / "a.fastq"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", chunk)
        whole = fastq(number, end=end)
        assert look_at(path, whole + end * blank) == (number, [])
        assert look_at(path, whole.removesuffix(end)) == (number, [])


def test_reads_trimmed_to_nothing_are_reads(tmp_path):
    assert look_at(tmp_path / "a.fastq", fastq(3) + fastq(2, length=0) + fastq(1)) == (6, [])


@pytest.fixture
def lane(tmp_path):
    """A sheet of one lane; `write` puts its two files there."""
    (tmp_path / "reads.csv").write_text("sample_id,read1,read2\nT1,T1_1.fastq,T1_2.fastq\n")

    def write(first, mate):
        (tmp_path / "T1_1.fastq").write_text(first)
        (tmp_path / "T1_2.fastq").write_text(mate)
        return tmp_path / "reads.csv"

    return write


def problems_of(function, *arguments, **options):
    with pytest.raises(InputError) as raised:
        function(*arguments, **options)
    return [str(problem) for problem in raised.value.problems]


@pytest.mark.parametrize("names", [("a", "a"), ("a/1 x", "a/2 x"), ("a 1:N:0", "a 2:N:0"), ("a.7.1", "a.7.2")])
def test_mates_go_by_one_name_as_sequencers_write_it(lane, names):
    first, mate = (f"@{name}\nACGT\n+\nIIII\n" for name in names)
    (library,) = read_libraries(lane(first, mate), technology="bulk")
    assert library.paired


def test_files_of_two_lanes_are_no_pair(lane):
    sheet = lane(fastq(2, name="lane1:"), fastq(2, name="lane2:"))
    assert problems_of(read_libraries, sheet, technology="bulk") == [
        "T1_2.fastq: its first read has another name than that of T1_1.fastq; the mates of the reads in read1, in their order; "
        "pair the files of one lane; were they sorted one without the other?"
    ]


def test_barcodes_and_transcripts_that_are_swapped_are_told(lane):
    (told,) = problems_of(read_libraries, lane(fastq(2, length=90), fastq(2, length=28)), technology="10xv3")
    assert told.startswith(
        "T1_2.fastq: reads of 28 bases; 31 or more: the transcripts (10xv3); put the file with the barcodes"
    )


def test_a_path_no_file_system_can_hold_is_told_with_its_line(tmp_path):
    (tmp_path / "reads.csv").write_text(f"sample_id,read1\nT1,{'x' * 4_000}\n")
    (told,) = problems_of(read_libraries, tmp_path / "reads.csv", technology="bulk")
    assert told.startswith("reads.csv:2:read1: no such file: 'xxx")


def test_index_transcripts_barcodes_and_sheet_are_told_together(tmp_path):
    (tmp_path / "reads.csv").write_text("sample_id,read1,read2\nT1,gone.fastq,\n")
    (tmp_path / "barcodes.txt").write_text("ACGT\n")
    files = [tmp_path / name for name in ("reads.csv", "no.idx", "no.txt")]
    told = problems_of(check_reads, *files, technology="10xv3", barcodes=tmp_path / "barcodes.txt")
    starts = ["no.idx: no such", "no.txt: no such", "barcodes.txt:1:barcode: 'ACGT'", "reads.csv:2:read1: no such"]
    assert [each[: len(start)] for each, start in zip(told, starts, strict=False)] == starts
    assert told[4].startswith("reads.csv:2:read2: no second file")


def test_a_list_of_barcodes_may_be_gzipped_and_is_looked_at_line_by_line(tmp_path):
    (tmp_path / "list.txt.gz").write_bytes(gzip.compress(LISTED.encode()))
    check_barcodes(tmp_path / "list.txt.gz", technology="10xv3")
    (tmp_path / "list.txt").write_text(LISTED + "ACGTACGTACGTACGT-1\n")
    (told,) = problems_of(check_barcodes, tmp_path / "list.txt", technology="10xv2")
    assert told.startswith("list.txt:3:barcode: 'ACGTACGTACGTACGT-1'; a barcode of 16 bases on each line")
    (told,) = problems_of(check_barcodes, tmp_path / "list.txt", technology="bulk")
    assert "bulk reads have no barcodes" in told


@pytest.fixture(scope="module")
def sequencer(tmp_path_factory):
    """An index, and reads of which none, some and all fit it."""
    pytest.importorskip("kb_python", reason="counting reads is the extra fastq")
    from tests.support.transcriptome import random_barcodes, write_bulk, write_cells, write_reference

    folder = tmp_path_factory.mktemp("sequencer")
    write_reference(folder)
    write_bulk(folder, "T1", {"CD8A": 20, "GPX4": 30})
    write_cells(folder, "B1", {barcode: {"CD8A": 20, "GPX4": 5} for barcode in random_barcodes(3)})
    write_cells(folder, "B2", {barcode: {"CD8A": 2} for barcode in random_barcodes(3)})
    rng = np.random.default_rng(99)
    for read in (1, 2):
        bases = ["".join(rng.choice(list("ACGT"), 75)) for _ in range(40)]
        (folder / f"Z_{read}.fastq").write_text("".join(f"@r\n{each}\n+\n{'I' * 75}\n" for each in bases))
    return folder


def inputs(folder, *files, genes="t2g.txt"):
    named = dict(zip(("read1:0", "read2:0"), (folder / file for file in files), strict=True))
    return {"index": folder / "transcripts.idx", "transcripts": folder / genes} | named


def count_bulk(folder, out, *files, **options):
    from rabiomarkers.ingest.quantify import count_bulk_step

    settings = {"lanes": 1, "paired": True, "strand": "unstranded", "fragment_length": 200.0, "fragment_sd": 30.0}
    return count_bulk_step(inputs(folder, *files, **options), out, **settings, threads=1)


def count_cells(folder, out, *files, genes="t2g.txt", **more):
    from rabiomarkers.ingest.quantify import count_cells_step

    out.mkdir(exist_ok=True)
    found = inputs(folder, *files, genes=genes) | more
    return count_cells_step(found, out, lanes=1, technology="10xv3", sample_id="B", threads=1)


def test_a_bulk_library_of_another_species_has_counts_of_nothing(sequencer, tmp_path):
    facts = count_bulk(sequencer, tmp_path, "Z_1.fastq", "Z_2.fastq")
    assert (facts["reads"], facts["pseudoaligned"], facts["genes"]) == (40, 0, 5)
    assert read_table(tmp_path / "counts.parquet")["value"].tolist() == [0.0] * 5


def test_cells_of_another_species_and_empty_droplets_are_refused_by_the_name_of_their_file(sequencer, tmp_path):
    (told,) = problems_of(count_cells, sequencer, tmp_path / "a", "Z_1.fastq", "Z_2.fastq")
    assert told.startswith("Z_1.fastq: no read fits the index; reads of the index's species")
    (told,) = problems_of(count_cells, sequencer, tmp_path / "b", "B2_R1.fastq.gz", "B2_R2.fastq.gz")
    assert told.startswith("B2_R1.fastq.gz: no barcode with 10 molecules")


@pytest.mark.parametrize(
    ("count", "files"),
    [(count_bulk, ("T1_1.fastq.gz", "T1_2.fastq.gz")), (count_cells, ("B1_R1.fastq.gz", "B1_R2.fastq.gz"))],
)
def test_a_table_of_another_annotation_is_refused(sequencer, tmp_path, count, files):
    (sequencer / "mouse.txt").write_text("ENSMUST1\tENSMUSG1\tCd8a\n")
    (told,) = problems_of(count, sequencer, tmp_path, *files, genes="mouse.txt")
    assert told.startswith("mouse.txt: no gene for 100% of the 6 transcripts of the index")


def test_transcripts_without_a_gene_are_left_out_of_bulk_and_of_cells_and_counted(sequencer, tmp_path):
    known = pd.read_csv(sequencer / "t2g.txt", sep="\t", header=None)
    known[known[2] != "GPX4"].to_csv(sequencer / "some.txt", sep="\t", header=False, index=False)
    facts = count_bulk(sequencer, tmp_path, "T1_1.fastq.gz", "T1_2.fastq.gz", genes="some.txt")
    counts = read_table(tmp_path / "counts.parquet").set_index("gene")["value"]
    assert (facts["transcripts_without_gene"], counts["CD8A"], "GPX4" in counts) == (1, 20.0, False)
    facts = count_cells(sequencer, tmp_path, "B1_R1.fastq.gz", "B1_R2.fastq.gz", genes="some.txt")
    cells = anndata.read_h5ad(tmp_path / "B.h5ad").to_df()
    assert (facts["transcripts_without_gene"], facts["cells"]) == (1, 3)
    assert "CD8A" in cells.columns
    assert not [gene for gene in cells.columns if "ENST" in gene]


def test_a_gzipped_list_of_barcodes_keeps_the_barcodes_it_names(sequencer, tmp_path):
    from tests.support.transcriptome import random_barcodes

    listed = random_barcodes(3)[:2]
    (tmp_path / "list.txt.gz").write_bytes(gzip.compress(("\n".join(listed) + "\n").encode()))
    facts = count_cells(sequencer, tmp_path, "B1_R1.fastq.gz", "B1_R2.fastq.gz", barcodes=tmp_path / "list.txt.gz")
    assert facts["cells"] == 2
    assert sorted(anndata.read_h5ad(tmp_path / "B.h5ad").obs_names) == sorted(listed)
