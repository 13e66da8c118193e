"""Cells per microlitre from two instruments, and the tables of all gated samples."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.features.gated_samples import (
    NO_COUNT,
    absolute_features,
    cells_per_microlitre,
    gated_step,
)
from rabiomarkers.files import read_table, write_table
from rabiomarkers.tables.cytometry import GATES, MARKER_POSITIONS, POPULATIONS, VIEWS
from rabiomarkers.tables.samples import SAMPLE_FEATURES, SAMPLES


def populations(**shares):
    rows = [
        {
            "population": name,
            "parent": "leukocyte",
            "frequency_of": "leukocyte",
            "events": None if np.isnan(share) else round(1000 * share),
            "parent_events": 1000,
            "fraction_of_parent": share,
            "fraction": share,
            "fraction_of_leukocytes": share,
            "cells_per_ul": np.nan,
            "note": "the panel lacks CD19" if np.isnan(share) else None,
        }
        for name, share in shares.items()
    ]
    return POPULATIONS.check(pd.DataFrame(rows))


def counts(**values):
    return pd.DataFrame({"analyte": list(values), "value": list(values.values()), "unit": "1e9/L"})


def test_of_mononuclear_cells_the_total_is_lymphocytes_and_monocytes():
    told, reason = cells_per_microlitre(populations(T_cell=0.6), counts(lymphocytes=1.5, monocytes=0.5, leukocytes=6.0))
    assert (told.tolist(), reason) == ([pytest.approx(1200.0)], "")  # 0.6 of 2.0e9/L


def test_of_whole_blood_it_is_all_leukocytes():
    told, _ = cells_per_microlitre(populations(T_cell=0.2), counts(leukocytes=6.0), material="whole_blood")
    assert told.tolist() == [pytest.approx(1200.0)]


def test_without_the_total_there_is_no_number_and_the_reason_is_told():
    told = absolute_features(populations(T_cell=0.6), counts(lymphocytes=1.5))
    assert told["value"].isna().all()
    assert told["note"].tolist() == ["the blood count does not tell monocytes"]
    assert absolute_features(populations(T_cell=0.6), None)["note"].tolist() == [NO_COUNT]


def test_a_population_that_was_not_gated_keeps_its_own_reason():
    told = absolute_features(populations(B_cell=np.nan, T_cell=0.6), counts(lymphocytes=1.0, monocytes=1.0))
    by_name = told.set_index("feature")
    assert by_name["note"].fillna("").to_dict() == {"per_ul_B_cell": "the panel lacks CD19", "per_ul_T_cell": ""}
    assert by_name.loc["per_ul_T_cell", "value"] == pytest.approx(1200.0)


@pytest.fixture
def study(tmp_path):
    """Two gated samples of one patient, one of which has a blood count."""
    rows = [
        {
            "sample_id": f"P1-{time}-{kind}",
            "patient_id": "P1",
            "timepoint": time,
            "compartment": "blood",
            "assay": assay,
        }
        for time in ("pre", "post")
        for kind, assay in (("flow", "flow"), ("cbc", "cell_counts"))
    ]
    sheet = pd.DataFrame(rows).assign(path="x", batch="b1", replicate=1)
    inputs = {"samples": tmp_path / "samples.parquet", "gates:0": tmp_path / "gates.parquet"}
    write_table(SAMPLES.check(sheet.reindex(columns=list(SAMPLES.columns))), inputs["samples"])
    write_table(GATES.empty(), inputs["gates:0"])
    for time, share in (("pre", 0.5), ("post", 0.6)):
        name = f"P1-{time}-flow:flow"
        tables = {
            "populations": populations(T_cell=share),
            "densities": VIEWS.empty(),
            "positions": MARKER_POSITIONS.empty(),
            "features": SAMPLE_FEATURES.check(
                pd.DataFrame(
                    [("gated_fraction_T_cell", share, "fraction", "gates", 1.0, True, None)],
                    columns=list(SAMPLE_FEATURES.columns),
                )
            ),
        }
        for kind, table in tables.items():
            inputs[f"{kind}:{name}"] = tmp_path / f"{kind}-{time}.parquet"
            write_table(table, inputs[f"{kind}:{name}"])
    inputs["counts:P1-pre-cbc"] = tmp_path / "cbc.parquet"
    write_table(counts(lymphocytes=1.5, monocytes=0.5), inputs["counts:P1-pre-cbc"])
    return inputs


def test_each_sample_finds_the_blood_count_of_its_own_timepoint(study, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    assert gated_step(study, out, material="pbmc") == {"samples": 2, "with_blood_counts": 1}
    table = read_table(out / "populations.parquet").set_index("sample_id")["cells_per_ul"]
    assert table["P1-pre-flow"] == pytest.approx(1000.0)
    assert np.isnan(table["P1-post-flow"])
    post = read_table(out / "absolute.P1-post-flow.flow.parquet")
    assert (post["note"].tolist(), post["cohort_dependent"].tolist()) == ([NO_COUNT], [True])


def test_a_study_without_blood_counts_has_no_absolute_numbers(study, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    without = {name: path for name, path in study.items() if not name.startswith("counts:")}
    assert gated_step(without, out, material="pbmc")["with_blood_counts"] == 0
    assert not list(out.glob("absolute*"))
    assert read_table(out / "populations.parquet")["cells_per_ul"].isna().all()
