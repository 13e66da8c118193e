"""Clones before and after: overlap by hand, an exact test against scipy's, and no calls where nothing happened."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from rabiomarkers.change.repertoires import (
    NOT_MEASURED,
    OTHER_REGION,
    TEST,
    TOO_UNEQUAL,
    Null,
    clone_tests,
    compare_repertoires,
    morisita_horn,
    null_of,
    repertoire_step,
    shared_clones,
)
from rabiomarkers.files import read_table, write_table
from rabiomarkers.tables.cytometry import CLONES, OVERLAPS
from rabiomarkers.tables.samples import SAMPLES


def clones(**counts):
    """Clones of which each count is a molecule of its own."""
    table = pd.DataFrame({"clone": list(counts), "locus": "TRB", "count": list(counts.values())})
    table.attrs["passport"] = {"counted": "umi_count"}
    return table


def told_as(counts, counted, region="junction"):
    """Clones named by their place, and what the file said of them."""
    table = clones(**{f"c{at}": int(count) for at, count in enumerate(counts) if count})
    table.attrs["passport"] = {"counted": counted, "region": region}
    return table


def two_draws(*, seed, depth=4_000, number=400):
    """Counts of one repertoire, drawn twice."""
    shares = np.arange(1, number + 1.0) ** -0.9
    rng = np.random.default_rng(seed)
    return [rng.multinomial(depth, shares / shares.sum()) for _ in range(2)]


# ---- overlap ---------------------------------------------------------------------------------------------------------


def test_overlap_is_that_of_vegan():
    """R 4.2, vegan 2.6-4: 1 - vegdist(rbind(a, b), "horn") and 1 - vegdist(rbind(a, b), "jaccard", binary = TRUE)."""
    before, after = np.array([10, 0, 5, 3, 7]), np.array([2, 4, 5, 0, 21])
    assert morisita_horn(before, after) == pytest.approx(0.625481021782, rel=1e-11)
    assert shared_clones(before, after) == pytest.approx(0.6, rel=1e-12)


def test_overlap_by_hand():
    before, after = np.array([6, 4, 0]), np.array([6, 0, 4])
    assert morisita_horn(before, after) == pytest.approx(2 * 0.36 / (0.52 + 0.52))
    assert morisita_horn(before, 3 * before) == pytest.approx(1.0)
    assert morisita_horn(before, np.array([0, 0, 9])) == 0.0
    assert np.isnan(morisita_horn(before, np.zeros(3, dtype=int)))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=2, max_size=30))
def test_overlap_is_symmetric_and_between_0_and_1(pairs):
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    told = morisita_horn(first, second)
    if first.sum() and second.sum():
        assert told == pytest.approx(morisita_horn(second, first))
        assert -1e-12 <= told <= 1 + 1e-12


def test_at_one_depth_the_shared_clones_of_unequal_samples_are_comparable():
    shares = np.arange(1, 401.0) ** -0.9
    rng = np.random.default_rng(3)
    first, shallow, deep = (rng.multinomial(depth, shares / shares.sum()) for depth in (2_000, 2_000, 40_000))
    plain, drawn = (
        [
            compare_repertoires(told_as(first, "umi_count"), told_as(other, "umi_count"), depth=depth)[0][
                "jaccard"
            ].item()
            for other in (shallow, deep)
        ]
        for depth in (None, 1_500)
    )
    assert plain[1] - plain[0] > 0.05
    assert abs(drawn[1] - drawn[0]) < 0.03


def test_a_sample_below_the_depth_has_no_overlap_and_its_clones_are_tested_all_the_same():
    pair = [told_as(side, "umi_count") for side in two_draws(seed=4)]
    overlap, _ = compare_repertoires(*pair, depth=5_000)
    assert overlap[["morisita_horn", "jaccard"]].isna().all(axis=None)
    assert overlap["note"].item().startswith("no overlap: 4,000 counted in one sample, 5,000 are drawn")
    assert overlap["n_tested"].item() == compare_repertoires(*pair)[0]["n_tested"].item() > 0


def test_draws_are_by_seed():
    pair = [told_as(side, "umi_count") for side in two_draws(seed=5)]
    once, again, other = (compare_repertoires(*pair, depth=500, seed=seed)[0] for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(once, again)
    assert once["jaccard"].item() != other["jaccard"].item()


# ---- the test of a clone ---------------------------------------------------------------------------------------------


def test_the_p_of_a_clone_is_that_of_r():
    """R 4.2: binom.test(9, 10, 0.4), binom.test(0, 12, 0.4) is not reached, binom.test(30, 40, 0.55)."""
    for after, total, chance, expected in ((9, 10, 0.4, 0.0016777216), (30, 40, 0.55, 0.010850929431)):
        told = clone_tests(np.array([total - after]), np.array([after]), null=Null(chance=chance))
        assert told["p_value"].item() == pytest.approx(expected, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 12), st.floats(0.05, 0.95))
def test_a_clone_is_tested_where_some_outcome_of_its_total_could_be_called(total, chance):
    smallest = min(binomtest(after, total, chance).pvalue for after in range(total + 1))
    told = clone_tests(np.array([total]), np.array([0]), null=Null(chance=chance))
    if abs(smallest - 0.05) > 1e-9:
        assert told["tested"].item() == (smallest <= 0.05)


def test_of_equal_depths_five_molecules_can_call_nothing_and_six_can():
    told = clone_tests(np.array([5, 6, 989]), np.array([0, 0, 1_000]))
    assert told["tested"].tolist() == [False, True, True]
    assert told["p_value"][1] == pytest.approx(2 * 0.5**6)


def test_the_p_of_a_clone_is_the_binomial_one():
    before, after = np.array([10, 90, 900]), np.array([60, 80, 860])
    told = clone_tests(before, after)
    expected = [binomtest(int(k), int(k + n), 0.5).pvalue for k, n in zip(after, before, strict=True)]
    assert told["p_value"].tolist() == pytest.approx(expected, rel=1e-12)
    assert told["tested"].all()


def test_a_clone_that_could_never_be_called_is_not_tested():
    told = clone_tests(np.array([2, 1_000]), np.array([1, 1_000]))  # of three molecules the smallest p is 0.25
    assert told["tested"].tolist() == [False, True]
    assert np.isnan(told["p_value"][0])


def test_expanded_and_contracted_clones_are_called_and_a_small_change_is_not():
    before = clones(up=10, down=200, same=5_000, little=1_000)
    after = clones(up=200, down=10, same=5_000, little=1_300)  # 1.3-fold, however small its p
    overlap, told = compare_repertoires(before, after)
    assert told.set_index("clone")["direction"].to_dict() == {
        "up": "expanded",
        "down": "contracted",
        "same": "unchanged",
        "little": "unchanged",
    }
    assert (overlap["n_expanded"].item(), overlap["n_contracted"].item(), overlap["n_tested"].item()) == (1, 1, 4)


def test_two_draws_of_one_repertoire_are_hardly_ever_called():
    rng = np.random.default_rng(7)
    shares = np.arange(1, 301.0) ** -0.9
    shares /= shares.sum()
    called = 0
    for _ in range(12):
        sides = [
            clones(**{f"c{at}": count for at, count in enumerate(rng.multinomial(3_000, shares))}) for _ in range(2)
        ]
        overlap, _ = compare_repertoires(*sides)
        called += int(overlap["n_expanded"].item() + overlap["n_contracted"].item() > 0)
    assert called <= 3  # of 12 patients, at a false discovery rate of 0.05 each


# ---- reads are no cells ----------------------------------------------------------------------------------------------


def test_molecules_of_one_repertoire_scatter_as_a_binomial_does():
    told = null_of(*two_draws(seed=1))
    assert told.measured
    assert told.copies == pytest.approx(1.0, abs=0.25)
    assert told.chance == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("depth", [400, 4_000])
def test_reads_that_come_in_hundreds_count_as_one(depth):
    first, second = (500 * side for side in two_draws(seed=2, depth=depth))
    assert null_of(first, second).copies == pytest.approx(500, rel=0.2)
    overlap, told = compare_repertoires(told_as(first, "duplicate_count"), told_as(second, "duplicate_count"))
    assert (overlap["n_expanded"].item(), overlap["n_contracted"].item()) == (0, 0)
    assert "counts make one observation" in overlap["note"].item()
    assert set(told["test"]) == {f"{TEST}; {overlap['note'].item()}"}
    # taken for cells, most of the clones that differ would be called
    taken = clone_tests(first, second)
    assert (taken["q_value"] <= 0.05).mean() > 0.5


def test_reads_of_too_unequal_depth_are_not_tested_and_cells_are():
    first, second = two_draws(seed=2, depth=3_000)
    overlap, _ = compare_repertoires(told_as(20 * first, "rows"), told_as(400 * second, "rows"))
    assert overlap["note"].item() == TOO_UNEQUAL
    assert pd.isna(overlap["n_tested"].item())
    assert overlap["morisita_horn"].item() > 0.9
    cells, _ = compare_repertoires(told_as(first, "cell_id"), told_as(20 * second, "cell_id"))
    assert cells["n_tested"].item() > 0


def test_an_expansion_is_found_among_reads():
    first, second = two_draws(seed=3)
    second[[30, 60]] *= 12
    pair = [told_as(200 * side, "consensus_count") for side in (first, second)]
    _, told = compare_repertoires(*pair)
    assert set(told.loc[told["direction"] == "expanded", "clone"]) == {"c30", "c60"}
    assert not (told["direction"] == "contracted").any()


def test_one_clone_that_takes_the_sample_over_makes_no_others_contract():
    first, second = np.full(61, 200), np.full(61, 200)
    second[0] = 24_000  # the shares of all others fall to a third
    rng = np.random.default_rng(1)
    counts = [rng.poisson(side) for side in (first, second)]
    null = null_of(*counts)
    assert null.chance == pytest.approx(0.5, abs=0.02)  # not 0.75, the later sample's share of all counts
    assert null.copies == pytest.approx(1.0, abs=0.5)
    overlap, told = compare_repertoires(*(told_as(side, "umi_count") for side in counts))
    assert told.loc[told["direction"] != "unchanged", "clone"].tolist() == ["c0"]
    assert (overlap["n_expanded"].item(), overlap["n_contracted"].item()) == (1, 0)


def test_of_cells_each_is_an_observation_whatever_the_others_do():
    first, second = two_draws(seed=6)
    pair = [told_as(20 * side, "cell_id") for side in (first, second)]
    overlap, _ = compare_repertoires(*pair)
    assert pd.isna(overlap["note"].item()) or overlap["note"].item() == ""
    assert overlap["n_expanded"].item() > 0


@pytest.mark.parametrize(
    ("counted", "tested"), [("umi_count", 2), ("cell_id", 2), ("duplicate_count", pd.NA), ("rows", pd.NA)]
)
def test_of_few_clones_only_molecules_and_cells_are_tested(counted, tested):
    overlap, told = compare_repertoires(told_as([90, 10], counted), told_as([10, 90], counted))
    if tested is pd.NA:
        assert pd.isna(overlap["n_tested"].item())
        assert overlap["note"].item() == NOT_MEASURED
        assert set(told["direction"]) == {"unchanged"}
        assert set(told["test"]) == {"not tested"}
    else:
        assert overlap["n_tested"].item() == tested
        assert sorted(told["direction"]) == ["contracted", "expanded"]


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10_000))
def test_looked_at_backwards_what_expanded_has_contracted(seed):
    first, second = two_draws(seed=seed, number=120, depth=1_500)
    second[seed % 100] += 90
    pair = [told_as(side, "umi_count") for side in (first, second)]
    forwards, backwards = compare_repertoires(*pair), compare_repertoires(*pair[::-1])
    assert forwards[0]["n_expanded"].item() == backwards[0]["n_contracted"].item()
    assert forwards[0]["n_tested"].item() == backwards[0]["n_tested"].item()
    assert forwards[0]["morisita_horn"].item() == pytest.approx(backwards[0]["morisita_horn"].item())


def test_the_order_of_clones_plays_no_part():
    pair = [told_as(side, "umi_count") for side in two_draws(seed=8)]
    mixed = [table.sample(frac=1, random_state=at) for at, table in enumerate(pair)]
    for one, other in zip(compare_repertoires(*pair, depth=900), compare_repertoires(*mixed, depth=900), strict=True):
        pd.testing.assert_frame_equal(one, other)


# ---- what cannot be compared -----------------------------------------------------------------------------------------


def test_junctions_and_cdr3_share_no_names_and_are_not_compared():
    overlap, told = compare_repertoires(told_as([5, 5], "umi_count"), told_as([5, 5], "umi_count", region="cdr3"))
    assert overlap["note"].item() == OTHER_REGION
    assert overlap[["morisita_horn", "jaccard", "n_tested"]].isna().all(axis=None)
    assert told.empty


def test_cells_before_and_reads_after_overlap_but_are_not_tested():
    first, second = two_draws(seed=9)
    overlap, _ = compare_repertoires(told_as(first, "cell_id"), told_as(second, "duplicate_count"))
    assert overlap["morisita_horn"].item() > 0.9
    assert pd.isna(overlap["n_tested"].item())
    assert overlap["note"].item() == "not tested: cell_id counted before, duplicate_count after"


def test_a_chain_that_one_sample_lacks_says_so():
    overlap, told = compare_repertoires(clones(a=5), clones().assign(locus="TRB"))
    assert overlap["note"].item() == "no TRB after"
    assert told.empty


def sheet(*rows):
    frame = pd.DataFrame(rows, columns=["sample_id", "patient_id", "timepoint", "replicate"])
    frame = frame.assign(compartment="blood", assay="tcr", path="x", batch="b")
    return SAMPLES.check(frame.reindex(columns=list(SAMPLES.columns)))


def test_the_step_takes_patients_with_both_samples_that_passed(tmp_path):
    rows = [(f"P{n}-{time}", f"P{n}", time, 1) for n in (1, 2, 3) for time in ("pre", "post")]
    inputs = {"samples": tmp_path / "samples.parquet", "failed": tmp_path / "failed.parquet"}
    write_table(sheet(*rows), inputs["samples"])
    write_table(pd.DataFrame({"sample_id": ["P2-post"], "assay": ["tcr"], "reason": ["few"]}), inputs["failed"])
    for name, *_ in rows[:-1]:  # P3 has no piece after
        inputs[f"piece:{name}"] = tmp_path / f"{name}.parquet"
        write_table(clones(a=100 if "pre" in name else 400, b=500), inputs[f"piece:{name}"])
    assert repertoire_step(inputs, tmp_path, contrast=["pre", "post"]) == {"patients": 1}
    overlaps, moved = (read_table(tmp_path / f"{name}.parquet") for name in ("overlaps", "clones"))
    OVERLAPS.check(overlaps)
    CLONES.check(moved)
    assert overlaps["patient_id"].tolist() == ["P1"]
    assert moved.set_index("clone")["direction"].to_dict()["a"] == "expanded"


def test_of_two_libraries_of_a_sample_the_first_that_passed_is_taken(tmp_path):
    rows = [("b", "P1", "pre", 1), ("c", "P1", "pre", 2), ("a", "P1", "pre", 3), ("d", "P1", "post", 1)]
    inputs = {"samples": tmp_path / "samples.parquet", "failed": tmp_path / "failed.parquet"}
    write_table(sheet(*rows), inputs["samples"])
    write_table(pd.DataFrame({"sample_id": ["b"], "assay": ["tcr"], "reason": ["few"]}), inputs["failed"])
    for name, count in (("a", 1), ("b", 2), ("c", 3), ("d", 4)):
        inputs[f"piece:{name}"] = tmp_path / f"{name}.parquet"
        write_table(clones(x=count), inputs[f"piece:{name}"])
    repertoire_step(inputs, tmp_path, contrast=["pre", "post"])
    told = read_table(tmp_path / "overlaps.parquet")
    assert (told["reads_before"].tolist(), told["reads_after"].tolist()) == ([3], [4])


def test_without_repertoires_the_tables_are_empty(tmp_path):
    inputs = {"samples": tmp_path / "samples.parquet", "failed": tmp_path / "failed.parquet"}
    write_table(sheet(), inputs["samples"])
    write_table(pd.DataFrame({"sample_id": [], "assay": [], "reason": []}, dtype="str"), inputs["failed"])
    assert repertoire_step(inputs, tmp_path, contrast=["pre", "post"]) == {"patients": 0}
    assert read_table(tmp_path / "overlaps.parquet").empty
