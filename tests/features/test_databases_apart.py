"""Stools of another database than most are set apart, and that is said."""

import pandas as pd
import pytest

from rabiomarkers.features.tidy import other_databases

NONE = pd.DataFrame({"sample_id": [], "assay": [], "reason": []})


def stools(databases, assay="taxa_counts"):
    return {(f"S{place}", assay): name for place, name in enumerate(databases)}


def test_the_rarer_database_fails_with_its_reason():
    found = other_databases(stools(["GTDB r220", "SILVA 138", "silva-138"]), NONE)
    assert found.to_dict("list") == {
        "sample_id": ["S0"],
        "assay": ["taxa_counts"],
        "reason": [
            "taxa named by another database (GTDB r220) than those of 2 of 3 samples (SILVA 138): "
            "never compared unless stool.taxa_map maps them"
        ],
    }


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_equally_common_ones_the_first_by_name_is_kept(turned):
    names = stools(["SILVA 138", "GTDB r220", "SILVA 138", "gtdb_r220"])
    found = other_databases(dict(reversed(names.items())) if turned else names, NONE)
    assert found["sample_id"].to_list() == ["S0", "S2"]


def test_samples_that_failed_before_have_no_say():
    failed = pd.DataFrame({"sample_id": ["S0", "S1"], "assay": "taxa_counts", "reason": "reads 3"})
    found = other_databases(stools(["GTDB r220", "GTDB r220", "SILVA 138"]), failed)
    assert found.empty


def test_each_assay_has_its_own_database():
    both = stools(["SILVA 138"] * 3) | stools(["vJan21_202103"] * 2, "taxa_relabund")
    assert other_databases(both, NONE).empty
