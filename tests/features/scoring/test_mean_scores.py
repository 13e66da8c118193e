"""Scores of logarithms by hand: the mean of the members, and the mean of z against a reference that was frozen before."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.errors import InputError, ScaleError, SignatureError
from rabiomarkers.features.scoring.expression import Expression, Known
from rabiomarkers.features.scoring.mean_scores import freeze_reference, mean_score, read_reference, z_score

GENES = pd.Index(["A", "B", "C", "D"])


def expression(*rows, scale="tpm", genes=GENES):
    return Expression(
        values=np.array(rows, dtype=float),
        samples=pd.Index([f"S{n}" for n in range(len(rows))]),
        genes=genes,
        scale=scale,
    )


def signature(genes, direction=1, weight=1.0):
    return pd.DataFrame({"signature": "MINE", "gene": genes, "direction": direction, "weight": weight})


def reference(**rows):
    return pd.DataFrame([(gene, *numbers) for gene, numbers in rows.items()], columns=["gene", "mean", "sd"])


ONE = expression([1.0, 3.0, 7.0, 15.0])  # log2(x + 1): 1, 2, 3, 4


def test_the_mean_is_of_direction_times_weight_times_logarithm():
    known = Known(signatures=signature(["A", "B", "D"], [1, -1, 1], [1.0, 2.0, 0.5]))
    scored = mean_score(ONE, known)
    assert scored.values.tolist() == [[(1 * 1 - 2 * 2 + 4 * 0.5) / 3]]
    assert scored.unit == "log2 TPM"
    assert mean_score(expression([1, 3, 7, 15], scale="counts"), known).unit == "log2 CPM"


def test_genes_without_a_direction_count_as_they_are():
    assert mean_score(ONE, Known(signatures=signature(["A", "D"], 0))).values.tolist() == [[2.5]]
    frozen = reference(A=(0.0, 1.0), D=(2.0, 4.0))
    assert z_score(ONE, Known(signatures=signature(["A", "D"], 0), reference=frozen)).values.tolist() == [[0.75]]


def test_z_is_the_mean_distance_from_the_reference_in_its_standard_deviations():
    """(1 - 3) / 2 = -1, less (2 - 5) / 1.5 = -2, and (4 - 2) / 4 = 0.5: in the mean 0.5."""
    frozen = reference(D=(2.0, 4.0), A=(3.0, 2.0), B=(5.0, 1.5), E=(1.0, 1.0))
    scored = z_score(ONE, Known(signatures=signature(["A", "B", "D"], [1, -1, 1]), reference=frozen))
    assert scored.values == pytest.approx(np.array([[0.5]]), abs=1e-15)
    assert scored.unit == "mean z"


def test_genes_that_do_not_vary_in_the_reference_or_are_not_in_it_count_as_not_measured():
    frozen = reference(A=(3.0, 2.0), B=(5.0, 0.0), D=(2.0, 4.0))
    known = Known(signatures=signature(["A", "B", "C", "D"]), reference=frozen, minimum_coverage=0.5)
    scored = z_score(ONE, known)
    assert scored.values.tolist() == [[(-1 + 0.5) / 2]]
    assert scored.coverage.tolist() == [0.5]
    stricter = z_score(ONE, Known(signatures=signature(["A", "B", "C", "D"]), reference=frozen))
    assert np.isnan(stricter.values).all()
    assert stricter.notes[0, 0] == "2 of 4 genes were measured, 60% are needed; absent: B, C"


def test_z_without_a_reference_says_how_to_make_one():
    with pytest.raises(SignatureError, match=r"needs a frozen reference .*freeze_reference"):
        z_score(ONE, Known(signatures=signature(["A"])))


@pytest.mark.parametrize("score", [mean_score, z_score])
def test_logarithms_are_refused(score):
    known = Known(signatures=signature(["A"]), reference=reference(A=(1.0, 1.0)))
    with pytest.raises(ScaleError, match="counts or TPM, not log values"):
        score(expression([1.0, 2.0, 3.0, 4.0], scale="log"), known)


def test_a_reference_holds_mean_and_standard_deviation_of_the_logarithms():
    frozen = freeze_reference(expression([15, 7, 3, 0], [3, 7, 0, 0], [0, 7, 0, 0], genes=pd.Index(list("DCBA"))))
    assert frozen["gene"].tolist() == list("ABCD")
    assert frozen["mean"].tolist() == pytest.approx([0, 2 / 3, 3, 2])
    assert frozen["sd"].tolist() == pytest.approx([0, np.sqrt(4 / 3), 0, 2])  # n - 1: of 2, 0, 0 and of 4, 2, 0
    assert set(frozen["unit"]) == {"log2 TPM"}


def test_a_reference_leaves_out_samples_in_which_nothing_was_found_and_needs_three_others():
    rows = ([15, 7, 3, 1], [3, 7, 0, 1], [0, 7, 0, 1])
    with_zeros = freeze_reference(expression(*rows, [0, 0, 0, 0]))
    pd.testing.assert_frame_equal(with_zeros, freeze_reference(expression(*rows)))
    with pytest.raises(SignatureError, match="needs 3 samples or more in which something was counted; there are 2"):
        freeze_reference(expression(*rows[:2], [0, 0, 0, 0]))
    with pytest.raises(ScaleError):
        freeze_reference(expression(*rows, scale="log"))


def test_a_sample_of_the_reference_has_the_scores_of_the_reference():
    """The z of the very samples that were frozen: of each gene they sum to zero, their squares to n - 1."""
    rows = np.random.default_rng(1).gamma(2.0, 50.0, (6, 4))
    frozen = freeze_reference(expression(*rows))
    scored = z_score(expression(*rows), Known(signatures=signature(["C"]), reference=frozen))
    assert scored.values.sum() == pytest.approx(0, abs=1e-12)
    assert (scored.values**2).sum() == pytest.approx(5)


def test_every_fault_of_a_reference_is_told_at_once(tmp_path):
    path = tmp_path / "reference.csv"
    path.write_text("gene,mean,sd,unit\nA,x,-1,log2 CPM\nA,1,inf,FPKM\n,nan,0,log2 CPM\nB,1,0,log2 CPM\n")
    with pytest.raises(InputError) as raised:
        read_reference(path)
    assert [(problem.row, problem.column) for problem in raised.value.problems] == [
        (3, "gene"),
        (4, "gene"),
        (2, "mean"),
        (4, "mean"),
        (2, "sd"),
        (3, "sd"),
        (3, "unit"),
    ]


def test_a_reference_in_two_units_is_refused():
    frozen = pd.concat([reference(A=(1.0, 1.0)).assign(unit="log2 TPM"), reference(B=(1, 1)).assign(unit="log2 CPM")])
    with pytest.raises(ScaleError, match="reference is in log2 CPM, log2 TPM, the sample in log2 TPM"):
        z_score(ONE, Known(signatures=signature(["A"]), reference=frozen))


def test_a_file_that_is_not_there_or_no_text_is_told(tmp_path):
    with pytest.raises(InputError, match="no readable CSV"):
        read_reference(tmp_path / "gone.csv")
    (tmp_path / "odd.csv").write_bytes(b"gene,mean,sd\n\xff\xfe,1,1\n")
    with pytest.raises(InputError, match="no readable CSV"):
        read_reference(tmp_path / "odd.csv")
