"""QIIME 2 artifacts, and archives that only look like them."""

import io
import stat
import zipfile

import numpy as np
import pytest
from biom import Table

from rabiomarkers.errors import InputError
from rabiomarkers.ingest.abundance import read_abundance
from rabiomarkers.ingest.lineage import read_taxonomy

TAXA = Table(np.array([[10, 0], [3, 5]]), ["A", "B"], ["S1", "S2"]).to_json("test")
COUNTS = "FeatureTable[Frequency]"


def archive(members, kind=COUNTS):
    """A zip of (name or ZipInfo, content), with the metadata of an artifact of this type."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        if kind is not None:
            file.writestr("u1/metadata.yaml", f"uuid: u1\ntype: {kind}\nformat: BIOMV210DirFmt\n")
        for name, content in members:
            file.writestr(name, content)
    return buffer.getvalue()


def read(tmp_path, content):
    (tmp_path / "table.qza").write_bytes(content)
    return read_abundance(tmp_path / "table.qza", label="table.qza", assay="taxa_counts", sample_ids=["S1", "S2"])


def told(tmp_path, content):
    with pytest.raises(InputError) as error:
        read(tmp_path, content)
    return str(error.value)


def test_an_artifact_gives_its_table(tmp_path):
    assert read(tmp_path, archive([("u1/data/feature-table.biom", TAXA)]))["S1"]["value"].to_list() == [10, 3]


@pytest.mark.parametrize(
    "name", ["../outside.txt", "u1/../../outside.txt", "/etc/outside", "C:/outside", "..\\outside"]
)
def test_a_path_that_climbs_out_is_refused_and_nothing_is_written(tmp_path, name):
    content = archive([(name, "x"), ("u1/data/feature-table.biom", TAXA)])
    assert "a member whose path leads out of the archive" in told(tmp_path, content)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.qza"]


def test_a_link_is_refused(tmp_path):
    link = zipfile.ZipInfo("u1/data/feature-table.biom")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    assert "a member that is a link" in told(tmp_path, archive([(link, "/etc/passwd")]))


def test_a_member_that_unpacks_out_of_all_proportion_is_given_up(tmp_path):
    content = archive([("u1/data/feature-table.biom", b" " * 40_000_000)])
    assert len(content) < 60_000
    assert "a member that unpacks to more than" in told(tmp_path, content)


def test_a_lie_about_the_size_changes_nothing(tmp_path):
    content = bytearray(archive([("u1/data/feature-table.biom", b" " * 40_000_000)], kind=None))
    at = content.rindex(b"PK\x01\x02") + 24  # the size unpacked, in the central directory
    content[at : at + 4] = (100).to_bytes(4, "little")
    assert "damaged zip archive" in told(tmp_path, bytes(content)) or "unpacks to more" in told(
        tmp_path, bytes(content)
    )


@pytest.mark.parametrize("kind", ["FeatureData[Taxonomy]", "Phylogeny[Rooted]", "SampleData[AlphaDiversity]"])
def test_an_artifact_of_another_type_is_refused(tmp_path, kind):
    content = archive([("u1/data/feature-table.biom", TAXA)], kind)
    assert f"a QIIME 2 artifact of the type {kind}" in told(tmp_path, content)


def test_an_archive_without_a_table_names_what_it_holds(tmp_path):
    assert "an archive that holds tree.nwk" in told(tmp_path, archive([("u1/data/tree.nwk", "(A,B);")]))
    assert "an archive that holds no data" in told(tmp_path, archive([("readme", "")], kind=None))


@pytest.mark.parametrize("cut", [30, 100, 200])
def test_a_damaged_archive_is_told(tmp_path, cut):
    assert "a damaged zip archive" in told(tmp_path, archive([("u1/data/feature-table.biom", TAXA)])[:-cut])


def test_a_taxonomy_may_be_an_artifact(tmp_path):
    text = "Feature ID\tTaxon\tConfidence\nA\td__Bacteria; p__Bacillota\t0.9\n"
    path = tmp_path / "taxonomy.qza"
    path.write_bytes(archive([("u1/data/taxonomy.tsv", text)], "FeatureData[Taxonomy]"))
    assert read_taxonomy(path, label="taxonomy.qza").to_dict() == {"A": "k__Bacteria;p__Bacillota"}
    path.write_bytes(archive([("u1/data/feature-table.biom", TAXA)]))
    with pytest.raises(InputError, match="of the type FeatureTable"):
        read_taxonomy(path, label="taxonomy.qza")


def test_a_composition_with_one_added_to_its_counts_is_refused(tmp_path):
    content = archive([("u1/data/feature-table.biom", TAXA)], "FeatureTable[Composition]")
    assert "a QIIME 2 artifact of the type FeatureTable[Composition]" in told(tmp_path, content)


@pytest.mark.parametrize(
    "metadata", [b"type: {1: 2}", b"type: 2020-99-99", b"type: \xff", b"[" * 9_000, b"", b"type: 'a{b}'"]
)
def test_an_artifact_that_tells_no_type_is_refused(tmp_path, metadata):
    content = archive([("u1/metadata.yaml", metadata), ("u1/data/feature-table.biom", TAXA)], None)
    assert "a metadata.yaml that tells no type" in told(tmp_path, content)


def test_a_member_behind_a_password_is_refused(tmp_path):
    content = bytearray(archive([("u1/data/feature-table.biom", TAXA)]))
    content[content.rindex(b"PK\x01\x02") + 8] |= 1  # the flag in the central directory
    assert "a member locked by a password" in told(tmp_path, bytes(content))
