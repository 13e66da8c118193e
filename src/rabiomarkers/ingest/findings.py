"""Gathering everything that is wrong with one file, in words a lab scientist can act on."""

import difflib
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from rabiomarkers.errors import InputError, Problem

LISTED = 10  # cells of one kind of fault that are told one by one; the rest is counted
LONGEST = 300  # characters of what was found that are told
LONGEST_COLUMN = 100


class Findings:
    """The problems of one file, gathered until all of it has been looked at."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def add(
        self, found: str, expected: str, remedy: str, *, row: int | None = None, column: object | None = None
    ) -> None:
        """Note one problem; `row` is the line of the file, the header being line 1."""
        where = None if column is None else on_one_line(str(column), LONGEST_COLUMN)
        told = on_one_line(found, LONGEST)
        self.problems.append(
            Problem(file=self.file, row=row, column=where, found=told, expected=expected, remedy=remedy)
        )

    def add_cells(self, cells: Sequence[tuple[int | None, str, str]], expected: str, remedy: str) -> None:
        """Note faulty cells, each `(row, column, found)`: the first ten one by one, the others as their number."""
        for row, column, found in cells[:LISTED]:
            self.add(found, expected, remedy, row=row, column=column)
        if len(cells) > LISTED:
            self.add(f"{len(cells) - LISTED:,} more cells with the same fault", expected, remedy)

    @contextmanager
    def gathered(self) -> Iterator[None]:
        """Note what is raised within, of another file as well, and go on: all is told at once by `raise_if_any`."""
        try:
            yield
        except InputError as error:
            self.problems += error.problems

    def fail(self, found: str, expected: str, remedy: str, *, row: int | None = None) -> NoReturn:
        """Note a problem behind which nothing more can be looked at.

        Raises
        ------
        InputError
            With all that was noted.
        """
        self.add(found, expected, remedy, row=row)
        raise InputError(self.problems)

    def raise_if_any(self) -> None:
        """Raise all that was noted.

        Raises
        ------
        InputError
            At least one problem was noted.
        """
        if self.problems:
            raise InputError(self.problems)


def on_one_line(text: str, longest: int) -> str:
    """The text as one line of a terminal: line breaks and control characters shown, not obeyed; its end cut off where too long."""
    plain = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"


def nearest(word: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The known word that is spelt most like `word`, or None where none is; case, blanks and punctuation do not count."""
    plain: dict[str, str] = {}
    for candidate in sorted(known):
        plain.setdefault(_plain(candidate), candidate)
    close = difflib.get_close_matches(_plain(word), plain, n=1, cutoff=cutoff)
    return plain[close[0]] if close else None


def one_of(word: str, known: Collection[str]) -> str:
    """What was expected instead of `word`: the likely meant one, or all that are possible."""
    likely = nearest(word, known)
    in_order = known if isinstance(known, Sequence) else sorted(known)
    return f"one of {named(in_order, limit=20)}" + (f" (did you mean {likely!r}?)" if likely else "")


def named(items: Iterable[object], *, limit: int = 5) -> str:
    """The first items, and how many more there are."""
    words = [str(item) for item in items]
    more = f" and {len(words) - limit:,} more" if len(words) > limit else ""
    return ", ".join(words[:limit]) + more


def _plain(word: str) -> str:
    return "".join(character for character in word.lower() if character.isalnum()) or word
