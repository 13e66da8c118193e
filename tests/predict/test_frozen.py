import json
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict import frozen as module
from rabiomarkers.predict.archive import pack, unpack
from rabiomarkers.predict.design import Design
from rabiomarkers.predict.frozen import (
    apply_frozen,
    check_rows,
    design_digest,
    freeze,
    other_versions,
    read_all,
    read_frozen,
    write_frozen,
)
from rabiomarkers.predict.registry import MODELS, build_model
from rabiomarkers.predict.ridge import RidgeLogistic

COLUMNS = ["tumour:A", "blood:B"]


def design(values, labels=(), columns=COLUMNS, units=("rank score", "log2 ratio"), feature_set="baseline", refused=()):
    index = pd.Index([f"P{place}" for place in range(len(values))], name="patient_id")
    return Design(
        feature_set=feature_set,
        matrix=pd.DataFrame(values, index=index, columns=columns, dtype=float),
        units=dict(zip(columns, units, strict=True)),
        labels=pd.Series(labels, index=index if len(labels) else None, dtype=bool),
        left_out=(),
        refused=refused,
    )


@pytest.fixture
def training():
    values = np.random.default_rng(8).normal(size=(10, 2))
    values[4, 1] = np.nan
    return design(values, np.arange(10) < 3)


@pytest.fixture
def model(training):
    return freeze("ridge_baseline", training, RidgeLogistic(), kind="ridge", verdict="not testable")


@pytest.fixture
def file(model, tmp_path):
    path = tmp_path / "ridge_baseline.skops"
    write_frozen(model, path)
    return path


def edited(path, edit):
    """The file with other facts, as somebody may write them."""
    content = unpack(path.read_bytes())
    facts = json.loads(content["facts"])
    edit(facts)
    path.write_bytes(pack(content | {"facts": json.dumps(facts)}))
    return path


def test_a_model_is_the_same_after_the_way_through_a_file(model, file, training):
    read = read_frozen(file)
    assert replace(read, estimator=None) == replace(model, estimator=None)
    direct = RidgeLogistic().fit(training.matrix.to_numpy(), training.labels).predict_proba(training.matrix.to_numpy())
    np.testing.assert_allclose(apply_frozen(read, training), direct[:, 1], rtol=1e-12)


def test_the_same_model_is_the_same_file(training, file, tmp_path):
    again = freeze("ridge_baseline", training, RidgeLogistic(), kind="ridge", verdict="not testable")
    write_frozen(again, tmp_path / "again")
    write_frozen(read_frozen(file), tmp_path / "read")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "read").read_bytes() == file.read_bytes()


def test_it_says_where_it_comes_from(training, model):
    assert (model.name, model.kind, model.feature_set, model.n, model.responders) == (
        "ridge_baseline",
        "ridge",
        "baseline",
        10,
        3,
    )
    assert model.columns == tuple(COLUMNS)
    assert model.units == training.units
    assert model.training_digest == design_digest(training)
    assert model.versions["scikit-learn"] == sklearn.__version__
    assert model.training[1].missing == 0.1
    assert len(model.distances) == 10


def test_the_file_holds_no_patient(file, training):
    """Neither an id nor a row; of one feature's values only those that are its minimum, quartiles and maximum."""
    facts = unpack(file.read_bytes())["facts"]
    assert not any(patient in facts for patient in training.matrix.index)
    told = json.loads(facts)["training"]
    values = training.matrix.to_numpy()
    kept = sum(value in column.values() for column, known in zip(told, values.T, strict=True) for value in known)
    assert kept <= 8


@pytest.mark.parametrize("kind", sorted(set(MODELS) - {"intercept"}))  # a new kind is tested by being registered
def test_every_kind_of_model_can_be_frozen(kind, tmp_path):
    generator = np.random.default_rng(3)
    columns = COLUMNS[:1] if kind == "signature" else COLUMNS
    values = generator.normal(size=(max(40, MODELS[kind].least_patients + 40), len(columns)))
    labels = values[:, 0] + generator.normal(size=len(values)) > 0
    values[generator.random(values.shape) < 0.05] = np.nan
    trained = design(values, labels, columns=columns, units=["u"] * len(columns))
    model = freeze("any", trained, build_model(kind, tuple(columns), {}), kind=kind)
    write_frozen(model, tmp_path / "any.skops")
    read = read_frozen(tmp_path / "any.skops")
    known = trained.matrix.notna().any(axis=1)
    np.testing.assert_allclose(apply_frozen(read, trained), apply_frozen(model, trained), rtol=1e-12)
    expected = model.estimator.predict_proba(trained.matrix[known].to_numpy())[:, 1]
    np.testing.assert_allclose(apply_frozen(read, trained)[known], expected, rtol=1e-12)
    write_frozen(read, tmp_path / "again.skops")
    assert (tmp_path / "again.skops").read_bytes() == (tmp_path / "any.skops").read_bytes()


def test_the_digest_changes_with_a_value_and_a_label(training):
    values = training.matrix.to_numpy()
    labels = training.labels.to_numpy()
    other = values.copy()
    other[0, 0] += 1e-9
    digests = {design_digest(one) for one in (training, design(other, labels), design(values, ~labels))}
    assert len(digests) == 3
    assert {len(digest) for digest in digests} == {64}


def test_a_missing_value_is_filled_with_the_training_mean(model, training):
    mean = training.matrix["blood:B"].mean()
    filled = apply_frozen(model, design([[0.1, mean]]))
    missing = apply_frozen(model, design([[0.1, np.nan], [0.1, 1.0]]))
    assert missing.iloc[0] == pytest.approx(filled.iloc[0], abs=1e-15)


def test_a_patient_without_any_feature_has_no_probability(model):
    assert apply_frozen(model, design([[np.nan, np.nan], [0.1, 1.0]])).isna().tolist() == [True, False]


def test_a_model_that_fills_nothing_forecasts_only_whole_patients(training, tmp_path):
    whole = design(training.matrix.dropna().to_numpy(), np.arange(9) < 3)
    model = freeze("plain", whole, LogisticRegression(), kind="own")
    write_frozen(model, tmp_path / "plain.skops")
    found = apply_frozen(read_frozen(tmp_path / "plain.skops"), design([[0.1, np.nan], [0.1, 1.0]]))
    assert found.isna().tolist() == [True, False]


def test_further_features_and_their_order_play_no_part(model):
    plain = apply_frozen(model, design([[0.1, 0.2]]))
    other = design([[7.0, 0.2, 0.1]], columns=["x:C", *COLUMNS[::-1]], units=("u", "log2 ratio", "rank score"))
    assert apply_frozen(model, other).tolist() == plain.tolist()


def test_what_does_not_fit_is_named_all_at_once(model):
    other = design([[0.1, np.nan]], units=("log2 CPM", "log2 ratio"), feature_set="change")
    with pytest.raises(PredictionError) as error:
        apply_frozen(model, other)
    assert str(error.value) == (
        "Model ridge_baseline cannot be applied: it takes baseline values, these are change values; tumour:A is in log2 CPM, "
        "the model was trained in rank score; blood:B was measured in no patient."
    )


def test_another_scale_and_infinite_values_are_named_too(model):
    with pytest.raises(
        PredictionError, match=r"blood:B holds infinite values; tumour:A lies more than 10 training standard"
    ):
        apply_frozen(model, design([[1e4, np.inf], [2e4, 1.0]]))


def test_a_feature_that_depends_on_the_cohort_is_refused_with_that_reason(model):
    refused = ({"feature": "blood:B", "reason": "its value depends on the other patients"},)
    other = design([[0.1]], columns=["tumour:A"], units=["rank score"], refused=refused)
    with pytest.raises(PredictionError, match="blood:B cannot be used: its value depends on the other patients"):
        apply_frozen(model, other)


@given(st.lists(st.tuples(st.floats(-100, 100), st.floats(-100, 100)), min_size=1, max_size=4))
def test_probabilities_stay_between_0_and_1_and_none_depends_on_another_patient(values):
    labels = np.arange(6) < 2
    frozen = freeze("any", design(np.arange(12.0).reshape(6, 2) ** 1.5 * 10, labels), RidgeLogistic(), kind="ridge")
    together = apply_frozen(frozen, design(values))
    assert together.between(0, 1).all()
    assert apply_frozen(frozen, design(values[:1])).iloc[0] == pytest.approx(together.iloc[0], abs=1e-12)


def test_check_rows_move_every_column_and_hold_no_patient(model):
    rows = check_rows(model.training)
    spread = np.array([column.spread for column in model.training])
    centre = np.array([column.centre for column in model.training])
    expected = [[0, 0], [1, 1], [-1, -1], [10, 10], [-10, -10], [1, -1], [1, 0], [0, 1], [np.nan, np.nan]]
    np.testing.assert_allclose((rows - centre) / spread, expected, atol=1e-12)
    assert len(model.checks) == len(rows)


def test_a_model_whose_coefficient_was_altered_is_refused(file):
    content = unpack(file.read_bytes())
    content["estimator"].coef_[0, 1] += 1e-6
    file.write_bytes(pack(content))
    with pytest.raises(
        PredictionError, match=r"does not forecast what it did when it was trained; differences of \d\.\de-0"
    ):
        read_frozen(file)


def test_another_version_of_scikit_learn_is_told_where_the_forecasts_are_the_same_and_where_they_are_not(file, model):
    edited(file, lambda facts: facts["versions"].update({"scikit-learn": "1.2.3"}))
    assert other_versions(model) == ""
    told = other_versions(read_frozen(file))
    assert told.startswith(f"trained with scikit-learn 1.2.3 (here {sklearn.__version__})")
    edited(file, lambda facts: facts["checks"].__setitem__(0, 0.5))
    with pytest.raises(PredictionError, match=r"\(trained with scikit-learn 1\.2\.3 \(here"):
        read_frozen(file)


def test_a_file_of_another_version_of_scikit_learn_is_read_without_its_warning(training, tmp_path, monkeypatch):
    """Scikit-learn writes its version into each estimator, and warns of another when it is loaded."""
    pipeline = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
    model = freeze("pipeline", training, pipeline, kind="own")
    monkeypatch.setattr("sklearn.base.__version__", "1.2.3")
    write_frozen(model, tmp_path / "older.skops")
    monkeypatch.undo()
    assert '"1.2.3"' in zipfile.ZipFile(tmp_path / "older.skops").read("schema.json").decode().replace("\\", "")
    assert read_frozen(tmp_path / "older.skops").checks == model.checks


FACTS = {
    "another format": (lambda facts: facts.update(format="other"), r"'other'; expected 'rabiomarkers frozen model"),
    "no format": (lambda facts: facts.pop("format"), "its facts are incomplete"),
    "no name": (lambda facts: facts.pop("name"), "its facts are incomplete"),
    "one more fact": (lambda facts: facts.update(more=1), "its facts are incomplete"),
    "a column less": (lambda facts: facts["columns"].pop(), "its facts are incomplete"),
    "another unit": (lambda facts: facts["units"].pop("blood:B"), "its facts are incomplete"),
    "a number in words": (lambda facts: facts.update(n="ten"), "its facts are incomplete"),
    "no responder": (lambda facts: facts.update(responders=0), "its facts are incomplete"),
    "a name that is a number": (lambda facts: facts.update(name=1), "its facts are incomplete"),
    "no version": (lambda facts: facts["versions"].clear(), "its facts are incomplete"),
    "no checks": (lambda facts: facts["checks"].clear(), "its facts are incomplete"),
    "more columns": (lambda facts: facts["training"].append(facts["training"][0]), "its facts are incomplete"),
}


@pytest.mark.parametrize("fault", FACTS)
def test_facts_that_do_not_belong_together_are_refused(file, fault):
    edit, told = FACTS[fault]
    with pytest.raises(PredictionError, match=rf"^ridge_baseline\.skops is no model this version can read: .*{told}"):
        read_frozen(edited(file, edit))


@pytest.mark.parametrize(
    "content", [{}, {"facts": "x"}, {"facts": "[]", "estimator": 1}, {"facts": 1}, {"estimator": RidgeLogistic()}]
)
def test_a_file_of_other_contents_is_refused(tmp_path, content):
    (tmp_path / "m.skops").write_bytes(pack(content))
    with pytest.raises(PredictionError, match=r"^m\.skops is no model this version can read"):
        read_frozen(tmp_path / "m.skops")


def test_an_estimator_that_was_never_fitted_is_refused(file):
    content = unpack(file.read_bytes())
    file.write_bytes(pack(content | {"estimator": RidgeLogistic()}))
    with pytest.raises(PredictionError, match="its facts are incomplete"):
        read_frozen(file)


def test_a_file_that_breaks_off_is_named(file):
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(
        PredictionError, match=r"^ridge_baseline\.skops is no model this version can read: it is damaged"
    ):
        read_frozen(file)


def test_a_file_that_is_too_large_is_not_read(file, monkeypatch):
    monkeypatch.setattr(module, "LARGEST", 100)
    with pytest.raises(PredictionError, match="it is too large"):
        read_frozen(file)


def test_a_model_that_keeps_its_training_patients_is_not_frozen(training):
    own = make_pipeline(SimpleImputer(), StandardScaler(), KNeighborsClassifier(3))
    with pytest.raises(PredictionError, match="keeps its training patients' values and so cannot be frozen"):
        freeze("neighbours", training, own, kind="own")


def test_several_files_are_read_in_the_order_of_the_models_names(model, tmp_path):
    for place, name in enumerate(("z", "a")):
        write_frozen(replace(model, name=name), tmp_path / f"{place}.skops")
    assert [frozen.name for frozen in read_all(sorted(tmp_path.glob("*.skops")))] == ["a", "z"]


def test_a_feature_that_only_patients_without_a_response_have_can_be_frozen(tmp_path):
    values = np.column_stack([np.arange(8.0), np.full(8, np.nan)])
    model = freeze("any", design(values, np.arange(8) < 3), RidgeLogistic(), kind="ridge")
    write_frozen(model, tmp_path / "any.skops")
    read = read_frozen(tmp_path / "any.skops")
    assert np.isnan(read.training[1].centre)
    assert read.training[1].missing == 1
    assert apply_frozen(read, design([[1.0, 2.0]])).notna().all()
