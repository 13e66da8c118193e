"""The tables that a study may name beside its stools: blanks, and reads of the host."""

import pytest

from rabiomarkers.errors import InputError
from rabiomarkers.files import read_table
from rabiomarkers.ingest.abundance import split_abundance
from rabiomarkers.ingest.blanks import blanks_step, read_blanks
from rabiomarkers.ingest.sequencing import host_shares


def write(tmp_path, text, name="table.csv"):
    (tmp_path / name).write_text(text)
    return tmp_path / name


def told(read, path):
    with pytest.raises(InputError) as error:
        read(path)
    return str(error.value)


def test_blanks_are_taxa_by_blanks(tmp_path):
    path = write(tmp_path, "taxon,blank1,blank2\nRalstonia pickettii,40,12\nBlautia obeum,0,1\n")
    assert read_blanks(path).to_numpy().tolist() == [[40, 12], [0, 1]]
    assert blanks_step({"blanks": path}, tmp_path) == {"blanks": 2}
    assert read_table(tmp_path / "blanks.parquet").columns.tolist() == ["taxon", "blank1", "blank2"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("taxon,b1,b1\nA,1,2\n", "blanks named twice: b1"),
        ("taxon,b1\nA,1\nA,2\n", "table.csv:3:taxon: 'A' a second time"),
        ("taxon,b1\nA,-1\n", "-1"),
        ("taxon,b1\nA,0.5\n", "fractions in b1"),
        ("taxon,b1\nA,many\n", "'many'"),
        ("taxon\nA\n", "a single column"),
    ],
)
def test_wrong_blanks_are_told(tmp_path, text, said):
    assert said in told(read_blanks, write(tmp_path, text))


def test_the_hosts_share_is_of_all_reads_and_goes_with_the_sample(tmp_path):
    sequencing = write(tmp_path, "sample_id,total_reads,host_reads\nS1,200,50\nS9,10,10\n")
    assert host_shares(sequencing) == {"S1": 0.25, "S9": 1.0}
    inputs = {"matrix": write(tmp_path, "taxon,S1,S2\nA,3,4\nB,5,6\n", "taxa.csv"), "sequencing": sequencing}
    parameters = {"label": "taxa.csv", "assay": "taxa_counts", "sample_ids": ["S1", "S2"], "database": "GTDB r220"}
    split_abundance(inputs, tmp_path, **parameters)
    assert read_table(tmp_path / "S1.parquet").attrs["passport"]["host"] == 0.25
    assert "host" not in read_table(tmp_path / "S2.parquet").attrs["passport"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sample_id,total_reads\nS1,3\n", "host_reads"),
        ("sample_id,total_reads,host_reads\nS1,10,11\n", "11 host reads of 10"),
        ("sample_id,total_reads,host_reads\nS1,0,0\n", "0 host reads of 0"),
        ("sample_id,total_reads,host_reads\nS1,1e6,2\n", "'1e6'; a whole number of reads"),
        ("sample_id,total_reads,host_reads\nS1,5,2\nS1,5,2\n", "'S1' a second time"),
        ("sample_id,total_reads,host_reads\n,5,2\n", "an empty cell"),
    ],
)
def test_wrong_reads_are_told(tmp_path, text, said):
    assert said in told(host_shares, write(tmp_path, text))
