"""Ours against R, to 1e-10: `reference/statistics.csv` holds R's values, `reference/statistics.R` is the script that wrote them."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.change.distances import bray_curtis
from rabiomarkers.features.microbiome import diversity_of_shares
from rabiomarkers.stats.intervals import clopper_pearson
from rabiomarkers.stats.multiplicity import benjamini_hochberg
from rabiomarkers.stats.paired import sign_flip, signed_rank
from rabiomarkers.stats.survival import median_survival

TABLE = (Path(__file__).parents[1] / "reference" / "statistics.csv").read_text()
CASES = [case for case in csv.DictReader(TABLE.splitlines()) if case["statistic"] != "versions"]


def numbers(text):
    return np.array([np.nan if part == "NA" else float(part) for part in text.split()])


def hodges_lehmann(differences):
    told = signed_rank(differences)
    return [told.estimate, told.ci_low, told.ci_high]


def median_of(times):
    told = median_survival(np.abs(times), times > 0)  # negative: censored
    return [told.median, told.ci_low, told.ci_high]


def interval(counts):
    told = clopper_pearson(*counts.astype(int).tolist())
    return [told.ci_low, told.ci_high]


def shannon_and_simpson(counts):
    told = diversity_of_shares(pd.Series(counts))
    return [told["shannon"], told["simpson"]]


OURS = {
    "signed-rank p": lambda differences: [signed_rank(differences).p_value],
    "Pratt signed-rank p": lambda differences: [signed_rank(differences, zeros="pratt").p_value],
    "sign-flip p": lambda differences: [sign_flip(differences).p_value],
    "Hodges-Lehmann and 95 % interval": hodges_lehmann,
    "survival median and log-log interval": median_of,
    "exact interval of a proportion": interval,
    "Benjamini-Hochberg": lambda p_values: benjamini_hochberg(pd.Series(p_values)),
    "Shannon and Simpson": shannon_and_simpson,
    "Bray-Curtis of shares": lambda taxa: [bray_curtis(pd.DataFrame(taxa.reshape(2, -1))).loc[0, 1]],
}


def test_every_statistic_of_the_table_is_compared():
    assert {case["statistic"] for case in CASES} == set(OURS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['statistic']} of {case['input']}")
def test_it_is_what_r_says(case):
    ours = np.array(OURS[case["statistic"]](numbers(case["input"])), dtype=float)
    np.testing.assert_allclose(ours, numbers(case["value"]), rtol=1e-10, atol=1e-10)
