"""What can go wrong, said so that the person who has to mend it knows where and how."""

from collections.abc import Iterable
from dataclasses import dataclass


class RabiomarkersError(Exception):
    """Base of every error this project raises on purpose."""


@dataclass(frozen=True, kw_only=True, order=True)
class Problem:
    """One thing that is wrong with the input, where it is and what to do about it.

    Prints as ``file:row:column: found; expected; remedy``. `row` is the line of the file as a text editor counts it (the
    header is line 1); parts that do not apply are left out.
    """

    file: str
    row: int | None = None
    column: str | None = None
    found: str
    expected: str
    remedy: str

    def __str__(self) -> str:
        where = ":".join(str(part) for part in (self.file, self.row, self.column) if part is not None)
        return f"{where}: {self.found}; {self.expected}; {self.remedy}"


class InputError(RabiomarkersError):
    """The input is wrong; `problems` holds every one of them, not only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    def __reduce__(self) -> tuple[type["InputError"], tuple[tuple[Problem, ...]]]:
        """Carry the problems, not their text, to another process."""
        return type(self), (self.problems,)


class TableError(RabiomarkersError):
    """A table between two stages does not have the columns or types it promises."""


class ScaleError(RabiomarkersError):
    """A matrix is on another scale (counts, TPM, log, relative abundance) than the step needs."""


class SignatureError(RabiomarkersError):
    """A gene signature cannot be scored as it was asked for."""


class CellError(RabiomarkersError):
    """Cells cannot be counted or named as it was asked for."""


class AbundanceError(RabiomarkersError):
    """A table of taxa cannot give the measure that was asked for."""


class StatisticsError(RabiomarkersError):
    """A statistic was asked of data it is not defined on."""


class ResponseError(RabiomarkersError):
    """Lesions, visits or rules of response cannot be read as RECIST 1.1 reads them."""


class PredictionError(RabiomarkersError):
    """A model cannot be fitted, validated or applied as it was asked for."""


class CountingError(RabiomarkersError):
    """Reads cannot be counted: the counting programs are not installed, or stopped."""


class StoreError(RabiomarkersError):
    """A step cannot be looked up, written or trusted."""


class ResultsError(RabiomarkersError):
    """A folder is not a results folder, or lacks a table that was asked for."""
