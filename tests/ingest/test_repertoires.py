"""AIRR tables: which rows make which clone of which sample, and what can be wrong."""

import pandas as pd
import pytest

from rabiomarkers.errors import InputError
from rabiomarkers.ingest.repertoires import read_repertoire, split_repertoires

ROWS = [
    ("S1", "TRBV19*01", "TRBJ2-1*01", "TGTGCC", "CASSLF", 5, "T"),
    ("S1", "TRBV19*02,TRBV20-1*01", "TRBJ2-1*01", "TGTGCT", "CASSLF", 2, "T"),  # the same amino acids, another codon
    ("S1", "TRAV1-2*01", "TRAJ33*01", "TGTGCG", "CAVF", 3, "T"),
    ("S1", "TRBV5-1*01", "TRBJ1-1*01", "TGTTAG", "CAS*F", 4, "F"),
    ("S1", "", "TRBJ1-1*01", "TGTTCG", "CASPF", 1, "T"),
    ("S1", "IGHV1-2*01", "IGHJ4*01", "TGTTCG", "CARDF", 9, "T"),
    ("S2", "TRBV19*01", "TRBJ2-1*01", "TGTGCC", "CASSLF", 7, "T"),
]
COLUMNS = ["sample_id", "v_call", "j_call", "junction", "junction_aa", "duplicate_count", "productive"]


@pytest.fixture
def write(tmp_path):
    def writer(rows=None, columns=COLUMNS, drop=(), name="clones.tsv"):
        path = tmp_path / name
        pd.DataFrame(ROWS if rows is None else rows, columns=list(columns)).drop(columns=list(drop)).to_csv(
            path, sep="\t", index=False
        )
        return path

    return writer


def read(path, ids=("S1",), **options):
    return read_repertoire(path, label=path.name, sample_ids=list(ids), **options)


def test_a_clone_is_its_genes_and_its_amino_acids(write):
    piece = read(write())["S1"]
    assert piece.set_index("clone")["count"].to_dict() == {"TRAV1-2:TRAJ33:CAVF": 3, "TRBV19:TRBJ2-1:CASSLF": 7}
    assert piece.set_index("clone")["sequences"].to_dict() == {"TRAV1-2:TRAJ33:CAVF": 1, "TRBV19:TRBJ2-1:CASSLF": 2}
    assert piece["locus"].tolist() == ["TRA", "TRB"]


def test_by_nucleotides_two_codons_are_two_clones(write):
    piece = read(write(), clone_by="nt")["S1"]
    assert (piece["locus"] == "TRB").sum() == 2


def test_what_is_left_aside_is_counted(write):
    told = read(write())["S1"].attrs["passport"]
    assert (told["reads"], told["unproductive"], told["incomplete"]) == (
        24.0,
        4.0,
        10.0,
    )  # no V gene; a B-cell receptor
    assert told["counted"] == "duplicate_count"


def test_a_file_of_many_samples_is_cut_by_its_column(write):
    assert read(write(), ids=("S1", "S2"))["S2"]["count"].tolist() == [7]


def test_without_the_column_the_file_is_one_sample(write):
    assert read(write(drop=["sample_id"]))["S1"]["count"].sum() == 17
    with pytest.raises(InputError, match="receptors of 2 samples"):
        read(write(drop=["sample_id"]), ids=("S1", "S2"))


def test_without_counts_each_row_is_one(write):
    told = read(write(drop=["duplicate_count"]))["S1"]
    assert told["count"].tolist() == [1, 2]
    assert told.attrs["passport"]["counted"] == "rows"


@pytest.mark.parametrize(
    ("rows", "drop", "found"),
    [
        (None, ["v_call"], "no column v_call"),
        (None, ["junction_aa"], "no column junction_aa or cdr3_aa"),
        ([("S1", "TRBV19", "TRBJ2-1", "TGT", "C4SS", 1, "T")], [], "'C4SS'"),
        ([("S1", "TRBV19", "TRBJ2-1", "TGT", "CASS", 1.5, "T")], [], "'1.5'"),
        ([("S1", "TRBV19", "TRBJ2-1", "TGT", "CASS", -2, "T")], [], "'-2'"),
        ([("S9", "TRBV19", "TRBJ2-1", "TGT", "CASS", 1, "T")], [], "no sample 'S1'"),
    ],
)
def test_a_wrong_table_is_told(write, rows, drop, found):
    with pytest.raises(InputError, match=found):
        read(write(rows, drop=drop))


def test_the_step_writes_a_piece_a_sample(write, tmp_path):
    info = split_repertoires({"matrix": write()}, tmp_path, label="x", sample_ids=["S1", "S2"], clone_by="aa")
    assert info == {"counted": "duplicate_count", "clones": {"S1": 2, "S2": 1}}
    assert (tmp_path / "S1.parquet").is_file()
