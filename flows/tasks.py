"""How a stage of the pipeline becomes a Prefect task."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from traceback import format_exception
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.states import Completed
from prefect.tasks import Task

from rabiomarkers.errors import InputError
from rabiomarkers.store import StepResult


class StageError(RuntimeError):
    """A stage failed; the text is safe to store, the reason itself stays in this process (`failures`)."""


failures: list[BaseException] = []
"""Why stages failed in this process, in full, for the command line to tell."""

_logs: list[Path] = []


@contextmanager
def failures_kept_in(log: Path) -> Iterator[None]:
    """Append the whole story of every stage that fails to this file, which only its owner can read."""
    _logs.append(log)
    try:
        yield
    finally:
        _logs.pop()


async def is_transient(task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Only what can get better by itself is tried again: a connection or a disk, never a fault of the data."""
    error = await state.aresult(raise_on_failure=False)
    if isinstance(error, FileNotFoundError | PermissionError | NotADirectoryError | IsADirectoryError):
        return False
    return isinstance(error, OSError)


@task(
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=2,
    retry_delay_seconds=[1, 5],
    retry_jitter_factor=0.3,
    retry_condition_fn=is_transient,
)
def _stage(function: Callable[..., Any], *arguments: Any, **options: Any) -> State[Any]:
    with _WithoutPatientData():
        result = function(*arguments, **options)
    return Completed(data=result, name="Reused" if _all_reused(result) else "Completed")


def as_task(label: str, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Run one stage as a task named after it and hand back its references.

    Raises
    ------
    StageError
        The stage failed; the reason is the last of `failures`.
    """
    named = _stage.with_options(name=label, task_run_name=label)
    # a task that returns a State hands back that State; asking for it and taking its result works in every release
    return named(function, *arguments, return_state=True, **options).result()


class _WithoutPatientData:
    """Prefect stores the text of an exception, and that may name what was found in a patient's file: keep it here instead.

    What the system says of a file or a connection passes, so that it can be tried again.
    """

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, OSError | KeyboardInterrupt | SystemExit):
            return
        failures.append(error)
        _keep(error)
        raise StageError(_public(error)) from None


def _keep(error: BaseException) -> None:
    for log in _logs[-1:]:
        log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as file:
            file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {''.join(format_exception(error))}\n")


def _public(error: BaseException) -> str:
    if isinstance(error, InputError):
        return f"{len(error.problems)} problems in the input: `rabiomarkers check STUDY` lists them"
    where = f" (in {_logs[-1].name} beside the results' store)" if _logs else ""
    return f"{type(error).__name__}: the whole message{where} stays on the machine that ran it"


def _all_reused(result: object) -> bool:
    reused = [
        step.reused for step in (result if isinstance(result, list) else [result]) if isinstance(step, StepResult)
    ]
    return bool(reused) and all(reused)
