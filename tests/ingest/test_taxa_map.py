"""Taxa of one database under the names of another."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.errors import InputError
from rabiomarkers.files import read_table
from rabiomarkers.ingest.abundance import read_abundance, split_abundance
from rabiomarkers.ingest.findings import Findings
from rabiomarkers.ingest.taxa_map import map_taxa, read_taxa_map

HEADER = "database,taxon,mapped_database,mapped_taxon\n"
MAP = HEADER + "SILVA 138,A,GTDB r220,X\nSILVA 138,B,GTDB r220,X\nSILVA 138,C,GTDB r220,Y\nvJan21,A,GTDB r220,Z\n"
COUNTS = "taxon,S1,S2\nA,10,0\nB,30,5\nC,40,0\nD,20,0\n"


@pytest.fixture
def write(tmp_path):
    def writer(text, name):
        path = tmp_path / name
        path.write_text(text)
        return path

    return writer


def read(write, *, table=COUNTS, text=MAP, database="silva-138", assay="taxa_counts", **options):
    path, taxa_map = write(table, "taxa.csv"), write(text, "map.csv")
    return read_abundance(
        path, label="taxa.csv", assay=assay, sample_ids=["S1", "S2"], database=database, taxa_map=taxa_map, **options
    )


def told(write, **options):
    with pytest.raises(InputError) as error:
        read(write, **options)
    return str(error.value)


def test_taxa_that_become_one_are_added_up_and_the_unknown_ones_are_told(write):
    """20 of the 100 reads of S1 are of D, which the map does not know."""
    pieces = read(write)
    assert pieces["S1"][["taxon", "value"]].to_numpy().tolist() == [["X", 40], ["Y", 40]]
    assert pieces["S2"]["value"].to_list() == [5, 0]
    assert pieces["S1"].attrs["passport"] == {
        "scale": "counts",
        "declared": "taxa_counts",
        "database": "GTDB r220",
        "mapped_from": "silva-138",
        "unmapped": pytest.approx(0.2),
        "taxa": 2,
    }
    assert pieces["S2"].attrs["passport"]["unmapped"] == 0.0


def test_shares_stay_shares_of_the_whole_profile(write):
    piece = read(write, assay="taxa_relabund", table=COUNTS.replace("5", "100"))["S1"]
    assert piece["value"].to_list() == pytest.approx([0.4, 0.4])
    assert piece.attrs["passport"]["unmapped"] == pytest.approx(0.2)


def test_a_database_that_the_map_does_not_name_stays_what_it_is(write):
    piece = read(write, database="GTDB r220")["S1"]
    assert piece["taxon"].to_list() == ["A", "B", "C", "D"]
    assert "unmapped" not in piece.attrs["passport"]


def test_the_tree_is_asked_for_the_mapped_taxa(write):
    assert len(read(write, tree=write("(X:1,Y:1);", "tree.nwk"))) == 2
    assert "no tip for 2 of 2 taxa that were counted: X, Y" in told(write, tree=write("(A:1,B:1);", "tree.nwk"))


def test_lineages_are_those_of_the_other_database(write):
    table = "taxon,S1,S2,taxonomy\nA,10,0,k__Bacteria;p__Firmicutes\nD,1,1,k__Bacteria\n"
    assert "no mapped_lineage for 1 taxa whose lineage the table of abundances tells: X" in told(write, table=table)
    text = HEADER.replace("\n", ",mapped_lineage\n") + "SILVA 138,A,GTDB r220,X,d__Bacteria;p__Bacillota\n"
    assert read(write, table=table, text=text)["S1"]["lineage"].to_list() == ["k__Bacteria;p__Bacillota"]


def test_a_map_that_knows_none_of_the_taxa_is_refused(write):
    assert "none of the 1 taxa is in map.csv as one of silva-138: D; taxa such as A, B, C" in told(
        write, table="taxon,S1,S2\nD,1,1\n"
    )


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ("SILVA 138,A,GTDB r220,\n", "map.csv:2:mapped_taxon: an empty cell"),
        ("SILVA 138,A,G,X\nsilva-138,A,G,Y\n", "map.csv:3:taxon: 'A' of silva-138 a second time (line 2)"),
        ("SILVA 138,A,G 1,X\nSILVA 138,B,H 1,Y\n", "silva 138 mapped to g 1, h 1; one database"),
        ("SILVA 138,A,silva_138,X\n", "silva 138, which is mapped itself"),
        ("SILVA 138,A,GTDB r220,X\nGTDB r220,X,SILVA 132,B\n", "gtdb 220, which is mapped itself"),
    ],
)
def test_a_wrong_map_is_told(write, rows, found):
    with pytest.raises(InputError) as error:
        read_taxa_map(write(HEADER + rows, "map.csv"))
    assert found in str(error.value)


def test_two_lineages_of_a_mapped_taxon_and_a_column_that_lacks_are_told(write):
    text = HEADER.replace("\n", ",mapped_lineage\n") + "S,A,G,X,k__B\nS,B,G,X,k__C\n"
    with pytest.raises(InputError, match="another lineage of 'X' than above"):
        read_taxa_map(write(text, "map.csv"))
    with pytest.raises(InputError, match="no such column"):
        read_taxa_map(write("database,taxon\nS,A\n", "map.csv"))


def test_the_step_writes_mapped_pieces(write, tmp_path):
    inputs = {"matrix": write(COUNTS, "taxa.csv"), "taxa_map": write(MAP, "map.csv")}
    parameters = {"label": "taxa.csv", "assay": "taxa_counts", "sample_ids": ["S1"], "database": "SILVA 138"}
    assert split_abundance(inputs, tmp_path, **parameters)["database"] == "GTDB r220"
    assert read_table(tmp_path / "S1.parquet").attrs["passport"]["unmapped"] == pytest.approx(0.2)


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(0, 10_000), min_size=4, max_size=4),
    targets=st.lists(st.sampled_from(["", "X", "Y"]), min_size=4, max_size=4).filter(any),
)
def test_no_read_is_lost_or_made(tmp_path_factory, counts, targets):
    """What is mapped and what is told to be unmapped are all of the reads, by adding up."""
    names = pd.DataFrame({"taxon": list("ABCD"), "lineage": ""})
    rows = "".join(f"S,{taxon},G,{target}\n" for taxon, target in zip("ABCD", targets, strict=True) if target)
    path = tmp_path_factory.mktemp("map") / "map.csv"
    path.write_text(HEADER + rows)
    values = pd.DataFrame({"S1": [float(count) for count in counts]})
    found = map_taxa(names, values, database="S", path=path, findings=Findings("taxa.csv"))
    kept = sum(count for count, target in zip(counts, targets, strict=True) if target)
    assert found is not None
    assert found.values["S1"].sum() == kept
    if sum(counts):
        assert found.unmapped["S1"] == pytest.approx(1 - kept / sum(counts))
