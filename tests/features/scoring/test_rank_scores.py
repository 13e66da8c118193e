"""Scores of ranks against the published programs, by hand, and what must not move them."""

import gseapy
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from rabiomarkers.errors import ScaleError, SignatureError
from rabiomarkers.features.scoring.expression import Expression, Known
from rabiomarkers.features.scoring.rank_scores import aucell, singscore, ssgsea
from rabiomarkers.features.scoring.ranks import average_ranks
from rabiomarkers.features.scoring.registry import METHODS, score_samples, score_table

PER_SAMPLE = ("rank", "mean", "ssgsea", "aucell", "z")
RANKS = (singscore, ssgsea, aucell)


def matrix(samples=6, genes=400, seed=0, *, ties=False):
    values = np.random.default_rng(seed).gamma(0.5, 100, (samples, genes))
    return np.round(values / 40) if ties else values


def expression(values, scale="tpm", genes=None):
    names = pd.Index([f"G{number:05d}" for number in range(values.shape[1])]) if genes is None else pd.Index(genes)
    return Expression(
        values=values, samples=pd.Index([f"S{number}" for number in range(len(values))]), genes=names, scale=scale
    )


def sets(number=5, size=20, genes=400, seed=1, *, signed=False):
    rng = np.random.default_rng(seed)
    parts = []
    for place in range(number):
        chosen = [f"G{gene:05d}" for gene in rng.choice(genes, size, replace=False)]
        direction = np.where(np.arange(size) % 3 == 0, -1, 1) if signed else 1
        parts.append(pd.DataFrame({"signature": f"SET{place}", "gene": chosen, "direction": direction, "weight": 1.0}))
    return pd.concat(parts, ignore_index=True)


def reference(genes=400):
    names = [f"G{number:05d}" for number in range(genes)]
    return pd.DataFrame({"gene": names, "mean": np.linspace(1, 9, genes), "sd": 1.5})


@given(st.lists(st.sampled_from([0.0, 1.0, 2.5, -3.0, 7.0]), min_size=1, max_size=30))
def test_ranks_are_those_of_scipy(values):
    rows = np.array([values, values[::-1]])
    assert average_ranks(rows).tolist() == rankdata(rows, axis=1).tolist()


def test_raw_ssgsea_is_that_of_gseapy():
    values, signatures = matrix(), sets()
    scored = ssgsea(expression(values), Known(signatures=signatures))
    members = {name: list(genes) for name, genes in signatures.groupby("signature")["gene"]}
    frame = pd.DataFrame(values.T, index=expression(values).genes, columns=expression(values).samples)
    theirs = gseapy.ssgsea(
        frame, members, sample_norm_method="rank", min_size=1, max_size=1_000, no_plot=True, outdir=None, threads=1
    )
    raw = theirs.res2d.pivot(index="Name", columns="Term", values="ES").astype(float)
    raw = raw.loc[list(frame.columns), list(scored.features)].to_numpy()
    assert scored.values * values.shape[1] == pytest.approx(raw, rel=1e-10, abs=1e-10)


def test_ssgsea_by_hand():
    # five genes of rank 1 to 5, members of rank 5 and 2; the walk from the highest: hit, miss, miss, hit, miss
    # with weights 5**0.25 and 2**0.25: sum of the running difference over the five places, divided by five genes
    high, low = 5**0.25, 2**0.25
    hits = np.array([high, high, high, high + low, high + low]) / (high + low)
    misses = np.array([0, 1, 2, 2, 3]) / 3
    signatures = pd.DataFrame({"signature": "S", "gene": ["G00004", "G00001"], "direction": 1, "weight": 1.0})
    scored = ssgsea(expression(np.array([[1.0, 2, 3, 4, 5]])), Known(signatures=signatures))
    assert scored.values[0, 0] == pytest.approx((hits - misses).sum() / 5, abs=1e-14)


def test_aucell_by_hand():
    # 100 genes: the highest 5 count. A member at place 1 and one at place 3 gain 4 and 2; two at best gain 4 + 3
    values = np.arange(100.0, 0, -1)[None, :]
    signatures = pd.DataFrame({"signature": "S", "gene": ["G00000", "G00002"], "direction": 1, "weight": 1.0})
    assert aucell(expression(values), Known(signatures=signatures)).values[0, 0] == pytest.approx(6 / 7, abs=1e-15)


@pytest.mark.filterwarnings("ignore")
def test_aucell_is_that_of_decoupler():
    import decoupler

    values, signatures = matrix(genes=1_000), sets(genes=1_000, size=40)
    scored = aucell(expression(values), Known(signatures=signatures))
    net = signatures.rename(columns={"signature": "source", "gene": "target"})[["source", "target", "weight"]]
    frame = pd.DataFrame(values, index=expression(values).samples, columns=expression(values).genes)
    theirs = decoupler.mt.aucell(frame, net, tmin=1, verbose=False)
    theirs = theirs[0] if isinstance(theirs, tuple) else theirs
    assert scored.values == pytest.approx(theirs[list(scored.features)].to_numpy(), abs=1e-10)


def test_genes_of_unknown_direction_score_high_at_either_end():
    values = np.arange(1.0, 10.0)[None, :]

    def of(genes):
        signatures = pd.DataFrame({"signature": "S", "gene": genes, "direction": 0, "weight": 1.0})
        return singscore(expression(values), Known(signatures=signatures)).values[0, 0]

    assert of(["G00000", "G00008"]) == 1.0  # the lowest and the highest
    assert of(["G00004"]) == 0.0  # the middle
    # ranks 3 and 6 of 9: 2 and 1 from the middle, sum 3; between 0 + 1 and 4 + 4
    assert of(["G00002", "G00005"]) == pytest.approx((3 - 1) / (8 - 1))


@pytest.mark.parametrize("method", PER_SAMPLE)
@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), ties=st.booleans())
def test_samples_genes_and_sets_that_come_go_or_move_change_no_score(method, seed, ties):
    values, signatures = matrix(seed=seed, ties=ties), sets(seed=seed + 1, signed=True)
    known = Known(signatures=signatures, reference=reference())
    whole = METHODS[method].score(expression(values), known).values
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(len(values))[:4], rng.permutation(values.shape[1])
    genes = expression(values).genes[columns]
    kept = signatures[signatures["signature"] != "SET2"].sample(frac=1, random_state=seed)
    part = METHODS[method].score(
        expression(values[rows][:, columns], genes=genes), Known(signatures=kept, reference=reference())
    )
    places = [int(name.removeprefix("SET")) for name in part.features]
    assert np.abs(part.values - whole[rows][:, places]).max() <= 1e-12


@pytest.mark.parametrize("score", RANKS)
@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), factor=st.sampled_from([2.0, 0.5, 1024.0, 3.0]))
def test_a_library_times_a_constant_and_its_logarithm_have_the_same_rank_scores(score, seed, factor):
    values, known = matrix(seed=seed, ties=True), Known(signatures=sets(signed=True))
    straight = score(expression(values, "counts"), known).values
    assert score(expression(values * factor, "counts"), known).values.tolist() == straight.tolist()
    assert score(expression(np.log2(values + 1), "log"), known).values.tolist() == straight.tolist()


@pytest.mark.parametrize("score", RANKS)
def test_up_and_down_change_places_with_the_sign(score):
    values, signatures = matrix(), sets(signed=True)
    turned = signatures.assign(direction=-signatures["direction"])
    forth = score(expression(values), Known(signatures=signatures)).values
    back = score(expression(values), Known(signatures=turned)).values
    assert back == pytest.approx(-forth, abs=1e-12)


def test_how_samples_are_cut_into_chunks_changes_no_bit():
    values, known = matrix(samples=9, ties=True), Known(signatures=sets(signed=True), reference=reference())
    whole = score_table(expression(values, "counts"), known, PER_SAMPLE)
    for size in (1, 4):
        chunks = (
            Expression(
                values=values[first : first + size],
                samples=expression(values).samples[first : first + size],
                genes=expression(values).genes,
                scale="counts",
            )
            for first in range(0, 9, size)
        )
        pd.testing.assert_frame_equal(
            pd.concat(score_samples(chunks, known, PER_SAMPLE), ignore_index=True), whole, check_exact=True
        )


def test_methods_that_compare_samples_are_not_scored_in_chunks():
    with pytest.raises(SignatureError, match="gsva compares samples"):
        list(score_samples([], Known(signatures=sets()), ["rank", "gsva"]))


@pytest.mark.parametrize("score", RANKS)
def test_a_sample_whose_genes_all_have_one_value_has_no_score_and_the_others_do(score):
    values = matrix()
    values[2] = 0.0
    scored = score(expression(values, "counts"), Known(signatures=sets()))
    assert np.isnan(scored.values[2]).all()
    assert np.isfinite(np.delete(scored.values, 2, axis=0)).all()
    assert set(scored.notes[2]) == {"all genes have one value, so none ranks above another"}
    assert set(np.delete(scored.notes, 2, axis=0).ravel()) == {""}


@pytest.mark.parametrize("score", RANKS)
def test_a_set_of_every_gene_has_no_score(score):
    signatures = pd.DataFrame({"signature": "S", "gene": ["G00000", "G00001"], "direction": 1, "weight": 1.0})
    scored = score(expression(np.array([[1.0, 2.0]])), Known(signatures=signatures))
    assert np.isnan(scored.values).all()
    assert "none to rank above" in scored.notes[0, 0]


@pytest.mark.parametrize("method", METHODS)
def test_a_set_of_which_one_gene_in_three_was_measured_is_not_scored_and_names_the_others(method):
    from rabiomarkers.knowledge import load_pairs, load_rules
    from rabiomarkers.schema import config_path

    signatures = pd.DataFrame(
        {"signature": "ROH_IMMUNE_SCORE_2017", "gene": ["G00000", "ABSENT1", "ABSENT2"], "direction": 1, "weight": 1.0}
    )
    known = Known(
        signatures=signatures,
        reference=reference(),
        pairs=load_pairs(config_path("signatures/gene_pairs.csv")),
        rules=load_rules(config_path("signatures/scoring_rules.yaml")),
    )
    table = score_table(expression(matrix(), "counts"), known, [method])
    assert table["value"].isna().all()
    told = table.loc[table["feature"].str.startswith("ROH"), "note"]
    assert told.str.contains("1 of 3 genes were measured, 60% are needed; absent: ABSENT1, ABSENT2").all()


def test_what_is_no_matrix_of_numbers_is_refused_with_its_place():
    values = matrix(2, 3)
    values[1, 2] = np.nan
    with pytest.raises(SignatureError, match="value of G00002 in S1 is no finite number"):
        expression(values)
    with pytest.raises(SignatureError, match="1 genes occur more than once: A"):
        expression(matrix(2, 3), genes=["A", "B", "A"])
    with pytest.raises(ScaleError, match="G00001 in S0 is negative, so it is no counts"):
        expression(np.array([[1.0, -2.0]]), "counts")
    with pytest.raises(ScaleError, match="declared as 'relative'"):
        expression(matrix(2, 3), "relative")
    with pytest.raises(SignatureError, match="shape"):
        expression(matrix(2, 3), genes=["A", "B"])
