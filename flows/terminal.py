"""Progress for people: a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from rabiomarkers.progress import Progress, Tell
from rabiomarkers.store import StepResult


def terminal_progress(console: Console) -> Progress:
    """A listener that suits where the console writes to."""
    return _Bars(console) if console.is_terminal else _Lines(console)


class _Count:
    """What one stage did."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.reused = 0
        self.started = time.perf_counter()

    def add(self, result: StepResult) -> None:
        self.done += 1
        self.reused += result.reused

    def __str__(self) -> str:
        seconds = time.perf_counter() - self.started
        fresh = self.done - self.reused
        parts = [f"{fresh} computed"] if fresh else []
        parts += [f"{self.reused} already there"] if self.reused else []
        return f"{', '.join(parts) or 'nothing to do'}, {seconds:.1f} s"


class _Lines:
    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def stage(self, label: str, total: int) -> Iterator[Tell]:
        count = _Count(total)
        yield count.add
        self.console.print(f"{label}: {count}", markup=False, highlight=False, soft_wrap=True)


class _Bars:
    def __init__(self, console: Console) -> None:
        self.console = console

    @contextmanager
    def stage(self, label: str, total: int) -> Iterator[Tell]:
        count = _Count(total)
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Bars(*columns, console=self.console, transient=True) as bars:
            task = bars.add_task(label, total=total)

            def tell(result: StepResult) -> None:
                count.add(result)
                bars.advance(task)

            yield tell
        self.console.print(f"{label}: {count}", markup=False, highlight=False)
