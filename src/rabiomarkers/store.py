"""A content-addressed store of computed steps: what was computed from the same input by the same code is not computed again.

key    sha256 of: the step, the source of every module of ours that it reaches, its parameters, the sha256 of each input
       file, the versions of the libraries those modules import.
write  into a private folder, synchronised to disk, with a manifest holding the sha256 of every output, then one rename: a step
       is there completely or not at all, also after `kill -9`.
lock   `flock` per key, freed by the kernel when its holder dies; two runs at once compute a step once.
read   every output is checked against the manifest; what does not match is computed again.
"""

import ast
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from rabiomarkers.errors import InputError, Problem, StoreError
from rabiomarkers.files import Info, read_json, write_json, write_table

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

# names under which a distribution is imported, where they differ from its own
DISTRIBUTIONS = {
    "biom": "biom-format",
    "kb_python": "kb-python",
    "plotly": "plotly",
    "skbio": "scikit-bio",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


class Step(Protocol):
    """A function that reads `inputs`, writes files into the folder `out` and returns a few facts."""

    __module__: str
    __qualname__: str

    def __call__(self, inputs: Mapping[str, Path], out: Path, **parameters: Any) -> Info: ...


@dataclass(frozen=True, kw_only=True)
class Job:
    """A step with its input files and parameters, ready to be looked up or computed.

    `sample_ids` only says whose data it is; it does not enter the key.
    """

    name: str
    step: Callable[..., Info]
    inputs: Mapping[str, Path]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    sample_ids: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """Where a step's files lie: a small reference, never data."""

    name: str
    key: str
    folder: Path
    digests: Mapping[str, str]  # sha256 by file name
    info: Info
    reused: bool
    seconds: float
    sample_ids: tuple[str, ...] = ()

    def file(self, name: str) -> Path:
        """One of the step's files.

        Raises
        ------
        StoreError
            The step wrote no such file.
        """
        if name not in self.digests:
            raise StoreError(f"Step {self.name!r} wrote no {name!r}, only {', '.join(sorted(self.digests))}.")
        return self.folder / name


class Store:
    """Computed steps below one folder; `workers` is how many processes compute the jobs of `run_many`."""

    def __init__(self, root: Path, *, workers: int = 1) -> None:
        self.root = root
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None
        for part in ("steps", "tables", "locks", "partial"):
            (root / part).mkdir(parents=True, exist_ok=True, mode=0o700)

    def put_table(self, frame: pd.DataFrame) -> Path:
        """Lay down a table that no step computed (the sheet, a clinical table), under the sha256 of its content."""
        partial = self.root / "partial" / f"table-{os.getpid()}.parquet"
        write_table(frame, partial)
        target = self.root / "tables" / f"{_synchronised_digest(partial)}.parquet"
        partial.replace(target)
        return target

    def key(self, job: Job) -> str:
        """What the result of the job depends on, as one word."""
        return _digest(self._specification(job))[:40]

    def run(self, job: Job) -> StepResult:
        """The job's result, computed only if it is not there.

        Raises
        ------
        StoreError
            An input file is absent, or a parameter is not plain JSON.
        """
        specification = self._specification(job)
        key = _digest(specification)[:40]
        if found := self.lookup(job, key):
            return found
        with self._locked(key):
            # another run may have computed it while this one waited
            return self.lookup(job, key) or self._compute(job, key, specification)

    def run_many(
        self, jobs: Sequence[Job], *, on_input_error: Callable[[Sequence[Problem]], None] | None = None
    ) -> Iterator[StepResult]:
        """The jobs' results in their order; with `workers` above 1 those not yet there are computed in that many processes.

        With `on_input_error` a job whose input is wrong has its problems handed over there and no result, so that the others are
        still tried.
        """
        found = (self.lookup(job, self.key(job)) for job in jobs)
        if self.workers > 1:
            outcomes = self._computed_elsewhere(jobs, list(found))
        else:
            outcomes = (result or _attempt(self.root, job) for job, result in zip(jobs, found, strict=True))
        for outcome in outcomes:
            if isinstance(outcome, StepResult):
                yield outcome
            elif on_input_error is None:
                raise outcome
            else:
                on_input_error(outcome.problems)

    def _computed_elsewhere(
        self, jobs: Sequence[Job], found: Sequence[StepResult | None]
    ) -> Iterator[StepResult | InputError]:
        missing = [job for job, result in zip(jobs, found, strict=True) if result is None]
        if len(missing) < 2:
            computed: Iterator[StepResult | InputError] = (_attempt(self.root, job) for job in missing)
        else:
            computed = self._processes().map(_attempt, [self.root] * len(missing), missing)
        yield from (result or next(computed) for result in found)

    def _processes(self) -> "ProcessPoolExecutor":
        """Started when first needed and kept: a new process takes seconds to load scanpy.

        Processes, not threads: numba's and matplotlib's state is shared between threads.
        """
        if self._pool is None:
            from concurrent.futures import ProcessPoolExecutor  # only where processes are asked for
            from multiprocessing import get_context

            self._pool = ProcessPoolExecutor(self.workers, mp_context=get_context("spawn"))
        return self._pool

    def close(self) -> None:
        """Let the processes go; the store can be used on."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def lookup(self, job: Job, key: str) -> StepResult | None:
        """The result under `key` if it is there and every file of it is what was written."""
        folder = self.root / "steps" / key
        try:
            manifest = read_json(folder / "manifest.json")
        except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError):
            return None
        digests: dict[str, str] = manifest["files"]
        for name, digest in digests.items():
            if not (folder / name).is_file() or file_digest(folder / name) != digest:
                return None
        return StepResult(
            name=job.name,
            key=key,
            folder=folder,
            digests=digests,
            info=manifest["info"],
            reused=True,
            seconds=manifest["seconds"],
            sample_ids=job.sample_ids,
        )

    def _specification(self, job: Job) -> dict[str, Any]:
        code, libraries = code_fingerprint(job.step.__module__)
        absent = [f"{name} ({path.name})" for name, path in job.inputs.items() if not path.exists()]
        if absent:
            raise StoreError(f"Step {job.name!r} needs files that are not there: {', '.join(absent)}.")
        return {
            "step": f"{job.step.__module__}.{job.step.__qualname__}",
            "code": code,
            "parameters": dict(job.parameters),
            "inputs": {name: path_digest(path) for name, path in sorted(job.inputs.items())},
            "libraries": {name: library_version(name) for name in libraries},
            "python": ".".join(map(str, sys.version_info[:2])),
        }

    def _compute(self, job: Job, key: str, specification: Mapping[str, Any]) -> StepResult:
        partial, folder = self.root / "partial" / key, self.root / "steps" / key
        shutil.rmtree(partial, ignore_errors=True)  # left by a run that was killed
        partial.mkdir(mode=0o700)
        started = time.perf_counter()
        try:
            info = job.step(dict(job.inputs), partial, **job.parameters)
            seconds = round(time.perf_counter() - started, 3)
            files = sorted(path for path in partial.rglob("*") if path.is_file())
            digests = {str(path.relative_to(partial)): _synchronised_digest(path) for path in files}
            manifest = {"key": key, "made_from": specification, "files": digests, "info": info, "seconds": seconds}
            write_json(manifest, partial / "manifest.json")
            _synchronise(partial / "manifest.json")
            shutil.rmtree(folder, ignore_errors=True)  # an entry that failed its check
            partial.rename(folder)
            _synchronise(folder.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        info = read_json(folder / "manifest.json")["info"]  # as a later run will see it
        return StepResult(
            name=job.name,
            key=key,
            folder=folder,
            digests=digests,
            info=info,
            reused=False,
            seconds=seconds,
            sample_ids=job.sample_ids,
        )

    @contextmanager
    def _locked(self, key: str) -> Iterator[None]:
        with (self.root / "locks" / key).open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def _attempt(root: Path, job: Job) -> StepResult | InputError:
    """The result, or what is wrong with the input; a value either way, so that it can cross a process boundary."""
    try:
        return Store(root).run(job)
    except InputError as error:
        return error


def file_digest(path: Path) -> str:
    """sha256 of the file; read again only if its size or time of change differ from the last look."""
    status = path.stat()
    return _file_digest(path, status.st_mtime_ns, status.st_ctime_ns, status.st_size)


def path_digest(path: Path) -> str:
    """sha256 of a file, or of the names and contents of all files below a folder (a 10x matrix is a folder)."""
    if not path.is_dir():
        return file_digest(path)
    members = {str(part.relative_to(path)): file_digest(part) for part in sorted(path.rglob("*")) if part.is_file()}
    return _digest(members)


@cache
def _file_digest(path: Path, modified: int, changed: int, size: int) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _synchronised_digest(path: Path) -> str:
    _synchronise(path)
    return file_digest(path)


def _synchronise(path: Path) -> None:
    """Have the kernel put it on disk, so that a power cut cannot leave a renamed but empty entry."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _digest(value: object) -> str:
    try:
        text = json.dumps(value, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StoreError(f"A step's parameters must be plain JSON values: {error}.") from None
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def library_version(name: str) -> str:
    """The installed version of the library imported as `name`; empty where it is not installed."""
    try:
        return importlib.metadata.version(DISTRIBUTIONS.get(name, name))
    except importlib.metadata.PackageNotFoundError:
        return ""


@cache
def code_fingerprint(module: str) -> tuple[str, tuple[str, ...]]:
    """sha256 over the source of the module and all modules of its package it reaches, and the libraries they import.

    Reached means imported, at the top or inside a function, directly or through another module. What lies in a folder
    `templates` beside a reached module counts as its source.
    """
    package = module.split(".")[0]
    sources: dict[str, str] = {}
    libraries: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = None if name in sources else _source_file(name)
        if path is None:
            continue
        text = path.read_text()
        sources[name] = hashlib.sha256(text.encode()).hexdigest()
        sources |= _data_beside(path)
        imported = _imports(text, name, is_package=path.name == "__init__.py")
        waiting.extend(sorted(part for part in imported if part.split(".")[0] == package))
        libraries |= {part.split(".")[0] for part in imported} - {package} - sys.stdlib_module_names
    if not sources:
        raise StoreError(f"The source of {module} is not a file: a step must live in a module.")
    return _digest(sources), tuple(sorted(libraries))


def _source_file(module: str) -> Path | None:
    """The module's file; None where the name is a thing inside a module."""
    try:
        specification = importlib.util.find_spec(module)
    except (ModuleNotFoundError, ValueError):
        return None
    if specification is None or not specification.origin or not specification.origin.endswith(".py"):
        return None
    return Path(specification.origin)


def _data_beside(path: Path) -> dict[str, str]:
    return {part.name: file_digest(part) for part in sorted((path.parent / "templates").glob("*")) if part.is_file()}


def _imports(text: str, module: str, *, is_package: bool) -> set[str]:
    """Every module that the source may import; a name imported from a module is listed as if it were a module, too."""
    names: set[str] = set()
    parents = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = parents[: len(parents) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return names
