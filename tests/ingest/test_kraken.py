"""Reports of Kraken 2 and Bracken, written by hand as the tools do."""

import pytest

from rabiomarkers.errors import InputError
from rabiomarkers.ingest.abundance import read_abundance

REPORT = """\
  5.00\t500\t500\tU\t0\tunclassified
 95.00\t9500\t10\tR\t1\troot
 94.00\t9400\t0\tR1\t131567\t  cellular organisms
 84.00\t8400\t0\tD\t2\t    Bacteria
 84.00\t8400\t0\tP\t1239\t      Bacillota
 84.00\t8400\t400\tG\t572511\t        Blautia
 50.00\t5000\t4000\tS\t40520\t          Blautia obeum
 10.00\t1000\t1000\tS1\t99\t            Blautia obeum A2-162
 30.00\t3000\t3000\tS\t418240\t          Blautia wexlerae
 10.00\t1000\t0\tD\t2759\t    Eukaryota
 10.00\t1000\t1000\tS\t9606\t      Homo sapiens
"""
COMBINED = (
    "name\ttaxonomy_id\ttaxonomy_lvl\tS1.bracken_num\tS1.bracken_frac\tS2_num\tS2_frac\n"
    "Blautia obeum\t40520\tS\t30\t0.75\t4\t0.5\n"
    "Homo sapiens\t9606\tS\t10\t0.25\t4\t0.5\n"
)
ONE = (
    "name\ttaxonomy_id\ttaxonomy_lvl\tkraken_assigned_reads\tadded_reads\tnew_est_reads\tfraction_total_reads\n"
    "Blautia obeum\t40520\tS\t20\t10\t30\t1.0\n"
)


def read(tmp_path, text, samples=("S1",)):
    path = tmp_path / "stool.txt"
    path.write_text(text)
    return read_abundance(path, label="stool.txt", assay="taxa_counts", sample_ids=list(samples))


def problems_of(tmp_path, text, samples=("S1",)):
    with pytest.raises(InputError) as error:
        read(tmp_path, text, samples)
    return error.value.problems


def test_species_have_the_reads_of_their_clade_and_their_lineage(tmp_path):
    piece = read(tmp_path, REPORT)["S1"]
    assert piece[["taxon", "value"]].to_numpy().tolist() == [["Blautia obeum", 5000], ["Blautia wexlerae", 3000]]
    assert piece["lineage"].iloc[0] == "k__Bacteria;p__Bacillota;g__Blautia;s__Blautia obeum"


def test_the_host_and_what_was_placed_nowhere_are_shares_of_all_reads(tmp_path):
    """500 of 10 000 reads are unclassified, 1 000 are human."""
    passport = read(tmp_path, REPORT)["S1"].attrs["passport"]
    assert (passport["unclassified"], passport["host"]) == (0.05, 0.1)


def test_a_report_with_minimizers_is_read_alike(tmp_path):
    lines = [line.split("\t") for line in REPORT.splitlines()]
    wide = "".join("\t".join([*cells[:3], "70", "60", *cells[3:]]) + "\n" for cells in lines)
    assert read(tmp_path, wide)["S1"].equals(read(tmp_path, REPORT)["S1"])


@pytest.mark.parametrize(("text", "samples"), [(ONE, ("S1",)), (COMBINED, ("S1", "S2"))])
def test_brackens_tables_give_its_estimates(tmp_path, text, samples):
    piece = read(tmp_path, text, samples)["S1"]
    assert piece[["taxon", "value"]].to_numpy().tolist() == [["Blautia obeum", 30]]


def test_the_hosts_reads_are_no_taxon_of_brackens_table(tmp_path):
    assert read(tmp_path, COMBINED, ("S1", "S2"))["S2"].attrs["passport"]["host"] == 0.5


@pytest.mark.parametrize(
    ("text", "samples", "told"),
    [
        (REPORT, ("S1", "S2"), "a report of one sample, named by 2 samples"),
        (REPORT + "  0.01\t1\n", ("S1",), "stool.txt:12: a line of 2 cells that is no row of a report"),
        (REPORT + REPORT.splitlines()[6] + "\n", ("S1",), "'Blautia obeum' a second time"),
        (ONE, ("S1", "S2"), "a Bracken table of one sample, named by 2 samples"),
        (ONE.replace("\tS\t", "\tG\t"), ("S1",), "rows of the rank G"),
        (COMBINED, ("S3",), "0 columns of reads named after 'S3'"),
        (COMBINED.replace("30", "-30"), ("S1",), "-30"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path, text, samples, told):
    assert told in "\n".join(map(str, problems_of(tmp_path, text, samples)))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("  5.00", "  5", 1),
    ],
)
def test_a_byte_order_mark_line_ends_and_whole_percentages_change_nothing(tmp_path, change):
    assert read(tmp_path, change(REPORT))["S1"].equals(read(tmp_path, REPORT)["S1"])


def test_domain_and_kingdom_are_both_told_and_the_domain_counts(tmp_path):
    """NCBI since 2024: Bacteria, Bacillati, Bacillota."""
    text = REPORT.replace("      Bacillota", "        Bacillota").replace("        Blautia", "          Blautia")
    text = text.replace("    Bacteria\n", "    Bacteria\n 84.00\t8400\t0\tK\t1783272\t      Bacillati\n")
    assert read(tmp_path, text)["S1"]["lineage"].iloc[0].startswith("k__Bacteria;p__Bacillota;")


def test_names_that_bear_their_rank_bear_it_once(tmp_path):
    """Databases of Kraken made of GTDB."""
    text = REPORT.replace("Blautia obeum\n", "s__Blautia_A obeum\n").replace(
        "        Blautia\n", "        g__Blautia_A\n"
    )
    piece = read(tmp_path, text)["S1"]
    assert piece["taxon"].to_list() == ["Blautia wexlerae", "Blautia_A obeum"]
    assert piece["lineage"].iloc[1] == "k__Bacteria;p__Bacillota;g__Blautia_A;s__Blautia_A obeum"


@pytest.mark.parametrize("reads", ["9" * 400, "9" * 5_000, "4²", "-5000", "5e3", ""])
def test_what_is_no_number_of_reads_is_told_with_its_line(tmp_path, reads):
    (problem,) = problems_of(tmp_path, REPORT.replace("\t5000\t", f"\t{reads}\t"))
    assert (problem.row, problem.found) == (7, "a line of 6 cells that is no row of a report")


def test_a_clade_with_fewer_reads_than_are_in_it_is_told(tmp_path):
    (problem,) = problems_of(tmp_path, REPORT.replace("\t5000\t", "\t50000\t"))
    assert (problem.row, problem.found) == (6, "8,400 reads of Blautia, and 53,000 in it")
