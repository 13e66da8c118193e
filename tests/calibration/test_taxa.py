"""Do the tests of single taxa reject as often as they say, and find what is there; what the two other methods do beside them."""

import math

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.change.taxa import taxa_table

PATIENTS, TAXA = 10, 40
NAMES = [f"T{place:02d}" for place in range(TAXA)]
SAMPLES = pd.DataFrame(
    [(f"P{p:02d}-{time}", f"P{p:02d}", time) for p in range(PATIENTS) for time in ("pre", "post")],
    columns=["sample_id", "patient_id", "timepoint"],
)
RISERS = slice(0, 3)


def at_most(nominal, trials):
    """The nominal rate and three Monte Carlo standard errors."""
    return nominal + 3 * math.sqrt(nominal * (1 - nominal) / trials)


def stools(random, *, rise=0.0, which=RISERS, first=0.0):
    """Reads of 10 patients x 2 stools as in C2: 40 log-normal taxa, patients apart by 1 SD, 20 000 reads; `which` rise.

    `first` makes the first taxon so much (natural log) more plentiful than the others.
    """
    logs = random.normal(0, 1.0, size=TAXA) + np.repeat(random.normal(0, 1.0, size=(PATIENTS, TAXA)), 2, axis=0)
    logs = logs + random.normal(0, 0.4, size=logs.shape)
    logs[:, 0] += first
    logs[1::2, which] += rise
    shares = np.exp(logs)
    reads = random.poisson(20_000 * shares / shares.sum(axis=1, keepdims=True)).astype(float)
    return pd.DataFrame(reads, index=SAMPLES["sample_id"].to_list(), columns=NAMES)


def told(random, *, other_methods="called", **options):
    table = taxa_table(
        stools(random, **options),
        pd.Series("", index=NAMES),
        SAMPLES,
        contrast=("pre", "post"),
        ranks=("species",),
        other_methods=other_methods,
    )
    return table.set_index("taxon")


def null_rates(sets, *, seed, other_methods="called"):
    """Share of the tables in which at least one taxon is called, by method, where nothing changed."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(sets):
        table = told(random, other_methods=other_methods)
        rows.append(
            {
                "signed-rank": (table["q_value"] <= 0.05).any(),
                "agree": (table["verdict"] == "agree").any(),
                "presence": (table["prevalence_q"] <= 0.05).any(),
                "ANCOM-BC": (table["ancombc_q"] <= 0.05).any(),
                "Dirichlet": (table["dirichlet_low"] * table["dirichlet_high"] > 0).any(),
                "p": float((table["p_value"] <= 0.05).mean()),
            }
        )
    return pd.DataFrame(rows).astype(float).mean()


def found_rates(sets, *, seed):
    """Of the risers and of the others: the share that is called, and the share that the verdict calls."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(sets):
        table = told(random, rise=1.5).loc[NAMES]
        called, agree = (table["q_value"] <= 0.05).to_numpy(), (table["verdict"] == "agree").to_numpy()
        up = (table["estimate"] > 0).to_numpy()
        risers = np.arange(TAXA) < 3
        rows.append(((called & up)[risers].mean(), (agree & up)[risers].mean(), agree[~risers].any()))
    return pd.DataFrame(rows, columns=["called", "agree", "others"]).astype(float).mean()


def false_drops(sets, *, seed):
    """A plentiful taxon rises six-fold, so all other shares fall: tables in which another taxon is called a change."""
    random = np.random.default_rng(seed)
    wrong = []
    for _ in range(sets):
        table = told(random, rise=math.log(6), which=slice(0, 1), first=3.0)
        wrong.append((table.drop("T00")["verdict"] == "agree").any())
        assert (
            table.drop("T00")["share_after"] < table.drop("T00")["share_before"]
        ).mean() > 0.7  # most shares do fall
    return float(np.mean(wrong))


def test_where_nothing_changed_few_tables_call_a_taxon():
    rates = null_rates(25, seed=41)
    for method in ("signed-rank", "agree", "presence"):
        assert rates[method] <= at_most(0.05, 25), method


def test_taxa_that_rise_are_found_and_the_others_are_not():
    rates = found_rates(6, seed=42)
    assert rates["called"] >= 0.8
    assert rates["agree"] <= rates["called"]


def test_a_fall_of_shares_because_another_rose_is_no_change():
    assert false_drops(8, seed=43) <= at_most(0.05, 8)


@pytest.mark.calibration
def test_nothing_is_called_at_full_size():
    rates = null_rates(300, seed=44)
    for method in ("signed-rank", "agree", "presence"):
        assert rates[method] <= at_most(0.05, 300), method
    assert 0.03 <= rates["p"] <= 0.065  # the test is alive: by taxon, without correction


@pytest.mark.calibration
def test_the_other_methods_alone_would_call_too_much():
    """Why they make no call: where nothing changed, each calls a taxon in far more than 5 % of the tables."""
    rates = null_rates(40, seed=45, other_methods="all")
    assert rates["ANCOM-BC"] > at_most(0.05, 40)
    assert rates["Dirichlet"] > at_most(0.05, 40)
    assert rates["agree"] <= at_most(0.05, 40)


@pytest.mark.calibration
def test_risers_are_found_at_full_size():
    rates = found_rates(60, seed=46)
    assert rates["called"] >= 0.9
    assert rates["agree"] >= 0.8
    assert rates["others"] <= at_most(0.05, 60)


@pytest.mark.calibration
def test_no_false_drop_at_full_size():
    assert false_drops(100, seed=47) <= at_most(0.05, 100)
