"""MetaPhlAn's profiles and tables like them: what is a share, what a read, and whose names they bear."""

import pytest

from rabiomarkers.errors import InputError
from rabiomarkers.ingest.abundance import read_abundance

INDEX = "mpa_vJun23_CHOCOPhlAnSGB_202403"
PATH = "k__Bacteria|p__Firmicutes|c__Clostridia|o__Eubacteriales|f__Lachnospiraceae|g__Blautia"
READS = (
    f"#{INDEX}\n#/usr/bin/metaphlan --index {INDEX}\n#1000 reads processed\n#SampleID\tMetaphlan_Analysis\n"
    "#estimated_reads_mapped_to_known_clades:800\n"
    "#clade_name\tclade_taxid\trelative_abundance\tcoverage\testimated_number_of_reads_from_the_clade\n"
    "UNCLASSIFIED\t-1\t20.0\t-\t200\nk__Bacteria\t2\t80.0\t1.5\t800\n"
    f"{PATH}|s__Blautia_obeum\t2|3\t60.0\t1.1\t600\n{PATH}|s__Blautia_wexlerae\t2|4\t20.0\t0.4\t200\n"
)
PLAIN = f"#{INDEX}\n#clade_name\tNCBI_tax_id\trelative_abundance\tadditional_species\n"
CLADES = (
    ("d__Bacteria", 100, 50),
    ("d__Bacteria|p__F", 100, 50),
    ("d__Bacteria|p__F|s__A b", 60, 20),
    ("d__Bacteria|p__F|s__D e", 30, 30),
)


def read(tmp_path, text, *, assay="taxa_relabund", samples=("S1",)):
    path = tmp_path / "profile.txt"
    path.write_text(text)
    return read_abundance(path, label="profile.txt", assay=assay, sample_ids=list(samples))


def told(tmp_path, text, **options):
    with pytest.raises(InputError) as error:
        read(tmp_path, text, **options)
    return str(error.value)


def merged(rows, header="clade_name\tS1\tS2", comment=f"#{INDEX}\n"):
    return comment + header + "\n" + "".join("\t".join(map(str, row)) + "\n" for row in rows)


def test_a_profile_with_reads_gives_shares_of_the_placed_part_or_the_reads(tmp_path):
    shares = read(tmp_path, READS)["S1"]
    assert shares["value"].to_list() == pytest.approx([0.75, 0.25])  # 60 and 20 of 80
    reads = read(tmp_path, READS, assay="taxa_counts")["S1"]
    assert reads["value"].to_list() == [600, 200]
    for piece in (shares, reads):
        assert piece.attrs["passport"]["database"] == INDEX
        assert piece.attrs["passport"]["unclassified"] == pytest.approx(0.2)  # 200 of 1 000 reads, or 20 of 100 %


def test_shares_are_no_reads_even_where_they_are_whole(tmp_path):
    text = PLAIN + "k__Bacteria\t2\t100.0\t\nk__Bacteria|s__A\t\t100.0\t\n"
    assert "a MetaPhlAn profile of relative abundances; read counts" in told(tmp_path, text, assay="taxa_counts")
    rows = [("k__B", 100, 100), ("k__B|s__A", 60, 100), ("k__B|s__D", 40, 0)]
    assert "relative abundances; read counts" in told(tmp_path, merged(rows), assay="taxa_counts", samples=("S1", "S2"))


def test_a_stool_of_which_nothing_could_be_placed_is_an_empty_profile(tmp_path):
    piece = read(tmp_path, PLAIN + "UNCLASSIFIED\t-1\t100.0\t\n")["S1"]
    assert len(piece) == 0
    assert piece.attrs["passport"]["unclassified"] == 1.0
    assert "no species rows" in told(tmp_path, PLAIN + "k__Bacteria\t2\t100.0\t\n")


def test_profiles_of_two_databases_in_one_table_are_refused(tmp_path):
    text = "#mpa_vJan21_CHOCOPhlAnSGB_202103\n" + merged([("k__B", 100, 100), ("k__B|s__A", 100, 100)])
    assert "profiles of 2 databases in one table (mpa_vJan21_CHOCOPhlAnSGB_202103, mpa_vJun23" in told(
        tmp_path, text, samples=("S1", "S2")
    )


@pytest.mark.parametrize("header", ["#clade_name\trelative_abundance", "clade_name\tS1"])
def test_bins_by_the_names_of_gtdb_are_of_another_database(tmp_path, header):
    """As sgb_to_gtdb_profile.py writes them."""
    lineage = "d__Bacteria;p__Bacillota_A;c__Clostridia;o__Lachnospirales;f__Lachnospiraceae;g__Blautia_A;s__Blautia_A"
    text = (
        f"#{INDEX}\n{header}\nUNCLASSIFIED\t10\nd__Bacteria\t90\nd__Bacteria;p__Bacillota_A\t90\n"
        f"{lineage} obeum\t60\n{lineage} wexlerae\t30\n"
    )
    piece = read(tmp_path, text)["S1"]
    assert piece["taxon"].to_list() == ["Blautia_A obeum", "Blautia_A wexlerae"]
    assert piece["value"].to_list() == pytest.approx([2 / 3, 1 / 3])
    assert piece["lineage"].iloc[0].startswith("k__Bacteria;p__Bacillota_A;c__Clostridia;")
    assert piece.attrs["passport"]["database"] == "GTDB names of vJun23_CHOCOPhlAnSGB_202403"


@pytest.mark.parametrize("header", ["#Classification\tS1\tS2", "taxonomy\tS1\tS2", "\tS1\tS2"])
def test_rows_of_higher_ranks_are_not_counted_again_whatever_the_table_is_called(tmp_path, header):
    """As combine_mpa.py of KrakenTools writes them; 90 and 50 reads, not 290 and 150."""
    pieces = read(tmp_path, merged(CLADES, header, ""), assay="taxa_counts", samples=("S1", "S2"))
    assert pieces["S1"][["taxon", "value"]].to_numpy().tolist() == [["A b", 60], ["D e", 30]]
    assert pieces["S2"]["value"].to_list() == [20, 30]


def test_taxa_called_by_their_whole_lineage_tell_it(tmp_path):
    """Tables collapsed by QIIME 2: no row holds another."""
    rows = [("k__Bacteria;p__F;g__A", 1, 2), ("k__Bacteria;p__F;__", 3, 4)]
    piece = read(tmp_path, merged(rows, "#OTU ID\tS1\tS2", ""), assay="taxa_counts", samples=("S1", "S2"))["S1"]
    assert dict(zip(piece["taxon"], piece["lineage"], strict=True)) == {
        "k__Bacteria;p__F;g__A": "k__Bacteria;p__F;g__A",
        "k__Bacteria;p__F;__": "k__Bacteria;p__F",
    }


def test_a_kraken_report_in_metaphlans_style_has_no_header(tmp_path):
    rows = [*((clade, reads) for clade, reads, _ in CLADES), ("d__Eukaryota", 30), ("d__Eukaryota|s__Homo sapiens", 30)]
    text = "".join(f"{clade}\t{reads}\n" for clade, reads in rows)
    piece = read(tmp_path, text, assay="taxa_counts")["S1"]
    assert piece[["taxon", "value", "lineage"]].to_numpy().tolist() == [
        ["A b", 60, "k__Bacteria;p__F;s__A b"],
        ["D e", 30, "k__Bacteria;p__F;s__D e"],
    ]
    assert piece.attrs["passport"]["host"] == pytest.approx(30 / 120)
    assert "named by 2 samples" in told(tmp_path, text, assay="taxa_counts", samples=("S1", "S2"))
    assert "profile.txt:3:S1: -60" in told(tmp_path, text.replace("\t60", "\t-60"), assay="taxa_counts")
