"""Whose samples are these, on CheckMate 038: nothing is found where nothing is wrong, and most planted swaps are.

Measured once, 300 planted swaps each, both patients named: 84 % among all 43 patients, 80, 87 and 86 % among draws of 6, 10 and 20;
nobody else was ever named. In 1 300 draws without a swap one finding, among 6 patients. These figures are in-sample: the limits of
sex were read off this cohort. The disputed Pt68_On has no other sample of its patient to be compared with; by its genes it is a
man's, so it cannot be of Pt72, whose sample before treatment is a woman's.
"""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.features.identity import identity_step
from rabiomarkers.features.likeness import likeness
from rabiomarkers.features.sample_pairs import first_libraries, misplaced
from rabiomarkers.features.sample_sex import found_sex
from rabiomarkers.files import read_table
from tests.support.identity import swapped, write_inputs

CONTRAST = ("pre", "on")
VARIABLE = 5_000
SWAPS = 80
DRAWS = 40
UNLIKE = {"Pt30", "Pt36", "Pt44"}  # their two biopsies hold little in common


@pytest.fixture(scope="module")
def counts(shared_data):
    """Genes x 118 libraries."""
    table = pd.read_csv(shared_data / "riaz_bms038" / "counts.csv.gz").dropna(subset="symbol")
    return table.drop(columns="entrez_id").groupby("symbol").sum()


@pytest.fixture(scope="module")
def sheet(shared_data):
    samples = pd.read_csv(shared_data / "riaz_bms038" / "samples.csv")
    return samples[["sample_id", "patient_id", "timepoint", "replicate"]].sort_values("sample_id")


@pytest.fixture(scope="module")
def levels(counts):
    return np.log2(counts / counts.sum() * 1e6 + 1)


@pytest.fixture(scope="module")
def pairs(sheet):
    """The 43 patients with both biopsies: first libraries, without the disputed one."""
    first = sheet[(sheet["replicate"] == 1) & (sheet["sample_id"] != "Pt68_On")]
    return first[first.groupby("patient_id")["timepoint"].transform("nunique") == 2]


def identity(counts, sheet, folder):
    (folder / "out").mkdir(parents=True)
    inputs = write_inputs(counts, sheet, folder)
    identity_step(inputs, folder / "out", contrast=CONTRAST, expected_sex="unknown")
    return read_table(folder / "out" / "identity.parquet")


@pytest.fixture(scope="module")
def found(counts, sheet, tmp_path_factory):
    return identity(counts, sheet, tmp_path_factory.mktemp("identity"))


def variable(levels, samples):
    """Samples x the most variable genes that are seen, as the step takes them."""
    values = levels[samples]
    values = values[values.mean(axis=1) > 1]
    most = values.var(axis=1).sort_values(ascending=False, kind="stable").index[:VARIABLE]
    return values.loc[most].sort_index().T


def patients_named(values, sheet, truth):
    """Whose the samples are (by `truth`) that a sheet is told to have in the wrong place."""
    whole = sheet.set_index("sample_id")
    alike = likeness(values.loc[whole.index], whole["patient_id"], whole["timepoint"])
    return {truth[sample] for sample in misplaced(alike, *first_libraries(sheet, CONTRAST))}


def exchange(sheet, first, second, timepoint):
    at = sheet[sheet["timepoint"] == timepoint].set_index("patient_id")["sample_id"]
    return swapped(sheet, at[first], at[second])


def test_the_sheet_as_it_stands_has_no_finding_and_its_pairs_belong_together(found):
    checked = found[(found["check"] == "pair") & found["value"].notna()]
    first = checked[~checked["sample_id"].str.endswith(".2")]
    assert first["patient_id"].nunique() == 43
    assert len(first) == 86
    assert len(checked) == 86 + 10  # the second libraries, each against the first one of its biopsy
    assert not found["finding"].any()
    assert set(checked["p_value"]) == set(checked["p_floor"]) == {1e-4}  # none of 9 999 re-matched pairings is as good


def test_nine_of_ten_samples_lie_nearest_to_one_of_their_own_patient(found, sheet):
    checked = found[(found["check"] == "pair") & found["value"].notna()]
    whose = sheet.set_index("sample_id")["patient_id"]
    assert (checked["found"].map(whose) == checked["patient_id"]).mean() == pytest.approx(0.906, abs=0.02)


def test_every_second_library_lies_nearest_to_its_own_patient_and_seven_of_ten_to_its_first(found, sheet):
    second = found[(found["check"] == "pair") & found["sample_id"].str.endswith(".2")].set_index("sample_id")
    whose = sheet.set_index("sample_id")["patient_id"]
    assert len(second) == 10
    assert (second["found"].map(whose) == second["patient_id"]).all()
    elsewhere = second[second["found"] != second["expected"]]
    assert set(elsewhere.index) == {"Pt3_On.2", "Pt3_Pre.2", "Pt5_Pre.2"}  # to the other biopsy of the patient
    assert second["value"].min() > 5  # robust SDs of unrelated pairs


def test_the_genes_show_two_sexes_and_no_patient_of_both(found):
    sexes = found[found["check"] == "sex"]
    assert sexes["found"].value_counts().to_dict() == {"male": 66, "female": 52}
    assert (sexes.groupby("patient_id")["found"].nunique() == 1).all()


def test_nothing_can_be_said_of_whose_the_disputed_library_is_by_pairs(found):
    """Its patient has no other library, nor has Pt7, and Pt72 only an earlier one."""
    (pair,) = found[(found["sample_id"] == "Pt68_On") & (found["check"] == "pair")].to_dict("records")
    assert np.isnan(pair["value"])
    assert pair["note"] == "no other sample of this patient to compare with"
    assert not (found["patient_id"] == "Pt7").any()


def test_the_disputed_library_and_the_other_one_of_patient_72_are_of_different_people(
    counts, sheet, pairs, levels, tmp_path
):
    """The README gives it to Pt72, whose other library is a woman's. This one is a man's, if by the least of all."""
    assert found_sex(levels["Pt68_On"], unit="log2 CPM").found == "male"
    assert found_sex(levels["Pt72_Pre"], unit="log2 CPM").found == "female"
    some = {*sorted(set(pairs["patient_id"]))[:15], "Pt68", "Pt72"}
    as_said = sheet[sheet["patient_id"].isin(some)].replace({"patient_id": {"Pt68": "Pt72"}})
    told = identity(counts, as_said, tmp_path)
    own = told[told["patient_id"] == "Pt72"]
    sexes, likenesses = own[own["check"] == "sex"], own[own["check"] == "pair"]
    assert sexes["finding"].all()
    assert sexes["note"].str.contains("the samples of this patient are of both sexes").all()
    assert likenesses["value"].max() < 2.5  # as strangers; the median pair has 14
    assert not likenesses["finding"].any()  # no exchange fits, so none is named
    assert set(told.loc[told["finding"], "patient_id"]) == {"Pt72"}


def test_planted_swaps_are_named_and_nobody_else(levels, pairs):
    values = variable(levels, pairs["sample_id"])
    truth = pairs.set_index("sample_id")["patient_id"]
    rng = np.random.default_rng(1)
    named, told = [], []
    for _ in range(SWAPS):
        swap = set(rng.choice(sorted(set(truth)), 2, replace=False))
        names = patients_named(values, exchange(pairs, *sorted(swap), rng.choice(CONTRAST)), truth)
        assert names <= swap
        named.append(names == swap)
        told.append(not swap & UNLIKE)
    assert np.mean(named) >= 0.84 - 3 * np.sqrt(0.84 * 0.16 / SWAPS)
    assert np.mean(np.array(named)[told]) >= 0.9


def test_nothing_is_found_in_ten_patients_of_whom_nobody_was_swapped(levels, pairs):
    rng = np.random.default_rng(2)
    truth = pairs.set_index("sample_id")["patient_id"]
    for _ in range(DRAWS):
        chosen = pairs[pairs["patient_id"].isin(rng.choice(sorted(set(truth)), 10, replace=False))]
        assert not patients_named(variable(levels, chosen["sample_id"]), chosen, truth)
