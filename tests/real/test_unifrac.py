"""UniFrac of gut metagenomes (`limeta_ici_metagenomes`, mOTUs) against scikit-bio: a real tree, cut out of a larger one."""

import numpy as np
import pandas as pd
import pytest
from skbio.diversity import beta_diversity

from rabiomarkers.change.metrics import distances_of
from rabiomarkers.stats.trees import read_tree


@pytest.mark.parametrize(
    ("metric", "peer", "options"),
    [
        ("unweighted_unifrac", "unweighted_unifrac", {}),
        ("weighted_unifrac", "weighted_unifrac", {}),
        ("normalized_unifrac", "weighted_unifrac", {"normalized": True}),
    ],
)
def test_stools_are_as_far_apart_as_scikit_bio_has_them(shared_data, metric, peer, options):
    folder = shared_data / "limeta_ici_metagenomes"
    counts = pd.read_csv(folder / "counts.tsv.gz", sep="\t", index_col=0).T.iloc[::4]
    tree = read_tree(folder / "tree.nwk")
    assert tree.length > 0  # a branch above the root, which scikit-bio counts
    told = distances_of(counts, metric, tree=tree)
    expected = beta_diversity(peer, counts.to_numpy(dtype=int), taxa=list(counts.columns), tree=tree, **options).data
    np.testing.assert_allclose(told, expected, atol=1e-10, rtol=0)
    assert told.to_numpy()[np.triu_indices(len(told), 1)].min() > 0.05
