"""Gopalakrishnan and Frankel by mOTUs: what the data set's README lists. Cohorts are never pooled."""

import pandas as pd
import pytest
from scipy.stats import mannwhitneyu

from rabiomarkers.features.diversity import diversity, diversity_of_shares
from rabiomarkers.ingest.abundance import read_abundance
from rabiomarkers.stats.trees import read_tree


@pytest.fixture(scope="module")
def stools(shared_data):
    """The samples' table and their pieces, read from BIOM with the tree checked."""
    folder = shared_data / "limeta_ici_metagenomes"
    samples = pd.read_csv(folder / "samples.csv", index_col=0)
    pieces = read_abundance(
        folder / "counts.biom",
        label="counts.biom",
        assay="taxa_counts",
        sample_ids=[str(name) for name in samples.index],
        database="mOTUs2",
        tree=folder / "tree.nwk",
    )
    return samples, pieces, folder


def test_tree_and_table_match_and_biom_is_the_table(stools, shared_data):
    samples, pieces, folder = stools
    assert (len(samples), len(next(iter(pieces.values())))) == (64, 1_063)
    plain = pd.read_csv(folder / "counts.tsv.gz", sep="\t", index_col=0)
    name = str(samples.index[0])
    ours = pieces[name].set_index("taxon")["value"]
    assert (ours == plain[name].reindex(ours.index)).all()


@pytest.mark.parametrize(
    ("study", "responders", "others", "p_value"),
    [("Gopalakrishnan", 3.31, 2.82, 0.046), ("Frankel", 3.88, 3.75, 0.14)],
)
def test_shannon_of_responders_and_others_is_that_of_the_readme(stools, study, responders, others, p_value):
    samples, pieces, _ = stools
    own = samples[samples["Study"].str.contains(study)]
    values = pd.Series(
        {name: diversity_of_shares(pieces[str(name)].set_index("taxon")["value"])["shannon"] for name in own.index}
    )
    groups = [values[own["Response"] == response] for response in ("R", "NR")]
    means_or_medians = [(group.mean(), group.median()) for group in groups]
    assert any(
        first == pytest.approx(responders, abs=0.006) and second == pytest.approx(others, abs=0.006)
        for first, second in zip(*means_or_medians, strict=True)
    )
    assert mannwhitneyu(*groups).pvalue == pytest.approx(p_value, rel=0.03)


def test_faiths_diversity_can_be_told_at_one_depth(stools):
    samples, pieces, folder = stools
    tree = read_tree(folder / "tree.nwk")
    counts = pieces[str(samples.index[0])].set_index("taxon")["value"]
    depth = int(counts.sum()) // 2
    told = diversity(counts, depth=depth, seed=1, draws=1, tree=tree)
    assert 0 < told["faith_pd"] < sum(node.length or 0.0 for node in tree.traverse())
