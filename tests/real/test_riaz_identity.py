"""Whose samples are these, on CheckMate 038: nothing is found where nothing is wrong, and planted swaps are.

Measured once over 12 random swaps among 20 patients: all found (11 by the pairs, one by sex), no other sample accused; 117 libraries
of the sheet: no finding; every second library lies nearest to another one of its patient. The disputed Pt68_On has no other sample of
its patient to be compared with.
"""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.features.identity import identity_step
from rabiomarkers.files import read_table, write_table

SWAPS = [("Pt18", "Pt9"), ("Pt84", "Pt52"), ("Pt48", "Pt77")]


@pytest.fixture(scope="module")
def sheet(shared_data):
    samples = pd.read_csv(shared_data / "riaz_bms038" / "samples.csv")
    return samples[samples["sample_id"] != "Pt68_On"].assign(compartment="tumour", assay="rna_counts", exclude=None)


@pytest.fixture(scope="module")
def pieces(shared_data, sheet, tmp_path_factory):
    folder = tmp_path_factory.mktemp("riaz")
    counts = pd.read_csv(shared_data / "riaz_bms038" / "counts.csv.gz").dropna(subset="symbol")
    counts = counts.drop(columns="entrez_id").groupby("symbol").sum()
    inputs = {}
    for sample in sheet["sample_id"]:
        piece = pd.DataFrame({"gene": counts.index, "value": counts[sample].to_numpy(np.float64)})
        piece.attrs["passport"] = {"scale": "counts"}
        inputs[f"piece:{sample}:rna_counts"] = folder / f"{sample}.parquet"
        write_table(piece, inputs[f"piece:{sample}:rna_counts"])
    return inputs


def looked_at(rows, pieces, folder):
    columns = ["sample_id", "patient_id", "timepoint", "replicate", "compartment", "assay", "exclude"]
    write_table(rows[columns], folder / "samples.parquet")
    inputs = pieces | {"samples": folder / "samples.parquet"}
    identity_step(inputs, folder, contrast=["pre", "on"], expected_sex="unknown")
    return read_table(folder / "identity.parquet")


def test_a_sheet_that_is_right_gives_no_finding_and_second_libraries_are_nearest_to_their_patient(
    sheet, pieces, tmp_path
):
    found = looked_at(sheet, pieces, tmp_path)
    assert found["sample_id"].nunique() == 117
    assert not found["finding"].any()
    whose = sheet.set_index("sample_id")["patient_id"]
    second = found[(found["check"] == "pair") & found["sample_id"].isin(sheet.query("replicate == 2")["sample_id"])]
    assert len(second) == 10
    assert (whose[second["found"]].to_numpy() == whose[second["sample_id"]].to_numpy()).all()
    nearest = found[(found["check"] == "pair") & found["sample_id"].isin(sheet.query("replicate == 1")["sample_id"])]
    right = (whose[nearest["found"]].to_numpy() == whose[nearest["sample_id"]].to_numpy()).mean()
    assert right > 0.85
    assert nearest["p_value"].iloc[0] <= 0.001


@pytest.mark.parametrize(("one", "other"), SWAPS)
def test_two_biopsies_that_changed_places_are_named_with_the_samples_that_fit(sheet, pieces, tmp_path, one, other):
    first = sheet[sheet["replicate"] == 1]
    complete = first.pivot(index="patient_id", columns="timepoint", values="sample_id").dropna()
    others = [name for name in np.random.default_rng(2).permutation(complete.index) if name not in (one, other)][:14]
    rows = first[first["patient_id"].isin([one, other, *others])].copy()
    exchanged = {complete.loc[one, "on"]: other, complete.loc[other, "on"]: one}
    rows["patient_id"] = [
        exchanged.get(sample, own) for sample, own in zip(rows["sample_id"], rows["patient_id"], strict=True)
    ]
    found = looked_at(rows, pieces, tmp_path)
    accused = found[found["finding"] & (found["check"] == "pair")].set_index("sample_id")["fits"].to_dict()
    assert accused == {
        complete.loc[one, "on"]: complete.loc[one, "pre"],
        complete.loc[one, "pre"]: complete.loc[one, "on"],
        complete.loc[other, "on"]: complete.loc[other, "pre"],
        complete.loc[other, "pre"]: complete.loc[other, "on"],
    }
