"""Text files of columns: CSV and TSV as laboratories, spreadsheets and R write them, with the line of every cell kept."""

import csv
import gzip
import io
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from rabiomarkers.errors import InputError
from rabiomarkers.ingest.findings import Findings, named, nearest

GZIP, ZIP, HDF5 = b"\x1f\x8b", b"PK\x03\x04", b"\x89HDF"
UTF16 = (b"\xff\xfe", b"\xfe\xff")
SEPARATORS = {"\t": "tabs", ",": "commas", ";": "semicolons"}
LEAST_UNPACKED, MOST_PACKED, PIECE = 64 * 1024**2, 500, 16 * 1024**2
"""Gzip packs tables 3 to 50 times; what unpacks to more than the first and more than so many times its size is a trap."""
BLANK = " \t,;\"'"


def read_bytes(path: Path, label: str) -> bytes:
    """The file's content, decompressed where it is gzipped.

    Raises
    ------
    InputError
        There is no such file, it is a folder, cannot be read, is empty, or its compressed data break off.
    """
    findings = Findings(label)
    if path.is_dir():
        findings.fail("a folder", "a file", "name the file inside it")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        findings.fail("no such file", "a file that is there", "correct the path or put the file there")
    except PermissionError:
        findings.fail("a file that may not be read", "a readable file", "ask its owner for permission to read")
    if content.startswith(GZIP):
        try:
            content = _unpacked(content, findings)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            findings.fail(
                "the gzip data are damaged or break off", "a complete .gz file", "copy or download the file again"
            )
    if not content or content.isspace():
        findings.fail("an empty file", "a file with content", "export it again; was the copy interrupted?")
    return content


def _unpacked(content: bytes, findings: Findings) -> bytes:
    """The content of a gzip file, a piece at a time: one that grows out of all proportion is given up.

    Raises
    ------
    InputError
        It does.
    """
    allowed = max(LEAST_UNPACKED, MOST_PACKED * len(content))
    pieces, size = [], 0
    with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
        while piece := file.read(PIECE):
            pieces.append(piece)
            size += len(piece)
            if size > allowed:
                findings.fail(
                    f"gzip data that unpack to more than {allowed:,} bytes from {len(content):,}",
                    "a file whose content is what it seems",
                    "do not trust this file",
                )
    return b"".join(pieces)


def read_text(path: Path, label: str) -> str:
    r"""The file as text with ``\n`` line ends; a byte order mark is taken off.

    Raises
    ------
    InputError
        What `read_bytes` raises; or the file is an Excel workbook or no UTF-8 text.
    """
    return text_of(read_bytes(path, label), label)


def text_of(content: bytes, label: str) -> str:
    """As `read_text`, of what was read already."""
    findings = Findings(label)
    if content.startswith(ZIP):
        findings.fail(
            "an Excel workbook or zip archive", "a text file", "in Excel: Save as, CSV UTF-8 (comma delimited)"
        )
    if content.startswith(UTF16):
        findings.fail("text in UTF-16", "text in UTF-8", "in Excel: Save as, CSV UTF-8 (comma delimited)")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        findings.fail("characters that are not UTF-8", "text in UTF-8", "save the file again as UTF-8", row=row)
    if "\x00" in text:
        findings.fail("binary data", "a text file", "export the table as CSV or TSV")
    return text.replace("\r\n", "\n").replace("\r", "\n")


@dataclass(frozen=True, kw_only=True)
class Delimited:
    """A text table, split into its header and its lines but not yet into cells.

    `line_numbers` are those of `lines` in the file; blank lines are left out.
    """

    label: str
    separator: str
    comments: tuple[str, ...]
    header_line: int
    header: tuple[str, ...]
    lines: tuple[str, ...]
    line_numbers: tuple[int, ...]

    def frame(self, *, text: Collection[int] = (), numbers: Collection[int] = ()) -> pd.DataFrame:
        """The columns at these positions, indexed by line number; `text` as it stands, `numbers` as far as they are numbers.

        Raises
        ------
        InputError
            A quotation mark is not closed.
        """
        wanted = sorted({*text, *numbers})
        lines = pd.Index(self.line_numbers, name="line", dtype=int)
        if not self.lines or not wanted:
            return pd.DataFrame({position: pd.Series([], dtype=str) for position in wanted}, index=lines)
        try:
            frame: pd.DataFrame | None = pd.read_csv(
                io.StringIO("\n".join(self.lines)),
                sep=self.separator,
                header=None,
                names=list(range(len(self.header))),
                usecols=wanted,
                index_col=False,
                dtype=dict.fromkeys(text, str),
                keep_default_na=False,
                na_values=[],
                skip_blank_lines=False,
                float_precision="round_trip",
                low_memory=False,
            )
        except pd.errors.ParserError:
            frame = None
        if frame is None or len(frame) != len(self.lines):
            Findings(self.label).fail(
                "a quotation mark that is not closed on its line",
                "each cell on one line",
                "remove line breaks in cells",
            )
        return frame.set_index(lines)

    def texts(self) -> pd.DataFrame:
        """All columns as text, blanks around the cells taken off, named by position."""
        frame = self.frame(text=range(len(self.header)))
        return pd.DataFrame({column: frame[column].str.strip() for column in frame.columns}, index=frame.index)


def read_delimited(path: Path, *, label: str, rows: int = 1, columns: int = 2) -> Delimited:
    """Take a CSV, TSV or semicolon-separated file (plain or gzipped) apart into header and lines.

    Lines before the header that begin with ``#`` are comments, but for the last one where it has as many fields as the
    table (``#OTU ID``, ``#clade_name``): that is the header. A header one field short is R's: its row names have no title.

    Raises
    ------
    InputError
            What `read_text` raises; the file has fewer than `rows` below its header or fewer than `columns`, or lines with too few
        or too many fields (each is named: a file that breaks off ends in one).
    """
    return delimited_of(read_bytes(path, label), label=label, rows=rows, columns=columns)


def delimited_of(content: bytes, *, label: str, rows: int = 1, columns: int = 2) -> Delimited:
    """As `read_delimited`, of what was read already."""
    lines = text_of(content, label).split("\n")
    kept = [(number, line) for number, line in enumerate(lines, start=1) if line.strip(BLANK)]
    findings = Findings(label)
    first = next((index for index, (_, line) in enumerate(kept) if not line.startswith("#")), len(kept))
    separator = _separator(kept[first][1] if first < len(kept) else "".join(line for _, line in kept[-1:]))
    if 0 < first < len(kept) and 0 < kept[first - 1][1].count(separator) == kept[first][1].count(separator):
        first -= 1
    if first + rows >= len(kept):
        findings.fail("no rows below the header", "a header and at least one row", "export the table again")
    (header_line, head), body = kept[first], kept[first + 1 :]
    header = [name.strip() for name in _fields(head.removeprefix("#"), separator, header_line, findings)]
    widths = np.array([_width(line, separator, number, findings) for number, line in body], dtype=int)
    if len(body) and (widths == len(header) + 1).all():
        trailing = all(line.endswith(separator) for _, line in body)
        header = [*header, ""] if trailing else ["", *header]
    if len(header) < columns:
        findings.add(
            "a single column", "columns separated by commas or tabs", "export the table as CSV", row=header_line
        )
    ragged = np.flatnonzero(widths != len(header)).tolist()
    _note_ragged([(body[at][0], widths[at]) for at in ragged], len(header), findings)
    findings.raise_if_any()
    return Delimited(
        label=label,
        separator=separator,
        comments=tuple(line for _, line in kept[:first]),
        header_line=header_line,
        header=tuple(header),
        lines=tuple(line for _, line in body),
        line_numbers=tuple(number for number, _ in body),
    )


def _note_ragged(lines: Sequence[tuple[int, int]], width: int, findings: Findings) -> None:
    """Note the lines, each with its number of fields, that are not as wide as the header."""
    for row, fields in lines[:5]:
        findings.add(
            f"{fields} fields",
            f"{width}, as many as the header",
            "correct the line; is the file complete, and is a comma inside a cell unquoted?",
            row=row,
        )
    if len(lines) > 5:
        findings.add(f"{len(lines) - 5:,} more such lines", "as many fields as the header", "export the table again")


def _separator(line: str) -> str:
    found = max(SEPARATORS, key=line.count)
    return found if found in line else ","


def _fields(line: str, separator: str, row: int, findings: Findings) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator))
    except csv.Error as error:  # a cell of more than 131,072 characters
        findings.fail(f"a line that cannot be split ({error})", "short cells", "correct the line", row=row)


def _width(line: str, separator: str, row: int, findings: Findings) -> int:
    return len(_fields(line, separator, row, findings)) if '"' in line else line.count(separator) + 1


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A small table that people keep by hand: the known columns as stripped text, one row a line."""

    frame: pd.DataFrame  # text; index: line number; every known column, empty text where the file lacks it
    columns: tuple[str, ...]  # those the file has

    def rows(self) -> Iterator[tuple[int, Mapping[str, str]]]:
        """Each line number with its cells."""
        names = list(self.frame.columns)
        for line, *cells in self.frame.itertuples():
            yield int(line), dict(zip(names, cells, strict=True))


def read_sheet(
    path: Path, *, required: Sequence[str], optional: Sequence[str] = (), findings: Findings, rows: int = 1
) -> Sheet | None:
    """A comma-separated sheet with the named columns; other columns are kept where they are no misspelling of a known one.

    What is wrong is noted in `findings`; None where the file cannot be read at all or lacks a required column. `rows` is the
    smallest number of rows it must have.
    """
    try:
        table = read_delimited(path, label=findings.file, rows=rows, columns=1)
        texts = table.texts() if table.separator == "," else None
    except InputError as error:
        findings.problems.extend(error.problems)
        return None
    if texts is None:
        findings.add(
            f"columns separated by {SEPARATORS[table.separator]}",
            "columns separated by commas",
            "in Excel: Save as, CSV UTF-8 (comma delimited)",
            row=table.header_line,
        )
        return None
    header = list(table.header)
    complete = _header_is_right(header, table.header_line, required=required, optional=optional, findings=findings)
    if not complete:
        return None
    texts.columns = pd.Index(header)
    absent = {name: "" for name in optional if name not in header}
    return Sheet(frame=texts.assign(**absent), columns=tuple(header))


def require_sheet(path: Path, *, required: Sequence[str], optional: Sequence[str] = (), findings: Findings) -> Sheet:
    """What `read_sheet` reads, where nothing can be looked at without it.

    Raises
    ------
    InputError
        With all that was noted in `findings`.
    """
    sheet = read_sheet(path, required=required, optional=optional, findings=findings)
    if sheet is None:
        raise InputError(findings.problems)
    return sheet


def _header_is_right(
    header: Sequence[str], line: int, *, required: Sequence[str], optional: Sequence[str], findings: Findings
) -> bool:
    """Whether every required column is there once; a column that looks like a misspelt absent one is named."""
    before = len(findings.problems)
    for name in sorted({name for name in header if name and header.count(name) > 1}):
        findings.add("the column occurs twice", "each column once", "remove or rename one", row=line, column=name)
    absent = [name for name in (*required, *optional) if name not in header]
    unknown = [name for name in header if name not in (*required, *optional)]
    taken = {}
    for name in unknown:
        meant = nearest(name, [candidate for candidate in absent if candidate not in taken], cutoff=0.8)
        if meant:
            taken[meant] = name
            findings.add(f"a column {name!r}", f"{meant!r}", f"rename the column to {meant}", row=line, column=name)
    for name in required:
        if name in absent and name not in taken:
            findings.add(
                f"no such column (there are {named(header, limit=12)})",
                f"a column {name!r}",
                "add it; the names are written in lower case",
                row=line,
                column=name,
            )
    return len(findings.problems) == before
