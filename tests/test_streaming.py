"""A large file scored piece by piece: the same scores however it is cut."""

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from rabiomarkers.errors import InputError, SignatureError
from rabiomarkers.features.scoring.expression import Known
from rabiomarkers.features.scoring.registry import score_samples
from rabiomarkers.features.signatures import score_signatures
from rabiomarkers.knowledge import load_ensembl, load_signatures
from rabiomarkers.streaming import score_file, stream_expression

IDS = [*load_ensembl().index[:300], "ENSG00000145649", "ENSG00000180644"]  # the last two: GZMA, PRF1
SAMPLES = [f"S{place:02d}" for place in range(23)]


def written(tmp_path, values=None, *, sparse=False, genes=IDS, samples=SAMPLES):
    if values is None:
        values = np.random.default_rng(1).poisson(30, (len(samples), len(genes))).astype(np.float32)
    obs = pd.DataFrame({"sample_id": samples}, index=pd.Index([f"row{place}" for place in range(len(samples))]))
    var = pd.DataFrame(index=pd.Index(genes))
    path = tmp_path / "large.h5ad"
    anndata.AnnData(csr_matrix(values) if sparse else values, obs=obs, var=var).write_h5ad(path)
    return path


def scores(path, chunk):
    known = Known(signatures=load_signatures().query("signature == 'CYT_ROONEY_2015'"))
    parts = score_samples(stream_expression(path, scale="counts", chunk=chunk), known, ["rank", "ssgsea", "mean"])
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("sparse", [True, False])
def test_how_a_file_is_cut_changes_no_bit_of_a_score(tmp_path, sparse):
    path = written(tmp_path, sparse=sparse)
    whole = scores(path, 100)
    for chunk in (1, 7, 23):
        pd.testing.assert_frame_equal(scores(path, chunk), whole, check_exact=True)
    assert list(whole["sample_id"].unique()) == SAMPLES


def test_the_score_is_that_of_the_sample_alone(tmp_path):
    path = written(tmp_path)
    frame = anndata.read_h5ad(path).to_df().set_axis(SAMPLES).T.astype(float)
    frame.index = load_ensembl()[frame.index].to_numpy()
    alone = score_signatures(
        frame.groupby(level=0).sum()["S05"], load_signatures().query("signature == 'CYT_ROONEY_2015'"), scale="counts"
    )
    found = scores(path, 5).set_index(["sample_id", "feature"])["value"]
    assert found["S05", "CYT_ROONEY_2015"] == pytest.approx(alone["value"].iloc[0], abs=1e-12)


def test_all_that_ship_are_scored_by_the_methods_asked_for(tmp_path):
    table = pd.concat(score_file(written(tmp_path), scale="counts", methods=["rank", "authors"]))
    assert set(table["method"]) == {"rank", "authors"}
    assert table["sample_id"].nunique() == 23
    with pytest.raises(SignatureError, match="gsva compares samples"):
        next(score_file(written(tmp_path), scale="counts", methods=["gsva"]))


@pytest.mark.parametrize(
    ("spoil", "scale", "told"),
    [
        (lambda values: np.log2(values + 1), "counts", "values that look like logarithms in S00"),
        (lambda values: np.where(values == values[9, 9], np.nan, values), "counts", "values that are no finite number"),
        (lambda values: -values, "tpm", "values that look like logarithms"),
    ],
)
def test_a_chunk_that_is_not_what_it_is_said_to_be_is_refused(tmp_path, spoil, scale, told):
    values = np.random.default_rng(1).poisson(30, (23, len(IDS))).astype(np.float32)
    path = written(tmp_path, spoil(values).astype(np.float32))
    with pytest.raises(InputError, match=told):
        list(stream_expression(path, scale=scale, chunk=6))


def test_a_file_with_a_sample_twice_or_foreign_genes_is_refused(tmp_path):
    with pytest.raises(InputError, match="samples that stand twice: S00"):
        next(stream_expression(written(tmp_path, samples=["S00", "S00"]), scale="counts"))
    with pytest.raises(InputError, match="mouse symbols"):
        next(stream_expression(written(tmp_path, genes=[f"Gene{place}" for place in range(20)]), scale="counts"))
    with pytest.raises(InputError, match="no such file"):
        next(stream_expression(tmp_path / "gone.h5ad", scale="counts"))


def test_logarithms_of_one_gene_under_two_names_are_refused(tmp_path):
    values = np.log2(np.random.default_rng(1).poisson(30, (23, 3)) + 1.0)
    path = written(tmp_path, values, genes=["PLAAT4", "RARRES3", "CD8A"])
    with pytest.raises(InputError, match="1 genes under several names, as logarithms"):
        next(stream_expression(path, scale="log"))


def test_a_file_without_a_matrix_is_told(tmp_path):
    frame = pd.DataFrame(index=pd.Index(["S1", "S2"]))
    anndata.AnnData(obs=frame, var=pd.DataFrame(index=pd.Index(IDS))).write_h5ad(tmp_path / "empty.h5ad")
    with pytest.raises(InputError, match=r"no matrix in \.X"):
        next(stream_expression(tmp_path / "empty.h5ad", scale="counts"))
