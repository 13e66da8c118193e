"""Cells named by the weights of a CellTypist model; CellTypist itself is the independent value."""

import pickle
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

from rabiomarkers.errors import CellError, InputError
from rabiomarkers.features.annotation import UNASSIGNED
from rabiomarkers.features.cells import cell_step
from rabiomarkers.features.celltypist import annotate_by_model, class_probabilities, model_table
from rabiomarkers.features.celltypist_tables import read_model
from rabiomarkers.files import read_table, write_cells, write_csv
from rabiomarkers.schema import config_path

NAMES = {"CD4_naive": "CD4_T", "CD4_TCM": "CD4_T", "Treg": "CD4_T", "CD8_naive": "CD8_naive", "CD8_TEM": "CD8_TEM"} | {
    name: name for name in ("NK_CD56dim", "B_naive", "B_memory", "mono_classical", "mono_nonclassical", "cDC2", "pDC")
}


@pytest.fixture(scope="session")
def celltypist(tmp_path_factory):
    """The library, which makes a folder as it is imported."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setenv("CELLTYPIST_FOLDER", str(tmp_path_factory.mktemp("celltypist")))
        warnings.simplefilter("ignore")
        import celltypist as library
        import celltypist.models
    return library


def log_normalised(cells: AnnData) -> AnnData:
    counts = cells.X.toarray().astype(float)
    levels = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4)
    return AnnData(levels, obs=pd.DataFrame(index=cells.obs_names), var=pd.DataFrame(index=cells.var_names))


@pytest.fixture(scope="session")
def trained(celltypist, make_cells, tree):
    """A CellTypist model of thirteen types over the marker genes; its classes are called as the types of the marker table are.

    Fitted here as its own `train` does, which asks scikit-learn for an option that it no longer has: one against the rest.
    """
    cells = make_cells(cells=800, seed=9)
    levels = log_normalised(cells)[:, list(tree.genes)]
    scaler = StandardScaler().fit(levels.X)
    fitted = OneVsRestClassifier(LogisticRegression(C=0.1)).fit(
        np.minimum(scaler.transform(levels.X), 10), cells.obs["truth"].to_numpy(dtype=str)
    )
    classifier = LogisticRegression()
    classifier.classes_ = fitted.classes_
    classifier.coef_ = np.vstack([part.coef_ for part in fitted.estimators_])
    classifier.intercept_ = np.concatenate([part.intercept_ for part in fitted.estimators_])
    classifier.features = levels.var_names.to_numpy(dtype=str)
    classifier.n_features_in_ = levels.n_vars
    return celltypist.models.Model(classifier, scaler, {})


@pytest.fixture
def write(tmp_path):
    def writer(table):
        write_csv(table, tmp_path / "model.csv")
        return tmp_path / "model.csv"

    return writer


def told_of(path, markers):
    with pytest.raises(InputError) as raised:
        read_model(path, markers)
    return [str(problem) for problem in raised.value.problems]


def small(**weights):
    """Two classes over two genes, written as its table; standardised levels are the levels themselves."""
    return pd.DataFrame(
        {
            "class": ["(mean)", "(scale)", "T cells", "B cells"],
            "cell_type": ["", "", "T_cell", "B_cell"],
            "intercept": [0.0, 0.0, -1.0, -2.0],
            "CD3D": [0.0, 1.0, 2.0, -1.0],
            "CD19": [0.0, 1.0, -1.0, 2.0],
        }
    ).assign(**weights)


@pytest.mark.parametrize("measured", [1.0, 0.7])
def test_probabilities_are_those_of_celltypist(celltypist, trained, make_cells, markers, write, measured):
    model = read_model(write(model_table(trained, NAMES)), markers)
    cells = make_cells(cells=100, seed=2)
    cells = cells[:, np.arange(cells.n_vars) % 10 < 10 * measured].copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = celltypist.annotate(log_normalised(cells), model=trained).probability_matrix
    assert model.classes == tuple(theirs.columns)
    ours = class_probabilities(cells.X, cells.var_names, model)
    np.testing.assert_allclose(ours, theirs.to_numpy(), rtol=1e-6, atol=1e-12)


def test_cells_get_the_name_of_their_class(trained, make_cells, markers, write):
    model = read_model(write(model_table(trained, NAMES)), markers)
    cells = make_cells(cells=300, seed=3)
    called = annotate_by_model(cells.X, cells.var_names, model)
    truth = cells.obs["truth"].map(NAMES).fillna(UNASSIGNED).to_numpy()  # gdT has no name here
    named = (called["cell_type"] != UNASSIGNED).to_numpy()
    assert named.mean() > 0.8
    assert (called["cell_type"].to_numpy() == truth)[named].mean() > 0.95
    known = called[named]
    assert (known["lineage"] == known["cell_type"].map(model.tree.lineage)).all()
    assert called["confidence"].between(0, 1).all()


def test_a_model_of_two_classes_is_turned_round_as_celltypist_does(write, markers):
    """scikit-learn keeps one row of weights for two classes."""
    one = SimpleNamespace(
        classifier=SimpleNamespace(
            classes_=np.array(["B", "T"]),
            coef_=np.array([[2.0, -1.0]]),
            intercept_=np.array([0.5]),
            features=np.array(["CD3D", "CD19"]),
        ),
        scaler=SimpleNamespace(mean_=np.array([9.0, 9.0]), scale_=np.array([2.0, 4.0]), with_mean=False),
    )
    model = read_model(write(model_table(one, {"B": "B_cell", "T": "T_cell"})), markers)
    counts = csr_matrix([[1, 0], [0, 3], [1, 1]])
    levels = np.log1p(np.array([[1e4, 0], [0, 1e4], [5e3, 5e3]])) / [2.0, 4.0]
    second = levels @ [2.0, -1.0] + 0.5
    found = class_probabilities(counts, pd.Index(["CD3D", "CD19"]), model)
    np.testing.assert_allclose(found, expit(np.column_stack([-second, second])))


def test_calls_by_hand(write, markers):
    model = read_model(write(small()), markers)
    # of 10 000 molecules 5 000: ln 5 001 = 8.52; a gene alone: ln 10 001 = 9.21; none: 0
    counts = csr_matrix([[3, 0, 0], [0, 2, 0], [1, 1, 0], [0, 0, 4], [0, 0, 0]])
    called = annotate_by_model(counts, pd.Index(["CD3D", "CD19", "ACTB"]), model)
    # T: 2 x 9.21 - 1; B: the same less 2; both: 8.52 - 1 and 8.52 - 2, sure of both, so undecided; neither fits: most likely none
    assert called["cell_type"].tolist() == ["T_cell", "B_cell", UNASSIGNED, UNASSIGNED, UNASSIGNED]
    assert called["lineage"].tolist() == called["cell_type"].tolist()
    t, b = 0.268941, 0.119203  # 1 / (1 + e), 1 / (1 + e^2)
    neither = (1 - t) * (1 - b)
    assert called["confidence"].iloc[3] == pytest.approx(neither / (t + b + neither), abs=1e-5)
    assert called["confidence"].iloc[2] == pytest.approx(0.5, abs=0.001)


def test_levels_far_above_the_mean_are_cut_as_celltypist_does(write, markers):
    model = read_model(write(small(CD3D=[0.0, 0.01, 2.0, -1.0])), markers)
    found = class_probabilities(csr_matrix([[1]]), pd.Index(["CD3D"]), model)
    assert found.tolist() == pytest.approx(expit([[2 * 10 - 1, -10 - 2]]))


def test_a_class_without_a_name_leaves_its_cells_unassigned(write, markers):
    table = pd.concat(
        [small(), small().iloc[[3]].assign(**{"class": "odd", "cell_type": "", "CD3D": 9.0, "CD19": 9.0})]
    )
    model = read_model(write(table), markers)
    called = annotate_by_model(csr_matrix([[1, 1], [5, 0]]), pd.Index(["CD3D", "CD19"]), model)
    assert called["cell_type"].tolist() == [UNASSIGNED, UNASSIGNED]


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_other_cells_and_the_order_of_genes_play_no_part(trained, make_cells, markers, tmp_path_factory, data):
    path = tmp_path_factory.mktemp("model") / "model.csv"
    write_csv(model_table(trained, NAMES).iloc[:, :60], path)  # 57 genes
    model = read_model(path, markers)
    cells = make_cells(cells=40, seed=4)
    every = annotate_by_model(cells.X, cells.var_names, model)
    rows = data.draw(st.lists(st.integers(0, 39), min_size=1, unique=True))
    columns = np.random.default_rng(data.draw(st.integers(0, 9))).permutation(cells.n_vars)
    some = annotate_by_model(csr_matrix(cells.X[rows][:, columns]), cells.var_names[columns], model)
    pd.testing.assert_frame_equal(some, every.iloc[rows].reset_index(drop=True))


def test_too_few_measured_genes_are_told(write, markers):
    model = read_model(write(small()), markers)
    counts = csr_matrix([[3]])
    with pytest.raises(CellError, match=r"50% of the 2 genes of the CellTypist model were measured, 60% are needed"):
        annotate_by_model(counts, pd.Index(["CD3D"]), model)
    assert annotate_by_model(counts, pd.Index(["CD3D"]), model, minimum_coverage=0.5)["cell_type"].tolist() == [
        "T_cell"
    ]
    assert annotate_by_model(csr_matrix((0, 2)), pd.Index(["CD3D", "CD19"]), model).empty


def test_old_symbols_of_the_model_are_translated(write, markers):
    aliases = pd.Series({"OLD": "CD19", "OTHER": "CD3D"})
    renamed = small().rename(columns={"CD19": "OLD"})
    assert read_model(write(renamed), markers, aliases=aliases).genes.tolist() == ["CD3D", "CD19"]
    both = small().rename(columns={"CD19": "OTHER"})  # its symbol is a gene of the model already
    assert read_model(write(both), markers, aliases=aliases).genes.tolist() == ["CD3D", "OTHER"]


def test_a_name_for_a_class_that_the_model_lacks_is_told(trained):
    with pytest.raises(CellError, match=r"no class 'Tregs'; it has B_memory"):
        model_table(trained, {"Tregs": "Treg"})


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (small().drop(columns="cell_type"), "class, cell_type, intercept and a column for each gene"),
        (small()[["class", "cell_type", "intercept"]], "a column for each gene"),
        (small().iloc[1:], "no row '(mean)'"),
        (pd.concat([small(), small().iloc[[3]]]), "2 rows 'B cells'"),
        (small(cell_type=["", "", "T cell", "B_cell"]), "'T cell' for 'T cells'; a cell type of the marker table, or"),
        (small(cell_type=["", "", "T cell", "B_cell"]), "did you mean 'T_cell'?"),
        (
            small(cell_type=["", "", "T_cell", "CD8_TEM"]),
            "'T_cell' beside CD8_TEM; cell types of which none lies within",
        ),
        (small(cell_type=["", "", "T_cell", ""]), "1 cell types; 2 or more"),
        (small(CD3D=[0.0, 0.0, 2.0, -1.0]), "no such number in CD3D of '(scale)'; numbers above 0"),
        (small(CD3D=["0", "1", "many", "-1"]), "no such number in CD3D of 'T cells'; finite numbers"),
        (small(CD3D=[0.0, 1.0, np.nan, -1.0]), "no such number in CD3D of 'T cells'"),
        (small(CD3D=[0.0, 1.0, np.inf, -1.0]), "no such number in CD3D of 'T cells'"),
    ],
)
def test_a_wrong_table_is_told(write, markers, table, told):
    assert told in "\n".join(told_of(write(table), markers))


def test_all_faults_of_a_table_are_told_at_once(write, markers):
    table = small(cell_type=["", "", "T cell", "B_cell"], CD3D=["0", "-1", "many", "-1"])
    assert len(told_of(write(table), markers)) == 3


def test_a_row_of_another_length_is_told(tmp_path, markers):
    (tmp_path / "model.csv").write_text("class,cell_type,intercept,CD3D\n(mean),,0,0\n(scale),,0,1,1\n")
    assert told_of(tmp_path / "model.csv", markers)[0].startswith("model.csv:3: 5 cells; 4;")


def test_a_pickle_is_never_opened(tmp_path, markers):
    class Bomb:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    for protocol in (0, 2, pickle.HIGHEST_PROTOCOL):
        (tmp_path / "model.pkl").write_bytes(pickle.dumps(Bomb(), protocol=protocol))
        assert "a pickle, which is never opened here" in told_of(tmp_path / "model.pkl", markers)[0]
        (tmp_path / "model.csv").write_bytes(pickle.dumps(Bomb(), protocol=protocol))
        assert told_of(tmp_path / "model.csv", markers)
        assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x01", b"PK\x03\x04\x00\x00", b"class\n", b"\x00" * 50])
def test_a_file_of_another_kind_is_told(tmp_path, markers, content):
    (tmp_path / "model.csv").write_bytes(content)
    assert told_of(tmp_path / "model.csv", markers)
    assert told_of(tmp_path / "absent.csv", markers)


def test_the_step_names_cells_by_the_model_where_one_is_given(trained, make_cells, tmp_path):
    cells = make_cells(cells=200, seed=5)
    truth = cells.obs.pop("truth").map(NAMES).fillna(UNASSIGNED)
    write_cells(cells, tmp_path / "sample.h5ad")
    write_csv(model_table(trained, NAMES), tmp_path / "model.csv")
    inputs = {
        "sample": tmp_path / "sample.h5ad",
        "markers": config_path("markers/immune_markers.csv"),
        "signatures": config_path("signatures/gene_signatures.csv"),
        "aliases": config_path("signatures/gene_aliases.csv"),
        "celltypist": tmp_path / "model.csv",
    }
    cell_step(
        inputs,
        tmp_path,
        minimum_cells=50,
        minimum_genes=50,
        maximum_mitochondrial_percent=20.0,
        minimum_score_margin=0.1,
        pseudobulk={"CD4_T": ["TREG_CORE"], "T_cell": ["TREG_CORE"], "CD8_TEMRA": ["TREG_CORE"]},
        seed=1,
    )
    features = read_table(tmp_path / "features.parquet").set_index("feature")
    shares = {f"fraction_{name}" for name in NAMES.values()} | {"fraction_unassigned"}
    lineages = {f"fraction_{name}" for name in ("T_cell", "NK", "B_cell", "monocyte", "DC")}
    assert set(features.filter(like="fraction_", axis="index").index) == shares | lineages
    assert set(features.loc[sorted(shares), "method"]) == {"CellTypist"}
    assert {"TREG_CORE~CD4_T", "TREG_CORE~T_cell"} <= set(features.index)
    assert "TREG_CORE~CD8_TEMRA" not in features.index  # a type that the model does not tell apart
    assert features.loc["fraction_CD4_T", "value"] == pytest.approx((truth == "CD4_T").mean(), abs=0.05)
    assert features.loc["fraction_CD4_T", "coverage"] == 1.0
