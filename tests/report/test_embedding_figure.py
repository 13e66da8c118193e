"""The picture of single cells: every cell once, in the colour of its type or cluster, and text of the input stays text."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.report.figures.embedding import GREY, PALETTE, SMALLEST_NAMED, cell_map
from rabiomarkers.report.figures.style import Message
from rabiomarkers.tables.cytometry import EMBEDDING

SIZES = {"unassigned": 30, "CD8_TEM": 40, "B_naive": SMALLEST_NAMED, "pDC": SMALLEST_NAMED - 1}
MIDDLES = {"unassigned": 0.0, "CD8_TEM": 5.0, "B_naive": -5.0, "pDC": 9.0}


@pytest.fixture(scope="module")
def cells() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    names = [name for name, size in SIZES.items() for _ in range(size)]
    x, y = (np.array([MIDDLES[name] for name in names]) + rng.normal(0, 0.2, len(names)) for _ in range(2))
    table = pd.DataFrame({"cell_type": names, "x": x, "y": y, "cluster": [str(at % 12) for at in range(len(names))]})
    return EMBEDDING.check(table.assign(sample_id="S1", compartment="blood", lineage="T_cell")[list(EMBEDDING.columns)])


def test_every_cell_is_drawn_once_in_its_place(cells):
    for by in ("cell_type", "cluster"):
        figure = cell_map(cells, title="Cells", by=by)
        places = sorted((x, y) for trace in figure.data for x, y in zip(trace.x, trace.y, strict=True))
        assert places == sorted(zip(cells["x"], cells["y"], strict=True))


def test_colours_are_the_types_own_and_what_has_none_is_grey_and_lies_below(cells):
    figure = cell_map(cells, title="Cells")
    assert [trace.name for trace in figure.data] == ["unassigned (30)", "B_naive (12)", "CD8_TEM (40)", "pDC (11)"]
    colours = [trace.marker.color for trace in figure.data]
    assert colours == [GREY, *PALETTE[:3]]
    assert figure.data[0].legendrank > figure.data[1].legendrank


def test_a_type_of_enough_cells_is_named_over_the_middle_of_them(cells):
    figure = cell_map(cells, title="Cells")
    named = {note.text: (note.x, note.y) for note in figure.layout.annotations if note.text in SIZES}
    assert set(named) == {"CD8_TEM", "B_naive"}
    own = cells[cells["cell_type"] == "CD8_TEM"]
    assert named["CD8_TEM"][0] == pytest.approx(own["x"].median())
    assert own["y"].median() < named["CD8_TEM"][1] < own["y"].max()


def test_clusters_stand_in_the_order_of_their_numbers(cells):
    figure = cell_map(cells, title="Cells", by="cluster")
    assert [trace.name.split()[1] for trace in figure.data] == [str(at) for at in range(12)]


def test_more_types_than_colours_are_drawn(cells):
    many = cells.assign(cell_type=[f"type{at:02d}" for at in range(len(cells))])
    figure = cell_map(many, title="Cells")
    assert len(figure.data) == len(cells)
    assert all(trace.marker.color in PALETTE for trace in figure.data)


def test_the_order_of_rows_plays_no_part_in_names_and_colours(cells):
    looks = [
        [(trace.name, trace.marker.color) for trace in cell_map(table, title="Cells").data]
        for table in (cells, cells.sample(frac=1, random_state=1))
    ]
    assert looks[0] == looks[1]


def test_a_name_from_the_input_is_no_mark_up(cells):
    evil = cells.assign(cell_type="<b>x</b>", cluster="<a href='x'>")
    for by in ("cell_type", "cluster"):
        told = cell_map(evil, title="Cells", by=by)
        words = [text for trace in told.data for text in (trace.name, trace.hovertemplate, *trace.customdata)]
        words += [note.text for note in told.layout.annotations]
        assert not any(tag in text for text in words for tag in ("<b>x", "<a href"))


def test_without_cells_there_is_a_sentence(cells):
    assert isinstance(cell_map(cells[:0], title="Cells"), Message)
