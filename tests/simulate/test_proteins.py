"""Simulated proteins: printed as a laboratory prints them, read as a study reads them, moved in responders only."""

import re

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.files import write_csv
from rabiomarkers.ingest.proteins import read_proteins
from rabiomarkers.simulate.design import design_trial
from rabiomarkers.simulate.proteins import ANALYTES, SHIFT, UNIT, proteins

DESIGN = design_trial(patients=200)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return proteins(DESIGN)


def test_numbers_have_three_digits_and_no_exponent(table):
    cells = pd.unique(table.drop(columns="sample_id").to_numpy().ravel())
    assert all(re.fullmatch(r"[<>]?\d+(\.\d+)?", cell) for cell in cells)
    measured = [cell.replace(".", "").strip("0") for cell in cells if cell[0] not in "<>"]
    assert max(map(len, measured)) == 3


def test_no_number_lies_beyond_the_limits_and_both_limits_are_met_somewhere(table):
    said = set()
    for name, (_, _, _, lowest, highest) in ANALYTES.items():
        cells = table[f"{name} [{UNIT}]"]
        measured = cells[~cells.str.match("[<>]")].astype(float)
        assert measured.between(lowest, highest).all()
        said |= {cell[0] for cell in cells[cells.str.match("[<>]")]}
        assert set(cells[cells.str.match("[<>]")]) <= {f"<{lowest:g}", f">{highest:g}"}
    assert "<" in said


def test_the_study_reads_values_and_which_lie_below_the_limit(table, tmp_path):
    few = table[table["sample_id"].str.contains("P00[1-9]")]
    write_csv(few, tmp_path / "proteins.csv")
    pieces = read_proteins(tmp_path / "proteins.csv", label="proteins.csv", sample_ids=list(few["sample_id"]))
    for _, row in few.iterrows():
        piece = pieces[row["sample_id"]].set_index("analyte")
        assert set(piece["unit"]) == {"pg/mL"}
        printed = row.drop("sample_id").rename(lambda title: title.partition(" [")[0])
        assert (piece["flag"] != "").to_dict() == printed.str.startswith("<").to_dict()
        assert piece["value"].to_dict() == printed.str.lstrip("<").astype(float).to_dict()


@pytest.mark.parametrize("effect", ["planted", "none"])
def test_what_is_planted_moves_in_responders_and_nothing_else_does(effect):
    design = design_trial(patients=200, effect=effect)
    levels = proteins(design).set_index("sample_id").replace("[<>]", "", regex=True).astype(float)
    change = pd.DataFrame(
        {
            patient.patient_id: np.log(levels.loc[patient.of("proteins")[1].sample_id])
            - np.log(levels.loc[patient.of("proteins")[0].sample_id])
            for patient in design.patients
        }
    ).T
    change.columns = change.columns.str.partition(" ").get_level_values(0)
    responded = np.array([patient.responder for patient in design.patients])
    for name, (_, _, daily, _, _) in ANALYTES.items():
        moved = SHIFT.get(name, 0.0) if effect == "planted" else 0.0
        for who, meant in ((responded, moved), (~responded, 0.0)):
            error = daily * np.sqrt(2 / who.sum())
            assert change.loc[who, name].mean() == pytest.approx(meant, abs=4 * error)
