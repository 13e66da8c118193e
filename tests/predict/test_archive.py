"""A file that is not what `pack` wrote is refused in words, whatever it is; what `pack` wrote is the same bytes everywhere."""

import copy
import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rabiomarkers.errors import PredictionError
from rabiomarkers.predict import archive
from rabiomarkers.predict.archive import objects_of, pack, unpack
from rabiomarkers.predict.ridge import RidgeLogistic

PREPARE = """
import hashlib, sys
import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from rabiomarkers.predict.archive import pack
from rabiomarkers.predict.ridge import RidgeLogistic
values = np.random.default_rng(5).normal(size=(60, 3))
labels = values[:, 0] > 0
models = {
    "ridge": RidgeLogistic().fit(values, labels),
    "boosted": HistGradientBoostingClassifier(max_iter=3, random_state=1).fit(values, labels),
}
print(hashlib.sha256(pack(models)).hexdigest())
"""


@pytest.fixture(scope="module")
def patients():
    values = np.random.default_rng(5).normal(size=(60, 3))
    return values, values[:, 0] > 0


@pytest.fixture(scope="module")
def ridge(patients):
    return pack({"facts": "{}", "estimator": RidgeLogistic().fit(*patients)})


@pytest.fixture(scope="module")
def boosted(patients):
    return pack({"estimator": HistGradientBoostingClassifier(max_iter=3, random_state=1).fit(*patients)})


def parts(data):
    with zipfile.ZipFile(io.BytesIO(data)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def zipped(files, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression=compression) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return buffer.getvalue()


def with_schema(data, edit):
    files = parts(data)
    schema = json.loads(files["schema.json"])
    edit(schema)
    return zipped(files | {"schema.json": json.dumps(schema)})


def test_two_processes_write_the_same_bytes():
    told = {
        subprocess.run(
            [sys.executable, "-c", PREPARE], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1
    assert len(told.pop().strip()) == 64


def test_what_was_read_is_written_as_the_same_bytes(ridge, boosted):
    assert pack(unpack(ridge)) == ridge
    assert pack(unpack(boosted)) == boosted


def test_a_model_forecasts_the_same_after_the_way_through_a_file(patients, ridge, boosted):
    values, labels = patients
    own = RidgeLogistic().fit(values, labels).predict_proba(values)
    np.testing.assert_allclose(unpack(ridge)["estimator"].predict_proba(values), own, rtol=1e-12)
    theirs = HistGradientBoostingClassifier(max_iter=3, random_state=1).fit(values, labels).predict_proba(values)
    np.testing.assert_allclose(unpack(boosted)["estimator"].predict_proba(values), theirs, rtol=1e-12)


def test_a_pipeline_of_scikit_learn_needs_no_further_trust(patients):
    pipeline = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()).fit(*patients)
    loaded = unpack(pack({"estimator": pipeline}))["estimator"]
    np.testing.assert_allclose(loaded.predict_proba(patients[0]), pipeline.predict_proba(patients[0]), rtol=1e-12)


def test_equal_arrays_are_kept_once():
    data = pack({"one": np.arange(5.0), "other": np.arange(5.0)})
    assert sorted(parts(data)) == ["0.npy", "schema.json"]
    loaded = unpack(data)
    assert loaded["one"].tolist() == loaded["other"].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("thing", "named"),
    [
        (partial(eval, "1"), r"builtins\.eval, functools\.partial"),
        (subprocess.run, r"subprocess\.run"),
        (io.StringIO, r"_io\.StringIO"),
        (os.system, r"posix\.system"),
    ],
)
def test_a_type_that_is_not_trusted_is_named(thing, named):
    with pytest.raises(PredictionError, match=rf"types that are not trusted: {named}$"):
        unpack(pack({"estimator": thing}))


def test_what_only_pickle_could_write_is_told():
    with pytest.raises(PredictionError, match="cannot be written without pickle"):
        pack({"estimator": threading.Lock()})


def test_a_forest_is_refused_unless_the_caller_trusts_it(patients):
    forest = RandomForestClassifier(3, random_state=0).fit(*patients)
    data = pack({"estimator": forest})
    with pytest.raises(PredictionError, match=r"not trusted: sklearn\.tree\._tree\.Tree"):
        unpack(data)
    loaded = unpack(data, trusted=["sklearn.tree._tree.Tree"])["estimator"]
    np.testing.assert_allclose(loaded.predict_proba(patients[0]), forest.predict_proba(patients[0]), rtol=1e-12)


@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_that_breaks_off_is_refused(ridge, share):
    with pytest.raises(PredictionError, match="damaged"):
        unpack(ridge[: int(share * len(ridge))])


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(data):
    with pytest.raises(PredictionError, match="damaged, or was not written by rabiomarkers"):
        unpack(data)


def test_a_file_that_is_too_large_is_refused_unread(ridge, monkeypatch):
    monkeypatch.setattr(archive, "LARGEST", 1000)
    with pytest.raises(PredictionError, match="a model 0 MB at most"):
        unpack(ridge)


def test_a_compressed_file_is_refused_before_it_is_unpacked(ridge):
    bomb = zipped(parts(ridge) | {"9.npy": bytes(50_000_000)}, compression=zipfile.ZIP_DEFLATED)
    assert len(bomb) < 100_000
    with pytest.raises(PredictionError, match="damaged"):
        unpack(bomb)


def header_of(shape):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return stream.getvalue()


@pytest.mark.parametrize("shape", [(10**15,), (3,), (2**40, 2**40), ()])
def test_an_array_that_says_it_is_longer_than_it_is_is_refused(ridge, shape):
    forged = zipped(parts(ridge) | {"0.npy": header_of(shape) + bytes(16)})
    with pytest.raises(PredictionError, match="damaged"):
        unpack(forged)


def test_an_array_of_objects_is_refused_as_it_would_be_pickle(ridge):
    stream = io.BytesIO()
    np.save(stream, np.array([{}, []], dtype=object), allow_pickle=True)
    with pytest.raises(PredictionError, match="damaged"):
        unpack(zipped(parts(ridge) | {"0.npy": stream.getvalue()}))


@pytest.mark.parametrize("name", ["../0.npy", "/etc/0.npy", "0.npz", "0.bin", "code.py", "0.npy/"])
def test_a_part_of_another_name_is_refused(ridge, name):
    files = parts(ridge)
    with pytest.raises(PredictionError, match="damaged"):
        unpack(zipped(files | {name: files["0.npy"]}))


def test_a_part_that_is_there_twice_is_refused(ridge):
    files = parts(ridge)
    buffer = io.BytesIO(ridge)
    with zipfile.ZipFile(buffer, "a") as opened, pytest.warns(UserWarning, match="Duplicate name"):
        opened.writestr("0.npy", files["0.npy"])
    with pytest.raises(PredictionError, match="damaged"):
        unpack(buffer.getvalue())


def test_references_that_would_multiply_are_refused():
    """Each list holds the one before it twice: forty of them stand for 2**40 objects."""
    leaf = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "1", "__id__": 1}
    node = leaf
    for place in range(2, 42):
        again = {"__class__": "x", "__module__": "x", "__loader__": "CachedNode", "__id__": place - 1}
        content = [node, again]
        node = {
            "__class__": "list",
            "__module__": "builtins",
            "__loader__": "ListNode",
            "content": content,
            "__id__": place,
        }
    schema = {
        "__class__": "dict",
        "__module__": "builtins",
        "__loader__": "DictNode",
        "content": {"estimator": node},
        "key_types": {"content": []},
        "protocol": 2,
    }
    with pytest.raises(PredictionError, match="damaged"):
        unpack(zipped({"schema.json": json.dumps(schema)}))


def test_a_schema_nested_too_deep_is_refused():
    with pytest.raises(PredictionError, match="damaged"):
        unpack(zipped({"schema.json": "[" * 200_000 + "]" * 200_000}))


def trees(content):
    return [thing for thing, _ in objects_of(content) if type(thing).__name__ == "TreePredictor"]


FORGERIES = {
    "a child before its parent": lambda nodes: nodes.__setitem__("left", 0),
    "a child outside": lambda nodes: nodes.__setitem__("right", 10_000),
    "a feature outside": lambda nodes: nodes.__setitem__("feature_idx", 3),
    "a feature below 0": lambda nodes: nodes.__setitem__("feature_idx", -1),
    "a category": lambda nodes: nodes.__setitem__("is_categorical", 1),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_tree_that_leads_outside_is_refused(boosted, forgery):
    content = unpack(boosted)
    nodes = trees(content)[0].nodes
    assert (nodes["is_leaf"] == 0).any()
    FORGERIES[forgery](nodes)
    with pytest.raises(PredictionError, match="damaged"):
        unpack(pack(content))


def test_a_tree_without_nodes_and_one_without_its_model_are_refused(boosted):
    content = unpack(boosted)
    tree = trees(content)[0]
    with pytest.raises(PredictionError, match="damaged"):
        unpack(pack({"tree": tree}))
    tree.nodes = tree.nodes[:0]
    with pytest.raises(PredictionError, match="damaged"):
        unpack(pack(content))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.text(max_size=5)
    | st.sampled_from(["numpy", "ndarray", "0.npy"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=200)
@given(st.data())
def test_a_forged_schema_is_refused_or_harmless(ridge, data):
    """Any one place of the schema is replaced by something else: our error or a content, never another exception."""
    schema = json.loads(parts(ridge)["schema.json"])
    places = [(node, key) for node in all_nodes(schema) for key in node]
    chosen = data.draw(st.integers(0, len(places) - 1))
    node, key = places[chosen]
    node[key] = copy.deepcopy(data.draw(JSON))
    try:
        content = unpack(zipped(parts(ridge) | {"schema.json": json.dumps(schema)}))
    except PredictionError:
        return
    assert isinstance(content, dict)


def all_nodes(schema):
    if isinstance(schema, dict):
        yield schema
        for part in schema.values():
            yield from all_nodes(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from all_nodes(part)


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_noticed_or_harmless(ridge, patients, place, bit):
    damaged = bytearray(ridge)
    damaged[int(place * len(ridge))] ^= 1 << bit
    try:
        content = unpack(bytes(damaged))
    except PredictionError:
        return
    expected = unpack(ridge)["estimator"].predict_proba(patients[0])
    np.testing.assert_allclose(content["estimator"].predict_proba(patients[0]), expected, rtol=1e-12)
