"""The identity step from pieces to its table."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.features import identity
from rabiomarkers.features.expression_quality import Y_LINKED
from rabiomarkers.features.identity import expected_sexes, identity_step
from rabiomarkers.files import read_table
from rabiomarkers.simulate.design import design_trial
from rabiomarkers.simulate.tumour import tumour_counts
from rabiomarkers.tables.genes import IDENTITY
from tests.support.identity import people, swapped, write_inputs

FEW_GENES = 3_000


def run(inputs, out, **options):
    out.mkdir(exist_ok=True)
    info = identity_step(inputs, out, contrast=["pre", "post"], **options)
    return info, IDENTITY.check(read_table(out / "identity.parquet"))


def counts_of(values):
    """Reads of log2 values, genes x samples, so that CPM are nearly those values."""
    return np.rint(np.exp2(values.T) * 100)


@pytest.fixture(scope="module")
def trial():
    """Counts and sheet of the simulated trial of ten patients."""
    design = design_trial(patients=10, seed=1)
    counts = tumour_counts(design, neutral_genes=FEW_GENES)
    drawn = [sample for patient in design.patients for sample in patient.of("tumour") if sample.sample_id in counts]
    whose = {sample.sample_id: patient for patient in design.patients for sample in patient.of("tumour")}
    sheet = pd.DataFrame(
        {
            "sample_id": [sample.sample_id for sample in drawn],
            "patient_id": [whose[sample.sample_id].patient_id for sample in drawn],
            "timepoint": [sample.timepoint for sample in drawn],
        }
    )
    return counts, sheet


def test_the_simulated_trial_has_no_finding_and_its_pairs_fit(trial, tmp_path):
    info, found = run(write_inputs(*trial, tmp_path), tmp_path / "out")
    alone = found["note"] == "no other sample of this patient to compare with"
    pairs = found[(found["check"] == "pair") & ~alone]
    biopsies = trial[1].groupby("patient_id").size()
    assert alone.sum() == (biopsies == 1).sum() > 0
    assert info == {"samples": len(trial[1]), "findings": 0}
    assert (pairs["found"] == pairs["expected"]).all()
    assert pairs["p_value"].max() <= 1e-3


def test_a_swap_planted_in_the_simulated_trial_is_named(trial, tmp_path):
    counts, sheet = trial
    both = sheet.groupby("patient_id")["timepoint"].nunique()
    first, second = both.index[both == 2][:2]
    later = sheet[sheet["timepoint"] == "post"].set_index("patient_id")["sample_id"]
    wrong = swapped(sheet, later[first], later[second])
    _, found = run(write_inputs(counts, wrong, tmp_path), tmp_path / "out")
    told = found[found["finding"]]
    assert set(told["patient_id"]) == {first, second}
    assert len(told) == 4
    assert (
        told.set_index("sample_id").loc[later[first], "fits"]
        == sheet.set_index(["patient_id", "timepoint"])["sample_id"][first, "pre"]
    )


def test_failed_and_excluded_samples_are_not_looked_at(tmp_path):
    values, sheet = people(6)
    excluded = sheet.assign(exclude=[None] * 11 + ["thawed"])
    inputs = write_inputs(counts_of(values), excluded, tmp_path, failed=["P00_pre"])
    _, found = run(inputs, tmp_path / "out")
    assert not set(found["sample_id"]) & {"P00_pre", "P05_post"}
    pairs = found[found["check"] == "pair"]
    assert set(pairs.loc[pairs["value"].notna(), "patient_id"]) == {"P01", "P02", "P03", "P04"}
    alone = pairs[pairs["value"].isna()].set_index("sample_id")["note"].to_dict()
    assert alone == dict.fromkeys(["P00_post", "P05_pre"], "no other sample of this patient to compare with")


def test_under_four_pairs_the_reason_stands_in_place_of_a_number(tmp_path):
    values, sheet = people(3)
    _, found = run(write_inputs(counts_of(values), sheet, tmp_path), tmp_path / "out")
    pairs = found[found["check"] == "pair"]
    assert len(pairs) == 6
    assert pairs["value"].isna().all()
    assert set(pairs["note"]) == {"3 patients have both samples; whose is like whose needs 4"}


def test_too_few_genes_are_told_and_not_an_error(tmp_path):
    values, sheet = people(5, genes=60)
    _, found = run(write_inputs(counts_of(values), sheet, tmp_path), tmp_path / "out")
    assert found.loc[found["check"] == "pair", "note"].str.contains("genes have two levels among these samples").all()


def test_the_sex_of_the_sheet_is_believed_before_the_setting(tmp_path):
    values, sheet = people(4)
    counts = counts_of(values)
    for gene in Y_LINKED:
        counts.loc[gene] = 3000.0
    patients = pd.DataFrame({"patient_id": ["P00", "P01", "P02"], "sex": ["M", "female", "?"]})
    _, found = run(write_inputs(counts, sheet, tmp_path, patients=patients), tmp_path / "out", expected_sex="female")
    sexes = found[found["check"] == "sex"].groupby("patient_id")["finding"].all()
    assert sexes.to_dict() == {"P00": False, "P01": True, "P02": True, "P03": True}


def test_words_of_sex_are_read_in_any_case():
    patients = pd.DataFrame({"patient_id": ["a", "b", "c", "d"], "sex": [" Woman ", "MALE", "x", np.nan]})
    told = expected_sexes(["d", "c", "b", "a", "e", "a"], patients, otherwise="unknown")
    assert told == {"a": "female", "b": "male", "c": "unknown", "d": "unknown", "e": "unknown"}


def test_no_sample_and_no_piece_give_an_empty_table(tmp_path):
    values, sheet = people(4)
    inputs = write_inputs(counts_of(values), sheet, tmp_path)
    _, found = run({name: path for name, path in inputs.items() if not name.startswith("piece")}, tmp_path / "out")
    assert found.empty


def test_the_order_of_the_sheet_changes_no_byte(tmp_path):
    values, sheet = people(5)
    run(write_inputs(counts_of(values), sheet, tmp_path / "a"), tmp_path / "one")
    run(write_inputs(counts_of(values).iloc[::-1], sheet.iloc[::-1], tmp_path / "b"), tmp_path / "two")
    assert (tmp_path / "one/identity.parquet").read_bytes() == (tmp_path / "two/identity.parquet").read_bytes()


def test_the_genes_kept_are_those_of_largest_variance(tmp_path, monkeypatch):
    monkeypatch.setattr(identity, "MOST_GENES", 60)
    values, sheet = people(8, noise=0.8)
    counts = counts_of(values)
    inputs = write_inputs(counts, sheet, tmp_path)
    pieces = {sample: inputs[f"piece:{sample}:rna_counts"] for sample in sheet["sample_id"]}
    levels = np.log2(counts / counts.sum() * 1e6 + 1)
    most = levels.var(axis=1).sort_values(ascending=False).index[:60]
    first = identity._first_pass(identity.Group(samples=sheet, pieces=pieces, scale="counts"))
    assert set(first.genes) == set(most)
