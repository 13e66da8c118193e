"""Quality of one tube: each disturbance planted alone, and only its measure fails."""

import numpy as np
import pytest

from rabiomarkers.features.event_quality import cytometry_quality
from rabiomarkers.features.gating.apply import Membership
from tests.support.gated import piece_of

EVENTS = 4_000


def tube(**columns):
    rng = np.random.default_rng(1)
    plain = {
        "FSC-A": rng.normal(80_000, 8_000, EVENTS),
        "CD3": np.where(rng.random(EVENTS) < 0.5, 10 ** rng.normal(4, 0.1, EVENTS), rng.normal(0, 100, EVENTS)),
        "CD4": rng.normal(0, 100, EVENTS),
        "Time": np.arange(EVENTS, dtype=float),
    }
    return piece_of(plain | columns)


def members(singlets=EVENTS, live=EVENTS, leukocyte=EVENTS, remarks=()):
    counts = {"singlets": singlets, "live": live, "leukocyte": leukocyte}
    masks = {name: np.arange(EVENTS) < number for name, number in counts.items()}
    return Membership(members=masks, dropped={}, remarks=dict.fromkeys(remarks, "passed through"))


def quality(piece, membership=None, **options):
    return cytometry_quality(piece, membership or members(), **options).set_index("measure")


def test_a_good_tube_passes_everything():
    told = quality(tube())
    assert set(told.index) == {"events", "events_clean", "singlet_share", "viability", "time_drift", "margin_events"}
    assert told["passed"].all()
    assert told.loc["time_drift", "value"] == 0


def test_shares_are_those_of_the_gates():
    told = quality(tube(), members(singlets=3_600, live=2_700, leukocyte=2_000))
    assert told["value"][["events", "events_clean", "singlet_share", "viability"]].tolist() == [4_000, 2_000, 0.9, 0.75]


def test_few_clean_events_and_dead_cells_fail():
    told = quality(tube(), members(live=1_000, leukocyte=900))
    assert told.index[~told["passed"]].tolist() == ["events_clean", "viability"]
    assert told.loc["viability", "value"] == 0.25


def test_what_was_passed_through_is_not_measured():
    told = quality(tube(), members(remarks=("singlets", "live")))
    assert not {"singlet_share", "viability"} & set(told.index)


@pytest.mark.parametrize(("spans", "passed"), [(1, True), (2, True), (3, False)])
def test_a_stream_that_drifts_for_more_than_a_tenth_of_the_run_fails(spans, passed):
    """A span is 1/20 of the events; in those planted here the cells are seen at half of their size."""
    forward = tube()["FSC-A"].to_numpy()
    bad = np.arange(EVENTS) < spans * EVENTS / 20
    told = quality(tube(**{"FSC-A": np.where(bad, forward / 2, forward)}))
    assert told.loc["time_drift", "value"] == pytest.approx(spans / 20)
    assert told.loc["time_drift", "unit"] == "fraction of spans, FSC-A"
    assert bool(told.loc["time_drift", "passed"]) is passed


def test_the_order_of_events_in_the_file_is_not_their_time():
    forward = tube()["FSC-A"].to_numpy()
    piece = tube(**{"FSC-A": np.where(np.arange(EVENTS) < EVENTS * 0.3, forward / 2, forward)})
    order = np.random.default_rng(1).permutation(EVENTS)
    shuffled = piece.iloc[order].reset_index(drop=True)
    assert quality(shuffled).loc["time_drift", "value"] == quality(piece).loc["time_drift", "value"] > 0.2


@pytest.mark.parametrize("columns", [{"Time": np.zeros(EVENTS)}, {"Time": np.full(EVENTS, np.inf)}])
def test_without_a_clock_there_is_no_drift(columns):
    assert "time_drift" not in quality(tube(**columns)).index


@pytest.mark.parametrize(
    ("column", "value", "found"),
    [("FSC-A", 262_144.0, 0.2), ("FSC-A", 0.0, 0.2), ("CD4", 255_000.0, 0.2), ("CD4", -200.0, 0.0)],
)
def test_events_at_the_edge_of_the_range_are_counted(column, value, found):
    """Of scatter at both ends; of a marker, from which compensation took something, near the upper one."""
    plain = tube()[column].to_numpy()
    told = quality(tube(**{column: np.where(np.arange(EVENTS) % 5 == 0, value, plain)}))
    assert told.loc["margin_events", "value"] == pytest.approx(found)
    assert bool(told.loc["margin_events", "passed"]) is (found <= 0.1)
    if found:
        assert told.loc["margin_events", "unit"] == f"fraction, {column}"


def test_a_range_that_the_events_do_not_keep_to_is_no_edge():
    piece = piece_of({"CD3": np.linspace(0, 5_000, EVENTS), "Time": np.arange(EVENTS)}, top=1_024.0)
    assert "margin_events" not in quality(piece).index


def test_a_tube_without_events_fails_and_is_no_crash():
    piece = tube().head(0)
    nobody = Membership(
        members={name: np.zeros(0, dtype=bool) for name in ("singlets", "live")}, dropped={}, remarks={}
    )
    told = quality(piece, nobody)
    assert told.index[~told["passed"]].tolist() == ["events_clean", "viability"]
    assert np.isnan(told.loc["viability", "value"])
