"""Did retinoic acid reach the tumour, and did the steps it is thought to work by follow one another."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from rabiomarkers.report.blocks import Block, Grid, Picture, Prose, Section
from rabiomarkers.report.data import LATER, ReportData
from rabiomarkers.report.figures.chain import chain_lines
from rabiomarkers.report.labels import described, explained
from rabiomarkers.report.retinoic_acid import sentence_of
from rabiomarkers.report.words import (
    CANNOT_REACH,
    DASH,
    NOT_ESTIMABLE,
    cannot_reach,
    interval,
    number,
    p_with_floor,
    passes,
    percent,
    plural,
    present,
    reason,
    signed,
    text,
    two_lines,
    whole,
)

CANNOT_SHOW = (
    "Lines that run alike, and links that hold, are no proof of the mechanism: one cause may move both ends, above all how many "
    "immune cells a biopsy happened to hold. In a trial without retinoic acid (CheckMate 038, 43 pairs) peroxidation went with "
    "infiltration, and infiltration with function. A link that does not hold speaks against the chain, where there were "
    "patients enough to see it: with ten, a link tested alone is seen from a correlation of 0.65 on, and the first of four links "
    "(Holm asks it for p of 0.0125) from 0.78 on."
)
LINK_NOTE = (
    "rho: Spearman's rank correlation of the patients' changes, both turned so that expected is up. p: of all orders of the "
    "patients (drawn at random beyond 12). Adjusted p: Holm over the links that could be tested. No interval is shown, as none "
    "belongs to this test."
)
ADJUSTED_NOTE = (
    "Some target genes come with immune cells. Adjusted: the score's change that a straight line over the patients gives for a "
    "patient whose infiltration does not change (its intercept; there need be no such patient). The response is called only where "
    "core score, direct targets, and these adjusted (first row) all rise. Infiltration is measured with noise, so a part of what "
    "it does stays in the adjusted change. "
    "Share: of the variance of the score's changes that goes with infiltration."
)
LINK_COLUMNS = ("link", "what may be said", "patients", "both as expected", "rho", "p (floor)", "adjusted p")
ADJUSTED_COLUMNS = (
    "score",
    "adjusted for",
    "patients",
    "mean change",
    "adjusted change",
    "interval (level)",
    "p",
    "share",
)


def mechanism_section(data: ReportData) -> Section:
    """The call on the response to retinoic acid, each patient along the chain, its links, and the immune-adjusted changes."""
    called: Mapping[str, Any] = data.summary.get("retinoic_acid") or {}
    adjusted: Sequence[Mapping[str, Any]] = called.get("adjusted") or ()
    blocks: list[Block] = [Prose(text=sentence_of(data.summary))]
    if adjusted:
        blocks.append(_adjusted_table(adjusted, text(called.get("why"))))
    if data.chain.empty and data.links.empty:
        blocks.append(
            Prose(text=LATER if not adjusted and called else "No patient has a pair at any step of the mechanism.")
        )
    else:
        picture = Picture(
            name="chain",
            caption="Each change is divided by the standard deviation of that step's changes, so that the steps share an axis, and "
            f"turned so that the expected direction is up. A gap: the patient has no pair. {CANNOT_SHOW}",
            content=chain_lines(data.chain, data.outcomes),
        )
        blocks += [picture, _link_table(data.links)]
    stamp = " (exploratory)" if data.unregistered else ""
    return Section(name="mechanism", title=f"The retinoic-acid mechanism, step by step{stamp}", blocks=blocks)


def _link_table(links: pd.DataFrame) -> Grid:
    tested = int(links["p_value"].notna().sum())
    return Grid(
        caption=f"Do patients who moved further at one step move further at the next? {plural(tested, 'link')} tested "
        f"of {whole(len(links))}",
        columns=LINK_COLUMNS,
        rows=[_link_row(row) for _, row in links.sort_values("link").iterrows()],
        note=LINK_NOTE,
    )


def _link_row(row: pd.Series) -> tuple[str, ...]:
    some = present(row["p_value"])
    return (
        f"{row['source']} \N{RIGHTWARDS ARROW} {row['target']}",
        _said(row),
        whole(row["n_pairs"]),
        f"{whole(row['n_as_expected'])} of {whole(row['n_pairs'])}" if row["n_pairs"] else DASH,
        signed(row["estimate"]) if some else DASH,
        p_with_floor(row["p_value"], row["p_floor"]) if some else DASH,
        number(row["q_value"]) if some else DASH,
    )


def _said(row: pd.Series) -> str:
    """What may be said of a link."""
    if not present(row["p_value"]):
        return two_lines(NOT_ESTIMABLE, reason(row["note"]))
    if cannot_reach(row["p_floor"]):
        return f"{CANNOT_REACH} with {plural(row['n_pairs'], 'patient')}"
    if not passes(row):
        return two_lines("no link shown", text(row["note"]))
    return two_lines("moved together" if row["estimate"] > 0 else "moved against each other", text(row["note"]))


def _adjusted_table(adjusted: Sequence[Mapping[str, Any]], why: str) -> Grid:
    return Grid(
        caption="The response to retinoic acid, adjusted for immune cells that moved in",
        columns=ADJUSTED_COLUMNS,
        rows=[_adjusted_row(row) for row in adjusted],
        note=f"{ADJUSTED_NOTE} {why}".strip(),
    )


def _adjusted_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    some = present(row["p_value"])
    changed = f"{signed(row['estimate'])} {row['unit']}" if some else NOT_ESTIMABLE
    return (
        two_lines(row["feature"], explained(row["feature"])),
        described(row["infiltration"]),
        whole(row["n_pairs"]),
        signed(row["unadjusted"]) if present(row["unadjusted"]) else DASH,
        two_lines(changed, text(row["note"])),
        interval(row["ci_low"], row["ci_high"], row["ci_level"]) if some else DASH,
        number(row["p_value"]) if some else DASH,
        percent(row["r_squared"]) if some else DASH,
    )
