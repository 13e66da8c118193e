"""Signatures among all genes and over patients, on a table whose truth is known."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.change.enrichment import enrichment_table

NAMES = [f"G{place:03d}" for place in range(200)]


def table(shift, *, patients=8, seed=1):
    """Genes x patients: noise, the first ten genes shifted, the next ten shifted the other way."""
    rng = np.random.default_rng(seed)
    deltas = pd.DataFrame(rng.normal(size=(200, patients)), index=NAMES, columns=[f"P{n}" for n in range(patients)])
    deltas.iloc[:10] += shift
    deltas.iloc[10:20] -= shift
    statistic = deltas.mean(axis=1) / deltas.std(axis=1) * np.sqrt(patients)
    return pd.DataFrame({"gene": NAMES, "statistic": statistic.to_numpy()}), deltas


def signatures(**members):
    rows = [(name, gene, sign, "axis") for name, (genes, sign) in members.items() for gene in genes]
    return pd.DataFrame(rows, columns=["signature", "gene", "direction", "axis"])


def test_a_signature_whose_genes_moved_is_found_by_both_questions_with_its_direction():
    genes, deltas = table(1.5)
    both = signatures(RISES=(NAMES[:10], 1), FALLS=(NAMES[10:20], 1), STILL=(NAMES[50:70], 1))
    found = enrichment_table(genes, deltas, both).set_index("signature")
    assert found.loc[["FALLS", "RISES"], "direction"].tolist() == ["down", "up"]
    assert (found.loc[["FALLS", "RISES"], "p_value"] < 1e-4).all()
    assert (found.loc[["FALLS", "RISES"], "p_patients"] == 2 / 2**8).all()
    assert found.loc["STILL", "p_value"] > 0.05
    assert set(found.loc["RISES", "leading_edge"].split(", ")) <= set(NAMES[:10])


def test_genes_expected_to_fall_speak_for_the_signature_when_they_do():
    genes, deltas = table(1.5)
    signed = pd.concat([signatures(SIGNED=(NAMES[:10], 1)), signatures(SIGNED=(NAMES[10:20], -1))])
    found = enrichment_table(genes, deltas, signed).iloc[0]
    assert found["direction"] == "up"
    assert found["enrichment_score"] == pytest.approx(1, abs=0.1)
    assert found["n_genes"] == 20


def test_what_cannot_be_asked_says_why_and_keeps_its_row():
    genes, deltas = table(0)
    asked = signatures(SMALL=(NAMES[:3], 1), ABSENT=(["X1", "X2", *NAMES[:1]], 1), UNKNOWN=(NAMES[:8], 0))
    found = enrichment_table(genes, deltas, asked).set_index("signature")
    assert found.loc["SMALL", "note"] == "3 of 3 genes were tested, 5 are needed"
    assert found.loc["ABSENT", "note"] == "1 of 3 genes were tested, 5 are needed"
    assert found.loc["UNKNOWN", "note"] == "the direction of its genes is not known"
    assert found[["p_value", "q_value", "p_patients", "enrichment_score"]].isna().all(axis=None)


def test_the_order_of_rows_plays_no_part():
    genes, deltas = table(1.0)
    asked = signatures(RISES=(NAMES[:10], 1), STILL=(NAMES[50:70], 1))
    straight = enrichment_table(genes, deltas, asked)
    mixed = enrichment_table(genes.iloc[::-1], deltas.iloc[::-1], asked.iloc[::-1])
    pd.testing.assert_frame_equal(mixed, straight, check_exact=True)
