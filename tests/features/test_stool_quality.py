import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.features.stool_quality import stool_quality
from rabiomarkers.tables.samples import SAMPLE_QC


def stool(*values, **passport):
    table = pd.DataFrame({"taxon": [f"t{number}" for number in range(len(values))], "value": values})
    table.attrs["passport"] = passport
    return table


def quality(table, scale="counts", **options):
    return stool_quality(table, scale=scale, **({"depth": 10} | options)).set_index("measure")


def test_a_stool_below_the_depth_fails_and_one_at_it_passes():
    assert not quality(stool(5, 4)).loc["reads", "passed"]
    at_it = quality(stool(5, 5, 0))
    assert at_it["passed"].all()
    assert at_it["value"].to_dict() == {"reads": 10, "taxa_detected": 2, "largest_taxon_share": 0.5}
    assert at_it.loc["reads", "limit"] == ">= 10"


def test_a_profile_fails_only_if_it_holds_nothing():
    assert quality(stool(0.2, 0.3), "relative")["value"].to_dict() == {
        "profiled_share": 0.5,
        "taxa_detected": 2,
        "largest_taxon_share": 0.6,
    }
    for nothing in (stool(0.0, 0.0), stool()):
        empty = quality(nothing, "relative")
        assert not empty.loc["profiled_share", "passed"]
        assert "largest_taxon_share" not in empty.index


def test_a_bloom_is_told_and_takes_no_stool_out():
    bloomed = quality(stool(99, 1), bloom=0.6).loc["largest_taxon_share"]
    assert (bloomed["value"], bloomed["limit"], bloomed["passed"]) == (0.99, "told above 0.6 (t0)", True)
    assert (
        quality(stool(50, 50), bloom=0.6).loc["largest_taxon_share", "limit"] == "told above 0.6"
    )  # who took over, if one did


def test_what_the_profiler_found_is_shown_and_what_it_did_not_say_has_no_row():
    told = quality(stool(10, unclassified=0.4, host=0.9))
    assert told.loc["unclassified_share", "value"] == 0.4
    assert told.loc["host_share", "value"] == 0.9
    assert told.loc["host_share", "limit"] == "told above 0.5"
    assert told["passed"].all()
    silent = quality(stool(10, unclassified=None, host=np.nan))
    assert not {"unclassified_share", "host_share"} & set(silent.index)
    given_apart = quality(stool(10, host=0.9), passport={"host": 0.1})
    assert given_apart.loc["host_share", "value"] == 0.1


def test_what_the_map_to_another_database_does_not_know_is_told():
    told = quality(stool(10, unmapped=0.3)).loc["unmapped_share"]
    assert (told["value"], told["limit"], told["passed"]) == (0.3, "told above 0.2", True)


def test_the_laboratorys_host_reads_come_before_the_profilers():
    told = quality(stool(10, host=0.9), sequencing={"total_reads": 400, "host_reads": 100})
    assert told.loc["host_share", "value"] == 0.25
    assert told.loc["sequenced_reads", "value"] == 400
    none = quality(stool(10, host=0.9), sequencing={"total_reads": 0, "host_reads": 0})
    assert none.loc["host_share", "value"] == 0.9


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 1000), min_size=1, max_size=8), st.integers(1, 5), st.randoms())
def test_order_and_scale_of_the_reads_change_no_share(values, factor, random):
    told = quality(stool(*values), depth=1)
    shuffled = values.copy()
    random.shuffle(shuffled)
    other = quality(stool(*(factor * value for value in shuffled)), depth=1)
    shown = [name for name in told.index if name != "reads"]
    assert other.loc[shown, "value"].tolist() == pytest.approx(told.loc[shown, "value"].tolist())
    assert other["passed"].tolist() == told["passed"].tolist()
    SAMPLE_QC.check(told.reset_index())
