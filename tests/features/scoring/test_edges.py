"""Input that nobody means: what every method does with it, which is never a number by accident."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.errors import InputError, ScaleError
from rabiomarkers.features.scoring.cohort import stacked
from rabiomarkers.features.scoring.expression import Expression, Known
from rabiomarkers.features.scoring.mean_scores import freeze_reference, read_reference
from rabiomarkers.features.scoring.registry import METHODS, score_table
from rabiomarkers.knowledge import load_pairs, load_rules, load_signatures
from rabiomarkers.schema import config_path

GENES = pd.Index([f"G{place}" for place in range(50)])
SET = pd.DataFrame({"signature": "A", "gene": ["G1", "G2", "G3"], "direction": 1, "weight": 1.0})


def expression(values, scale="counts", genes=GENES):
    values = np.atleast_2d(values)
    return Expression(
        values=values, samples=pd.Index([f"S{row}" for row in range(len(values))]), genes=genes, scale=scale
    )


def known(**more):
    rules, pairs = (
        load_rules(config_path("signatures/scoring_rules.yaml")),
        load_pairs(config_path("signatures/gene_pairs.csv")),
    )
    return Known(**({"signatures": SET, "rules": rules, "pairs": pairs, "reference": REFERENCE} | more))


REFERENCE = pd.DataFrame({"gene": GENES, "mean": 3.0, "sd": 1.0})


def counts(rows=5, seed=1):
    return np.random.default_rng(seed).poisson(20, (rows, len(GENES))).astype(float)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scale", ["counts", "tpm"])
def test_a_sample_of_zeros_has_no_score_by_any_method_and_moves_nobody_else_s(method, scale):
    with_zeros = score_table(expression(np.vstack([counts(), np.zeros(50)]), scale), known(), [method])
    zeros = with_zeros[with_zeros["sample_id"] == "S5"]
    assert zeros["value"].isna().all()
    assert (zeros["note"] != "").all()
    without = score_table(expression(counts(), scale), known(), [method])
    rest = with_zeros[with_zeros["sample_id"] != "S5"].reset_index(drop=True)
    pd.testing.assert_frame_equal(rest, without)


@pytest.mark.parametrize("method", METHODS)
def test_whole_numbers_are_scored_as_their_floats(method):
    whole = score_table(expression(counts().astype(int)), known(), [method])
    pd.testing.assert_frame_equal(whole, score_table(expression(counts()), known(), [method]))


@pytest.mark.parametrize("method", [name for name in METHODS if not METHODS[name].cohort_dependent])
def test_a_sample_without_genes_has_no_score(method):
    empty = expression(np.empty((1, 0)), genes=pd.Index([], dtype=str))
    table = score_table(empty, known(), [method])
    assert table["value"].isna().all()


def test_a_gene_that_one_sample_lacks_is_left_out_of_the_comparison():
    pieces = {}
    for name, values in (("S1", [1.0, np.nan, 3.0]), ("S2", [2.0, 5.0, 6.0])):
        piece = pd.DataFrame({"gene": ["A", "B", "C"], "value": values})
        piece.attrs["passport"] = {"scale": "counts"}
        pieces[name] = piece
    assert list(stacked(pieces).genes) == ["A", "C"]


def test_a_reference_of_the_other_unit_is_refused():
    frozen = freeze_reference(expression(counts()))
    assert set(frozen["unit"]) == {"log2 CPM"}
    assert len(score_table(expression(counts()), known(reference=frozen), ["z"]))
    with pytest.raises(ScaleError, match="reference is in log2 CPM, the sample in log2 TPM"):
        score_table(expression(counts(), "tpm"), known(reference=frozen), ["z"])


def test_a_reference_comes_back_from_its_file_as_it_was_frozen(tmp_path):
    frozen = freeze_reference(expression(counts()))
    frozen.to_csv(tmp_path / "reference.csv", index=False)
    pd.testing.assert_frame_equal(read_reference(tmp_path / "reference.csv"), frozen, check_dtype=False)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gene,mean,sd\nCD8A,5,2,1\nCD3E,4,5,6\n", "reference.csv:2: 4 cells; 3 as in the header"),
        ("gene,mean,sd\nCD8A,x,-1\nCD8A,1,2\n", "reference.csv:2:mean: 'x'"),
        ("gene,mean,sd\nCD8A,x,-1\nCD8A,1,2\n", "reference.csv:2:sd: '-1'"),
        ("gene,mean,sd\nCD8A,x,-1\nCD8A,1,2\n", "reference.csv:3:gene: 'CD8A'"),
        ("gene,mean,mean\nCD8A,1,2\n", "reference.csv:1:mean: the column occurs more than once"),
        ("gene,mean\nCD8A,1\n", "no column sd"),
        ("gene,mean,sd\n", "no rows"),
        ("gene,mean,sd,unit\nCD8A,1,1,FPKM\n", "reference.csv:2:unit: 'FPKM'; log2 CPM or log2 TPM"),
        ("", "no column"),
    ],
)
def test_a_reference_that_cannot_be_used_is_told_cell_by_cell(tmp_path, text, told):
    (tmp_path / "reference.csv").write_text(text)
    with pytest.raises(InputError) as raised:
        read_reference(tmp_path / "reference.csv")
    assert told in str(raised.value)


def test_a_signature_half_of_whose_genes_have_no_direction_is_refused(tmp_path):
    shipped = config_path("signatures/gene_signatures.csv").read_text().splitlines()
    row = shipped[1].split(",")
    row[2] = "0"
    (tmp_path / "s.csv").write_text("\n".join([shipped[0], ",".join(row), *shipped[2:5]]) + "\n")
    with pytest.raises(InputError, match="has genes with a direction and genes without one"):
        load_signatures(tmp_path / "s.csv")
