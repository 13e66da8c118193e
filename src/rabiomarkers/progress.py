"""How a long run tells how far it is, without knowing who listens."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rabiomarkers.store import StepResult

type Tell = Callable[[StepResult], None]


class Progress(Protocol):
    """Is told of each stage as it begins, and of each of its steps as it ends."""

    def stage(self, label: str, total: int) -> AbstractContextManager[Tell]:
        """A context that yields the function to call with each finished step."""
        ...


class _Silent:
    @contextmanager
    def stage(self, label: str, total: int) -> Iterator[Tell]:
        yield lambda result: None


SILENT: Progress = _Silent()
"""Tells nobody."""
