"""What a page of the report is built of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import plotly.graph_objects as go

from rabiomarkers.report.figures.style import Message


@dataclass(frozen=True, kw_only=True)
class Prose:
    """A paragraph."""

    text: str
    kind: Literal["prose"] = "prose"


@dataclass(frozen=True, kw_only=True)
class Card:
    """One number with its denominator below it."""

    label: str
    value: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class Cards:
    """Numbers side by side."""

    cards: Sequence[Card]
    kind: Literal["cards"] = "cards"


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table; its first column names the row. Cells are finished text."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    collapsed: bool = False
    kind: Literal["grid"] = "grid"

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"A row of {self.caption!r} has not {len(self.columns)} cells.")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A figure, or a message in its place; `name` is its fixed id on the page."""

    name: str
    caption: str
    content: go.Figure | Message
    kind: Literal["picture"] = "picture"

    @property
    def message(self) -> str:
        """The words shown instead of a figure; empty where there is one."""
        return str(self.content) if isinstance(self.content, Message) else ""

    @property
    def height(self) -> int:
        """Height of the figure in pixels, so that the page does not jump while figures are drawn."""
        return 0 if isinstance(self.content, Message) else int(self.content.layout.height)

    @property
    def width(self) -> int:
        """Width of a figure that has one of its own, as it holds too many patients for the page; 0 where it takes the page's."""
        return 0 if isinstance(self.content, Message) else int(self.content.layout.width or 0)


type Block = Prose | Cards | Grid | Picture


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page with a heading of its own."""

    name: str
    title: str
    blocks: Sequence[Block]


def pictures(sections: Iterable[Section]) -> list[Picture]:
    """Every figure that is drawn, in the order of the page."""
    blocks = (block for section in sections for block in section.blocks)
    return [block for block in blocks if isinstance(block, Picture) and not block.message]
