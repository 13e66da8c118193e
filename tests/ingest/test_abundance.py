"""Stool tables: every format to the same pieces, and each mistake told."""

import gzip
import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from biom import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.errors import InputError
from rabiomarkers.files import read_table
from rabiomarkers.ingest.abundance import read_abundance, split_abundance, to_fractions

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"
COUNTS = "taxon,S1,S2\nBlautia wexlerae,10,0\nAkkermansia muciniphila,30,5\n"
LINEAGES = (
    "k__Bacteria;p__Firmicutes;s__Blautia wexlerae",
    "k__Bacteria;p__Verrucomicrobiota;s__Akkermansia muciniphila",
)


@pytest.fixture
def write(tmp_path):
    def writer(content, name="taxa.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return writer


def read(path, *, assay="taxa_counts", sample_ids=("S1", "S2"), **options):
    return read_abundance(path, label=path.name, assay=assay, sample_ids=sample_ids, **options)


def problems_of(path, **options):
    with pytest.raises(InputError) as raised:
        read(path, **options)
    return raised.value.problems


def biom_table():
    metadata = [{"taxonomy": lineage.split(";")} for lineage in LINEAGES]
    taxa = ["Blautia wexlerae", "Akkermansia muciniphila"]
    return Table(np.array([[10, 0], [30, 5]]), taxa, ["S1", "S2"], observation_metadata=metadata)


def biom_2():
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        biom_table().to_hdf5(file, "test")
    return buffer.getvalue()


def qza(member="feature-table.biom"):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"0a1b/data/{member}", biom_2())
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        COUNTS,
        COUNTS.replace(",", "\t"),
        gzip.compress(COUNTS.encode(), mtime=0),
        "# Constructed from biom file\n#OTU ID\tS1\tS2\ttaxonomy\n"
        + f"Blautia wexlerae\t10.0\t0.0\t{LINEAGES[0]}\nAkkermansia muciniphila\t30.0\t5.0\t{LINEAGES[1]}\n",
        "sample_id,Blautia wexlerae,Akkermansia muciniphila\nS2,0,5\nS1,10,30\nS9,x,x\n",
        biom_table().to_json("test").encode(),
        biom_2(),
        qza(),
    ],
    ids=["csv", "tsv", "gz", "biom tsv", "samples x taxa", "biom 1", "biom 2.1", "qza"],
)
def test_every_format_gives_the_same_counts(write, content):
    pieces = read(write(content))
    assert pieces["S1"]["taxon"].to_list() == ["Akkermansia muciniphila", "Blautia wexlerae"]
    assert pieces["S1"]["value"].to_list() == [30, 10]
    assert pieces["S2"]["value"].to_list() == [5, 0]
    assert pieces["S1"].attrs["passport"] == {
        "scale": "counts",
        "declared": "taxa_counts",
        "database": "undeclared",
        "taxa": 2,
    }


@pytest.mark.parametrize("content", [biom_table().to_json("test").encode(), biom_2(), qza()])
def test_biom_brings_its_lineages(write, content):
    assert read(write(content))["S1"]["lineage"].to_list() == [LINEAGES[1], LINEAGES[0]]


METAPHLAN = (
    "#mpa_vJan21_CHOCOPhlAnSGB_202103\n#/usr/bin/metaphlan in.fastq\n#100 reads processed\n"
    "#clade_name\tNCBI_tax_id\trelative_abundance\tadditional_species\n"
    "UNCLASSIFIED\t-1\t20.0\t\nk__Bacteria\t2\t80.0\t\nk__Bacteria|p__Firmicutes\t2|1239\t80.0\t\n"
    "k__Bacteria|p__Firmicutes|s__Blautia_wexlerae\t\t50.0\t\nk__Bacteria|p__Firmicutes|s__Dorea_longicatena\t\t30.0\t\n"
    "k__Bacteria|p__Firmicutes|s__Dorea_longicatena|t__SGB4581\t\t30.0\t\n"
)
MERGED = (
    "#mpa_vJan21_CHOCOPhlAnSGB_202103\nclade_name\tS1\tS2\nk__Bacteria|s__Blautia_wexlerae\t62.5\t0\n"
    "k__Bacteria|s__Dorea_longicatena\t37.5\t100.0\nk__Bacteria|s__Dorea_longicatena|t__SGB4581\t37.5\t100.0\n"
)


def test_a_metaphlan_profile_gives_its_species_and_names_its_database(write):
    piece = read(write(METAPHLAN, "profile.txt"), assay="taxa_relabund", sample_ids=["S1"])["S1"]
    assert piece[["taxon", "value"]].to_numpy().tolist() == [["Blautia_wexlerae", 0.625], ["Dorea_longicatena", 0.375]]
    assert piece["lineage"].iloc[0] == "k__Bacteria;p__Firmicutes;s__Blautia_wexlerae"
    assert piece.attrs["passport"]["database"] == "mpa_vJan21_CHOCOPhlAnSGB_202103"
    assert piece.attrs["passport"]["unclassified"] == pytest.approx(0.2)  # shares are of what was placed
    assert "one sample for each profile" in str(problems_of(write(METAPHLAN), assay="taxa_relabund")[0])


def test_a_merged_metaphlan_table_holds_many_samples(write):
    pieces = read(write(MERGED), assay="taxa_relabund")
    assert pieces["S1"]["value"].to_list() == [0.625, 0.375]
    assert pieces["S2"]["value"].to_list() == [0.0, 1.0]


def test_percentages_and_fractions_come_out_alike(write):
    percent = "sample_id,A,B\nS1,75,25.0\nS2,99.5,0.5\n"
    fractions = "sample_id,A,B\nS1,0.75,0.25\nS2,0.995,0.005\n"
    first, second = (read(write(text), assay="taxa_relabund") for text in (percent.replace("75", "75.0"), fractions))
    for sample in ("S1", "S2"):
        assert first[sample]["value"].to_list() == pytest.approx(second[sample]["value"].to_list())


@settings(deadline=None)
@given(parts=st.lists(st.floats(0.01, 1), min_size=2, max_size=8), percent=st.booleans())
def test_fractions_sum_to_one_at_most_and_keep_their_proportions(parts, percent):
    whole = sum(parts)
    values = pd.Series([part / whole * (100 if percent else 1) for part in parts])
    fractions = to_fractions(values)
    assert fractions.sum() <= 1 + 1e-12
    assert (fractions * whole).to_list() == pytest.approx(parts)


RELATIVE = "taxon,S1,S2\nA,0.5,0.25\nB,0.5,0.25\n"
PERCENT = "taxon,S1,S2\nA,50.5,25\nB,49.5,74.5\n"


@pytest.mark.parametrize(
    ("content", "assay", "told"),
    [
        (RELATIVE, "taxa_counts", "relative abundances in 2 of 2 samples (S1, S2"),
        (PERCENT, "taxa_counts", "relative abundances in percent"),
        (COUNTS.replace("30", "3000.5"), "taxa_counts", "numbers that are not whole in 1 of 2 samples (S1"),
        (COUNTS.replace("30", "300"), "taxa_relabund", "whole numbers, so read counts"),
        (PERCENT.replace("50.5", "150.5"), "taxa_relabund", "sums that are neither"),
        ("taxon,S1,S2\nA,50.5,0.5\nB,49.5,0.5\n", "taxa_relabund", "fractions in S2; one scale in a file"),
    ],
)
def test_another_scale_than_declared_is_refused(write, content, assay, told):
    assert told in str(problems_of(write(content), assay=assay)[0])


@pytest.mark.parametrize(
    ("content", "assay", "row", "column", "told"),
    [
        (COUNTS.replace("30", "-3"), "taxa_counts", 3, "S1", "-3; an abundance: zero or more"),
        (COUNTS.replace("30", "NaN"), "taxa_counts", 3, "S1", "'NaN'; a number"),
        (RELATIVE.replace("0.25", ""), "taxa_relabund", 2, "S2", "an empty cell; a number"),
        ("sample_id,A,B\nS1,0.5,-0.1\nS2,1,0\n", "taxa_relabund", 2, "B", "-0.1; an abundance"),
        (MERGED.replace("37.5", "-1"), "taxa_relabund", 4, "S1", "-1; an abundance"),
        (COUNTS + "Blautia wexlerae,1,1\n", "taxa_counts", 4, "taxon", "a second time"),
        ("sample_id,A,A\nS1,1,2\nS2,1,2\n", "taxa_counts", None, None, "taxa named twice: A"),
        (COUNTS + ",1,1\n", "taxa_counts", 4, "taxon", "a taxon without a name"),
        (COUNTS.replace("S2", "S-2"), "taxa_counts", None, "S2", "did you mean 'S-2'?"),
        ("sample_id,A,B\nS1,1,2\n", "taxa_counts", None, "S2", "no row 'S2'"),
        (MERGED.replace("s__", "x__"), "taxa_relabund", None, None, "no species rows"),
        (biom_2()[:900], "taxa_counts", None, None, "a damaged BIOM file"),
        (biom_table().to_json("test").encode()[:80], "taxa_counts", None, None, "a damaged BIOM file"),
        (json.dumps({"a": 1}).encode(), "taxa_counts", None, None, "a damaged BIOM file"),
        (qza()[:200], "taxa_counts", None, None, "a damaged zip archive"),
        (qza("tree.nwk"), "taxa_counts", None, None, "an archive that holds tree.nwk"),
        (gzip.compress(COUNTS.encode(), mtime=0)[:-9], "taxa_counts", None, None, "gzip data are damaged"),
        (b"", "taxa_counts", None, None, "an empty file"),
    ],
)
def test_a_wrong_table_is_told_with_its_place(write, content, assay, row, column, told):
    problem = problems_of(write(content), assay=assay)[0]
    assert (problem.row, problem.column) == (row, column)
    assert told in str(problem)


def test_negative_values_in_biom_are_told_with_their_taxon(write):
    table = Table(np.array([[10, 0], [-3, 5]]), ["A", "B"], ["S1", "S2"])
    assert "-3 for B" in str(problems_of(write(table.to_json("test")))[0])


@pytest.mark.parametrize(
    "text",
    [
        f"taxon,lineage\nBlautia wexlerae,{LINEAGES[0]}\nAkkermansia muciniphila,{LINEAGES[1]}\n",
        "Feature ID\tTaxon\tConfidence\nBlautia wexlerae\td__Bacteria; p__Firmicutes; s__Blautia wexlerae\t0.9\n"
        f"Akkermansia muciniphila\t{LINEAGES[1]}\t0.9\n",
        "id,Domain,Phylum,Species\nBlautia wexlerae,k__Bacteria,p__Firmicutes,s__Blautia wexlerae\n"
        "Akkermansia muciniphila,Bacteria,Verrucomicrobiota,s__Akkermansia muciniphila\n",
    ],
)
def test_a_taxonomy_table_gives_the_lineages(write, text):
    pieces = read(write(COUNTS), taxonomy=write(text, "taxonomy.csv"))
    assert pieces["S1"]["lineage"].to_list() == [LINEAGES[1], LINEAGES[0]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("taxon,colour\nA,red\n", "a column `lineage`, or a column for each rank"),
        ("taxon,lineage\nA,k__Bacteria\nA,k__Bacteria\n", "taxonomy.csv:3:taxon: 'A' a second time"),
        ("taxon,lineage\nOTU1,k__Bacteria\n", "the taxa of the abundance table, such as Blautia wexlerae"),
    ],
)
def test_a_wrong_taxonomy_table_is_told(write, text, told):
    assert told in str(problems_of(write(COUNTS), taxonomy=write(text, "taxonomy.csv"))[0])


def test_a_tree_needs_a_tip_for_each_taxon_that_was_counted(write):
    table = write("taxon,S1,S2\nx_1,10,0\nx_2,0,0\nx_3,0,4\n")
    assert len(read(table, tree=write("((x_1:1,'x_3':1):1,other:2);", "tree.nwk"))) == 2
    problem = problems_of(table, tree=write("((x_1:1,x_2:1):1,other:2);", "tree.nwk"))[0]
    assert problem.file == "tree.nwk"
    assert problem.found == "no tip for 1 of 2 taxa that were counted: x_3"


@pytest.mark.parametrize("text", ["((x_1:1,x_3:1", "taxon,S1\nx_1,3\n"])
def test_a_broken_tree_is_told(write, text):
    problem = problems_of(write("taxon,S1,S2\nx_1,10,0\nx_3,0,4\n"), tree=write(text, "tree.nwk"))[0]
    assert "Newick" in problem.expected


def test_a_sample_does_not_depend_on_the_others_of_its_file(write):
    path = write(COUNTS)
    together, alone = read(path)["S1"], read(path, sample_ids=["S1"])["S1"]
    assert together.equals(alone)
    assert together.attrs == alone.attrs


def test_a_stool_without_any_read_is_refused_with_what_to_do(write):
    with pytest.raises(InputError, match=r"S1: nothing but zeros.*exclude of samples\.csv"):
        read(write("taxon,S1,S2\nA,0,1\nB,0,4\n"))


def test_the_step_writes_one_piece_a_sample(write, tmp_path):
    inputs = {"matrix": write(COUNTS), "tree": write("('Blautia wexlerae':1,'Akkermansia muciniphila':1);", "tree.nwk")}
    parameters = {"label": "taxa.csv", "assay": "taxa_counts", "sample_ids": ["S1", "S2"], "database": "GTDB r220"}
    assert split_abundance(inputs, tmp_path, **parameters)["database"] == "GTDB r220"
    assert read_table(tmp_path / "S2.parquet")["value"].to_list() == [5, 0]


def shared(*parts):
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip("the shared data folder is not beside the repository")
    return path


def test_toposcore_is_read_as_fractions_of_2039_species():
    path = shared("toposcore_longitudinal", "relative_abundance.csv.gz")
    samples = pd.read_csv(path, usecols=["sample_id"])["sample_id"].to_list()
    pieces = read(path, assay="taxa_relabund", sample_ids=samples)
    assert len(pieces) == 97  # README: 97 samples x 2,039 species in percent, rows sum to 100
    assert {len(piece) for piece in pieces.values()} == {2039}
    assert [piece["value"].sum() for piece in pieces.values()] == pytest.approx([1.0] * 97, abs=1e-4)


def test_limeta_biom_tsv_and_tree_agree():
    folder = shared("limeta_ici_metagenomes")
    samples = ["p001_Gop_NR", "p002_Gop_R"]
    from_biom = read(folder / "counts.biom", sample_ids=samples, tree=folder / "tree.nwk")
    from_text = read(folder / "counts.tsv.gz", sample_ids=samples, taxonomy=folder / "taxonomy.csv.gz")
    for sample in samples:
        assert from_biom[sample][["taxon", "value"]].equals(from_text[sample][["taxon", "value"]])
        assert from_biom[sample]["lineage"].equals(from_text[sample]["lineage"])


@pytest.mark.parametrize(
    ("newick", "told"),
    [
        ("(a,b);", "no branch length at 2 of 2 tips: a, b"),
        ("(a:1,b:-0.5);", "1 branch lengths that are negative or no number: -0.5"),
        ("(a:1,b:nan);", "1 branch lengths that are negative or no number: nan"),
        ("((a:1,b:1):1,b:2);", "tips of the same name: b"),
    ],
)
def test_a_tree_whose_lengths_cannot_be_summed_is_refused(write, newick, told):
    problem = problems_of(write("taxon,S1,S2\na,10,1\nb,0,4\n"), tree=write(newick, "tree.nwk"))[0]
    assert (problem.file, problem.found) == ("tree.nwk", told)


def test_a_biom_table_without_taxa_or_nested_without_end_is_told(write):
    empty = json.loads(biom_table().to_json("x")) | {"rows": [], "data": [], "shape": [0, 2]}
    assert problems_of(write(json.dumps(empty)))[0].found == "a BIOM table without taxa or samples"
    assert problems_of(write('{"a":' + "[" * 100_000))[0].found == "a damaged BIOM file"


def test_a_lineage_that_is_a_number_is_taken_as_its_text(write):
    document = json.loads(biom_table().to_json("x"))
    document["rows"] = [row | {"metadata": {"taxonomy": 7}} for row in document["rows"]]
    assert set(read(write(json.dumps(document)))["S1"]["lineage"]) == {"k__7"}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("taxon,S1,S2\nA,1" + "0" * 400 + ",1\n", "taxa.csv:2:S1: '1000"),
        ("taxon,S1,S2\nA,1" + "0" * 20 + ",1\n", "taxa.csv:S1: 1e+20 reads; 1e+12 at most"),
        ("taxon,S1,S2\nA,1e400,inf\n", "taxa.csv:2:S2: 'inf'"),
        (
            "taxon,S1,S2\n1.23E+05,1,2\n#NAME?,3,4\n",
            "taxa.csv:3:taxon: '#NAME?'; the taxon's name; a spreadsheet changed it",
        ),
        ("x,S1,S2\nS1,0,2\nS2,2,0\n", "the samples as rows and as columns"),
        ("taxon;S1;S2\nA;0,5;0,1\n", "write a decimal point, not a comma"),
    ],
)
def test_numbers_beyond_all_bounds_and_what_spreadsheets_make_are_told(write, content, told):
    assert told in "\n".join(map(str, problems_of(write(content))))


def test_md5_sums_and_numbers_are_names(write):
    names = ["1e5f00c2d9", "4479944", "12345"]
    assert set(read(write("taxon,S1,S2\n" + "".join(f"{name},1,2\n" for name in names)))["S1"]["taxon"]) == set(names)


def test_a_byte_order_mark_before_json_changes_nothing(write):
    assert read(write(b"\xef\xbb\xbf" + biom_table().to_json("test").encode()))["S1"]["value"].to_list() == [30, 10]


def test_a_lineage_that_hdf5_holds_as_one_text_is_taken(write):
    content = io.BytesIO(biom_2())
    with h5py.File(content, "r+") as file:
        del file["observation/metadata/taxonomy"]
        file["observation/metadata/taxonomy"] = np.array([lineage.encode() for lineage in LINEAGES])
    assert read(write(content.getvalue()))["S1"]["lineage"].to_list() == [LINEAGES[1], LINEAGES[0]]


@settings(deadline=None, max_examples=40)
@given(share=st.floats(0.001, 0.999))
def test_an_hdf5_file_that_breaks_off_anywhere_is_refused(tmp_path_factory, share):
    content = biom_2()
    path = tmp_path_factory.mktemp("damaged") / "taxa.biom"
    path.write_bytes(content[: max(9, int(share * len(content)))])
    assert [problem.found for problem in problems_of(path)] == ["a damaged BIOM file"]


@pytest.mark.parametrize("side", ["sample", "observation"])
@pytest.mark.parametrize(
    ("part", "at", "value"),
    [("indices", 0, 99), ("indices", 0, -1), ("indptr", 1, 77), ("indptr", 1, -5), ("indptr", -1, 2**31 - 1)],
)
def test_places_outside_of_the_table_are_refused_and_do_not_end_the_process(write, side, part, at, value):
    """The library would read beyond its memory."""
    content = io.BytesIO(biom_2())
    with h5py.File(content, "r+") as file:
        places = file[f"{side}/matrix/{part}"][()]
        places[at] = value
        file[f"{side}/matrix/{part}"][...] = places
    assert problems_of(write(content.getvalue()))[0].found == "a damaged BIOM file"


def test_an_hdf5_file_that_would_fill_the_memory_is_refused(write):
    content = io.BytesIO(biom_2())
    with h5py.File(content, "r+") as file:
        for name in ("data", "indices"):
            del file[f"sample/matrix/{name}"]
            file.create_dataset(f"sample/matrix/{name}", shape=(10**12,), dtype="f8", chunks=(1000,))
    assert problems_of(write(content.getvalue()))[0].found == "a damaged BIOM file"
