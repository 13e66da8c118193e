"""The README against the code: what it names is there, and what a results folder holds is described."""

import re
from pathlib import Path

import pytest

import rabiomarkers as ra
from rabiomarkers.publish import AS_CSV
from rabiomarkers.tables.published import TABLES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCUMENTS = ("summary", "endpoints", "models", "distances", "retinoic_acid", "provenance", "run")


def section(title):
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("name", TABLES)
def test_each_table_of_a_results_folder_is_described(name):
    assert f"`{name}`" in section("The results folder")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_document_of_a_results_folder_is_described(name):
    assert f"`{name}.json`" in section("The results folder")


STOOL = (
    "read_abundance",
    "read_tree",
    "diversity",
    "diversity_of_shares",
    "rarefaction_curve",
    "distances_of",
    "stool_scores",
)


def test_each_name_of_the_library_that_the_readme_uses_is_offered():
    used = set(re.findall(r"\bra\.(\w+)", README))
    assert used <= set(dir(ra))
    assert used >= {*STOOL, "load_taxa", "listed_microbes"}
    assert set(re.findall(r"\bra\.plot\.(\w+)", README)) <= set(ra.plot.__all__)


def test_the_tables_with_a_dagger_are_those_written_as_csv():
    assert sorted(re.findall(r"`(\w+)`\N{DAGGER}", section("The results folder"))) == sorted(AS_CSV)


def test_the_files_that_the_readme_links_are_there():
    linked = [path for path in re.findall(r"\]\(([^)#]+)\)", README) if not path.startswith("http")]
    assert len(linked) > 5
    assert [path for path in linked if not (ROOT / path).exists()] == []


def test_words_of_the_glossary_are_told_once():
    words = re.findall(r"^\| ([^|]+?) \|", section("Glossary"), flags=re.MULTILINE)[2:]
    assert len(words) == len(set(words)) > 60
    assert words == sorted(words, key=str.lower)
