"""The report's part on blood: what is shown of gated cells, receptors, proteins and single cells, and that nothing runs."""

import pytest

from rabiomarkers.change.repertoires import SHOWN
from rabiomarkers.report.blocks import Grid, Picture
from rabiomarkers.report.data import data_of_results
from rabiomarkers.report.page import render
from rabiomarkers.report.sections_blood import (
    cell_section,
    cytometry_section,
    protein_section,
    repertoire_section,
)
from rabiomarkers.results import open_results
from tests.support.synthetic_results import INJECTION, Invented, make_results

SECTIONS = (cytometry_section, repertoire_section, protein_section, cell_section)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return data_of_results(open_results(make_results(tmp_path_factory.mktemp("blood") / "r")))


def grids(section):
    return {block.caption: block for block in section.blocks if isinstance(block, Grid)}


def pictures(section):
    return {block.name: block for block in section.blocks if isinstance(block, Picture)}


def test_a_study_without_blood_has_none_of_it(tmp_path):
    data = data_of_results(open_results(make_results(tmp_path / "r", Invented(compartments=("tumour",)))))
    assert [section(data) for section in SECTIONS] == [None] * 4


def test_borders_are_drawn_for_each_marker_once(data):
    (picture,) = [each for name, each in pictures(cytometry_section(data)).items() if name.startswith("gates-")]
    titles = [note.text for note in picture.content.layout.annotations if note.text.startswith("<b>")]
    assert titles == [
        "<b>CD19</b> in leukocyte",
        "<b>CD3</b> in leukocyte",
        "<b>CD4</b> in T_cell",
        "<b>CD8</b> in T_cell",
    ]
    samples, borders = picture.content.data[::2], picture.content.data[1::2]
    assert [len(set(trace.text)) for trace in samples] == [20] * 4  # ten patients before and after
    assert [trace.x for trace in borders] == [(0.45, 0.45)] * 4


def test_a_change_that_a_marker_may_have_made_is_told_beside_the_populations(data):
    section = grids(cytometry_section(data))
    (warning,) = [
        grid for caption, grid in section.items() if caption.startswith("Changes that a marker may have made: 1 of 2")
    ]
    assert warning.rows[0][:2] == ("B_cell\nB cells", "CD19")
    assert not warning.collapsed
    (populations,) = [grid for caption, grid in section.items() if caption.startswith("Populations by flow cytometry")]
    assert "marker-driven?" in {row[0].split("\n")[0]: row[0] for row in populations.rows}["B_cell"]


def test_populations_left_out_are_named_with_the_reason(data):
    (left,) = [
        grid for caption, grid in grids(cytometry_section(data)).items() if caption.startswith("Populations left out")
    ]
    assert left.rows == [("neutrophil\nneutrophils", "20", "the panel lacks CD15")]


def test_every_patient_has_a_panel_of_clones(data):
    section = repertoire_section(data)
    (picture,) = pictures(section).values()
    assert len([note for note in picture.content.layout.annotations if "overlap" in note.text]) == 10
    named = {trace.name for trace in picture.content.data if trace.showlegend}
    assert named == {"expanded", "contracted", f"no change shown (the {SHOWN} largest of a patient)"}
    (table,) = grids(section).values()
    assert len(table.rows) == 10


def test_proteins_tell_how_far_they_were_measured(data):
    (table,) = grids(protein_section(data)).values()
    rows = {row[0].split("\n")[0]: row for row in table.rows}
    assert rows["IL10"][4:6] == ("18 of 20", "60\N{NO-BREAK SPACE}%")
    assert "often below" in rows["IL10"][0]


def test_the_map_of_cells_names_its_types_and_says_that_nothing_hangs_on_it(data):
    section = cell_section(data)
    (picture,) = pictures(section).values()
    assert "no number of this report comes from either" in picture.caption
    assert {note.text for note in picture.content.layout.annotations} >= {"CD4_naive", "CD8_TEM", "mono_classical"}
    (clusters,) = grids(section).values()
    assert [row[3] for row in clusters.rows] == ["100\N{NO-BREAK SPACE}%"] * 3


def test_the_page_holds_the_sections_and_no_script_of_the_input(tmp_path):
    folder = make_results(tmp_path / "r", Invented(note=INJECTION, patients=tuple(f"P{number}" for number in range(4))))
    page = render(data_of_results(open_results(folder)))
    assert INJECTION not in page
    for name in ("cytometry", "repertoires", "proteins", "cells"):
        assert f'<section id="{name}"' in page
