"""The flow in front: counting reads from the command line, with and without Prefect."""

import pytest
from typer.testing import CliRunner

from flows.cli import app

pytest.importorskip("kb_python", reason="counting reads is the extra fastq")

from tests.support.transcriptome import write_bulk, write_reference


@pytest.fixture
def command(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "60")
    write_reference(tmp_path)
    write_bulk(tmp_path, "T1", {"CD8A": 20, "GPX4": 30})
    (tmp_path / "reads.csv").write_text("sample_id,read1,read2\nT1,T1_1.fastq.gz,T1_2.fastq.gz\n")
    options = ["--index", "transcripts.idx", "--transcripts", "t2g.txt", "--out", "counts"]
    return lambda *more: CliRunner().invoke(app, ["count", "reads.csv", *options, *more])


def test_the_command_counts_and_says_what_comes_next(command, tmp_path):
    told = command("--direct")
    assert told.exit_code == 0, told.output
    assert "1 libraries counted, 0 already there" in told.output
    assert told.output.strip().splitlines()[-1] == "counts"
    assert "0 libraries counted, 1 already there" in command("--direct").output


def test_a_fault_ends_with_two_and_nothing_written(command, tmp_path):
    (tmp_path / "T1_2.fastq.gz").write_bytes(b"\x1f\x8b\x08")
    told = command("--direct")
    assert told.exit_code == 2
    assert "T1_2.fastq.gz: a damaged or incomplete file" in told.output
    assert not (tmp_path / "counts").exists()


def test_a_technology_nobody_knows_is_told_with_those_there_are(command):
    told = command("--technology", "smartseq")
    assert told.exit_code == 2
    assert "10xv3" in told.output


@pytest.mark.prefect
def test_the_flow_counts_as_the_direct_call_does(prefect_server, command, tmp_path):
    from flows.count_reads import count_reads_flow
    from flows.count_request import CountRequest

    request = CountRequest(
        sheet=tmp_path / "reads.csv",
        index=tmp_path / "transcripts.idx",
        transcripts=tmp_path / "t2g.txt",
        out=tmp_path / "counts",
    )
    (done,) = count_reads_flow(request)
    assert (done.info["reads"], done.info["pseudoaligned"]) == (50, 50)
    assert (tmp_path / "counts" / "counts.h5ad").is_file()
