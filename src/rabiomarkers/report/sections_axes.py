"""The axes of retinoic acid and of peroxidation apart, and which cells bulk RNA speaks of."""

from collections.abc import Mapping

import pandas as pd

from rabiomarkers.report.blocks import Block, Grid, Picture, Prose, Section
from rabiomarkers.report.data import ReportData
from rabiomarkers.report.figures.axes import axis_points
from rabiomarkers.report.labels import plain
from rabiomarkers.report.words import (
    DASH,
    NOT_ESTIMABLE,
    call_of_change,
    interval,
    number,
    p_with_floor,
    present,
    reason,
    signed,
    text,
    two_lines,
    whole,
)

BEFORE_NOTE = (
    "Availability is read before treatment only: its genes (CYP26A1, DHRS3, LRAT and others) are themselves "
    "switched on by retinoic acid, so that their change under treatment would be its response once more, with the "
    "sign turned. Compare patients within an arm, never arms: a score of genes that should be high and of others that "
    "should be low has its zero elsewhere than one of high genes only."
)
CHANGE_NOTE = (
    "All targets and direct targets are the response; differentiation is what cells become of it. In peroxidation "
    "the arm of defence counts downwards: a fall of it is towards peroxidation."
)
COLUMNS = ("axis", "arm", "signature", "patients", "value", "range", "p (floor)")
CONTEXT_PREFIXES = ("mcp_", "nnls_", "purity_proxy", "epithelial_markers")
CONTEXT_COLUMNS = (
    "what",
    "measured in",
    "pairs",
    "change",
    "interval (level)",
    "p (floor)",
    "adjusted p",
    "what may be said",
)
CONTEXT_NOTE = (
    "None is a count of cells, and none but the shares says how much of one type there is beside another in one sample. What may "
    "be said rests on the adjusted p, which counts all features of the same family."
)
METHOD_COLUMNS = ("method", "source", "licence")
METHODS: Mapping[str, tuple[tuple[str, ...], tuple[str, str, str]]] = {
    "marker mean": (
        ("mcp_", "epithelial_markers"),
        (
            "mean log2 level of a type's markers; compares samples, never two types within one",
            "MCP-counter, doi:10.1186/s13059-016-1070-5; epithelium: markers/immune_markers.csv of the configuration",
            "the lists are facts of the paper; its package MCPcounter is GPL-3 and not used",
        ),
    ),
    "nnls": (
        ("nnls_",),
        (
            "shares of the RNA by non-negative least squares against a profile of pure types; whatever comes of types it lacks is "
            "lent to those it has, so read them beside the residual",
            "Abbas et al. 2009, doi:10.1371/journal.pone.0006098",
            "own implementation; the licence of the profile is that of its source",
        ),
    ),
    "purity proxy": (
        ("purity_proxy",),
        (
            "1 less the mean of the rank scores of immune and stromal markers: which sample has more tumour, no fraction",
            "project convention, after the idea of ESTIMATE (doi:10.1038/ncomms3612); its gene lists are not used",
            "no code of others",
        ),
    ),
}
"""How cells are told from bulk RNA: what its features' names begin with, and what must be said beside its numbers."""


def axes_section(data: ReportData) -> Section | None:
    """Availability before treatment, and the change of response, differentiation and peroxidation; None where nothing was read."""
    if data.axes.empty:
        return None
    blocks: list[Block] = []
    for use, name, note in (("before", "axes-before", BEFORE_NOTE), ("change", "axes-change", CHANGE_NOTE)):
        rows = data.axes[data.axes["use"] == use]
        if len(rows):
            figure = axis_points(rows, use="before" if use == "before" else "change")
            blocks += [Picture(name=name, caption=note, content=figure), _axes_table(rows, use)]
    return Section(name="axes", title="Retinoic acid and peroxidation, axis by axis", blocks=blocks)


def _axes_table(rows: pd.DataFrame, use: str) -> Grid:
    before = use == "before"
    return Grid(
        caption="Each arm before treatment" if before else "Each arm's change",
        columns=COLUMNS[:-1] if before else COLUMNS,
        rows=[_axes_row(row, before=before) for _, row in rows.iterrows()],
        note="Range: quartiles over the patients."
        if before
        else "Range: the interval of the change. These are the rows of the table of changes; no p is new.",
        collapsed=True,
    )


def _axes_row(row: pd.Series, *, before: bool) -> tuple[str, ...]:
    some = present(row["estimate"])
    shown = number(row["estimate"]) if before else signed(row["estimate"])
    cells = (
        text(row["axis"]),
        two_lines(row["arm"], text(row["words"])),
        two_lines(row["signature"], text(row["compartment"])),
        whole(row["n"]),
        shown if some else two_lines(NOT_ESTIMABLE, reason(row["note"])),
        interval(row["low"], row["high"]) if some and present(row["low"]) else DASH,
    )
    if before:
        return cells
    return (*cells, p_with_floor(row["p_value"], row["p_floor"]) if present(row["p_value"]) else DASH)


def context_section(data: ReportData) -> Section | None:
    """How marker means, shares and purity of bulk RNA changed; None where no sample has them."""
    rows = data.changes[data.changes["feature"].str.startswith(CONTEXT_PREFIXES)]
    if rows.empty:
        return None
    table = Grid(
        caption="Cells in bulk RNA, later against earlier",
        columns=CONTEXT_COLUMNS,
        rows=[_context_row(row) for _, row in rows.sort_values(["compartment", "feature"]).iterrows()],
        note=CONTEXT_NOTE,
    )
    told = (
        "What moved in a biopsy may be its cells and not what they do: a rise of immune signatures beside a fall of "
        "purity is first of all more immune cells in the piece that was taken. All of this is exploratory unless "
        "the plan names it."
    )
    blocks: list[Block] = [Prose(text=told), table, _context_methods(rows)]
    return Section(name="context", title="Immune context of bulk RNA", blocks=blocks)


def _context_methods(rows: pd.DataFrame) -> Grid:
    """Source and licence of each method that gave one of the rows."""
    used = [(name, said) for name, (begins, said) in METHODS.items() if rows["feature"].str.startswith(begins).any()]
    return Grid(
        caption="What each method tells, and under which licence",
        columns=METHOD_COLUMNS,
        rows=[(two_lines(name, words), *rest) for name, (words, *rest) in used],
    )


def _context_row(row: pd.Series) -> tuple[str, ...]:
    some = present(row["estimate"])
    return (
        two_lines(plain(row["feature"]) or row["feature"], row["feature"]),
        text(row["compartment"]),
        whole(row["n_pairs"]),
        f"{signed(row['estimate'])} {row['unit']}" if some else NOT_ESTIMABLE,
        interval(row["ci_low"], row["ci_high"], row["ci_level"]) if present(row["ci_low"]) else DASH,
        p_with_floor(row["p_value"], row["p_floor"]) if present(row["p_value"]) else DASH,
        number(row["q_value"]) if present(row["q_value"]) else DASH,
        call_of_change(row),
    )
