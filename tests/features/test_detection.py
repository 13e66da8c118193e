"""How far each protein could be measured, and whether its plates are its timepoints."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.features.detection import detection_step, detection_table
from rabiomarkers.files import read_table, write_table
from rabiomarkers.tables.cytometry import DETECTION
from rabiomarkers.tables.samples import SAMPLES

CONFOUNDED = "no plate holds samples of two timepoints: a change cannot be told from a difference between plates"


def sheet(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """Of sample, patient and timepoint."""
    table = pd.DataFrame(rows, columns=["sample_id", "patient_id", "timepoint"])
    fixed = {"compartment": "blood", "assay": "proteins", "path": "p.csv", "batch": "all", "replicate": 1}
    return SAMPLES.check(table.assign(**fixed).reindex(columns=list(SAMPLES.columns)))


def trial(patients: int = 2) -> pd.DataFrame:
    return sheet(*((f"{when}{who}", f"P{who}", when) for who in range(1, patients + 1) for when in ("pre", "post")))


def piece(
    value: float = 1.0, flag: str = "", plate: str = "A", normalization: str = "", **more: object
) -> pd.DataFrame:
    table = pd.DataFrame({"analyte": ["IL6"], "value": [value], "flag": [flag], "plate": [plate]}).assign(**more)
    table.attrs["passport"] = {"normalization": [normalization]}
    return table


def row(samples: pd.DataFrame, pieces: dict[str, pd.DataFrame]) -> pd.Series:
    table = detection_table(samples, pieces)
    assert len(table) == 1
    return table.iloc[0]


def test_shares_by_hand():
    samples = trial(patients=2)
    told = row(
        samples,
        {
            "pre1": piece(0.5, "below_lod", lod=1.0),
            "post1": piece(9.0, "above_uloq", lod=1.0),
            "pre2": piece(np.nan, "", lod=1.0),
            "post2": piece(2.0, "qc_warning", lod=1.0),
        },
    )
    assert (told["compartment"], told["analyte"], told["n_samples"], told["n_measured"]) == ("blood", "IL6", 4, 3)
    assert told["below_detection_share"] == pytest.approx(1 / 3)
    assert told["above_quantification_share"] == 0.25
    assert told["warned_share"] == 0.25
    assert told["plates"] == 1
    assert told["note"] == ""


def test_an_analyte_mostly_below_its_limit_is_told():
    told = row(trial(1), {"pre1": piece(0.5, "below_lod", lod=1.0), "post1": piece(2.0, lod=1.0)})
    assert told["note"] == "1 of 2 values lie below the limit: a change may be noise"


def test_without_a_limit_nothing_is_said_about_detection():
    told = row(trial(1), {"pre1": piece(), "post1": piece()})
    assert np.isnan(told["below_detection_share"])
    assert told["note"] == "the file tells no limit of detection"


def note_of_plates(plates: dict[str, str], *, patients: int = 2, normalization: str = "") -> str:
    pieces = {sample: piece(plate=plate, lod=0.1, normalization=normalization) for sample, plate in plates.items()}
    return str(row(trial(patients), pieces)["note"])


def test_plates_that_are_timepoints_are_told():
    assert note_of_plates({"pre1": "A", "pre2": "A", "post1": "B", "post2": "B"}) == CONFOUNDED
    assert note_of_plates({"pre1": "A", "pre2": "C", "post1": "B", "post2": "D"}) == CONFOUNDED


def test_plates_that_hold_whole_patients_do_no_harm():
    assert note_of_plates({"pre1": "A", "post1": "A", "pre2": "B", "post2": "B"}) == ""


def test_patients_on_several_plates_are_counted():
    told = note_of_plates({"pre1": "A", "post1": "A", "pre2": "A", "post2": "B"})
    assert told == "1 of 2 patients have their timepoints on different plates"


def test_patients_with_one_sample_are_no_pairs():
    assert note_of_plates({"pre1": "A", "post2": "B"}) == ""


def test_intensity_normalisation_takes_away_what_plates_and_timepoints_share():
    plates = {"pre1": "A", "pre2": "A", "post1": "B", "post2": "B"}
    told = note_of_plates(plates, normalization="Intensity")
    assert told.startswith(CONFOUNDED)
    assert "intensity normalisation gave all plates one median" in told
    assert "intensity" not in note_of_plates(dict.fromkeys(plates, "A"), normalization="Intensity")


def test_a_file_that_tells_no_plate_has_none():
    told = row(trial(1), {"pre1": piece(plate=""), "post1": piece().drop(columns="plate")})
    assert told["plates"] == 0


@pytest.mark.parametrize("pieces", [{}, {"pre1": piece().iloc[:0]}])
def test_no_protein_gives_an_empty_table(pieces):
    table = detection_table(trial(1), pieces)
    assert table.empty
    assert list(table.columns) == list(DETECTION.columns)


@settings(max_examples=10, deadline=None)
@given(
    below=st.lists(st.booleans(), min_size=4, max_size=4),
    plates=st.lists(st.sampled_from(["", "A", "B"]), min_size=4, max_size=4),
    order=st.permutations(["pre1", "post1", "pre2", "post2"]),
)
def test_the_order_of_samples_plays_no_part_and_shares_are_counts(below, plates, order):
    names = ["pre1", "post1", "pre2", "post2"]
    pieces = {
        name: piece(flag="below_lod" if low else "", plate=plate, lod=2.0)
        for name, low, plate in zip(names, below, plates, strict=True)
    }
    samples = trial(2)
    table = detection_table(samples, pieces)
    turned = detection_table(samples[::-1], {name: pieces[name] for name in order})
    pd.testing.assert_frame_equal(table, turned)
    assert table.loc[0, "below_detection_share"] == sum(below) / 4
    assert table.loc[0, "plates"] == len(set(plates) - {""})


def test_the_step_takes_the_pieces_of_all_samples(tmp_path):
    write_table(trial(1), tmp_path / "samples.parquet")
    inputs = {"samples": tmp_path / "samples.parquet"}
    for sample, plate in (("pre1", "A"), ("post1", "B")):
        write_table(piece(plate=plate, lod=0.1), tmp_path / f"{sample}.parquet")
        inputs[f"piece:{sample}"] = tmp_path / f"{sample}.parquet"
    assert detection_step(inputs, tmp_path) == {"analytes": 1, "plates_are_timepoints": 1}
    assert read_table(tmp_path / "detection.parquet")["note"].tolist() == [CONFOUNDED]


def test_the_step_writes_an_empty_table_where_there_are_no_proteins(tmp_path):
    write_table(trial(1), tmp_path / "samples.parquet")
    assert detection_step({"samples": tmp_path / "samples.parquet"}, tmp_path)["analytes"] == 0
    assert read_table(tmp_path / "detection.parquet").empty
