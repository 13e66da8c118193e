"""Running steps through the store and through whoever calls: a notebook as it stands, a flow as tasks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rabiomarkers.errors import InputError, Problem
from rabiomarkers.progress import SILENT, Progress
from rabiomarkers.store import Job, StepResult, Store

type Call = Callable[..., Any]


def direct(label: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call the function: what a notebook and the tests do."""
    return function(*arguments, **options)


@dataclass(frozen=True, kw_only=True)
class BatchFeatures:
    """Where the pieces and the features of a batch's samples lie, by (sample, assay)."""

    batch: str
    pieces: Mapping[tuple[str, str], Path]
    scored: Mapping[tuple[str, str], StepResult]
    steps: tuple[StepResult, ...]
    cuts: tuple[StepResult, ...] = ()  # where the markers of gated samples are cut


class Steps:
    """Runs the steps of an analysis in their order and remembers them."""

    def __init__(self, store: Store, call: Call, progress: Progress) -> None:
        self.store, self.call, self.progress = store, call, progress
        self.done: list[StepResult] = []

    def run(self, name: str, step: Callable[..., Any], inputs: Mapping[str, Path], **parameters: Any) -> StepResult:
        return self.run_all(name, [Job(name=name, step=step, inputs=inputs, parameters=parameters)])[0]

    def run_all(self, label: str, jobs: Sequence[Job]) -> list[StepResult]:
        results: list[StepResult] = self.call(label, run_jobs, label, self.store, jobs, progress=self.progress)
        self.done += results
        return results


def run_jobs(label: str, store: Store, jobs: Sequence[Job], *, progress: Progress = SILENT) -> list[StepResult]:
    """The results of a stage's jobs; the input problems of all jobs are raised together."""
    problems: list[Problem] = []
    results: list[StepResult] = []
    with progress.stage(label, len(jobs)) as tell:
        for result in store.run_many(jobs, on_input_error=problems.extend):
            results.append(result)
            tell(result)
    if problems:
        raise InputError(sorted(set(problems), key=str))
    return results


def files_of(*results: StepResult) -> dict[str, Path]:
    """The steps' files by their stem, as the next step takes them in; facts beside a table of the same name end in `_json`."""
    files: dict[str, Path] = {}
    for result in results:
        for name in sorted(result.digests, key=lambda name: not name.endswith(".parquet")):
            stem = Path(name).stem
            files[f"{stem}_json" if stem in files else stem] = result.file(name)
    return files
