import pandas as pd
import pytest

from rabiomarkers.features.taxon_names import match_taxa, plain_name


def listed(taxon: str, rank: str, other: str = "-") -> pd.DataFrame:
    return pd.DataFrame({"taxon": [taxon], "rank": [rank], "ncbi_name": [other]})


def found(taxon: str, lineage: str, target: pd.DataFrame) -> bool:
    return bool(match_taxa(pd.DataFrame({"taxon": [taxon], "lineage": [lineage]}), target)[0, 0])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("s__Faecalibacterium_prausnitzii", "faecalibacterium prausnitzii"),
        ("Faecalibacterium  prausnitzii ", "faecalibacterium prausnitzii"),
        ("[Clostridium] symbiosum", "clostridium symbiosum"),
        ("k__Bacteria|p__Firmicutes|s__Roseburia_hominis", "roseburia hominis"),
        ("k__Bacteria; c__Clostridia;", "clostridia"),
        ("s__", ""),
    ],
)
def test_a_name_is_compared_without_prefix_underscores_and_case(text, name):
    assert plain_name(text) == name


SPECIES = listed("Roseburia hominis", "species")


@pytest.mark.parametrize(
    ("taxon", "lineage", "expected"),
    [
        ("Roseburia_hominis", "", True),
        ("OTU1", "k__Bacteria;g__Roseburia;s__Roseburia_hominis", True),
        ("k__Bacteria|g__Roseburia|s__Roseburia_hominis|t__SGB4936", "", True),  # a strain row below the species
        ("Roseburia hominis A2-183", "", False),
        ("Roseburia", "k__Bacteria;g__Roseburia", False),
    ],
)
def test_a_species_matches_by_name_or_by_its_place_in_the_lineage(taxon, lineage, expected):
    assert found(taxon, lineage, SPECIES) is expected


@pytest.mark.parametrize(
    ("taxon", "lineage", "expected"),
    [
        ("OTU1", "k__Bacteria;c__Clostridia;s__Roseburia_hominis", True),
        ("c__Clostridia", "", True),
        ("Clostridia_bacterium", "", False),  # one of the class: not the class
        ("OTU2", "k__Bacteria;c__Bacilli", False),
    ],
)
def test_a_class_takes_in_the_rows_of_its_lineage(taxon, lineage, expected):
    assert found(taxon, lineage, listed("Clostridia", "class")) is expected


@pytest.mark.parametrize(
    ("taxon", "lineage", "expected"),
    [
        ("Candidatus Arthromitus sp. SFB-mouse", "", True),
        ("Candidatus_Arthromitus", "", True),
        ("Arthromitus", "", False),
        ("Candidatus Arthromitus sp.", "k__Bacteria;g__Other", False),  # the lineage knows better
    ],
)
def test_a_genus_takes_in_rows_named_after_it(taxon, lineage, expected):
    assert found(taxon, lineage, listed("Candidatus Arthromitus", "genus")) is expected


def test_a_subspecies_matches_its_own_name_only():
    infantis = listed("Bifidobacterium longum subsp. infantis", "subspecies")
    assert found("Bifidobacterium_longum_subsp._infantis", "", infantis)
    assert not found("Bifidobacterium longum", "s__Bifidobacterium_longum", infantis)


def test_the_ncbi_name_counts_as_well():
    assert found("Eubacterium rectale", "", listed("Agathobacter rectalis", "species", "Eubacterium rectale"))
    assert not found("-", "", listed("Agathobacter rectalis", "species", "-"))
