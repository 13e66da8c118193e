"""The flow in front: profiling stools from the command line, with and without Prefect."""

import pytest
from typer.testing import CliRunner

from flows.cli import app
from rabiomarkers.ingest import sketches

pytest.importorskip("sourmash", reason="profiling metagenomes is the extra metagenome")

from tests.support.metagenome import SPECIES, sourmash_here, write_genomes, write_lineages, write_stool

CLOSE = ["--scaled", "20", "--threshold-bp", "2000"]
FIRST, SECOND = list(SPECIES)[:2]


@pytest.fixture
def command(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sketches, "_sourmash", sourmash_here)  # sourmash takes a second to load: once is enough
    write_genomes(tmp_path / "genomes", without=("stranger", *list(SPECIES)[2:]))
    write_lineages(tmp_path / "lineages.csv")
    row = write_stool(tmp_path, "S1", {FIRST: 0.25, SECOND: 0.75}, fragments=800)
    (tmp_path / "stools.csv").write_text("sample_id,read1,read2\n" + row)
    options = ["--database", "genomes", "--taxonomy", "lineages.csv", "--out", "taxa", *CLOSE]
    return lambda *more: CliRunner().invoke(app, ["profile", "stools.csv", *options, *more])


def test_the_command_profiles_and_says_what_comes_next(command, tmp_path):
    told = command("--direct")
    assert told.exit_code == 0, told.output
    assert "1 samples profiled, 0 already there" in told.output
    assert "taxa_database" in told.output
    assert told.output.strip().splitlines()[-1] == "taxa"
    assert "Akkermansia muciniphila" in (tmp_path / "taxa" / "abundance.csv").read_text()
    assert "0 samples profiled, 1 already there" in command("--direct").output


def test_the_command_explains_itself_with_an_example():
    told = CliRunner().invoke(app, ["profile", "--help"])
    assert told.exit_code == 0
    assert "Example: rabiomarkers profile" in " ".join(told.output.split())


def test_faults_of_reads_and_database_end_with_two_and_nothing_written(command, tmp_path):
    (tmp_path / "S1_2.fastq.gz").write_bytes(b"\x1f\x8b\x08")
    (tmp_path / "genomes" / "notes.fna").write_text("mine")
    told = command("--direct")
    assert told.exit_code == 2
    assert "S1_2.fastq.gz: a damaged or incomplete file" in told.output
    assert "notes.fna: no '>' at the beginning" in told.output
    assert not (tmp_path / "taxa").exists()


def test_without_the_extra_it_ends_with_one_and_says_what_to_install(command, tmp_path, monkeypatch):
    monkeypatch.setattr(sketches, "find_spec", lambda name: None)
    told = command("--direct")
    assert told.exit_code == 1
    assert "install rabiomarkers[metagenome]" in " ".join(told.output.split())
    assert not (tmp_path / "taxa").exists()


@pytest.mark.prefect
def test_the_flow_profiles_as_the_direct_call_does(prefect_server, command, tmp_path):
    from flows.profile_reads import profile_reads_flow
    from flows.profile_request import ProfileRequest

    assert command("--direct").exit_code == 0
    before = (tmp_path / "taxa" / "abundance.csv").read_bytes()
    request = ProfileRequest(
        sheet=tmp_path / "stools.csv",
        database=tmp_path / "genomes",
        lineages=tmp_path / "lineages.csv",
        out=tmp_path / "elsewhere" / "taxa",
        scaled=20,
        threshold_bp=2_000,
    )
    (done,) = profile_reads_flow(request)
    assert (done.info["genomes"], done.reused) == (2, False)
    assert (tmp_path / "elsewhere" / "taxa" / "abundance.csv").read_bytes() == before
