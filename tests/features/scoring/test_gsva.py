"""GSVA and raw ssGSEA against the R package (`reference/gsva.csv`, written by `reference/gsva.R`)."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.features.scoring.expression import Expression, Known
from rabiomarkers.features.scoring.gsva import gsva
from rabiomarkers.features.scoring.rank_scores import ssgsea

_TABLE = pd.read_csv(Path(__file__).parents[2] / "reference" / "gsva.csv").set_index("statistic")["value"]
MEMBERS = {"a": range(1, 7), "b": (3, 12, 20, 31, 40), "c": range(15, 31)}


def numbers(name):
    return np.array(_TABLE[name].split(), dtype=np.float64)


def expression(rows=slice(None)):
    values = numbers("values").reshape(40, 7).T[rows]
    samples = pd.Index([f"S{place}" for place in range(len(values))])
    return Expression(
        values=values, samples=samples, genes=pd.Index([f"G{place:02d}" for place in range(1, 41)]), scale="log"
    )


def known(sign=1):
    rows = [(name, f"G{place:02d}", sign, 1.0) for name, places in MEMBERS.items() for place in places]
    return Known(signatures=pd.DataFrame(rows, columns=["signature", "gene", "direction", "weight"]))


def by_sample(name):
    """Samples x sets; R wrote one set after the other."""
    return numbers(name).reshape(3, 7).T


def test_gsva_is_that_of_the_package():
    assert gsva(expression(), known()).values == pytest.approx(by_sample("gsva"), abs=1e-10)


def test_raw_ssgsea_is_that_of_the_package():
    assert ssgsea(expression(), known()).values * 40 == pytest.approx(by_sample("ssgsea"), abs=1e-10)


def test_a_set_of_falling_genes_has_the_negative_score():
    assert gsva(expression(), known(-1)).values == pytest.approx(-gsva(expression(), known()).values)


def test_leaving_a_sample_out_moves_the_others_which_is_why_it_is_marked():
    whole, fewer = gsva(expression(), known()).values, gsva(expression(slice(0, 6)), known()).values
    assert np.abs(whole[:6] - fewer).max() > 0.01


def test_two_samples_are_too_few_to_compare():
    found = gsva(expression(slice(0, 2)), known())
    assert np.isnan(found.values).all()
    assert found.notes[0, 0] == "GSVA compares samples: it needs 3 or more, there are 2"
