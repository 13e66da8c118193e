"""Lineages as databases write them, and trees: plain, in an artifact of QIIME 2, and damaged ones."""

import gzip
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.errors import AbundanceError, InputError
from rabiomarkers.ingest.lineage import check_tree, lineage, read_taxonomy, split_lineage
from rabiomarkers.stats.trees import covering, read_tree

TREE = "((A:1,B_x:2)0.95:1,'C d':2);"
LACHNO = "k__Bacteria;p__Firmicutes;c__Clostridia;o__Lachnospirales;f__Lachnospiraceae"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        # SILVA 138 and 132 in QIIME 2, with what they call what has no name
        (
            "d__Bacteria; p__Firmicutes; c__Clostridia; o__Lachnospirales; f__Lachnospiraceae; g__uncultured; s__gut_metagenome",
            LACHNO,
        ),
        (
            "D_0__Bacteria;D_1__Firmicutes;D_2__Clostridia;D_3__Lachnospirales;D_4__Lachnospiraceae;D_5__Blautia;"
            "D_6__uncultured bacterium",
            f"{LACHNO};g__Blautia",
        ),
        ("Unassigned", ""),
        ("d__Bacteria;p__Bacillota;c__Incertae_Sedis", "k__Bacteria;p__Bacillota"),
        # Greengenes: empty ranks, species by their epithet
        ("k__Bacteria; p__; c__; o__; f__; g__; s__", "k__Bacteria"),
        ("k__Bacteria; g__Prevotella; s__copri", "k__Bacteria;g__Prevotella;s__Prevotella copri"),
        # GTDB, NCBI with domain and kingdom, NCBI from the root
        ("d__Bacteria;g__Blautia_A;s__Blautia_A wexlerae", "k__Bacteria;g__Blautia_A;s__Blautia_A wexlerae"),
        ("d__Bacteria;k__Bacillati;p__Bacillota", "k__Bacteria;p__Bacillota"),
        ("sk__Bacteria;p__Bacillota", "k__Bacteria;p__Bacillota"),
        ("root;cellular organisms;Bacteria;Bacillota", "k__Bacteria;p__Bacillota"),
        # ranks by their place: an empty one keeps it
        ("Bacteria;Firmicutes;;;Lachnospiraceae;Blautia", "k__Bacteria;p__Firmicutes;f__Lachnospiraceae;g__Blautia"),
        ("Bacteria;Firmicutes;", "k__Bacteria;p__Firmicutes"),
        ("Bacteria;Firmicutes;NA;NA", "k__Bacteria;p__Firmicutes"),
        ("Bacteria(100);Firmicutes(98.5)", "k__Bacteria;p__Firmicutes"),
        # MetaPhlAn
        (
            "k__Bacteria|p__Firmicutes|s__GGB9534_SGB14937|t__SGB14937",
            "k__Bacteria;p__Firmicutes;s__GGB9534_SGB14937;t__SGB14937",
        ),
        ("s__Blautia_d__x", "s__Blautia_d__x"),
        ("", ""),
    ],
)
def test_a_lineage_has_its_ranks_and_no_name_where_there_is_none(written, read):
    assert lineage(split_lineage(written)) == read


NAMES = st.text("ABab_ .", min_size=0, max_size=6)


@given(parts=st.lists(st.tuples(st.sampled_from(["", "d__", "k__", "p__", "D_3__", "g__", "s__"]), NAMES), max_size=9))
def test_a_lineage_that_is_read_again_stays_what_it_is(parts):
    once = lineage([prefix + name for prefix, name in parts])
    assert lineage(split_lineage(once)) == once
    assert all(part[3:].strip() for part in split_lineage(once) if once)


def test_the_absent_ranks_of_dada2_are_no_names(tmp_path):
    path = tmp_path / "taxonomy.csv"
    path.write_text(
        '"","Kingdom","Phylum","Class","Family","Genus","Species"\n'
        '"ACGT","Bacteria","Firmicutes",NA,"Lachnospiraceae","Blautia","wexlerae"\n'
        '"GGTT","Bacteria","Firmicutes",NA,NA,NA,NA\n'
    )
    assert read_taxonomy(path, label="taxonomy.csv").to_list() == [
        "k__Bacteria;p__Firmicutes;f__Lachnospiraceae;g__Blautia;s__Blautia wexlerae",
        "k__Bacteria;p__Firmicutes",
    ]


def test_two_lineages_of_one_taxon_are_refused_with_their_line(tmp_path):
    path = tmp_path / "taxonomy.tsv"
    path.write_text("Feature ID\tTaxon\nA\tk__Bacteria\nB\tk__Bacteria\nA\tk__Archaea\n")
    with pytest.raises(InputError, match=r"taxonomy\.tsv:4:Feature ID: 'A' a second time"):
        read_taxonomy(path, label="taxonomy.tsv")


def artifact(text, kind="Phylogeny[Rooted]", name="tree.nwk"):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("0a1b/metadata.yaml", f"uuid: 0a1b\ntype: {kind}\nformat: NewickDirectoryFormat\n")
        file.writestr(f"0a1b/data/{name}", text)
    return buffer.getvalue()


def written(tmp_path, content):
    path = tmp_path / "tree.qza"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def told(tmp_path, content, taxa=("A", "B_x", "C d")):
    with pytest.raises(InputError) as error:
        check_tree(written(tmp_path, content), label="tree.qza", taxa=taxa)
    return str(error.value)


@pytest.mark.parametrize(
    "content",
    [
        TREE,
        gzip.compress(TREE.encode()),
        b"\xef\xbb\xbf" + TREE.encode(),
        TREE.replace(",", ",\r\n"),
        artifact(TREE),
        artifact(TREE, "Phylogeny[Unrooted]"),
        artifact(b"\xef\xbb\xbf" + TREE.encode()),
    ],
    ids=["newick", "gz", "bom", "crlf", "rooted", "unrooted", "bom inside"],
)
def test_a_tree_is_read_alike_from_every_file(tmp_path, content):
    """What the check accepts the steps read: lengths from each tip to the top, counted by hand."""
    path = written(tmp_path, content)
    check_tree(path, label="tree.qza", taxa=["A", "B_x", "C d"])
    tree = covering(read_tree(path), ["A", "B_x", "C d"])
    top = {str(tip.name): sum(node.length for node in [tip, *tip.ancestors()] if node.length) for tip in tree.tips()}
    assert top == {"A": 2.0, "B_x": 3.0, "C d": 2.0}


@pytest.mark.parametrize("kind", ["FeatureTable[Frequency]", "FeatureData[Taxonomy]", "Visualization"])
def test_an_artifact_of_another_type_is_no_tree(tmp_path, kind):
    assert f"a QIIME 2 artifact of the type {kind}; one of Phylogeny[Rooted]" in told(tmp_path, artifact(TREE, kind))


def test_an_artifact_without_a_tree_is_told_and_no_step_reads_it(tmp_path):
    content = artifact(TREE, name="other.nwk")
    assert "an archive that holds other.nwk" in told(tmp_path, content)
    with pytest.raises(AbundanceError, match="no QIIME 2 artifact of one tree"):
        read_tree(written(tmp_path, content))


def test_a_tree_that_unpacks_out_of_all_proportion_is_given_up(tmp_path):
    assert "a member that unpacks to more than" in told(tmp_path, artifact(b" " * 40_000_000))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("((A:1,B_x:1),'C d':2);", "no branch length above 1 of 1 forks"),
        ("((A:0,5,B_x:1):1,'C d':2);", "no branch length at 1 of 4 tips: 5"),
        ("((A:0,B_x:0):0,'C d':0);", "branches that are all of length 0"),
        ("((A:-1,B_x:1):1,'C d':1e400);", "2 branch lengths that are negative or no number: -1.0, inf"),
        (f"{TREE}\n{TREE}", "2 trees; one tree"),
        ("((A:1,B_x:1)'C d':1,E:2);", "no tip for 1 of 3 taxa that were counted: C d"),
        ("((A:1,Q:1):1,R:2);", "no tip for 2 of 3 taxa that were counted: B_x, C d"),
        ("((A:1,A:1):1,(B_x:1,'C d':2):1);", "tips of the same name: A"),
        ("#NEXUS\nbegin trees;", "no complete Newick tree"),
        ("(" * 20_000, "no complete Newick tree"),
    ],
)
def test_a_tree_that_cannot_be_summed_is_told(tmp_path, text, found):
    assert found in told(tmp_path, text)
    assert found in told(tmp_path, artifact(text))


def test_a_stem_above_the_only_fork_needs_no_length_and_names_may_hold_semicolons(tmp_path):
    check_tree(written(tmp_path, "(((A:1,'k__B;s__C':1):1,E:1));"), label="tree.qza", taxa=["A", "k__B;s__C"])


@pytest.mark.parametrize("content", [b"\xff\xfe(\x00", b"PK\x03\x04 broken", b"\x1f\x8b broken", b"(A\xff:1,B:1);"])
def test_a_damaged_tree_is_no_raw_error_of_the_step_either(tmp_path, content):
    with pytest.raises(AbundanceError, match=r"tree\.qza is not a newick tree"):
        read_tree(written(tmp_path, content))
