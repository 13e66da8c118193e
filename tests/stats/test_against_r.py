"""Ours against R, to 1e-10: `reference/statistics.csv` holds R's values, `reference/statistics.R` is the script that wrote them."""

import csv
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.change.metrics import distances_of
from rabiomarkers.features.diversity import diversity_of_shares
from rabiomarkers.stats.intervals import clopper_pearson, mid_p
from rabiomarkers.stats.log_rank import exact_log_rank
from rabiomarkers.stats.multiplicity import benjamini_hochberg
from rabiomarkers.stats.paired import sign_flip, signed_rank
from rabiomarkers.stats.posterior import posterior_rate, probability_above_historical
from rabiomarkers.stats.survival import kaplan_meier, median_survival
from rabiomarkers.stats.two_stage import minimax_design, optimal_design

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


def survival_table(times):
    told = kaplan_meier(np.abs(times), times > 0)
    counts = (told.at_risk, told.events, told.censored)
    return np.concatenate([told.times, *counts, told.survival, told.low, told.high])


def log_rank(numbers):
    size, times = int(numbers[0]), numbers[1:]
    return exact_log_rank(np.abs(times), times > 0, np.arange(len(times)) < size)


def chi_square(numbers):
    told = log_rank(numbers)
    return [told.statistic, told.p_asymptotic]


def labellings(numbers):
    told = log_rank(numbers)
    return [told.p_count, told.p_total]


def limits(interval, counts):
    told = interval(*counts.astype(int).tolist())
    return [told.ci_low, told.ci_high]


def two_stage(search, numbers):
    null_rate, target_rate, type_1_error, power, most = numbers.tolist()
    told = search(null_rate, target_rate, type_1_error=type_1_error, power=power, maximum_n=int(most))
    stages = [told.first_stop, told.first_n, told.stop, told.n]
    return [*stages, told.expected_n_null, told.early_stop_null, told.type_1_error, told.power]


def posterior(numbers):
    told = posterior_rate(int(numbers[0]), int(numbers[1]), prior=tuple(numbers[2:]))
    return [told.mean, told.median, told.low, told.high, told.probability_above(0.12)]


def above_historical(numbers):
    return [probability_above_historical(*numbers[:4].astype(int).tolist(), prior=tuple(numbers[4:]))]


def shannon_and_simpson(counts):
    told = diversity_of_shares(pd.Series(counts))
    return [told["shannon"], told["simpson"]]


OURS = {
    "signed-rank p": lambda differences: [signed_rank(differences).p_value],
    "Pratt signed-rank p": lambda differences: [signed_rank(differences, zeros="pratt").p_value],
    "sign-flip p": lambda differences: [sign_flip(differences).p_value],
    "Hodges-Lehmann and 95 % interval": hodges_lehmann,
    "survival median and log-log interval": median_of,
    "survival table": survival_table,
    "log-rank chi-square and its p": chi_square,
    "log-rank labellings": labellings,
    "exact interval of a proportion": partial(limits, clopper_pearson),
    "mid-P interval of a proportion": partial(limits, mid_p),
    "optimal two-stage design": partial(two_stage, optimal_design),
    "minimax two-stage design": partial(two_stage, minimax_design),
    "posterior of a rate": posterior,
    "probability above a historical rate": above_historical,
    "Benjamini-Hochberg": lambda p_values: benjamini_hochberg(pd.Series(p_values)),
    "Shannon and Simpson": shannon_and_simpson,
    "Bray-Curtis of shares": lambda taxa: [distances_of(pd.DataFrame(taxa.reshape(2, -1)), "bray_curtis").loc[0, 1]],
}


def test_every_statistic_of_the_table_is_compared():
    assert {case["statistic"] for case in CASES} == set(OURS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['statistic']} of {case['input']}")
def test_it_is_what_r_says(case):
    ours = np.array(OURS[case["statistic"]](numbers(case["input"])), dtype=float)
    np.testing.assert_allclose(ours, numbers(case["value"]), rtol=1e-10, atol=1e-10)
