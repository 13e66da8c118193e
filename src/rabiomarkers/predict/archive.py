"""Fitted estimators in a file that runs nothing when it is read.

The format is that of skops: a zip of `schema.json`, which names every type, and of one `.npy` an array; no pickle. Two things are
added. The bytes are canonical: skops numbers objects by where they lie in memory and the zip keeps the time, so both are taken out,
and the same model gives the same file. And the reader is strict: only the types below, stored without compression, each array as
long as it says, no object referred to twice; so a file can neither run code nor grow in memory.

References
----------
skops, secure persistence, https://skops.readthedocs.io/en/stable/persistence.html
"""

import io
import json
import re
import struct
import warnings
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from math import prod
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np

from rabiomarkers.errors import PredictionError

LARGEST = 64 * 2**20  # bytes of a file; a model of 5 000 features has about 1 MB
LARGEST_SCHEMA = 16 * 2**20
SCHEMA = "schema.json"
ARRAY = re.compile(r"[0-9]{1,9}\.npy")
BEGINNING = (1980, 1, 1, 0, 0, 0)  # the zip format knows no earlier time

TREE = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"
TRUSTED = (
    "rabiomarkers.predict.classifiers.ElasticNetLogistic",
    "rabiomarkers.predict.classifiers.FirthLogistic",
    "rabiomarkers.predict.classifiers.InterceptOnly",
    "rabiomarkers.predict.classifiers.SignatureLogistic",
    "rabiomarkers.predict.fusion.LateFusion",
    "rabiomarkers.predict.nested.Nested",
    "rabiomarkers.predict.nested.NestedRidge",
    "rabiomarkers.predict.ridge.RidgeLogistic",
    "numpy.dtype",
    TREE,  # its nodes are checked, see `_require_sound_trees`
)
"""Types that a file may hold beside scikit-learn's estimators and numpy's arrays; every other is refused."""

MALFORMED = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BadZipFile,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    RuntimeError,  # of an encrypted zip, a recursion that is too deep, a compression unknown
    TypeError,
    ValueError,
    struct.error,
)
"""What zipfile, json, numpy, skops and the estimators' own `__setstate__` raise on a file that was not written by `pack`."""


def pack(content: Mapping[str, Any]) -> bytes:
    """The mapping, of texts and fitted estimators, as the bytes of a file: the same content gives the same bytes.

    Raises
    ------
    PredictionError
        An estimator holds something that has no place in the format.
    """
    import skops.io  # loads every estimator of scikit-learn, a second

    try:
        written = skops.io.dumps(dict(content))
    except TypeError as error:  # also skops's UnsupportedTypeException
        raise PredictionError(f"The model holds something that cannot be written without pickle: {error}.") from error
    return _canonical(written)


def unpack(data: bytes, *, trusted: Sequence[str] = ()) -> dict[str, Any]:
    """What `pack` was given.

    Parameters
    ----------
    data
        The bytes of a file.
    trusted
        Further types, ``module.Class``, that the caller knows to be safe.

    Raises
    ------
    PredictionError
        The bytes are no such file, too many, damaged, or hold a type that is not trusted; it is named.
    """
    import skops.io

    if len(data) > LARGEST:
        raise PredictionError(f"it has {len(data) / 2**20:.0f} MB, a model {LARGEST / 2**20:.0f} MB at most")
    allowed = [*TRUSTED, *trusted]
    try:
        _require_plain(data)
        foreign = sorted(set(skops.io.get_untrusted_types(data=data)) - set(allowed))
        if foreign:
            raise PredictionError(f"it holds types that are not trusted: {', '.join(foreign)}")
        with warnings.catch_warnings():  # of another version of scikit-learn: `read_frozen` tells it in words
            warnings.simplefilter("ignore")
            content = skops.io.loads(data, trusted=allowed)
        _require_sound_trees(content)
    except MALFORMED as error:
        raise PredictionError("it is damaged, or was not written by rabiomarkers") from error
    if not isinstance(content, dict):
        raise PredictionError("it is damaged, or was not written by rabiomarkers")
    return content


def _canonical(written: bytes) -> bytes:
    """The same zip without memory addresses and times, each array once, numbered by where the schema first names it."""
    with ZipFile(io.BytesIO(written)) as archive:
        arrays = {name: archive.read(name) for name in archive.namelist() if name != SCHEMA}
        schema = json.loads(archive.read(SCHEMA))
    names: dict[str, str] = {}
    kept: dict[str, bytes] = {}
    for node in _nodes(schema):
        if isinstance(node.get("__id__"), int):
            del node["__id__"]
        file = node.get("file")
        if isinstance(file, str) and file in arrays:
            content = arrays[file]
            name = names.setdefault(sha256(content).hexdigest(), f"{len(names)}.npy")
            if not ARRAY.fullmatch(name) or not content.startswith(b"\x93NUMPY"):
                raise PredictionError("The model holds bytes that are no array; they cannot be written without pickle.")
            node["file"], kept[name] = name, content
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", compression=ZIP_STORED) as archive:
        for name, content in [(SCHEMA, json.dumps(schema, separators=(",", ":")).encode()), *kept.items()]:
            entry = ZipInfo(name, date_time=BEGINNING)
            entry.create_system, entry.external_attr = 3, 0o644 << 16  # the same on every system
            archive.writestr(entry, content)
    return buffer.getvalue()


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Every mapping of the schema, in the order they stand in."""
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            waiting.extend(reversed(list(part.values())))
        elif isinstance(part, list):
            waiting.extend(reversed(part))


def _require_plain(data: bytes) -> None:
    """Raise ValueError unless nothing in the zip can become larger than it is: stored, whole, named once, a tree."""
    with ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        if len(set(names)) < len(names) or SCHEMA not in names:
            raise ValueError("a part is there twice, or there is no schema")
        if any(entry.compress_type != ZIP_STORED or entry.flag_bits & 1 for entry in entries):
            raise ValueError("a part is compressed or encrypted")
        if sum(entry.file_size for entry in entries) > len(data) or archive.getinfo(SCHEMA).file_size > LARGEST_SCHEMA:
            raise ValueError("parts overlap, or the schema is too large")
        for name in names:
            if name != SCHEMA:
                _require_whole_array(name, archive.read(name))
        schema = json.loads(archive.read(SCHEMA))
    if any(not isinstance(node.get("__id__"), dict | None) for node in _nodes(schema)):
        raise ValueError("an object is referred to by a number")


def _require_whole_array(name: str, content: bytes) -> None:
    """Raise ValueError unless the array's header asks for as many bytes as follow it."""
    if not ARRAY.fullmatch(name):
        raise ValueError(f"a part is called {name!r}")
    stream = io.BytesIO(content)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, _, dtype = readers[np.lib.format.read_magic(stream)](stream)
    if dtype.hasobject or not dtype.itemsize or prod(shape) * dtype.itemsize != len(content) - stream.tell():
        raise ValueError(f"{name} is not as long as it says")


def _require_sound_trees(content: Any) -> None:
    """Raise ValueError unless every path through the trees of a boosted model ends in a leaf.

    Scikit-learn follows the numbers in a tree without looking whether they are inside, so a forged tree could read any memory.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

    for thing, owner in objects_of(content):
        if isinstance(thing, HistGradientBoostingClassifier) and thing._preprocessor is not None:
            raise ValueError("a boosted model with categories")
        if not isinstance(thing, TreePredictor):
            continue
        if not isinstance(owner, HistGradientBoostingClassifier):
            raise ValueError("a tree without a boosted model")
        nodes = thing.nodes
        if not isinstance(nodes, np.ndarray) or nodes.dtype != PREDICTOR_RECORD_DTYPE or nodes.ndim != 1:
            raise ValueError("a tree of another kind")
        inner = nodes[nodes["is_leaf"] == 0]
        here = np.flatnonzero(nodes["is_leaf"] == 0)
        below = np.stack([inner["left"], inner["right"]]).astype(np.int64)
        ahead = bool(((below > here) & (below < len(nodes))).all())
        known = bool(((inner["feature_idx"] >= 0) & (inner["feature_idx"] < owner.n_features_in_)).all())
        if not len(nodes) or not ahead or not known or nodes["is_categorical"].any():
            raise ValueError("a tree that leads nowhere")


def objects_of(content: Any) -> Iterator[tuple[Any, Any]]:
    """Every object that a fitted estimator is made of, with the object whose attribute it is."""
    waiting: list[tuple[Any, Any]] = [(content, None)]
    while waiting:
        thing, owner = waiting.pop()
        yield thing, owner
        if isinstance(thing, Mapping):
            waiting.extend((part, owner) for part in thing.values())
        elif isinstance(thing, list | tuple | set) or (isinstance(thing, np.ndarray) and thing.dtype == object):
            waiting.extend((part, owner) for part in thing)
        elif hasattr(thing, "__dict__") and not isinstance(thing, type):
            waiting.extend((part, thing) for part in vars(thing).values())
