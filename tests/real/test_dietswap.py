"""Diet swap, a true null for paired tests of diversity: what the data set's README lists (`test_communities.py` has the rest)."""

import pandas as pd
import pytest
from scipy.stats import mannwhitneyu

from rabiomarkers.change.taxa import taxa_table
from rabiomarkers.features.diversity import diversity_of_shares
from rabiomarkers.stats.paired import signed_rank


@pytest.fixture(scope="module")
def swap(shared_data):
    folder = shared_data / "dietswap_hitchip"
    counts = pd.read_csv(folder / "abundance.csv.gz", index_col=0)
    return counts, pd.read_csv(folder / "samples.csv").set_index("sample_id")


def pairs_of(samples, nationality):
    own = samples[(samples["nationality"] == nationality) & samples["timepoint"].isin([4, 5])]
    return own.reset_index().pivot(index="subject", columns="timepoint", values="sample_id").dropna()


@pytest.mark.parametrize(
    ("nationality", "number", "mean", "p_value"), [("AAM", 19, 0.03, 0.65), ("AFR", 15, -0.12, 0.30)]
)
def test_shannon_does_not_shift(swap, nationality, number, mean, p_value):
    counts, samples = swap
    pairs = pairs_of(samples, nationality)
    assert len(pairs) == number
    shannon = counts.apply(lambda row: diversity_of_shares(row)["shannon"], axis="columns")
    change = shannon[pairs[5]].to_numpy() - shannon[pairs[4]].to_numpy()
    assert change.mean() == pytest.approx(mean, abs=0.006)
    assert signed_rank(change).p_value == pytest.approx(p_value, abs=0.01)


@pytest.mark.parametrize("nationality", ["AAM", "AFR"])
def test_no_group_of_bacteria_is_called(swap, nationality):
    """No group significant after Benjamini-Hochberg (README); the counts are probe-derived, so shares are analysed."""
    counts, samples = swap
    pairs = pairs_of(samples, nationality)
    sheet = pd.concat(
        [
            pd.DataFrame({"sample_id": pairs[at], "patient_id": pairs.index, "timepoint": time})
            for at, time in ((4, "before"), (5, "after"))
        ]
    )
    shares = counts.loc[sheet["sample_id"]].pipe(lambda table: table.div(table.sum(axis="columns"), axis="index"))
    told = taxa_table(
        shares,
        pd.Series("", index=counts.columns),
        sheet.reset_index(drop=True),
        contrast=("before", "after"),
        ranks=["species"],
        scale="relative",
    )
    assert not (told["verdict"] == "agree").any()


@pytest.mark.parametrize(
    ("group", "african", "american"),
    [("Prevotella melaninogenica et rel.", 59.8, 1.3), ("Bacteroides vulgatus et rel.", 0.7, 16.6)],
)
def test_the_two_populations_differ_at_the_start(swap, group, african, american):
    counts, samples = swap
    first = samples[samples["timepoint"] == 1]
    percent = 100 * counts[group] / counts.sum(axis="columns")
    sides = [percent[first.index[first["nationality"] == each]] for each in ("AFR", "AAM")]
    assert [side.median() for side in sides] == pytest.approx([african, american], abs=0.06)
    if group.startswith("Prevotella"):
        assert mannwhitneyu(*sides).pvalue == pytest.approx(7e-5, rel=0.1)
