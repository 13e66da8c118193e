"""Tables of gene families as HUMAnN writes them, by hand."""

import pytest

from rabiomarkers.errors import InputError
from rabiomarkers.files import read_table
from rabiomarkers.ingest.gene_families import read_gene_families, split_gene_families

HUMANN = (
    "# Gene Family\tS1_Abundance-RPKs\tS2_Abundance-RPKs\n"
    "UNMAPPED\t100\t0\n"
    "K07249: retinal dehydrogenase [EC:1.2.1.36]\t10\t0\n"
    "K07249|g__Blautia.s__Blautia_obeum\t10\t0\n"
    "ko:K00128\t90\t3\n"
    "K00001\t200\t7\n"
    "UNGROUPED\t500\t10\n"
)


def write(tmp_path, text, name="families.tsv"):
    (tmp_path / name).write_text(text)
    return tmp_path / name


def read(tmp_path, text, samples=("S1",), **options):
    return read_gene_families(write(tmp_path, text), label="families.tsv", sample_ids=list(samples), **options)


def test_rows_by_organism_and_what_was_not_placed_are_no_families(tmp_path):
    piece = read(tmp_path, HUMANN, ("S1", "S2"))["S1"]
    assert piece["family"].to_list() == ["K00001", "K00128", "K07249"]
    assert piece["value"].to_list() == pytest.approx(
        [200 / 800 * 1e6, 90 / 800 * 1e6, 10 / 800 * 1e6]
    )  # UNGROUPED was found, too
    # 100 of 900: the 500 of UNGROUPED were mapped, to families without an orthologue
    assert piece.attrs["passport"] == {
        "scale": "cpm",
        "kind": "ko",
        "families": 3,
        "unmapped": pytest.approx(100 / 900),
    }


def test_a_table_that_was_regrouped_and_one_that_a_map_regroups_give_the_same_copies(tmp_path):
    regrouped = write(tmp_path, "family\tS1\nK00001\t30\nUNGROUPED\t70\n")
    raw = write(tmp_path, "family\tS1\nUniRef90_A\t30\nUniRef90_B\t70\n", "raw.tsv")
    functions = write(tmp_path, "gene_family,ko\nUniRef90_A,K00001\n", "map.csv")
    told = [
        read_gene_families(path, label="x", sample_ids=["S1"], functions=by)["S1"]["value"].to_list()
        for path, by in ((regrouped, None), (raw, functions))
    ]
    assert told == [pytest.approx([300_000.0])] * 2


def test_the_unit_of_the_file_plays_no_part(tmp_path):
    text = "family\tS1\nK00001\t{}\nK00128\t{}\n"
    assert read(tmp_path, text.format(3, 1))["S1"].equals(read(tmp_path, text.format(0.3, 0.1))["S1"])


def test_enzyme_numbers_are_read(tmp_path):
    piece = read(tmp_path, "family,S1\nEC:1.2.1.36,1\n1.1.1.-: some,3\n")["S1"]
    assert piece["family"].to_list() == ["1.1.1.-", "1.2.1.36"]
    assert piece.attrs["passport"]["kind"] == "ec"


def test_families_of_the_studys_own_go_by_its_map(tmp_path):
    own = write(tmp_path, "gene_family,ko\nUniRef90_A,K07249\nUniRef90_A,K00128\nUniRef90_B,K07249\n", "map.csv")
    text = "family\tS1\nUniRef90_A\t2\nUniRef90_B\t3\nUniRef90_C\t5\n"
    piece = read(tmp_path, text, functions=own)["S1"]
    assert piece.set_index("family")["value"].to_dict() == pytest.approx({"K00128": 2e5, "K07249": 5e5})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("family\tS1\nUniRef90_A\t3\n", "1 names that are neither KO nor EC: UniRef90_A"),
        ("family\tS1\nK00001\t-3\n", "families.tsv:2:S1: -3"),
        ("family\tS1\nK00001\t0\n", "nothing but zeros"),
        ("family\tS1\nK00001\t1\n1.1.1.1\t2\n", "orthologues (KO) and enzyme numbers (EC) in one table"),
        ("family\tS9\nK00001\t1\n", "no column 'S1'"),
        ("family\tS1\nK00001\t1\nK00001: x\t1\n", "'K00001' a second time"),
        ("family\tS1\nK00001\tmany\n", "'many'; a number"),
    ],
)
def test_a_wrong_table_is_told_with_its_place(tmp_path, text, told):
    with pytest.raises(InputError) as error:
        read(tmp_path, text)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gene_family,ko\nU,K1\n", "'K1'; a KEGG orthologue"),
        ("gene_family,ko\nU,K00001\nU,K00001\n", "a second time"),
        ("gene_family\nU\n", "ko"),
    ],
)
def test_a_wrong_map_is_told(tmp_path, text, told):
    own = write(tmp_path, text, "map.csv")
    with pytest.raises(InputError) as error:
        read(tmp_path, "family\tS1\nU\t3\n", functions=own)
    assert told in str(error.value)


def test_the_step_writes_one_piece_a_sample(tmp_path):
    inputs = {"matrix": write(tmp_path, HUMANN)}
    assert split_gene_families(inputs, tmp_path, label="x", sample_ids=["S1", "S2"])["kind"] == "ko"
    assert read_table(tmp_path / "S2.parquet")["value"].sum() == pytest.approx(10 / 20 * 1e6)


def test_what_humann_4_could_not_map_is_no_family(tmp_path):
    """Its reads are in another unit than its families, so that they make no share."""
    piece = read(tmp_path, "# Gene Family HUMAnN v4\tS1_Abundance-RPKs\nREADS_UNMAPPED\t10\nK00001\t5\nUNGROUPED\t9\n")[
        "S1"
    ]
    assert piece["family"].to_list() == ["K00001"]
    assert piece.attrs["passport"]["unmapped"] is None


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("K00001\t5\nko:K00001\t4\n", "families.tsv:3: 'K00001' a second time"),
        ("1.1.1.1\t5\nEC:1.1.1.1\t4\n", "families.tsv:3: '1.1.1.1' a second time"),
        ("\t5\nK00001\t4\n", "families.tsv:2: a gene family without a name"),
        ("K00001\t" + "9" * 400 + "\n", "families.tsv:2:S1: '999"),
        ("K00001\t1e400\n", "families.tsv:2:S1: 'inf'"),
    ],
)
def test_one_family_written_in_two_ways_and_numbers_beyond_all_bounds_are_told(tmp_path, rows, said):
    with pytest.raises(InputError) as error:
        read(tmp_path, "# Gene Family\tS1\n" + rows)
    assert said in str(error.value)
