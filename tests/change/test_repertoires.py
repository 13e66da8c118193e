"""Clones before and after: overlap by hand, an exact test against scipy's, and no calls where nothing happened."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from rabiomarkers.change.repertoires import clone_tests, compare_repertoires, morisita_horn, repertoire_step
from rabiomarkers.files import read_table, write_table
from rabiomarkers.tables.cytometry import CLONES, OVERLAPS
from rabiomarkers.tables.samples import SAMPLES


def clones(**counts):
    return pd.DataFrame({"clone": list(counts), "locus": "TRB", "count": list(counts.values())})


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
    for _ in range(40):
        sides = [
            clones(**{f"c{at}": count for at, count in enumerate(rng.multinomial(3_000, shares))}) for _ in range(2)
        ]
        overlap, _ = compare_repertoires(*sides)
        called += int(overlap["n_expanded"].item() + overlap["n_contracted"].item() > 0)
    assert called <= 5  # of 40 patients, at a false discovery rate of 0.05 each


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


def test_without_repertoires_the_tables_are_empty(tmp_path):
    inputs = {"samples": tmp_path / "samples.parquet", "failed": tmp_path / "failed.parquet"}
    write_table(sheet(), inputs["samples"])
    write_table(pd.DataFrame({"sample_id": [], "assay": [], "reason": []}, dtype="str"), inputs["failed"])
    assert repertoire_step(inputs, tmp_path, contrast=["pre", "post"]) == {"patients": 0}
    assert read_table(tmp_path / "overlaps.parquet").empty
