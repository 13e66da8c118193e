"""AIRR tables: which rows make which clone of which sample, and what can be wrong."""

import gzip

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rabiomarkers.errors import InputError
from rabiomarkers.files import read_table
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
    assert told == {
        "scale": "counts",
        "declared": "tcr",
        "counted": "duplicate_count",
        "clone_by": "aa",
        "region": "junction",
        "reads": 15.0,  # without the B-cell receptor
        "unproductive": 4.0,
        "incomplete": 1.0,  # no V gene
        "other_chains": 9.0,
    }


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


# ---- what programs write -------------------------------------------------------------------------------------------


def one(v="TRBV19*01", j="TRBJ2-1*01", nt="TGTGCC", aa="CASSLF", count=1, productive="T"):
    return ("S1", v, j, nt, aa, count, productive)


@pytest.mark.parametrize(
    ("call", "gene"),
    [
        ("TRBV6-5*01", "TRBV6-5"),
        ("Homsap TRBV6-5*01 F, or Homsap TRBV6-6*01 F", "TRBV6-5"),  # IMGT/V-QUEST
        ("trbv6-5", "TRBV6-5"),
        ("TRBV6-5*01(588.3)", "TRBV6-5"),
        ("TRAV29/DV5*01", "TRAV29/DV5"),
        ("TRAV29DV5", "TRAV29/DV5"),
        ("TRBV21/OR9-2*01", "TRBV21/OR9-2"),
    ],
)
def test_genes_are_named_as_by_imgt_whoever_called_them(write, call, gene):
    j = "TRAJ33" if gene.startswith("TRA") else "TRBJ2-1"
    assert read(write([one(v=call, j=j)]))["S1"]["clone"].tolist() == [f"{gene}:{j}:CASSLF"]


def test_cells_are_counted_and_not_their_molecules_or_chains(write):
    rows = [
        (*one(count=900), "AAAC-1"),
        (*one(count=40), "AAAC-1"),  # the same chain twice in one cell
        (*one(count=1), "TTTG-1"),
        (*one(v="TRAV1-2", j="TRAJ33", aa="CAVF", count=7), "AAAC-1"),
        (*one(count=5), ""),  # of no cell
    ]
    piece = read(write(rows, columns=[*COLUMNS, "cell_id"]))["S1"]
    assert piece.set_index("clone")["count"].to_dict() == {"TRAV1-2:TRAJ33:CAVF": 1, "TRBV19:TRBJ2-1:CASSLF": 2}
    assert (piece.attrs["passport"]["counted"], piece.attrs["passport"]["incomplete"]) == ("cell_id", 1.0)


def test_barcodes_that_are_no_cells_count_nothing(write):
    rows = [(*one(), "AAAC-1", "T"), (*one(), "GGGG-1", "F")]
    assert read(write(rows, columns=[*COLUMNS, "cell_id", "is_cell"]))["S1"]["count"].tolist() == [1]


def test_an_empty_column_of_cells_or_molecules_is_as_none(write):
    rows = [(*one(count=4), "", "NA")]
    piece = read(write(rows, columns=[*COLUMNS, "cell_id", "umi_count"]))["S1"]
    assert (piece["count"].tolist(), piece.attrs["passport"]["counted"]) == ([4], "duplicate_count")


def test_molecules_are_counted_before_reads(write):
    piece = read(write([(*one(count=400), 3)], columns=[*COLUMNS, "umi_count"]))["S1"]
    assert (piece["count"].tolist(), piece.attrs["passport"]["counted"]) == ([3], "umi_count")


def test_counts_of_words_are_told_and_not_passed_over(write):
    with pytest.raises(InputError, match="umi_count: 'many'"):
        read(write([(*one(), "many")], columns=[*COLUMNS, "umi_count"]))


@pytest.mark.parametrize(
    ("row", "unproductive", "incomplete"),
    [
        (one(aa="CAS_F"), 1, 0),  # MiXCR: a codon that breaks off
        (one(aa="CAS#F"), 1, 0),  # IMGT: a frame shift
        (one(productive="false"), 1, 0),
        (one(productive="unproductive"), 1, 0),
        (one(productive=""), 0, 0),
        (one(aa="NA"), 0, 1),  # a word for nothing, not asparagine and alanine
        (one(aa="None"), 0, 1),
        (one(v="unresolved", j="TRBJ2-1"), 0, 1),
        (one(v="TRAV1-2"), 0, 1),  # an alpha V gene with a beta J gene
    ],
)
def test_receptors_that_make_no_clone_are_counted_by_reason(write, row, unproductive, incomplete):
    passport = read(write([row, *[one(v="TRBV28")] * 3]))["S1"].attrs["passport"]
    assert (passport["unproductive"], passport["incomplete"]) == (unproductive, incomplete)


def test_by_nucleotides_a_broken_frame_is_unproductive_where_the_file_does_not_say(write):
    rows = [one(nt="TGTGC", productive=""), one(nt="TGTGCCA", productive="T"), one(nt="TGTGCCTAG", aa="CA*")]
    told = read(write(rows), clone_by="nt")["S1"]
    assert told["clone"].tolist() == ["TRBV19:TRBJ2-1:TGTGCCA"]
    assert told.attrs["passport"]["unproductive"] == 2.0


def test_a_v_gene_of_two_chains_goes_by_its_j_gene(write):
    rows = [one(v="TRAV29/DV5", j="TRDJ1"), one(v="TRAV29/DV5", j="TRAJ33")]
    assert read(write(rows))["S1"]["locus"].tolist() == ["TRA", "TRD"]


def test_a_cdr3_is_taken_where_no_junction_is_told(write):
    columns = [*COLUMNS[:4], "junction_aa", *COLUMNS[5:], "cdr3_aa"]
    piece = read(write([(*one(aa=""), "ASSL")], columns=columns))["S1"]
    assert piece["clone"].tolist() == ["TRBV19:TRBJ2-1:ASSL"]
    assert piece.attrs["passport"]["region"] == "cdr3"


def test_the_number_of_a_repertoire_need_not_be_the_sample(write):
    columns = ["repertoire_id", *COLUMNS[1:]]
    rows = [("1841923116114776551-242ac11c", *one()[1:])]
    assert len(read(write(rows, columns=columns))["S1"]) == 1
    with pytest.raises(InputError, match="no sample 'S1'"):
        read(write([*rows, ("other", *one()[1:])], columns=columns))


def test_of_two_columns_that_name_samples_the_one_that_knows_them_is_taken(write):
    rows = [(*one(), "R1"), ("S2", *one()[1:], "R2")]
    pieces = read(write(rows, columns=[*COLUMNS, "repertoire_id"]), ids=("R1", "R2"))
    assert [len(piece) for piece in pieces.values()] == [1, 1]


def test_a_gzipped_file_reads_as_the_plain_one(write):
    plain = write()
    packed = plain.with_name("clones.tsv.gz")
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    pd.testing.assert_frame_equal(read(packed)["S1"], read(plain)["S1"])


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.permutations(range(len(ROWS))))
def test_the_order_of_rows_plays_no_part(write, order):
    pd.testing.assert_frame_equal(read(write([ROWS[at] for at in order]))["S1"], read(write())["S1"])


def test_a_sample_of_no_t_cell_receptor_is_an_empty_piece_that_its_quality_tells(write):
    piece = read(write([("S1", "IGHV1-2*01", "IGHJ4*01", "TGT", "CARDF", 9, "T")]))["S1"]
    assert piece.empty
    assert piece.attrs["passport"]["other_chains"] == 9.0


# ---- what is wrong ---------------------------------------------------------------------------------------------------


def test_a_receptor_is_never_shown_in_a_problem(write):
    with pytest.raises(InputError) as caught:
        read(write([one(aa="CASSWGLYE4TF", nt="TGT")]))
    assert "CASS" not in str(caught.value)
    assert "clones.tsv:2:junction: the characters '4'" in str(caught.value)


def test_names_of_another_system_are_told_with_the_ones_needed(write):
    with pytest.raises(InputError, match=r"v_call: 2 calls that name no gene, as TCRBV05-01\*01; names of IMGT"):
        read(write([one(v="TCRBV05-01*01")] * 2))


def test_a_column_twice_is_told(write):
    path = write()
    path.write_text(path.read_text().replace("productive", "v_call", 1))
    with pytest.raises(InputError, match="v_call: the column occurs twice"):
        read(path)


def test_all_faults_are_told_at_once(write):
    rows = [one(count="x"), one(aa="C4", count=1), one(productive="perhaps")]
    with pytest.raises(InputError) as caught:
        read(write(rows))
    assert [(problem.row, problem.column) for problem in caught.value.problems] == [
        (2, "duplicate_count"),
        (4, "productive"),
        (3, "junction"),
    ]


@pytest.mark.parametrize(
    ("rows", "drop", "found"),
    [
        (None, ["v_call"], "no column v_call"),
        (None, ["junction_aa"], "no column junction_aa or cdr3_aa"),
        ([("S1", "TRBV19", "TRBJ2-1", "TGT", "C4SS", 1, "T")], [], "the characters '4'"),
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
    assert read_table(tmp_path / "S1.parquet").attrs["passport"]["counted"] == "duplicate_count"
