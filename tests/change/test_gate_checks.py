"""Whether a population changed or a marker that defines it: drawn so that the answer is known."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.change.gate_checks import DRIVEN, NOT_DRIVEN, NOT_JUDGED, gate_check_step, gate_checks
from rabiomarkers.files import read_table, write_table
from rabiomarkers.tables.cytometry import SAMPLE_POPULATIONS, SAMPLE_POSITIONS
from rabiomarkers.tables.samples import SAMPLES

CONTRAST = ["pre", "post"]


def sheet(patients):
    rows = [
        {"sample_id": f"{name}-{time}", "patient_id": name, "timepoint": time} for name in patients for time in CONTRAST
    ]
    frame = pd.DataFrame(rows).assign(compartment="blood", assay="flow", path="x", batch="b", replicate=1)
    return SAMPLES.check(frame.reindex(columns=list(SAMPLES.columns)))


def tables(fractions, *, positive=None, background=None):
    """Populations and positions of patients by (before, after) of fraction, positive median and background median."""
    positive = positive or [(3.0, 3.0)] * len(fractions)
    background = background or [(0.5, 0.5)] * len(fractions)
    populations, positions = [], []
    for number, (share, own, other) in enumerate(zip(fractions, positive, background, strict=True)):
        for time, side in zip(CONTRAST, (0, 1), strict=True):
            name = f"P{number}-{time}"
            populations.append(
                (
                    name,
                    "flow",
                    "B_cell",
                    "lymphocyte",
                    "lymphocyte",
                    100,
                    1000,
                    share[side],
                    share[side],
                    share[side],
                    np.nan,
                    None,
                )
            )
            positions.append(
                (name, "flow", "B_cell", "lymphocyte", "CD19", 2.0, own[side], 100, other[side], 0.4, 0.01, 900)
            )
    integers = ("events", "parent_events", "positive_events", "background_events")
    frames = [
        pd.DataFrame(rows, columns=list(kind.columns))
        for rows, kind in ((populations, SAMPLE_POPULATIONS), (positions, SAMPLE_POSITIONS))
    ]
    return [frame.astype({name: "Int64" for name in integers if name in frame.columns}) for frame in frames]


def judged(*args, patients=None, **options):
    populations, positions = tables(*args, **options)
    names = [f"P{number}" for number in range(patients or len(args[0]))]
    return gate_checks(sheet(names), populations, positions, contrast=CONTRAST).squeeze()


FALL = [(0.20, 0.08), (0.15, 0.06), (0.22, 0.10), (0.18, 0.05), (0.16, 0.09), (0.21, 0.07)]


def test_a_fall_without_any_move_of_the_marker_is_a_fall():
    told = judged(FALL)
    assert told["verdict"] == NOT_DRIVEN
    assert told["fraction_change"] == pytest.approx(np.median([after - before for before, after in FALL]))


def test_a_marker_that_falls_on_other_cells_too_is_told():
    told = judged(FALL, background=[(0.5, 0.1)] * 6)
    assert told["verdict"] == DRIVEN
    assert told["note"].startswith("CD19 moved by -0.40 on cells that are no B_cell, too, in 6 of 6 pairs")


def test_a_marker_that_falls_towards_the_border_on_the_cells_themselves_is_told():
    told = judged(FALL, positive=[(3.0, 2.6)] * 6)  # 0.4 of a distance of 1
    assert told["verdict"] == DRIVEN
    assert told["note"].startswith("B_cell moved along CD19 by -0.40 in 6 of 6 pairs")


def test_a_marker_that_moved_the_other_way_cannot_have_made_the_fall():
    assert judged(FALL, background=[(0.5, 1.0)] * 6, positive=[(3.0, 3.6)] * 6)["verdict"] == NOT_DRIVEN


def test_a_small_move_is_no_reason():
    assert judged(FALL, background=[(0.5, 0.4)] * 6)["verdict"] == NOT_DRIVEN  # 0.1 of a spread of 0.4


def test_of_six_pairs_one_may_go_the_other_way_and_of_five_none():
    mostly = [(0.5, 0.1)] * 5 + [(0.5, 0.6)]
    assert judged(FALL, background=mostly)["verdict"] == DRIVEN
    assert judged(FALL[:5], background=mostly[1:])["verdict"] == NOT_DRIVEN


def test_two_pairs_are_not_judged():
    told = judged(FALL[:2], background=[(0.5, 0.1)] * 2)
    assert (told["verdict"], told["note"]) == (NOT_JUDGED, "2 pairs, 3 are needed")


def test_null_data_are_hardly_ever_called():
    """Fractions and markers that scatter by themselves, ten pairs: hardly one is called (background SD 0.1 of 0.4)."""
    rng = np.random.default_rng(5)
    called = 0
    for _ in range(40):
        shares = [tuple(rng.normal(0.2, 0.03, 2)) for _ in range(10)]
        own = [tuple(rng.normal(3.0, 0.1, 2)) for _ in range(10)]
        other = [tuple(rng.normal(0.5, 0.1, 2)) for _ in range(10)]
        called += judged(shares, positive=own, background=other)["verdict"] == DRIVEN
    assert called <= 2


def test_the_step_leaves_failed_samples_out(tmp_path):
    populations, positions = tables(FALL, background=[(0.5, 0.1)] * 6)
    inputs = {name: tmp_path / f"{name}.parquet" for name in ("samples", "failed", "populations", "positions")}
    write_table(sheet([f"P{number}" for number in range(6)]), inputs["samples"])
    write_table(pd.DataFrame({"sample_id": ["P0-pre"], "assay": ["flow"], "reason": ["few"]}), inputs["failed"])
    write_table(SAMPLE_POPULATIONS.check(populations), inputs["populations"])
    write_table(SAMPLE_POSITIONS.check(positions), inputs["positions"])
    assert gate_check_step(inputs, tmp_path, contrast=CONTRAST) == {"checked": 1, "marker_driven": 1}
    assert read_table(tmp_path / "gate_checks.parquet")["n_pairs"].item() == 5


def test_without_gated_samples_the_table_is_empty():
    empty = gate_checks(sheet(["P0"]), SAMPLE_POPULATIONS.empty(), SAMPLE_POSITIONS.empty(), contrast=CONTRAST)
    assert empty.empty
