"""Stools of made-up patients whose places are known: who is nearest, who changed places, and when nothing can be told."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.change.distances import distance_table
from rabiomarkers.change.stool_identity import stool_identity_step, stool_identity_table
from rabiomarkers.change.stool_swaps import Sides, likeness, misplaced
from rabiomarkers.files import read_table, write_table
from rabiomarkers.tables.changes import DISTANCES, ORDINATION
from rabiomarkers.tables.samples import SAMPLES
from rabiomarkers.tables.stool import STOOL_IDENTITY

CONTRAST = ["pre", "post"]
seeds = st.integers(0, 10_000)


def sheet(patients=8, only=()):
    """A stool of each patient before and after; `only` holds samples of patients with one stool, as ("Q1", "post")."""
    stools = [*((f"P{number}", time) for number in range(patients) for time in CONTRAST), *only]
    rows = [(f"{patient}{time}", patient, time) for patient, time in stools]
    return pd.DataFrame(rows, columns=["sample_id", "patient_id", "timepoint"])


def flora(samples, *, seed=0, spread=0.15, drift=0.5):
    """Distances between places in 30 dimensions: the patient's own, moved by treatment (`drift`) and by the day (`spread`)."""
    random = np.random.default_rng(seed)
    patients = sorted(set(samples["patient_id"]))
    own = pd.DataFrame(random.normal(size=(len(patients), 30)), index=patients)
    moved = drift * random.normal(size=30)
    places = own.loc[samples["patient_id"]].to_numpy() + spread * random.normal(size=(len(samples), 30))
    places += np.outer(samples["timepoint"] == "post", moved)
    apart = np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=2))
    return pd.DataFrame(apart, index=samples["sample_id"], columns=samples["sample_id"])


def exchange(distances, first, second):
    """The tubes of two samples changed places before they were sequenced."""
    names = {first: second, second: first}
    return distances.rename(index=names, columns=names)


def told(distances, samples, metric="aitchison", *others):
    listed = pd.concat(distance_table(table, samples, metric=name) for name, table in ((metric, distances), *others))
    return stool_identity_table(listed, samples, contrast=CONTRAST, metric=metric).set_index("sample_id")


def swapped(table):
    return set(table.index[table["verdict"] == "likely swap"])


def test_stools_that_lie_nearest_to_their_own_are_said_to():
    samples = sheet(8, only=[("Q1", "pre"), ("Q2", "post")])
    distances = flora(samples)
    table = told(distances, samples)
    assert (table["verdict"] == "own nearest").all()
    assert table["rank_of_own"].eq(1).all()
    assert (table["nearest_patient"] == table["patient_id"]).all()
    assert len(table) == 16  # none of those who gave one stool only
    assert table.loc["P3pre", "own_distance"] == pytest.approx(distances.loc["P3pre", "P3post"])
    assert table.loc["P3pre", "nearest_sample"] == "P3post"
    assert list(table["timepoint"][:4]) == ["pre", "post", "pre", "post"]


def test_a_patient_whose_flora_changed_is_no_swap():
    samples = sheet(8)
    stranger = sheet(1).assign(sample_id=["X", "Y"], patient_id="X")
    distances = flora(pd.concat([samples, stranger]), seed=4)
    distances = exchange(distances, "P2post", "Y").loc[samples["sample_id"], samples["sample_id"]]
    table = told(distances, samples)
    assert table.loc[["P2pre", "P2post"], "verdict"].tolist() == ["another is nearer"] * 2
    assert (table.drop(index=["P2pre", "P2post"])["verdict"] == "own nearest").all()
    assert table.loc["P2pre", "note"] == "no exchange fits: a flora may change"
    later, earlier = ([f"P{number}{time}" for number in range(8)] for time in ("post", "pre"))
    usual = pd.Series({name: distances.loc[name, [e for e in earlier if e[:2] != name[:2]]].median() for name in later})
    row = distances.loc["P2pre", later] - usual
    assert table.loc["P2pre", "nearest_sample"] == row.idxmin()
    assert table.loc["P2pre", "nearest_distance"] == distances.loc["P2pre", row.idxmin()]
    assert table.loc["P2pre", "rank_of_own"] == 1 + (row < row["P2post"]).sum()


def test_a_stool_that_lies_near_to_all_is_nobodys_nearest_for_that():
    samples = sheet(8)
    distances = flora(samples)
    others = [name for name in distances if name != "P4post"]
    distances.loc[others, others] += 8.0 * (1 - np.eye(len(others)))
    raw = distances.loc["P2pre", [name for name in others if name.endswith("post")] + ["P4post"]]
    assert raw.idxmin() == "P4post"
    table = told(distances, samples)
    assert (table["verdict"] == "own nearest").all()
    assert table["rank_of_own"].eq(1).all()
    assert table.loc["P2pre", "own_distance"] == distances.loc["P2pre", "P2post"]


@pytest.mark.parametrize(("first", "second"), [("P1post", "P5post"), ("P0pre", "P7pre")])
def test_two_stools_of_one_timepoint_that_changed_places_are_named(first, second):
    samples = sheet(8)
    table = told(exchange(flora(samples), first, second), samples)
    one, other = first[:2], second[:2]
    assert swapped(table) == {f"{patient}{time}" for patient in (one, other) for time in CONTRAST}
    assert table.loc[f"{one}post", "note"] == (
        f"fits {other}pre of patient {other}, and what is there now fits elsewhere"
    )
    rest = table.drop(index=list(swapped(table)))
    assert (rest["verdict"] == "own nearest").all()


def test_an_earlier_and_a_later_stool_that_changed_places_are_named():
    samples = sheet(8)
    table = told(exchange(flora(samples), "P1pre", "P5post"), samples)
    assert swapped(table) == {"P1pre", "P1post", "P5pre", "P5post"}
    assert table.loc["P1pre", "note"].startswith("fits P5pre of patient P5,")
    assert table.loc["P1post", "note"].startswith("fits P5post of patient P5,")
    assert table["note"].str.contains("an earlier and a later stool changed places").sum() == 4


def test_in_a_ring_of_three_each_stool_fits_the_one_it_came_from():
    samples = sheet(9)
    distances = exchange(exchange(flora(samples), "P1post", "P2post"), "P2post", "P3post")
    table = told(distances, samples)
    assert swapped(table) == {f"P{number}{time}" for number in (1, 2, 3) for time in CONTRAST}
    for sample in swapped(table):
        row = distances.loc[sample, [name for name in distances if not name.endswith(sample[2:])]]
        assert table.loc[sample, "note"].startswith(f"fits {row.idxmin()} of patient {row.idxmin()[:2]},")


def test_a_sheet_that_slipped_by_a_row_is_seen():
    samples = sheet(8)
    later = [name for name in samples["sample_id"] if name.endswith("post")]
    names = dict(zip(later, [*later[1:], later[0]], strict=True))
    table = told(flora(samples).rename(index=names, columns=names), samples)
    assert (table["verdict"] == "likely swap").all()


def test_a_stool_of_a_patient_without_another_one_is_asked_about():
    """P2's later stool is in truth Q1's, of whom there is only an earlier one."""
    samples = sheet(8, only=[("Q1", "pre")])
    whole = sheet(8, only=[("Q1", "pre"), ("Q1", "post")])
    distances = exchange(flora(whole), "P2post", "Q1post").loc[samples["sample_id"], samples["sample_id"]]
    table = told(distances, samples)
    assert swapped(table) == set()
    assert table.loc["P2post", "verdict"] == "another is nearer"
    assert table.loc["P2post", "note"] == "fits Q1pre of patient Q1, and nothing fits back: mislabelled?"
    assert table.loc["P2post", "nearest_patient"] == "Q1"


def test_one_file_twice_is_asked_about():
    samples = sheet(6)
    distances = flora(samples)
    distances.loc["P1post"] = distances.loc["P4post"]
    distances["P1post"] = distances["P4post"]
    distances.loc["P1post", "P4post"] = distances.loc["P4post", "P1post"] = 0.0
    table = told(distances, samples)
    assert table.loc["P1post", "note"].startswith("does not differ from P4post of patient P4: one file twice?")
    assert table.loc["P4post", "note"] == "does not differ from P1post of patient P1: one file twice?"
    assert table.loc["P4post", "verdict"] == "own nearest"
    assert swapped(table) == set()


@pytest.mark.parametrize("patients", [1, 2, 3])
def test_few_patients_are_told_their_distances_and_no_verdict(patients):
    samples = sheet(patients)
    table = told(flora(samples), samples)
    assert (table["verdict"] == "cannot be told").all()
    assert table["note"].tolist() == [f"{patients} patients with both stools; 4 are needed"] * 2 * patients
    assert table["own_distance"].notna().all()


def test_stools_that_do_not_tell_persons_apart_get_no_verdict():
    samples = sheet(12)
    strangers = samples.assign(patient_id=samples["sample_id"])
    table = told(flora(strangers, seed=3), samples)
    assert (table["verdict"] == "cannot be told").all()
    assert table["note"].str.contains("not clearly nearer").all()


def test_stools_all_alike_or_all_equally_far_are_borne():
    samples = sheet(6)
    for away in (0.0, 1.0):
        same = pd.DataFrame(away * (1 - np.eye(12)), index=samples["sample_id"], columns=samples["sample_id"])
        table = told(same, samples)
        assert swapped(table) == set()
        assert (table["verdict"] == "cannot be told").all()
        assert (table["nearest_patient"] == table["patient_id"]).all()  # a tie is no other's


def test_disjoint_floras_still_show_who_changed_places():
    """All strangers at distance 1, the largest that Bray-Curtis knows: no spread to measure by but the pairs' own."""
    samples = sheet(7)
    whose = samples["patient_id"].to_numpy()
    distances = pd.DataFrame(
        np.where(whose[:, None] == whose[None], 0.2, 1.0) * (1 - np.eye(14)),
        index=samples["sample_id"],
        columns=samples["sample_id"],
    )
    assert (told(distances, samples)["verdict"] == "own nearest").all()
    table = told(exchange(distances, "P1post", "P5post"), samples)
    assert swapped(table) == {"P1pre", "P1post", "P5pre", "P5post"}


def test_a_fit_that_another_distance_contradicts_is_not_told():
    """Two stools of few taxa are near by Aitchison's distance for all that they lack, and share nothing."""
    samples = sheet(8)
    distances = exchange(flora(samples), "P1post", "P5post")
    assert len(swapped(told(distances, samples, "aitchison", ("bray_curtis", distances)))) == 4
    strangers = distances.copy()
    for one, other in (("P1pre", "P5post"), ("P5pre", "P1post")):
        strangers.loc[one, other] = strangers.loc[other, one] = 2.0 * distances.to_numpy().max()
    assert swapped(told(distances, samples, "aitchison", ("bray_curtis", strangers))) == set()


@settings(max_examples=5, deadline=None)
@given(seeds, st.floats(0.1, 1e4))
def test_neither_order_nor_the_unit_of_distance_plays_a_part(seed, unit):
    samples = sheet(7, only=[("Q1", "post")])
    distances = exchange(flora(samples, seed=seed), "P1post", "P5post")
    table = told(distances, samples)
    shuffled = samples.sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(table, told(distances, shuffled))
    scaled = told(unit * distances, samples)
    for column in ("verdict", "note", "nearest_sample", "rank_of_own"):
        assert scaled[column].equals(table[column])
    assert scaled["own_distance"].to_numpy() == pytest.approx(unit * table["own_distance"].to_numpy())


@settings(max_examples=20, deadline=None)
@given(seeds)
def test_likeness_is_0_among_strangers_whatever_each_of_them_is_to_all(seed):
    random = np.random.default_rng(seed)
    distances = 5.0 + random.normal(size=(9, 11))
    own = np.eye(9, 11, dtype=bool)
    values = likeness(distances, own=own)
    assert np.median(values[~own]) == pytest.approx(0.0, abs=1e-12)
    assert 1.4826 * np.median(np.abs(values[~own])) == pytest.approx(1.0)
    apart = distances + random.normal(size=(9, 1)) + random.normal(size=(1, 11))
    np.testing.assert_allclose(likeness(3.0 * distances, own=own), values, atol=1e-9)
    assert likeness(distances - 4.0 * own, own=own)[own].mean() > values[own].mean()
    assert np.isfinite(likeness(apart, own=own)).all()


def sides(distances, patients):
    """Of patients who all have both, P0 to the last."""
    lists = [[(f"P{number}", time) for number in range(patients)] for time in CONTRAST]
    earlier, later = ([patient + time for patient, time in part] for part in lists)
    within = tuple(distances.loc[part, part].to_numpy() for part in (earlier, later))
    across = distances.loc[earlier, later].to_numpy()
    return Sides(pairs=patients, earlier=lists[0], later=lists[1], across=across, within=within)


def test_a_changed_flora_is_seldom_called_a_swap_and_a_swap_mostly():
    """Half of ten patients with a flora that changed altogether, and two whose stools changed places: 100 studies of each."""
    samples = sheet(10)
    changed = samples["patient_id"].isin([f"P{number}" for number in range(5)]) & (samples["timepoint"] == "post")
    others = samples.assign(patient_id=samples["patient_id"].where(~changed, samples["patient_id"] + "x"))
    named = found = 0
    for seed in range(100):
        distances = flora(others, seed=seed, spread=0.4)
        named += bool(misplaced(sides(distances, 10)).swaps)
        swap = misplaced(sides(exchange(distances, "P7post", "P9post"), 10)).swaps
        found += {patient for patient, _ in swap} == {"P7", "P9"}
    assert named <= 3
    assert found >= 75


def test_a_swap_is_told_by_both_patients_stools_alike():
    samples = sheet(8)
    swaps = misplaced(sides(exchange(flora(samples), "P1post", "P5post"), 8)).swaps
    assert swaps == {
        ("P1", "pre"): ("P5", "post"),
        ("P5", "post"): ("P1", "pre"),
        ("P5", "pre"): ("P1", "post"),
        ("P1", "post"): ("P5", "pre"),
    }


def measured(patients=10, seed=0, near=2.0):
    """Strangers about 10 apart (SD 1), own pairs `near`: likeness is 10 less the distance, or nearly so."""
    random = np.random.default_rng(seed)
    names = [(f"P{number}", time) for time in CONTRAST for number in range(patients)]
    table = 10.0 + random.normal(size=(2 * patients, 2 * patients))
    table = np.triu(table, 1) + np.triu(table, 1).T
    distances = pd.DataFrame(table, index=[a + b for a, b in names], columns=[a + b for a, b in names])
    for number in range(patients):
        put(distances, f"P{number}pre", f"P{number}post", near)
    return distances


def put(distances, first, second, value):
    distances.loc[first, second] = distances.loc[second, first] = value


def test_a_fit_is_measured_by_how_near_own_stools_lie():
    """Own pairs are 8 SDs nearer than strangers: 3 SDs are far too little, 6 are enough."""
    for near, named in ((7.0, False), (4.0, True)):
        distances = measured()
        for own in ("P1", "P5"):
            put(distances, f"{own}pre", f"{own}post", 10.0)
        put(distances, "P1pre", "P5post", near)
        put(distances, "P5pre", "P1post", near)
        assert bool(misplaced(sides(distances, 10)).swaps) is named


def test_two_who_share_a_household_are_not_accused():
    """Each lies a little nearer to the other one than to their own, across the two timepoints or within them."""
    for one, other in ((("pre", "post"), ("post", "pre")), (("pre", "pre"), ("post", "post"))):
        distances = measured()
        put(distances, "P1pre", "P5post", 2.5)
        put(distances, "P5pre", "P1post", 2.5)
        for own in ("P1", "P5"):
            put(distances, f"{own}pre", f"{own}post", 3.0)
        for first, second in (one, other):
            put(distances, f"P1{first}", f"P5{second}", 2.0)
        found = misplaced(sides(distances, 10))
        assert found.swaps == {}
        assert found.alone == {}


@pytest.mark.parametrize("patients", [4, 6, 8])
def test_two_of_a_few_patients_who_share_one_flora_are_not_accused(patients):
    """Of so few, unrelated stools of one timepoint are by chance equally far apart: no unit to measure anything in."""
    samples, named = sheet(patients), 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        own = random.normal(size=(patients, 30))
        own[1] = own[0]
        places = np.repeat(own, 2, axis=0) + 0.3 * random.normal(size=(2 * patients, 30))
        apart = np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=2))
        distances = pd.DataFrame(apart, index=samples["sample_id"], columns=samples["sample_id"])
        named += bool(swapped(told(distances, samples)))
    assert named <= 1


def test_where_three_fit_one_another_two_are_named_and_each_names_the_other():
    distances = measured()
    for own in ("P1", "P2", "P3"):
        put(distances, f"{own}pre", f"{own}post", 10.0)
    for time in CONTRAST:
        put(distances, f"P1{time}", f"P2{time}", 3.0)
        put(distances, f"P1{time}", f"P3{time}", 0.0)
        put(distances, f"P2{time}", f"P3{time}", 3.0)
    found = misplaced(sides(distances, 10))
    assert {patient for patient, _ in found.swaps} == {"P1", "P3"}
    assert all(found.swaps[partner] == stool for stool, partner in found.swaps.items())
    assert found.crossed == frozenset(found.swaps)


def test_a_stool_that_fits_two_others_is_not_said_to_be_anybodys():
    distances = measured()
    put(distances, "P1pre", "P1post", 10.0)
    put(distances, "P4pre", "P4post", 10.0)
    put(distances, "P1post", "P4pre", 3.0)
    assert misplaced(sides(distances, 10)).alone == {
        ("P1", "post"): ("P4", "pre"),
        ("P4", "pre"): ("P1", "post"),
    }
    put(distances, "P1post", "P6pre", 4.0)
    assert misplaced(sides(distances, 10)).alone == {}


def test_stools_of_a_few_kinds_seldom_accuse_anybody():
    """Every stool is of one of five kinds, whoever's it is: some two fit both ways by chance, and that says nothing."""
    named = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        distances = measured(seed=seed, near=10.0)
        kinds = random.integers(5, size=len(distances))
        distances -= 7.0 * (kinds[:, None] == kinds[None])
        named += bool(misplaced(sides(distances, 10), paired=False).swaps)
    assert named <= 3


def test_a_sheet_that_slipped_is_seen_though_the_ring_is_broken():
    """The later stool of the last patient is a stranger's."""
    samples = sheet(9)
    distances = flora(samples, seed=2)
    later = [name for name in samples["sample_id"] if name.endswith("post")]
    names = dict(zip(later, [*later[1:], later[0]], strict=True))
    distances = distances.rename(index=names, columns=names)
    far = [name for name in distances if name != "P0post"]
    distances.loc["P0post", far] = distances.loc[far, "P0post"] = float(np.median(distances))
    table = told(distances, samples)
    assert (table["verdict"] != "cannot be told").all()
    assert table["note"].str.contains("mislabelled").sum() >= 9


# ---- the step --------------------------------------------------------------------------------------------------------


def full_sheet(samples, **columns):
    rest = dict.fromkeys(SAMPLES.columns, np.nan) | {
        "compartment": "faecal",
        "assay": "taxa_counts",
        "path": "taxa.csv",
        "batch": "all",
        "replicate": 1,
    }
    return SAMPLES.check(
        samples.assign(**{name: value for name, value in (rest | columns).items() if name not in samples})
    )


def step(tmp_path, samples, tables, axes=None):
    listed = [distance_table(table, used, metric=name) for name, table, used in tables]
    inputs = {"samples": tmp_path / "samples.parquet", "distances": tmp_path / "distances.parquet"}
    write_table(samples, inputs["samples"])
    write_table(pd.concat(listed) if listed else DISTANCES.empty(), inputs["distances"])
    if axes is not None:
        inputs["ordination"] = tmp_path / "ordination.parquet"
        write_table(axes, inputs["ordination"])
    info = stool_identity_step(inputs, tmp_path, contrast=CONTRAST, seed=1)
    return info, STOOL_IDENTITY.check(read_table(tmp_path / "stool_identity.parquet"))


def test_the_step_asks_aitchisons_distance_where_it_is_listed_and_the_first_otherwise(tmp_path):
    samples = sheet(6)
    distances = exchange(flora(samples), "P1post", "P5post")
    for names, asked in (
        (("bray_curtis", "aitchison"), "aitchison"),
        (("jaccard", "robust_aitchison"), "robust_aitchison"),
        (("weighted_unifrac", "bray_curtis"), "weighted_unifrac"),
    ):
        info, table = step(tmp_path, full_sheet(samples), [(name, distances, samples) for name in names])
        assert set(table["metric"]) == {asked}
        assert info == {"stools": 12, "swapped": 4}


def test_the_step_names_the_sample_that_was_compared_not_the_first_of_the_sheet(tmp_path):
    samples = sheet(5)
    again = samples.iloc[:1].assign(sample_id="P0pre-again", replicate=2)
    whole = full_sheet(pd.concat([samples.assign(replicate=1), again]))
    used = samples.replace({"P0pre": "P0pre-again"})  # the first library failed
    axes = ORDINATION.check(used.assign(metric="aitchison", axis_1=0.0, axis_2=0.0))
    _, table = step(tmp_path, whole, [("aitchison", flora(used), used)], axes)
    assert "P0pre-again" in set(table["sample_id"])
    assert "P0pre" not in set(table["sample_id"])
    assert table.set_index("sample_id").loc["P0post", "nearest_sample"] == "P0pre-again"


def test_the_step_without_distances_or_pairs_writes_an_empty_table(tmp_path):
    samples = sheet(0, only=[("Q1", "pre"), ("Q2", "pre"), ("Q3", "post")])
    assert step(tmp_path, full_sheet(samples), [])[0] == {"stools": 0, "swapped": 0}
    info, table = step(tmp_path, full_sheet(samples), [("aitchison", flora(samples), samples)])
    assert info == {"stools": 0, "swapped": 0}
    assert table.empty
