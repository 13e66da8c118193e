"""TOPOSCORE by hand, by database, and refused where it would be wrong."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.features.toposcore import naming_system, score_rows, stool_scores
from rabiomarkers.knowledge import load_rules, load_taxa

TAXA = load_taxa()
NUMBERS = load_rules()["TOPOSCORE"]["numbers"]
JAN21 = "mpa_vJan21_CHOCOPhlAnSGB_202103"


def members(name):
    return list(TAXA.loc[TAXA["note"].fillna("").str.startswith(f"TOPOSCORE {name}"), "taxon"].drop_duplicates())


SIG1, SIG2 = members("SIG1"), members("SIG2")


def table(present, absent=(), akkermansia=0.0, rest=1.0):
    values = dict.fromkeys(absent, 0.0) | dict.fromkeys(present, 0.001)
    values |= {"Akkermansia muciniphila": akkermansia, "Something else": rest}
    total = sum(values.values())
    return pd.DataFrame({"taxon": list(values), "value": [value / total for value in values.values()], "lineage": ""})


def scores(frame, database=JAN21, scale="relative", **options):
    return stool_scores(frame, TAXA, NUMBERS, scale=scale, database=database, **options).set_index("score")


def test_the_lists_have_the_published_lengths():
    assert (len(SIG1), len(SIG2)) == (NUMBERS["sig1"], NUMBERS["sig2"]) == (37, 45)


@pytest.mark.parametrize(
    ("sig1", "sig2", "value", "category", "verdict"),
    [
        (0, 45, 1.0, "SIG2", "favourable"),
        (37, 0, 0.0, "SIG1", "unfavourable"),
        (0, 0, 0.5, "SIG1", "unfavourable"),
        (10, 30, (30 / 45 - 10 / 37 + 1) / 2, "Gray", "favourable"),  # 0.698; Akkermansia low
    ],
)
def test_the_score_by_hand(sig1, sig2, value, category, verdict):
    told = scores(table([*SIG1[:sig1], *SIG2[:sig2]], akkermansia=0.01)).loc["TOPOSCORE"]
    assert told["value"] == pytest.approx(value)
    assert (told["category"], told["verdict"]) == (category, verdict)
    assert "as published (45 and 37)" in told["method"]


@pytest.mark.parametrize(
    ("share", "category", "verdict"),
    [(0.0, "absent", "unfavourable"), (0.04, "low", "favourable"), (0.2, "high", "unfavourable")],
)
def test_between_the_borders_akkermansia_decides_and_not_monotonely(share, category, verdict):
    told = scores(table([*SIG1[:10], *SIG2[:30]], akkermansia=share))
    assert told.loc["akkermansia", "category"] == category
    assert told.loc["TOPOSCORE", "verdict"] == verdict


def test_akkermansias_border_is_the_published_one():
    """4.799 % counts as high."""
    exactly = pd.DataFrame({"taxon": ["Akkermansia muciniphila", "x"], "value": [0.04799, 0.95201], "lineage": ""})
    below = exactly.assign(value=[0.04798, 0.95202])
    assert [scores(frame).loc["akkermansia", "category"] for frame in (exactly, below)] == ["high", "low"]


def test_where_the_database_lacks_members_the_score_is_rescaled_and_says_so():
    """33 of 37 and 40 of 45 reportable: 20 of 40 and 11 of 33 present."""
    known = table([*SIG1[:11], *SIG2[:20]], absent=[*SIG1[11:33], *SIG2[20:40]])
    told = scores(known, database="my own").loc["TOPOSCORE"]
    assert told["value"] == pytest.approx((20 / 40 - 11 / 33 + 1) / 2)
    assert told["reportable"] == 73
    assert told["coverage"] == pytest.approx(40 / 45)
    assert "rescaled to the members that the database reports: 40 of 45 and 33 of 37" in told["method"]


def test_below_the_coverage_there_is_no_score_but_a_reason():
    told = scores(table(SIG1[:10], absent=SIG2), database="my own")
    assert np.isnan(told.loc["TOPOSCORE", "value"])
    assert told.loc["TOPOSCORE", "verdict"] == "refused"
    assert told.loc["TOPOSCORE", "note"] == "the table names 10 of 37 members of SIG1; 80% of each are needed"
    lenient = scores(table(SIG1[:10], absent=SIG2), "my own", minimum_coverage=0.2).loc["TOPOSCORE"]
    assert lenient["value"] == 0.0  # all of SIG1 that can be reported, none of SIG2


@pytest.mark.parametrize("database", ["SILVA 138.1", "Greengenes2 2022.10", "RDP 18", "16S V3-V4"])
def test_amplicons_are_refused(database):
    told = scores(table([*SIG1, *SIG2]), database=database, scale="counts").loc["TOPOSCORE"]
    assert told["note"] == "16S tables cannot tell most of the listed species apart"


def test_the_index_of_the_lists_is_known_by_its_short_name_and_not_where_names_were_converted():
    few = table(SIG1[:3])
    for short in ("vJan21", "vJan21_202103", "MetaPhlAn vJan21"):
        assert scores(few, short).loc["TOPOSCORE", "value"] == scores(few, JAN21).loc["TOPOSCORE", "value"]
    assert np.isnan(scores(few, "GTDB names of vJan21_CHOCOPhlAnSGB_202103").loc["TOPOSCORE", "value"])


@pytest.mark.parametrize(
    ("database", "system"),
    [
        (JAN21, "metaphlan"),
        ("MetaPhlAn 4", "metaphlan"),
        ("vJun23_202403", "metaphlan"),
        ("GTDB r220", "gtdb"),
        ("GTDB names of vJan21_CHOCOPhlAnSGB_202103", "gtdb"),
        ("mOTUs2", "names"),
        ("undeclared", "names"),
        ("SILVA 138", "amplicon"),
    ],
)
def test_the_database_decides_the_names(database, system):
    assert naming_system(database) == system


def test_gtdb_members_go_by_their_names_there_and_count_once():
    """Coprococcus eutactus of the list is three species at GTDB."""
    row = TAXA[(TAXA["taxon"] == "Coprococcus eutactus") & TAXA["note"].str.startswith("TOPOSCORE", na=False)].iloc[0]
    names = [name.strip() for name in row["gtdb_r220"].split(",")]
    assert len(names) == 3
    one, three = (table(chosen, absent=names) for chosen in (names[:1], names))
    told = [scores(frame, "GTDB r220", minimum_coverage=0.0).loc["TOPOSCORE", "present"] for frame in (one, three)]
    assert told == [1, 1]


def test_a_genome_bin_in_the_name_is_enough_for_metaphlan():
    assert scores(table(["GGB1_SGB4769"]), JAN21).loc["TOPOSCORE", "present"] == 1


def test_a_table_that_does_not_name_akkermansia_has_no_class():
    frame = pd.DataFrame({"taxon": ["x"], "value": [1.0], "lineage": ""})
    assert "absent and unreportable" in scores(frame, "my own").loc["akkermansia", "note"]
    assert scores(frame, JAN21).loc["akkermansia", "category"] == "absent"  # this index knows it


def test_an_empty_sample_has_neither():
    frame = table([]).assign(value=0.0)
    told = scores(frame)
    assert told["value"].isna().all()
    assert set(told["verdict"]) == {"refused", "no score"}


def test_the_features_carry_the_reasons():
    rows = {row[0]: row for row in score_rows(scores(table([]).assign(value=0.0)).reset_index())}
    assert set(rows) == {"toposcore", "toposcore_favourable", "akkermansia_share"}
    assert all(row[-1] for row in rows.values())


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 37), st.integers(0, 45), st.floats(1.5, 100))
def test_the_sum_of_the_reads_and_the_order_of_the_taxa_change_nothing(sig1, sig2, factor):
    frame = table([*SIG1[:sig1], *SIG2[:sig2]], akkermansia=0.01)
    other = frame.assign(value=frame["value"] * factor).iloc[::-1].reset_index(drop=True)
    first, second = scores(frame, scale="counts"), scores(other, scale="counts")
    pd.testing.assert_frame_equal(first, second)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 36), st.integers(0, 44))
def test_a_member_more_moves_the_score_to_its_side(sig1, sig2):
    base = scores(table([*SIG1[:sig1], *SIG2[:sig2]])).loc["TOPOSCORE", "value"]
    assert scores(table([*SIG1[: sig1 + 1], *SIG2[:sig2]])).loc["TOPOSCORE", "value"] < base
    assert scores(table([*SIG1[:sig1], *SIG2[: sig2 + 1]])).loc["TOPOSCORE", "value"] > base
