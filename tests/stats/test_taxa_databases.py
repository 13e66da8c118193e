"""One database, however it is written; another release is another database."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.stats.taxa_databases import commonest_database, database_of

SAME = (
    ("GTDB r220", "GTDB release 220", "gtdb_r220", "GTDB-220", "gtdb 220", "GTDB R09-RS220", "GTDB  r220 "),
    ("GTDB r214", "gtdb-rs214", "GTDB 214.0"),
    ("mpa_vJun23_CHOCOPhlAnSGB_202403", "vJun23_202403", "MetaPhlAn 4.1, mpa_vJun23_CHOCOPhlAnSGB_202403"),
    ("mpa_vJun23_CHOCOPhlAnSGB_202307", "vJun23_202307"),
    ("mpa_vJun23_CHOCOPhlAnSGB", "vJun23"),
    ("mpa_vJan21_CHOCOPhlAnSGB_202103", "vJan21_202103"),
    ("mpa_v30_CHOCOPhlAn_201901", "v30_CHOCOPhlAn_201901"),
    ("GTDB names of vJun23_CHOCOPhlAnSGB_202403", "GTDB names of mpa_vJun23_CHOCOPhlAnSGB_202403"),
    ("SILVA 138.1", "silva-138.1", "SILVA_138.1_SSURef_NR99", "silva_nr99_v138.1_train_set", "silva release 138_1"),
    ("SILVA 138", "silva138", "SILVA v138"),
    ("SILVA 132", "Silva-132"),
    ("Greengenes 13_8", "gg_13_8", "greengenes-13-8"),
    ("Greengenes2 2022.10", "gg2 2022.10"),
    ("NCBI RefSeq release 220", "ncbi_refseq_r220"),
    ("undeclared",),
    ("GTDB",),
    ("",),
    ("v1-v3 16S",),
)


@pytest.mark.parametrize("names", SAME, ids=lambda names: names[0])
def test_all_ways_to_write_a_database_are_one(names):
    assert len({database_of(name) for name in names}) == 1


@pytest.mark.parametrize(("one", "other"), list(combinations([names[0] for names in SAME], 2)))
def test_two_databases_or_releases_stay_two(one, other):
    assert database_of(one) != database_of(other)


@given(name=st.sampled_from([name for names in SAME for name in names]), spaces=st.integers(1, 3), upper=st.booleans())
def test_spaces_and_capitals_make_no_other_database(name, spaces, upper):
    written = f" {name} ".replace(" ", " " * spaces)
    assert database_of(written.upper() if upper else written) == database_of(name)


@given(name=st.text(max_size=30))
def test_only_a_blank_has_no_name(name):
    assert bool(database_of(name)) == bool(name.split())


@given(order=st.permutations(["GTDB r220", "SILVA 138", "gtdb_r220", "silva-138"]))
def test_of_equally_common_databases_the_first_by_name_is_kept_in_any_order(order):
    assert commonest_database(order) == "gtdb 220"
    assert commonest_database([*order, "Silva 138"]) == "silva 138"
    assert commonest_database([]) == ""
