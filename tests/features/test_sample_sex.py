"""Sex genes: the limits are those that `sample_sex` reads off CheckMate 038."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.features.expression_quality import Y_LINKED
from rabiomarkers.features.sample_sex import found_sex, sex_rows


def genes(y, xist):
    return pd.Series({**dict.fromkeys(Y_LINKED, y), "XIST": xist, "ACTB": 11.0}).dropna()


@pytest.mark.parametrize(
    ("y", "xist", "found", "note"),
    [
        (0.02, 6.5, "female", ""),
        (5.6, 0.0, "male", ""),
        (1.67, 0.0, "male", ""),  # the lowest man of CheckMate 038
        (0.35, 1.99, "female", ""),  # the highest Y and the lowest XIST of its women
        (3.6, 7.8, "male", "XIST is expressed as well"),
        (0.0, 0.3, "unclear", "neither Y genes nor XIST"),
        (0.8, 6.0, "unclear", "Y genes at a trace"),
        (0.0, np.nan, "unclear", "XIST was not measured"),
        (np.nan, 6.0, "female", "by XIST alone"),
        (np.nan, 0.0, "unclear", "Y genes were not measured"),
        (np.nan, np.nan, "unclear", "no sex gene was measured"),
    ],
)
def test_sex_is_told_by_y_genes_and_then_by_xist(y, xist, found, note):
    told = found_sex(genes(y, xist), unit="log2 CPM")
    assert told.found == found
    assert note in told.note
    assert bool(note) == bool(told.note)
    assert np.isnan(told.value) == np.isnan(y)


def test_one_y_gene_that_catches_reads_of_its_twin_makes_no_man():
    expression = genes(0.0, 6.0)
    expression["RPS4Y1"] = 8.0
    assert found_sex(expression, unit="log2 CPM").found == "female"


def test_a_womans_sample_with_y_genes_is_a_finding_and_an_unclear_one_is_not():
    samples = pd.DataFrame({"sample_id": ["a", "b", "c"], "patient_id": ["P1", "P2", "P3"]})
    found = {"a": found_sex(genes(5.0, 0.0), unit="log2 CPM"), "b": found_sex(genes(0.0, 0.0), unit="log2 CPM")}
    found["c"] = found_sex(genes(0.0, 7.0), unit="log2 CPM")
    rows = sex_rows(found, samples, dict.fromkeys(["P1", "P2", "P3"], "female"), "log2 CPM")
    assert rows["finding"].to_list() == [True, False, False]
    assert rows["note"].to_list()[0] == "Y genes are expressed: not the sample of a woman"
    assert rows["note"].isna().to_list() == [False, False, True]


def test_samples_of_one_patient_that_are_of_both_sexes_are_findings_where_the_sex_is_unknown():
    samples = pd.DataFrame({"sample_id": ["a", "b", "c"], "patient_id": ["P1", "P1", "P2"]})
    found = {name: found_sex(genes(y, 7.0 - y), unit="log2 CPM") for name, y in {"a": 6.0, "b": 0.0, "c": 6.0}.items()}
    rows = sex_rows(found, samples, {"P2": "male"}, "log2 CPM")
    assert rows["finding"].to_list() == [True, True, False]
    assert rows["note"].to_list()[:2] == ["the samples of this patient are of both sexes"] * 2
    believed = sex_rows(found, samples, {"P1": "male", "P2": "male"}, "log2 CPM")
    assert believed["finding"].to_list() == [False, True, False]


def test_of_a_single_y_gene_nothing_follows():
    one = pd.Series({"DDX3Y": 6.0, "XIST": 0.0, "ACTB": 11.0})
    assert (found_sex(one, unit="log2 CPM").found, found_sex(one.drop("XIST"), unit="log2 CPM").found) == (
        "unclear",
        "unclear",
    )
    two = pd.concat([one, pd.Series({"UTY": 6.0})])
    assert found_sex(two, unit="log2 CPM").found == "male"


def test_tpm_of_the_long_xist_are_read_by_a_limit_of_their_own():
    expression = genes(0.0, 0.5)
    assert found_sex(expression, unit="log2 TPM").found == "female"
    assert found_sex(expression, unit="log2 CPM").found == "unclear"
