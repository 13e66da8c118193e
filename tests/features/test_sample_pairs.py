"""Likeness of samples and swaps, on people that are made so that the answer is known."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.errors import StatisticsError
from rabiomarkers.features.likeness import likeness, separation
from rabiomarkers.features.sample_pairs import first_libraries, misplaced, pair_rows
from tests.support.identity import people, swapped

CONTRAST = ("pre", "post")


def alike(values, sheet):
    whole = sheet.set_index("sample_id")
    return likeness(values.loc[whole.index], whole["patient_id"], whole["timepoint"])


def rows(values, sheet):
    return pair_rows(alike(values, sheet), sheet, CONTRAST, seed=1).set_index("sample_id")


def wrong(values, sheet):
    return misplaced(alike(values, sheet), *first_libraries(sheet, CONTRAST))


# --- two levels -----------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(-20, 20), min_size=4, max_size=9), st.integers(1, 2))
def test_separation_is_the_best_of_all_cuts(values, smaller):
    row = np.array(values, dtype=float)
    ordered = np.sort(row)
    shares = []
    for cut in range(smaller, len(row) - smaller + 1):
        sides = ordered[:cut], ordered[cut:]
        within = sum(((side - side.mean()) ** 2).sum() for side in sides)
        shares.append(1 - within / ((row - row.mean()) ** 2).sum() if row.std() else 0.0)
    share, _ = separation(row[None, :], smaller=smaller)
    assert share[0] == pytest.approx(max(shares), abs=1e-9)


def test_two_even_levels_are_all_of_the_variance():
    share, apart = separation(np.array([[1.0, 1.0, 5.0, 5.0], [1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 2.0, 2.0]]), smaller=2)
    np.testing.assert_allclose(share, [1.0, 0.8, 0.0])  # 1, 2 | 3, 4: between 1, of 1.25
    np.testing.assert_allclose(apart, [4.0, 2.0, 0.0])


# --- likeness -------------------------------------------------------------------------------------------------------


def test_the_samples_of_a_person_are_nearest_to_one_another():
    values, sheet = people(8)
    told = alike(values, sheet)
    whose = sheet.set_index("sample_id")["patient_id"].reindex(told.samples).to_numpy()
    assert (whose[told.nearest()] == whose).all()
    assert set(told.genes) <= set(values.columns[: 400 // 3])  # the steady genes say nothing


def test_a_module_of_one_state_does_not_hide_the_persons():
    values, sheet = people(10)
    state = np.random.default_rng(2).permutation(np.tile([0.0, 1.0], 10))  # of the biopsy, whoever's it is
    module = pd.DataFrame(np.outer(state, np.full(150, 7.0)), index=values.index, columns=[f"K{k}" for k in range(150)])
    together = pd.concat([values, module + np.random.default_rng(3).normal(0, 0.3, module.shape)], axis="columns")
    whose = sheet.set_index("sample_id")["patient_id"].to_numpy()
    plain = np.corrcoef(together - together.mean())
    np.fill_diagonal(plain, -1.0)
    assert (whose[plain.argmax(axis=1)] != whose).mean() > 0.3
    told = alike(together, sheet)
    whose = sheet.set_index("sample_id")["patient_id"].reindex(told.samples).to_numpy()
    assert (whose[told.nearest()] == whose).all()


@settings(max_examples=10, deadline=None)
@given(st.permutations(range(12)), st.integers(0, 2**31))
def test_no_likeness_depends_on_the_order_of_samples_or_genes(order, seed):
    values, sheet = people(6)
    genes = np.random.default_rng(seed).permutation(values.shape[1])
    plain = rows(values, sheet)
    other = rows(values.iloc[order, genes], sheet.iloc[order])
    pd.testing.assert_frame_equal(plain.sort_index(), other.sort_index(), check_exact=True)


def test_more_samples_than_genes_are_taken_from_the_other_side():
    values, sheet = people(60, genes=240)
    told = alike(values, sheet)
    assert len(told.genes) < len(told.samples)
    weighted = told.directions @ told.directions.T
    np.testing.assert_allclose(np.diag(weighted), 1.0)
    whose = sheet.set_index("sample_id")["patient_id"].reindex(told.samples).to_numpy()
    assert (whose[told.nearest()] == whose).mean() > 0.95


def test_steady_genes_are_refused_in_words():
    values, sheet = people(6)
    with pytest.raises(StatisticsError, match="0 genes have two levels among these samples, 50 are needed"):
        alike(values * 0 + 3.0, sheet)
    with pytest.raises(StatisticsError, match="no two samples are of different persons"):
        alike(values, sheet.assign(patient_id="P"))


# --- swaps ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("patients", [4, 6, 10])
def test_nothing_is_found_where_the_sheet_is_right(patients):
    found = rows(*people(patients))
    assert not found["finding"].any()
    assert found["note"].isna().all()
    assert found["p_value"].to_list() == pytest.approx([found["p_floor"].iloc[0]] * len(found))


@pytest.mark.parametrize(("first", "second"), [("P01_post", "P04_post"), ("P00_pre", "P05_pre")])
def test_a_swap_is_named_with_what_would_fit(first, second):
    values, sheet = people(6)
    found = rows(values, swapped(sheet, first, second))
    partner = {"pre": "post", "post": "pre"}
    told = found[found["finding"]]
    other = [f"{name[:4]}{partner[name[4:]]}" for name in (first, second)]
    assert set(told.index) == {first, second, *other}
    assert told.loc[first, "fits"] == other[0]
    assert told.loc[other[1], "fits"] == second
    assert told.loc[first, "found"] == other[0]
    assert told.loc[first, "note"].startswith(f"likely swap: {first} fits {other[0]} of patient")


def test_three_patients_who_pass_their_samples_on_are_a_ring():
    values, sheet = people(8)
    ring = swapped(swapped(sheet, "P00_post", "P01_post"), "P01_post", "P02_post")
    found = wrong(values, ring)
    assert {name[:3] for name in found} == {"P00", "P01", "P02"}
    assert len(found) == 6
    assert all(name[:3] == told.partner[:3] for name, told in found.items())


def test_a_sample_under_the_name_of_another_goes_back_to_who_lacks_it():
    values, sheet = people(8)
    lost = sheet[sheet["sample_id"] != "P02_post"].replace({"patient_id": {}})
    lost.loc[lost["sample_id"] == "P05_post", "patient_id"] = "P02"  # P05 now has no later sample, P02 the wrong one
    found = wrong(values, lost)
    assert {name: (told.partner, told.exchange) for name, told in found.items()} == {"P05_post": ("P05_pre", False)}


def test_one_sample_of_a_stranger_is_no_swap():
    values, sheet = people(8)
    values.loc["P03_post"] = people(1, seed=9)[0].iloc[0].to_numpy()
    found = rows(values, sheet)
    assert not found["finding"].any()
    assert found.loc["P03_post", "value"] < found["value"].drop(["P03_pre", "P03_post"]).min()


def test_a_second_library_is_compared_with_the_first_one_of_its_biopsy():
    values, sheet = people(6)
    again = pd.DataFrame(
        {"sample_id": ["P00_pre.2", "P01_pre.2"], "patient_id": ["P00", "P01"], "timepoint": "pre", "replicate": 2}
    )
    noise = np.random.default_rng(5).normal(0, 0.2, (2, values.shape[1]))
    copies = pd.DataFrame(values.loc[["P00_pre", "P04_pre"]] + noise).set_axis(again["sample_id"])
    found = rows(pd.concat([values, copies]), pd.concat([sheet, again], ignore_index=True))
    assert found.loc["P00_pre.2", ["expected", "found"]].to_list() == ["P00_pre", "P00_pre"]
    assert found.index[found["finding"]].to_list() == ["P01_pre.2"]  # it was made of P04's biopsy
    assert found.loc["P01_pre.2", "fits"].startswith("P04")


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(list(itertools.combinations(range(7), 2))), st.sampled_from(CONTRAST), st.integers(1, 5))
def test_every_swap_of_two_people_is_found_and_nobody_else(pair, timepoint, seed):
    values, sheet = people(7, seed=seed)
    first, second = (f"P{number:02d}_{timepoint}" for number in pair)
    found = wrong(values, swapped(sheet, first, second))
    assert {name[:3] for name in found} == {first[:3], second[:3]}


# --- the limits, on likenesses that are given ---------------------------------------------------------------------------


class Given:
    """Likeness of earlier (rows) to later samples (columns), patient by patient, as `misplaced` asks for it."""

    def __init__(self, table):
        self.kept = pd.DataFrame(table)
        self.samples = pd.Index([*(f"{name}_pre" for name in self.kept.index), *(f"{name}_post" for name in self.kept)])

    def table(self, first, second):
        return self.kept.to_numpy()[np.ix_(first, np.asarray(second) - len(self.kept))]

    def told(self):
        earlier = pd.Series(self.samples[: len(self.kept)], index=self.kept.index)
        later = pd.Series(self.samples[len(self.kept) :], index=self.kept.columns)
        return misplaced(self, earlier, later)


def pairs_of(own, patients=6, second_later=True):
    """The first two patients are strangers to themselves and to all others; the others have `own`."""
    names = [f"P{number}" for number in range(patients)]
    table = pd.DataFrame(np.diag(np.full(patients, float(own))), index=names, columns=names)
    table.loc["P0", "P0"] = table.loc["P1", "P1"] = 0.0
    return table if second_later else table.drop(columns="P1")


@pytest.mark.parametrize(("gained", "found"), [(3.4, False), (3.6, True)])
def test_an_exchange_must_reach_a_third_of_the_usual_pair(gained, found):
    table = pairs_of(10.0)  # 0.35 of 10
    table.loc["P0", "P1"] = table.loc["P1", "P0"] = gained
    assert set(Given(table).told()) == ({"P0_pre", "P0_post", "P1_pre", "P1_post"} if found else set())


@pytest.mark.parametrize(("gained", "found"), [(2.4, False), (2.6, True)])
def test_where_pairs_are_hardly_alike_an_exchange_must_still_stand_out_of_strangers(gained, found):
    table = pairs_of(4.0)  # a third of 4 is 1.4: strangers reach it
    table.loc["P0", "P1"] = table.loc["P1", "P0"] = gained
    assert bool(Given(table).told()) == found


@pytest.mark.parametrize(("own", "found"), [(3.0, False), (2.0, True)])
def test_an_exchange_must_be_clearly_better_than_what_the_sheet_says(own, found):
    table = pairs_of(10.0)
    table.loc["P0", "P0"] = table.loc["P1", "P1"] = own
    table.loc["P0", "P1"] = table.loc["P1", "P0"] = 6.0  # 3.5 more are needed
    assert bool(Given(table).told()) == found


@pytest.mark.parametrize(("gained", "found"), [(7.9, False), (8.1, True)])
def test_a_sample_that_moves_alone_must_be_as_alike_as_most_pairs(gained, found):
    table = pairs_of(10.0, patients=7, second_later=False)  # P1 has no later sample
    table.loc["P1", "P0"] = gained
    assert set(Given(table).told()) == ({"P0_post"} if found else set())
