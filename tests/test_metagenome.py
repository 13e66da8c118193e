"""FASTQ files of stools to taxa: reads of small genomes, mixed in known parts."""

import gzip
import json
import re
import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.errors import CountingError, InputError, ResultsError
from rabiomarkers.files import read_json
from rabiomarkers.ingest import sketches
from rabiomarkers.ingest.abundance import read_abundance
from rabiomarkers.ingest.genomes import check_genomes, read_lineages, taxon_of
from rabiomarkers.metagenome import Profiling, profile_reads
from rabiomarkers.store import Store

pytest.importorskip("sourmash", reason="profiling metagenomes is the extra metagenome")

from tests.support.metagenome import SPECIES, sourmash_here, write_genomes, write_lineages, write_stool

ONE, TWO, THREE, FOUR, FIVE = SPECIES
BEFORE = {ONE: 0.1, TWO: 0.35, THREE: 0.15, FOUR: 0.2, "stranger": 0.2}
AFTER = {ONE: 0.04, TWO: 0.5, FIVE: 0.46}
CLOSE = {"scaled": 20, "threshold_bp": 2_000}  # small genomes need many of their k-mers


@pytest.fixture(scope="module")
def sequencer(tmp_path_factory):
    """A folder with genomes, lineages, a sheet of two stools (one of two lanes) and their reads."""
    folder = tmp_path_factory.mktemp("sequencer")
    write_genomes(folder / "genomes")
    write_lineages(folder / "lineages.csv")
    rows = [
        write_stool(folder, "S1a", BEFORE, fragments=2_000),
        write_stool(folder, "S2", AFTER, seed=3),
        write_stool(folder, "S1b", BEFORE, fragments=1_000, seed=4),
    ]
    (folder / "stools.csv").write_text("sample_id,read1,read2\n" + "".join(rows))
    return folder


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """sourmash takes a second to load: once is enough."""
    monkeypatch.setattr(sketches, "_sourmash", sourmash_here)


@pytest.fixture(scope="module")
def profiled(sequencer, tmp_path_factory):
    """The profile of both stools by species, and the store it was made with."""
    folder = tmp_path_factory.mktemp("profiled")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sketches, "_sourmash", sourmash_here)
        profile_reads(asked(sequencer, lineages=sequencer / "lineages.csv"), Store(folder / "store"), folder / "taxa")
    return folder


@pytest.fixture
def own(sequencer, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(sequencer, tmp_path / "sequencer")


def asked(folder, **options):
    return Profiling(**({"sheet": folder / "stools.csv", "database": folder / "genomes"} | CLOSE | options))


def only(folder, sample):
    """Take the other samples out of the sheet."""
    row = f"{sample},{sample}_1.fastq.gz,{sample}_2.fastq.gz"
    (folder / "stools.csv").write_text(f"sample_id,read1,read2\n{row}\n")


def problems_of(folder, tmp_path, **options):
    with pytest.raises(InputError) as raised:
        profile_reads(asked(folder, **options), Store(tmp_path / "store"), tmp_path / "taxa")
    assert not (tmp_path / "taxa").exists()
    assert not list((tmp_path / "store" / "steps").iterdir())
    return [str(problem) for problem in raised.value.problems]


def by_species(mixture):
    known = pd.Series({name: share for name, share in mixture.items() if name in SPECIES})
    return (known / known.sum()).groupby(SPECIES).sum()


def abundance_of(folder, assay="taxa_relabund", samples=("S1", "S2")):
    path = folder / "abundance.csv"
    return read_abundance(path, label=path.name, assay=assay, sample_ids=list(samples))


def test_known_mixtures_come_back_within_two_points(profiled):
    pieces = abundance_of(profiled / "taxa")
    for sample, mixture in (("S1", BEFORE), ("S2", AFTER)):
        found = pieces[sample].set_index("taxon")["value"]
        truth = by_species(mixture).reindex(found.index, fill_value=0.0)
        assert set(by_species(mixture).index) == set(found.index[found > 0])
        assert float((found - truth).abs().max()) < 0.02
        assert float(found.sum()) == pytest.approx(1.0)
    assert pieces["S1"].set_index("taxon").loc["Escherichia coli", "lineage"] == (
        "k__Bacteria;p__Pseudomonadota;c__Escherichiac;o__Escherichiao;f__Escherichiaf;g__Escherichia;s__Escherichia coli"
    )


def test_what_no_genome_explains_is_told_and_not_shared_out(profiled):
    quality = pd.read_csv(profiled / "taxa" / "qc.csv").set_index("sample_id")
    assert quality["reads"].to_dict() == {"S1": 6_000, "S2": 6_000}
    assert quality.loc["S1", "unclassified"] == pytest.approx(BEFORE["stranger"], abs=0.02)
    assert quality.loc["S2", "unclassified"] == pytest.approx(0.0, abs=0.005)
    assert (quality["classified"] + quality["unclassified"]).tolist() == pytest.approx([1.0, 1.0])
    assert quality["finding"].isna().all()
    matches = pd.read_csv(profiled / "taxa" / "matches.csv")
    assert matches.groupby("sample_id")["share"].sum().tolist() == pytest.approx(quality["classified"].tolist())
    assert not set(matches["genome"]) - set(SPECIES)


def test_the_lines_name_the_table_as_seen_from_the_study_it_lies_in(profiled, sequencer, tmp_path):
    lines = pd.read_csv(profiled / "taxa" / "samples_lines.csv")
    assert lines[["sample_id", "compartment", "assay", "path"]].to_numpy().tolist() == [
        [sample, "faecal", "taxa_relabund", "taxa/abundance.csv"] for sample in ("S1", "S2")
    ]
    (tmp_path / "study.yaml").touch()
    out = tmp_path / "stool" / "march"
    profile_reads(asked(sequencer, lineages=sequencer / "lineages.csv"), Store(profiled / "store"), out)
    assert set(pd.read_csv(out / "samples_lines.csv")["path"]) == {"stool/march/abundance.csv"}


def test_what_was_profiled_is_not_again_and_gives_the_same_bytes(profiled, sequencer, tmp_path):
    wanted = asked(sequencer, lineages=sequencer / "lineages.csv")
    again = profile_reads(wanted, Store(profiled / "store"), profiled / "taxa")
    assert all(step.reused for step in again)
    before = {path.name: path.read_bytes() for path in (profiled / "taxa").iterdir()}
    afresh = profile_reads(wanted, Store(tmp_path / "store"), tmp_path / "taxa")
    assert [step.digests for step in afresh] == [step.digests for step in again]
    assert {path.name: path.read_bytes() for path in (tmp_path / "taxa").iterdir()} == before


def test_a_sample_does_not_depend_on_the_others_nor_on_the_names_of_files(profiled, own, tmp_path):
    for mate in (1, 2):
        (own / f"S2_{mate}.fastq.gz").rename(own / f"moved_{mate}.fastq.gz")
    (own / "stools.csv").write_text("sample_id,read1,read2\nQ7,moved_1.fastq.gz,moved_2.fastq.gz\n")
    store = Store(tmp_path / "store")
    profile_reads(asked(own, lineages=own / "lineages.csv"), store, tmp_path / "taxa")
    alone = abundance_of(tmp_path / "taxa", samples=["Q7"])["Q7"].set_index("taxon")["value"]
    beside = abundance_of(profiled / "taxa")["S2"].set_index("taxon")["value"]
    assert alone.to_dict() == beside[beside > 0].to_dict()
    written = b"".join(path.read_bytes() for path in (tmp_path / "store" / "steps").rglob("*") if path.is_file())
    assert str(own).encode() not in written
    assert b"moved_1" not in written


def test_a_database_gives_what_the_folder_of_its_genomes_gives(profiled, own, tmp_path):
    only(own, "S2")
    (made,) = (profiled / "store" / "steps").glob("*/genomes.sig")
    shutil.copy(made, own / "all.sig")
    sourmash_here(["sig", "cat", "all.sig", "-o", "all.zip"], own)
    sourmash_here(["sig", "cat", "all.sig", "-o", "all.sig.gz"], own)
    store = Store(profiled / "store")  # the sketches of the reads are there
    for name in ("all.zip", "all.sig", "all.sig.gz"):
        assert check_genomes(own / name, ksize=31).names == tuple(SPECIES)
        (found,) = profile_reads(asked(own, database=own / name), store, tmp_path / name / "taxa")
        table = pd.read_parquet(found.file("matches.parquet")).set_index("genome")
        matches = pd.read_csv(profiled / "taxa" / "matches.csv").set_index(["sample_id", "genome"]).loc["S2"]
        assert table["share"].to_dict() == pytest.approx(matches["share"].to_dict(), abs=1e-15)
    facts = read_json(tmp_path / "all.zip" / "taxa" / "profile.json")
    assert (facts["database"], facts["lineages"], facts["ksize"], facts["scaled"]) == ("all.zip", None, 31, 20)


def test_without_lineages_taxa_are_genomes_and_strains_stay_apart(profiled, sequencer, tmp_path):
    profile_reads(asked(sequencer), Store(profiled / "store"), tmp_path / "taxa")
    found = abundance_of(tmp_path / "taxa")["S1"].set_index("taxon")["value"]
    assert set(found.index) == set(SPECIES)
    assert found[[TWO, THREE]].sum() == pytest.approx(by_species(BEFORE)["Bacteroides ovatus"], abs=0.02)
    assert found[TWO] > found[THREE] > 0.05  # gather gives what strains share to the one that explains more


def test_genomes_without_a_lineage_stand_under_their_names_and_are_told(profiled, own, tmp_path):
    text = (own / "lineages.csv").read_text()
    (own / "lineages.csv").write_text("".join(line for line in text.splitlines(True) if not line.startswith(FIVE)))
    profile_reads(asked(own, lineages=own / "lineages.csv"), Store(profiled / "store"), tmp_path / "taxa")
    assert abundance_of(tmp_path / "taxa")["S2"].set_index("taxon").loc[FIVE, "value"] == pytest.approx(0.46, abs=0.02)
    quality = pd.read_csv(tmp_path / "taxa" / "qc.csv").set_index("sample_id")
    share = float(re.match(r"([\d.]+)% is of genomes without a lineage", quality.loc["S2", "finding"])[1])
    assert share == pytest.approx(46, abs=2)
    assert pd.isna(quality.loc["S1", "finding"])


def test_misread_bases_lower_what_is_classified_and_not_the_mixture(sequencer, own, tmp_path):
    row = write_stool(own, "S3", AFTER, errors=0.01, seed=5)
    (own / "stools.csv").write_text("sample_id,read1,read2\n" + row)
    profile_reads(asked(own, lineages=own / "lineages.csv"), Store(tmp_path / "store"), tmp_path / "taxa")
    found = abundance_of(tmp_path / "taxa", samples=["S3"])["S3"].set_index("taxon")["value"]
    assert float((found - by_species(AFTER).reindex(found.index, fill_value=0.0)).abs().max()) < 0.02
    whole = (1 - 0.01 * 3 / 4) ** 31  # a misread base is a right one by chance one time in four
    quality = pd.read_csv(tmp_path / "taxa" / "qc.csv")
    assert quality["classified"].item() == pytest.approx(whole, abs=0.02)


def test_stools_in_which_nothing_is_known_are_told_and_get_no_line(own, tmp_path):
    rows = write_stool(own, "S4", {"stranger": 1.0}, fragments=500)
    (own / "short.fastq").write_text("@r\nACGTACGT\n+\nIIIIIIII\n")
    (own / "stools.csv").write_text(f"sample_id,read1,read2\n{rows}S5,short.fastq,\n")
    profile_reads(asked(own), Store(tmp_path / "store"), tmp_path / "taxa")
    quality = pd.read_csv(tmp_path / "taxa" / "qc.csv").set_index("sample_id")
    assert quality["unclassified"].tolist() == [1.0, 1.0]
    assert quality.loc["S4", "finding"].startswith("no genome of the database was found")
    assert quality.loc["S5", "finding"].startswith("no k-mers")
    assert pd.read_csv(tmp_path / "taxa" / "samples_lines.csv").empty
    assert (tmp_path / "taxa" / "abundance.csv").read_text() == "taxon,lineage,S4,S5\n"


def test_a_stool_of_mostly_other_dna_is_told(own, tmp_path):
    row = write_stool(own, "S6", {"stranger": 0.8, ONE: 0.2}, fragments=2_000)
    (own / "stools.csv").write_text("sample_id,read1,read2\n" + row)
    profile_reads(asked(own), Store(tmp_path / "store"), tmp_path / "taxa")
    assert pd.read_csv(tmp_path / "taxa" / "qc.csv")["finding"].item().startswith("less than 30% is of genomes")


def test_coarser_sketches_on_either_side_give_the_same_picture(profiled, own, tmp_path):
    only(own, "S2")
    (made,) = (profiled / "store" / "steps").glob("*/genomes.sig")
    shutil.copy(made, own / "fine.sig")
    sourmash_here(["sig", "downsample", "fine.sig", "--scaled", "50", "-o", "coarse.sig"], own)
    for name, scaled in (("coarse.sig", 20), ("fine.sig", 50)):
        wanted = asked(own, database=own / name, scaled=scaled, lineages=own / "lineages.csv")
        profile_reads(wanted, Store(profiled / "store"), tmp_path / name / "taxa")
        found = abundance_of(tmp_path / name / "taxa", samples=["S2"])["S2"].set_index("taxon")["value"]
        assert float((found - by_species(AFTER).reindex(found.index, fill_value=0.0)).abs().max()) < 0.03


def test_every_fault_is_told_at_once_and_nothing_is_written(own, tmp_path):
    whole = (own / "S2_1.fastq.gz").read_bytes()
    (own / "S2_1.fastq.gz").write_bytes(whole[: len(whole) // 2])
    (own / "stools.csv").write_text((own / "stools.csv").read_text() + "P/7,gone.fastq,\n")
    (own / "genomes" / f"{ONE}.fasta").write_text("ACGT\n")
    packed = (own / "genomes" / f"{THREE}.fa.gz").read_bytes()
    (own / "genomes" / f"{THREE}.fa.gz").write_bytes(packed[:-2_000])
    (own / "genomes" / "empty.fna").touch()
    told = "\n".join(problems_of(own, tmp_path))
    assert "S2_1.fastq.gz: a damaged or incomplete file" in told
    assert "stools.csv:5:sample_id: 'P/7'" in told
    assert "stools.csv:5:read1: no such file: 'gone.fastq'" in told
    assert f"genomes: {ONE}.fasta beside {ONE}.fa.gz; one file a genome" in told
    assert f"{ONE}.fasta: no '>' at the beginning" in told
    assert f"{THREE}.fa.gz: a damaged or incomplete file (EOFError)" in told
    assert "empty.fna: an empty file" in told


def signature(**changes):
    sketch = {"ksize": 31, "molecule": "DNA", "max_hash": 2**54, "num": 0, "mins": [1]}
    entry = {"class": "sourmash_signature", "name": "G1", "filename": "G1.fna"}
    return json.dumps([entry | {"signatures": [sketch | changes]} | changes.get("entry", {})])


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("gone.zip", None, "gone.zip: no such file"),
        ("tree.sbt.json", "{}", "a file .json; a database of sourmash"),
        ("cut.zip", b"PK\x03\x04" + bytes(40), "cut.zip: a damaged zip archive"),
        ("text.sig", "k-mers", "text.sig: no sketches of sourmash"),
        ("object.sig", '{"a": 1}', "object.sig: no sketches of sourmash"),
        ("empty.sig", "[]", "no sketches of DNA that were made with `scaled`"),
        ("other.sig", signature(ksize=21), "sketches of DNA with k = 21; sketches of DNA with k = 31; name a length"),
        ("protein.sig", signature(molecule="protein"), "no sketches of DNA that were made with `scaled`"),
        ("number.sig", signature(max_hash=0, num=500), "no sketches of DNA that were made with `scaled`"),
        ("unnamed.sig", signature(entry={"name": ""}), "1 of 1 sketches without a name"),
    ],
)
def test_a_database_that_cannot_be_used_is_refused_before_a_read_is_sketched(tmp_path, name, content, told):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=re.escape(told)):
        check_genomes(path, ksize=31)


@pytest.mark.parametrize(
    ("member", "text", "told"),
    [
        ("notes.txt", "mine", "a zip archive without SOURMASH-MANIFEST.csv"),
        ("SOURMASH-MANIFEST.csv", "name,ksize\n", "without its first line"),
        ("SOURMASH-MANIFEST.csv", "# SOURMASH-MANIFEST-VERSION: 1.0\nname\nG1\n", "that cannot be read"),
        ("SOURMASH-MANIFEST.csv", b"\xff\xfe\x00", "a damaged zip archive"),
    ],
)
def test_an_archive_that_is_no_database_is_refused(tmp_path, member, text, told):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr(member, text)
    with pytest.raises(InputError, match=re.escape(told)):
        check_genomes(tmp_path / "all.zip", ksize=31)


def test_a_folder_without_genomes_is_refused_and_other_files_in_one_do_not_count(tmp_path):
    (tmp_path / "readme.txt").write_text("mine")
    with pytest.raises(InputError, match=r"no genomes; files \.fa, \.fna, \.fasta"):
        check_genomes(tmp_path, ksize=31)
    (tmp_path / "Phocaeicola.v2.fna").write_text(">a\nACGT\n")
    (tmp_path / "._Phocaeicola.v2.fna").write_bytes(b"\x00\x05\x16\x07")
    assert check_genomes(tmp_path, ksize=31).names == ("Phocaeicola.v2",)


def test_genomes_of_the_same_bases_are_each_named(tmp_path):
    folder = write_genomes(tmp_path / "genomes")
    shutil.copy(folder / f"{TWO}.fna", folder / "copy.fna")
    found = check_genomes(folder, ksize=31)
    inputs = {f"genome:{name}": path for name, path in found.fasta.items()}
    (tmp_path / "out").mkdir()
    names = list(found.names)
    sketches.sketch_genomes_step(inputs, tmp_path / "out", names=names, ksize=31, scaled=100, release="4")
    assert check_genomes(tmp_path / "out" / "genomes.sig", ksize=31).names == tuple(sorted([*SPECIES, "copy"]))


def test_accessions_are_found_with_and_without_their_version(tmp_path):
    path = tmp_path / "lineages.csv"
    path.write_text("ident,superkingdom,phylum,species,strain\nGCA_1.2,Bacteria,P,P one,x\nGCA_2,Bacteria,P,,\n")
    found = read_lineages(path, genomes=["GCA_1.1 P one strain x", "GCA_2.7", "GCA_9.1"])
    assert found == {"GCA_1.1 P one strain x": "k__Bacteria;p__P;s__P one", "GCA_2.7": "k__Bacteria;p__P"}
    assert [taxon_of(name, found.get(name, "")) for name in ("GCA_1.1 P one strain x", "GCA_2.7", "GCA_9.1")] == [
        "P one",
        "p__P",
        "GCA_9.1",
    ]


def test_versions_that_disagree_are_only_found_by_their_full_accession(tmp_path):
    path = tmp_path / "lineages.csv"
    path.write_text("ident,superkingdom,species\nGCA_1.1,Bacteria,P one\nGCA_1.2,Bacteria,P two\n")
    assert read_lineages(path, genomes=["GCA_1.2", "GCA_1.3"]) == {"GCA_1.2": "k__Bacteria;s__P two"}


def test_lineages_of_another_database_and_two_for_one_species_are_refused(tmp_path):
    path = tmp_path / "lineages.csv"
    path.write_text("ident,phylum,species\nA,P,P one\nB,Q,P one\n")
    with pytest.raises(InputError, match="genomes such as A, B; the genomes of the database, such as G1"):
        read_lineages(path, genomes=["G1"])
    with pytest.raises(InputError, match="'P one' has 2 lineages; one lineage for each species"):
        read_lineages(path, genomes=["A", "B"])


def test_a_folder_of_somebody_else_s_and_completed_lines_are_left_alone(profiled, sequencer, tmp_path):
    out = shutil.copytree(profiled / "taxa", tmp_path / "taxa")
    lines = out / "samples_lines.csv"
    lines.write_text(lines.read_text().replace("S1,,", "S1,P1,"))
    store = Store(profiled / "store")
    with pytest.raises(ResultsError, match=r"samples_lines\.csv in 'taxa' was completed by hand"):
        profile_reads(asked(sequencer), store, out)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.docx").write_text("mine")
    with pytest.raises(ResultsError, match="holds no profile of ours"):
        profile_reads(asked(sequencer), store, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.docx").read_text() == "mine"


def test_without_the_package_or_with_an_unknown_release_one_is_told(sequencer, tmp_path, monkeypatch):
    monkeypatch.setattr(sketches, "version", lambda name: "5.0.1")
    with pytest.raises(CountingError, match=r"sourmash 5\.0\.1 is installed, and releases 4\.x"):
        profile_reads(asked(sequencer), Store(tmp_path / "store"), tmp_path / "taxa")
    monkeypatch.setattr(sketches, "find_spec", lambda name: None)
    with pytest.raises(CountingError, match=r"rabiomarkers\[metagenome\]"):
        profile_reads(asked(sequencer), Store(tmp_path / "store"), tmp_path / "taxa")
    assert not (tmp_path / "taxa").exists()


def test_reads_that_changed_since_they_were_checked_are_told(tmp_path):
    (tmp_path / "reads.fastq.gz").write_bytes(gzip.compress(b"@r\nACGT\n+\nIIII\n")[:-4])
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="damaged or incomplete"):
        sketches.sketch_reads_step(
            {"read1:0": tmp_path / "reads.fastq.gz"}, tmp_path / "out", lanes=1, ksize=31, scaled=20, release="4"
        )


class TestInAProcessOfItsOwn:
    """sourmash as users get it."""

    @pytest.fixture(autouse=True)
    def quick(self):
        """Nothing is exchanged here."""

    def test_sketching_gives_what_it_gives_in_this_process(self, sequencer, profiled, tmp_path):
        inputs = {f"read{mate}:0": sequencer / f"S2_{mate}.fastq.gz" for mate in (1, 2)}
        facts = sketches.sketch_reads_step(inputs, tmp_path, lanes=1, ksize=31, scaled=20, release="4")
        assert facts["reads"] == 6_000
        here = {path.read_bytes() for path in (profiled / "store" / "steps").glob("*/sketch.sig")}
        assert (tmp_path / "sketch.sig").read_bytes() in here

    def test_gathering_gives_what_it_gives_in_this_process(self, profiled, tmp_path):
        steps = profiled / "store" / "steps"
        facts = {path: read_json(path / "manifest.json") for path in steps.iterdir()}
        wanted = pd.read_csv(profiled / "taxa" / "qc.csv").set_index("sample_id").loc["S2"]
        (sketch,) = (path for path, told in facts.items() if told["info"].get("kmers") == wanted["kmers"])
        inputs = {"sketch": sketch / "sketch.sig", "database": next(steps.glob("*/genomes.sig"))}
        told = sketches.gather_step(inputs, tmp_path, ksize=31, threshold_bp=2_000, release="4")
        assert told["classified"] == pytest.approx(wanted["classified"], abs=1e-15)
        here = {path.read_bytes() for path in steps.glob("*/matches.parquet")}
        assert (tmp_path / "matches.parquet").read_bytes() in here

    def test_what_stops_is_told_with_its_last_words(self, tmp_path):
        (tmp_path / "sketch.sig").write_text(signature(abundances=[1]))
        (tmp_path / "database.sig").write_text("nothing")
        inputs = {"sketch": tmp_path / "sketch.sig", "database": tmp_path / "database.sig"}
        (tmp_path / "out").mkdir()
        with pytest.raises(CountingError, match=r"sourmash gather stopped \(status \d+\): .*\w") as raised:
            sketches.gather_step(inputs, tmp_path / "out", ksize=31, threshold_bp=0, release="4")
        assert "\x1b" not in str(raised.value)


def test_shares_do_not_depend_on_how_deep_a_stool_was_read(own, tmp_path):
    reads = {mate: gzip.decompress((own / f"S2_{mate}.fastq.gz").read_bytes()) for mate in (1, 2)}
    for mate, text in reads.items():
        (own / f"S9_{mate}.fastq.gz").write_bytes(gzip.compress(text * 3, 1))
    (own / "stools.csv").write_text(
        "sample_id,read1,read2\nS2,S2_1.fastq.gz,S2_2.fastq.gz\nS9,S9_1.fastq.gz,S9_2.fastq.gz\n"
    )
    profile_reads(asked(own), Store(tmp_path / "store"), tmp_path / "taxa")
    table = pd.read_csv(tmp_path / "taxa" / "abundance.csv")
    np.testing.assert_allclose(table["S9"], table["S2"], rtol=1e-12)
