import csv
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.change.distances import (
    distance_step,
    distance_table,
    principal_coordinates,
    stack_pieces,
    within_between,
)
from rabiomarkers.change.metrics import METRICS, distances_of
from rabiomarkers.errors import AbundanceError
from rabiomarkers.files import read_json, read_table, write_table
from rabiomarkers.tables.changes import DISTANCES, ORDINATION
from rabiomarkers.tables.samples import SAMPLES

TABLE = (Path(__file__).parents[1] / "reference" / "community.csv").read_text()  # R's vegan
COORDINATES = [
    case for case in csv.DictReader(TABLE.splitlines()) if case["statistic"] in ("coordinates", "variance explained")
]


def sheet(*samples):
    """SAMPLES from (sample, patient, timepoint) or (sample, patient, timepoint, replicate)."""
    rows = [
        dict.fromkeys(SAMPLES.columns, np.nan)
        | {
            "sample_id": sample,
            "patient_id": patient,
            "timepoint": timepoint,
            "compartment": "faecal",
            "assay": "taxa_counts",
            "path": "taxa.csv",
            "batch": "all",
            "replicate": replicate[0] if replicate else 1,
        }
        for sample, patient, timepoint, *replicate in samples
    ]
    return SAMPLES.check(pd.DataFrame(rows)) if rows else SAMPLES.empty()


def piece(*values, scale="counts", database="SILVA 138"):
    frame = pd.DataFrame(
        {"taxon": [f"t{number}" for number in range(len(values))], "value": [float(v) for v in values]}
    )
    frame["lineage"] = ""
    frame.attrs["passport"] = {"scale": scale, "database": database, "taxa": len(values)}
    return frame


def random_study(patients=5, taxa=12, seed=0):
    random = np.random.default_rng(seed)
    own = random.gamma(0.4, 100, size=(patients, taxa))
    names = [
        (f"S{patient}{timepoint}", f"P{patient}", timepoint)
        for patient in range(patients)
        for timepoint in ("pre", "post")
    ]
    values = np.repeat(own, 2, axis=0) * np.exp(random.normal(0, 0.3, size=(2 * patients, taxa)))
    return sheet(*names), pd.DataFrame(
        values, index=[name for name, _, _ in names], columns=[f"t{k}" for k in range(taxa)]
    )


def run(tmp_path, samples, pieces, *, tree=None, **options):
    inputs = {"samples": tmp_path / "samples.parquet"}
    write_table(samples, inputs["samples"])
    if tree:
        inputs["tree"] = tmp_path / "tree.nwk"
        inputs["tree"].write_text(tree)
    for name, frame in pieces.items():
        inputs[f"piece:{name}"] = tmp_path / f"{name}.parquet"
        write_table(frame, inputs[f"piece:{name}"])
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    info = distance_step(inputs, out, **({"depth": 10, "seed": 1} | options))
    return info, out, read_json(out / "distances.json")


def test_bray_curtis_is_the_share_that_is_not_common():
    # proportions 0.5 0.5 0 and 0.5 0 0.5: half of each is common
    table = distances_of(pd.DataFrame([[1, 1, 0], [10, 0, 10], [0, 0, 3]], index=["a", "b", "c"]), "bray_curtis")
    np.testing.assert_allclose(table, [[0, 0.5, 1], [0.5, 0, 0.5], [1, 0.5, 0]], atol=1e-15)


@given(st.lists(st.floats(1e-3, 1e3), min_size=3, max_size=3))
@settings(deadline=None, max_examples=20)
def test_depth_plays_no_part(depths):
    _, abundances = random_study()
    deeper = abundances.mul(np.tile([*depths, 1.0, 2.0], 2), axis="index")
    np.testing.assert_allclose(distances_of(deeper, "bray_curtis"), distances_of(abundances, "bray_curtis"), atol=1e-12)


@pytest.mark.parametrize(
    ("row", "message"), [([0, 0], "without any taxon: b"), ([-1, 2], "negative"), ([np.nan, 2], "missing")]
)
def test_what_is_no_abundance_is_refused(row, message):
    with pytest.raises(AbundanceError, match=message):
        distances_of(pd.DataFrame([[1.0, 1.0], row], index=["a", "b"]), "bray_curtis")


def test_each_pair_of_samples_is_listed_once():
    samples, abundances = random_study(patients=3)
    table = distance_table(distances_of(abundances, "bray_curtis"), samples)
    assert len(table) == 15  # 6 * 5 / 2
    assert table["same_patient"].sum() == 3
    DISTANCES.check(table)


def test_within_and_between_are_medians_of_their_distances():
    samples = sheet(("a0", "A", "pre"), ("a1", "A", "post"), ("b0", "B", "pre"), ("b1", "B", "post"))
    names = ["a0", "a1", "b0", "b1"]
    values = pd.DataFrame(0.0, index=names, columns=names)
    for first, second, distance in [("a0", "a1", 0.1), ("b0", "b1", 0.3), ("a0", "b1", 0.8), ("b0", "a1", 0.6)]:
        values.loc[first, second] = values.loc[second, first] = distance
    facts = within_between(values, samples, contrast=["pre", "post"])
    assert (facts.within_median, facts.between_median) == pytest.approx((0.2, 0.7))
    assert (facts.n_within, facts.n_between) == (2, 2)
    assert (facts.p_value, facts.p_floor) == (0.5, 0.5)  # two matchings
    assert facts.test == "exact matching permutation"


def test_without_a_contrast_the_two_most_shared_timepoints_are_compared():
    samples, abundances = random_study(patients=4)
    extra = sheet(("late", "P0", "month6"))
    more = pd.concat([abundances, abundances.iloc[[3]].set_axis(["late"])])
    both = within_between(distances_of(more, "bray_curtis"), pd.concat([samples, extra], ignore_index=True))
    assert both == within_between(distances_of(abundances, "bray_curtis"), samples, contrast=["pre", "post"])


def test_one_pair_has_a_distance_but_nothing_to_compare_it_with():
    samples, abundances = random_study(patients=1)
    facts = within_between(distances_of(abundances, "bray_curtis"), samples)
    assert facts.n_within == 1
    assert facts.within_median > 0
    assert math.isnan(facts.between_median)
    assert math.isnan(facts.p_value)
    assert facts.note == "one patient has stool of two timepoints; a comparison needs at least two"


def test_principal_coordinates_keep_the_distances_they_can():
    # three points on a line, 0.2 and 0.3 apart: one axis explains all
    names = ["a", "b", "c"]
    distances = pd.DataFrame([[0, 0.2, 0.5], [0.2, 0, 0.3], [0.5, 0.3, 0]], index=names, columns=names)
    told = principal_coordinates(distances, sheet(("a", "A", "pre"), ("b", "A", "post"), ("c", "B", "pre")))
    assert told.variance_explained == pytest.approx((1.0, 0.0), abs=1e-7)
    first = told.axes["axis_1"].to_numpy()
    assert (first[0] - first[1], first[0] - first[2]) == pytest.approx(
        (0.2, 0.5), abs=1e-9
    )  # `a` is on the positive side
    ORDINATION.check(told.axes)


@pytest.mark.parametrize("case", COORDINATES, ids=lambda case: case["table"][:20])
def test_principal_coordinates_are_those_of_r(case):
    rows = np.array([[float(part) for part in row.split()] for row in case["table"].split(";")])
    names = [f"s{number:02}" for number in range(len(rows))]
    distances = distances_of(pd.DataFrame(rows, index=names), "bray_curtis")
    told = principal_coordinates(distances, sheet(*((name, name, "pre") for name in names)))
    values = [[float(part) for part in row.split()] for row in case["value"].split(";")]
    if case["statistic"] == "coordinates":  # by column
        ours = np.abs(told.axes[["axis_1", "axis_2"]].to_numpy()).ravel(order="F")
    else:
        ours = np.array(told.variance_explained)
    np.testing.assert_allclose(ours, values[0], atol=1e-10, rtol=0)


@given(st.permutations(list(range(10))))
@settings(deadline=None, max_examples=5)
def test_the_order_of_samples_and_taxa_plays_no_part(order):
    samples, abundances = random_study()
    turned = abundances.iloc[order].iloc[:, ::-1]
    first, second = distances_of(abundances, "bray_curtis"), distances_of(turned, "bray_curtis")
    assert repr(within_between(first, samples)) == repr(within_between(second, samples.iloc[order]))
    pd.testing.assert_frame_equal(
        principal_coordinates(first, samples).axes,
        principal_coordinates(second, samples.iloc[order]).axes,
        atol=1e-12,
        rtol=0,
    )


@pytest.mark.parametrize("patients", [0, 1])
def test_fewer_than_three_samples_have_no_plane(patients):
    samples, abundances = random_study(patients=patients)
    told = principal_coordinates(distances_of(abundances, "bray_curtis"), samples)
    assert told.axes.empty
    assert told.variance_explained == ()


def test_pieces_of_another_kind_are_left_out_and_that_is_said():
    pieces = {
        "a": piece(5, 5),
        "b": piece(0, 20),
        "c": piece(0.5, 0.5, scale="relative"),
        "d": piece(3, 1),
    }
    table, notes = stack_pieces(pieces, depth=10)
    assert table.index.tolist() == ["a", "b"]
    assert table.to_numpy().tolist() == [[5, 5], [0, 20]]
    assert notes == [
        "1 samples are not counts (SILVA 138 database) and are left out: c is relative (SILVA 138 database)",
        "1 samples have too few reads and are left out: d",
    ]


def test_databases_never_meet_and_those_of_the_rarer_one_are_named():
    pieces = {f"g{number}": piece(9, 5, database="GTDB r220") for number in range(12)}
    pieces |= {f"s{number:02}": piece(9, 5, database="SILVA 138") for number in range(13)}
    table, notes = stack_pieces(pieces, depth=10)
    assert table.index.tolist() == [f"s{number:02}" for number in range(13)]
    assert len(notes) == 1
    assert notes[0].startswith(
        "12 samples are not counts (SILVA 138 database) and are left out: g0 is counts (GTDB r220"
    )
    assert notes[0].endswith("g7 is counts (GTDB r220 database), 2 more")


def test_spaces_and_capitals_make_no_other_database_and_equal_shares_of_two_go_by_name():
    pieces = {"a": piece(9, 5, database="Silva  138"), "b": piece(9, 5), "c": piece(9, 5, database="GTDB r220")}
    assert stack_pieces(pieces, depth=10)[0].index.tolist() == ["a", "b"]
    del pieces["a"]
    for order in (pieces, dict(reversed(pieces.items()))):
        assert stack_pieces(order, depth=10)[0].index.tolist() == ["c"]


def test_a_profile_without_a_taxon_is_left_out():
    pieces = {"a": piece(0.4, 0.5, scale="relative"), "b": piece(0, 0, scale="relative")}
    table, notes = stack_pieces(pieces, depth=10_000)
    assert table.index.tolist() == ["a"]
    assert notes == ["1 samples hold no taxon and are left out: b"]
    assert stack_pieces({}, depth=1)[0].shape == (0, 0)


def test_the_step_writes_tables_facts_and_the_same_bytes_again(tmp_path):
    samples, abundances = random_study()
    pieces = {name: piece(*np.ceil(row)) for name, row in zip(abundances.index, abundances.to_numpy(), strict=True)}
    info, out, facts = run(tmp_path, samples, pieces)
    assert info == {"samples": 10, "pairs": 5}
    assert facts["metric"] == "Bray-Curtis"
    assert facts["within_median"] < facts["between_median"]
    assert facts["p_value"] == facts["p_floor"] == pytest.approx(1 / 120)
    assert len(facts["variance_explained"]) == 2
    assert set(facts) == {
        *("metric", "within_median", "between_median", "n_within", "n_between", "p_value", "p_floor", "test"),
        *("variance_explained", "note", "name", "n_samples", "metrics"),
    }
    assert facts["n_samples"] == facts["metrics"][0]["n_samples"] == 10
    assert [told["name"] for told in facts["metrics"]] == ["bray_curtis"]
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    run(tmp_path, samples.iloc[::-1].reset_index(drop=True), dict(reversed(pieces.items())))
    assert before == {path.name: path.read_bytes() for path in out.iterdir()}


def test_a_second_library_is_no_second_sample(tmp_path):
    samples = sheet(
        ("a0", "A", "pre"), ("a0r", "A", "pre", 2), ("a1", "A", "post"), ("b0", "B", "pre"), ("b1", "B", "post")
    )
    info, _, facts = run(tmp_path, samples, {name: piece(9, k, 1) for k, name in enumerate(samples["sample_id"], 1)})
    assert info == {"samples": 4, "pairs": 2}
    assert facts["note"] == "1 repeated samples are left out"


@pytest.mark.parametrize("names", [[], ["a0"], ["a0", "b0"]])
def test_too_little_stool_runs_to_empty_numbers_with_the_reason(tmp_path, names):
    samples = sheet(("a0", "A", "pre"), ("b0", "B", "pre"))
    info, out, facts = run(tmp_path, samples, {name: piece(5, 6) for name in names})
    assert info == {"samples": len(names), "pairs": 0}
    assert facts["within_median"] is facts["p_value"] is None
    assert facts["note"] == "no patient has stool of two timepoints"
    assert facts["n_samples"] == len(names)
    assert len(read_table(out / "distances.parquet")) == (1 if len(names) == 2 else 0)
    assert read_table(out / "ordination.parquet").empty


def every_metric(tmp_path, *, tree, metrics, **options):
    samples, abundances = random_study()
    pieces = {
        name: piece(*np.ceil(row), **options) for name, row in zip(abundances.index, abundances.to_numpy(), strict=True)
    }
    info, out, facts = run(tmp_path, samples, pieces, tree=tree, metrics=metrics, draws=2)
    return info, facts, read_table(out / "distances.parquet"), read_table(out / "ordination.parquet")


@pytest.mark.parametrize("scale", ["counts", "relative"])
def test_every_metric_has_its_distances_its_map_and_its_facts(tmp_path, scale):
    stem = "(" * 11 + "t0:1," + ",".join(f"t{number}:1):0.5" for number in range(1, 12)) + ";"
    info, facts, distances, ordination = every_metric(tmp_path, tree=stem, metrics=list(METRICS), scale=scale)
    assert info == {"samples": 10, "pairs": 5}
    assert [told["name"] for told in facts["metrics"]] == distances["metric"].unique().tolist() == list(METRICS)
    assert facts["metric"] == "Bray-Curtis"
    assert distances.groupby("metric").size().eq(45).all()
    assert ordination.groupby("metric").size().eq(10).all()
    for told in facts["metrics"]:
        rows = distances[distances["metric"] == told["name"]]
        own = rows.loc[rows["same_patient"], "distance"]
        assert told["metric"] == METRICS[told["name"]].title
        assert told["within_median"] == pytest.approx(own.median())
        assert told["note"] == ""


def test_without_a_tree_unifrac_is_left_out_and_that_is_said(tmp_path):
    metrics = ["weighted_unifrac", "aitchison", "unweighted_unifrac"]
    _, facts, distances, _ = every_metric(tmp_path, tree=None, metrics=metrics)
    assert [told["name"] for told in facts["metrics"]] == distances["metric"].unique().tolist() == ["aitchison"]
    assert facts["metric"] == "Aitchison"
    assert facts["note"] == "weighted UniFrac, unweighted UniFrac left out: the stools have no tree in common"


def test_unifrac_alone_without_a_tree_runs_to_empty_numbers_with_the_reason(tmp_path):
    info, facts, distances, ordination = every_metric(tmp_path, tree=None, metrics=["weighted_unifrac"])
    assert info == {"samples": 10, "pairs": 0}
    assert distances.empty
    assert ordination.empty
    assert facts["metrics"] == []
    assert facts["n_samples"] == 0  # none was compared, though ten passed
    assert facts["metric"] == "weighted UniFrac"
    assert facts["within_median"] is facts["p_value"] is None
    assert facts["note"] == "weighted UniFrac left out: the stools have no tree in common"


def test_a_taxon_that_the_tree_lacks_is_named(tmp_path):
    with pytest.raises(AbundanceError, match="10 taxa that were seen are not in the tree, among them t10, t11, t2"):
        every_metric(tmp_path, tree="(t0:1,t1:1);", metrics=["unweighted_unifrac"])
