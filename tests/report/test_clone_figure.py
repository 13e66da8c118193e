"""The figure of T-cell clones: what was counted, which clones are drawn, and what the test says of them."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.change.repertoires import SHOWN
from rabiomarkers.report.figures.clones import clone_panels


def clones_of(patient, direction, q_value=0.5):
    return {
        "patient_id": patient,
        "clone": "TRBV1:TRBJ1:CASS",
        "reads_before": 0,
        "reads_after": 20,
        "share_before": 0.0,
        "share_after": 0.2,
        "direction": direction,
        "q_value": q_value,
    }


def panels(*rows):
    clones = pd.DataFrame(rows)
    patients = sorted(clones["patient_id"].unique())
    overlaps = pd.DataFrame({"patient_id": patients, "morisita_horn": 0.9, "reads_before": 100, "reads_after": 100})
    return clone_panels(clones, overlaps, title="T-cell clones of blood, TRB")


def test_the_legend_claims_no_clone_to_be_unchanged():
    figure = panels(clones_of("P1", "unchanged"), clones_of("P1", "expanded", 0.01))
    named = {trace.name for trace in figure.data if trace.showlegend}
    assert named == {f"no change shown (the {SHOWN} largest of a patient)", "expanded"}


def test_what_was_counted_need_not_be_molecules():
    """Counts may be reads, molecules or cells: the figure must not name one of them."""
    figure = panels(clones_of("P1", "expanded", 0.01))
    (drawn,) = [trace for trace in figure.data if trace.hovertext]
    assert "molecule" not in figure.layout.title.subtitle.text
    assert "molecule" not in drawn.hovertext[0]
    assert "(0 to 20 counted)" in drawn.hovertext[0]
    assert drawn.hovertext[0].endswith("q = 0.0100")


def test_a_clone_unseen_in_one_sample_is_drawn_at_half_a_count_and_the_figure_says_so():
    figure = panels(clones_of("P1", "expanded", 0.01))
    (drawn,) = [trace for trace in figure.data if trace.hovertext]
    assert drawn.x[0] == pytest.approx(0.005)  # half of one in 100
    assert "unseen stands at half a count" in figure.layout.title.subtitle.text


def test_a_clone_without_a_test_says_so_and_names_no_reason_that_is_not_known():
    figure = panels(clones_of("P1", "unchanged", np.nan))
    (drawn,) = [trace for trace in figure.data if trace.hovertext]
    assert drawn.hovertext[0].endswith("<br>not tested")


@pytest.mark.parametrize("patients", [1, 4, 5, 10])
def test_the_lowest_panel_of_each_column_names_its_axis(patients):
    figure = panels(*(clones_of(f"P{at}", "unchanged") for at in range(patients)))
    named = [at for at in range(1, patients + 1) if figure.layout["xaxis" if at == 1 else f"xaxis{at}"].title.text]
    assert len(named) == min(patients, 4)
    assert named == list(range(patients - len(named) + 1, patients + 1))
