"""Wholes and their parts: stool against stool, and cell types and taxa as shares of a whole."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from rabiomarkers.report.blocks import Block, Grid, Picture, Prose, Section
from rabiomarkers.report.data import LATER, ReportData
from rabiomarkers.report.figures.composition import MOVED, composition_forest
from rabiomarkers.report.figures.distances import distance_strips
from rabiomarkers.report.figures.ordination import ordination_map
from rabiomarkers.report.labels import QUESTIONS, part
from rabiomarkers.report.sections_change import contrast_of
from rabiomarkers.report.tables_of_change import LONG_TABLE
from rabiomarkers.report.words import (
    CANNOT_REACH,
    DASH,
    NOT_ESTIMABLE,
    absent,
    besides_floor,
    cannot_reach,
    capital,
    interval,
    number,
    p_with_floor,
    percent,
    plural,
    present,
    reason,
    signed,
    text,
    two_lines,
    whole,
)

WHOLE_SAID = {"moved": "changed", "not shown": "no change shown"}
COORDINATES = {"clr": 0, "median": 1, "balance": 2}
NOT_SHOWN, RARE = "not shown", "rare"  # verdicts; rare parts are tested together as one
PARTS = (
    "Exploratory, balances named in study.yaml too. Adjusted p: the p with the number of parts counted in (Benjamini-Hochberg). p "
    "over draws: few counts say little about the true share; the mean p over draws of what the shares may have been, with the "
    "share of draws in which p is 0.05 or less."
)
PART_COLUMNS = ("part", "against", "verdict", "estimate", "interval (level)", "p (floor)", "adjusted p", "p over draws")


STOOL = "Stool communities (exploratory)"
NOT_IN_THE_PLAN = (
    "Exploratory: the plan names single features and none of the tests below, so no claim rests on them, whatever their p. Where "
    "a cell type or a diversity is in the plan, its planned test is among the changes."
)
OWN_PAIRS = "own pairs against others"  # told with the distances
ARROWS = "Open signs are before treatment, filled ones after; an arrow joins the two samples of one patient. Near means alike."
STRIPS = (
    "A sign a patient: how far the own two stools lie apart. The box: a first stool against a second one of another patient. "
    "Distances of different metrics have different scales."
)
OVERLAYS = (
    "Each compartment is a map of the patients (two axes); one is turned and scaled onto the other. Correlation: 1 where they lie "
    "on one another; two axes of few patients fit well by chance, so only p tells. One p a row, without correction; whole patients "
    "change places."
)
WHOLES = {"communities": "stool against stool"}  # what a map goes by in place of an assay


def stool_section(data: ReportData) -> Section:
    """Whether a patient's stool stays like itself, which way it moved, and what that has to do with time and response."""
    stool: Mapping[str, Any] = data.summary.get("stool") or {}
    if not stool and data.ordination.empty and data.community.empty:
        said = Prose(text="The study has no stool sample.")
        return Section(name="stool", title=STOOL, blocks=[said])
    blocks: list[Block] = [
        Prose(text=NOT_IN_THE_PLAN),
        _distances(stool),
        *_by_metric(data, stool),
        *_maps(data, stool),
    ]
    blocks.append(_questions(data))
    return Section(name="stool", title=STOOL, blocks=blocks)


def likeness_section(data: ReportData) -> Section | None:
    """Own stools beside those of others, and whether other compartments see the same likenesses; None where neither was asked."""
    stool: Mapping[str, Any] = data.summary.get("stool") or {}
    blocks: list[Block] = []
    if len(data.distances) and stool:
        figure = distance_strips(data.distances, data.outcomes, metrics=_metrics(stool), contrast=contrast_of(data))
        blocks.append(Picture(name="stool-distances", caption=STRIPS, content=figure))
    blocks += _overlays(data)
    if not blocks:
        return None
    return Section(name="likeness", title="Who is like whom, in stool and elsewhere (exploratory)", blocks=blocks)


def composition_section(data: ReportData) -> Section | None:
    """Cell types and taxa as parts of a whole; None where the study has none, or an earlier version wrote the results."""
    if data.composition.empty:
        return None
    blocks: list[Block] = [
        Prose(text=NOT_IN_THE_PLAN),
        Prose(
            text="Shares sum to one: where one part rises, the shares of all others fall although nothing happened to them. Parts "
            "are therefore compared as log ratios, each against two references: the average of all parts (their geometric mean), "
            "and in each patient the part in the middle, which most parts move with. Only where both agree is a part said to have "
            "moved."
        ),
    ]
    for (compartment, composition), rows in data.composition.groupby(["compartment", "composition"], sort=True):
        blocks += _one_composition(str(compartment), str(composition), rows)
    return Section(name="composition", title="Cell types and taxa as parts of a whole (exploratory)", blocks=blocks)


def _distances(stool: Mapping[str, Any]) -> Grid:
    why = reason(stool.get("note"))
    floor = stool.get("p_floor")
    rows = [
        ("same patient, before and after", whole(stool.get("n_within")), number(stool.get("within_median"), why)),
        ("different patients", whole(stool.get("n_between")), number(stool.get("between_median"), why)),
    ]
    tested = (
        f"Test ({text(stool.get('test'), 'not named')}): p = "
        f"{p_with_floor(stool.get('p_value'), floor)}{cannot_reach(floor)}. {why}"
        if present(stool.get("p_value"))
        else f"Test: {absent(why)}."
    )
    return Grid(
        caption=f"Distance between stool samples ({text(stool.get('metric'), 'metric not stated')})",
        columns=("samples compared", "distances", "median distance"),
        rows=rows,
        note=tested.strip(),
    )


def _by_metric(data: ReportData, stool: Mapping[str, Any]) -> Iterator[Block]:
    """The same comparison by each metric of the settings; an earlier version knew one."""
    metrics = _metrics(stool)
    if len(metrics) > 1:
        yield Grid(
            caption=f"Distance between stool samples by {plural(len(metrics), 'metric')}",
            columns=("metric", "own pairs", "median", "different patients", "median", "p (floor)"),
            rows=[_metric_row(facts) for facts in metrics],
            note="One question asked in several ways: the first that could be taken is the planned one, the others show what it "
            "hangs on.",
        )


def _metric_row(facts: Mapping[str, Any]) -> tuple[str, ...]:
    why = reason(facts.get("note"))
    p_value, floor = facts.get("p_value"), facts.get("p_floor")
    return (
        two_lines(text(facts.get("metric"), "metric not stated"), why),
        whole(facts.get("n_within")),
        number(facts["within_median"]) if present(facts.get("within_median")) else DASH,
        whole(facts.get("n_between")),
        number(facts["between_median"]) if present(facts.get("between_median")) else DASH,
        f"{p_with_floor(p_value, floor)}{cannot_reach(floor)}" if present(p_value) else NOT_ESTIMABLE,
    )


def _maps(data: ReportData, stool: Mapping[str, Any]) -> Iterator[Picture]:
    """Principal coordinates, a picture a metric."""
    for place, facts in enumerate(_metrics(stool)):
        yield Picture(
            name="ordination" if place == 0 else f"ordination-{'-'.join(_plain_letters(facts['name']).split())}",
            caption=ARROWS,
            content=ordination_map(data.ordination, data.outcomes, stool=facts, contrast=contrast_of(data)),
        )


def _metrics(stool: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The facts of each metric, the main one first."""
    return [facts for facts in stool.get("metrics") or [] if facts.get("name")] or [stool]


def _overlays(data: ReportData) -> Iterator[Block]:
    """Whether patients who are alike in one compartment are alike in another."""
    if data.procrustes.empty:
        return
    tested = data.procrustes[data.procrustes["p_value"].notna()]
    yield Grid(
        caption=f"Are patients who are alike in one compartment alike in another? {plural(len(tested), 'comparison')} tested",
        columns=("maps", "timepoint", "patients", "correlation", "p (floor)", "test"),
        rows=[
            (
                two_lines(
                    f"{row['compartment_a']} and {row['compartment_b']}",
                    f"{_whole_of(row, 'a')}, {_whole_of(row, 'b')}",
                ),
                text(row["timepoint"]),
                whole(row["n_patients"]),
                number(row["correlation"]) if present(row["correlation"]) else DASH,
                f"{p_with_floor(row['p_value'], row['p_floor'])}{cannot_reach(row['p_floor'])}"
                if present(row["p_value"])
                else NOT_ESTIMABLE,
                two_lines(row["test"], reason(row["note"])),
            )
            for _, row in data.procrustes.iterrows()
        ],
        note=OVERLAYS,
        collapsed=tested.empty or len(data.procrustes) > LONG_TABLE,
    )


def _whole_of(row: pd.Series, side: str) -> str:
    assay = str(row[f"assay_{side}"])
    return WHOLES.get(assay, assay)


def _questions(data: ReportData) -> Grid:
    """One row a question about whole communities."""
    rows = [
        (
            two_lines(QUESTIONS.get(row["question"], row["question"]), f"{row['compartment']}, {row['metric']}"),
            two_lines(whole(row["n_patients"]), plural(row["n_samples"], "sample")),
            *(
                (
                    f"{number(row['statistic'])}\n{row['statistic_name']}" if present(row["statistic"]) else DASH,
                    percent(row["r_squared"]) if present(row["r_squared"]) else DASH,
                    f"{p_with_floor(row['p_value'], row['p_floor'])}{cannot_reach(row['p_floor'])}",
                    two_lines(row["test"], text(row["note"])),
                )
                if present(row["p_value"])
                else (DASH, DASH, NOT_ESTIMABLE, two_lines(row["test"], reason(row["note"])))
            ),
        )
        for _, row in data.community[data.community["question"] != OWN_PAIRS].iterrows()
    ]
    lacking = (
        LATER if data.of_first_version or data.families.empty else "No question about whole communities could be asked."
    )
    return Grid(
        caption="Questions about whole communities",
        columns=("question", "patients", "statistic", "share explained", "p (floor)", "test"),
        rows=rows,
        note="Pseudo-F: how far groups lie apart, over how far samples of a group do (PERMANOVA); share explained (R²): of all "
        "differences between samples. Communities that lie wider apart at one timepoint can look changed without having moved: "
        "read the answer on dispersion first."
        if rows
        else lacking,
    )


def _one_composition(compartment: str, composition: str, rows: pd.DataFrame) -> list[Block]:
    title = f"{composition}, {compartment}"
    parts = rows[rows["coordinate"] != "whole"]
    blocks: list[Block] = [_whole(title, row) for _, row in rows[rows["coordinate"] == "whole"].iterrows()]
    name = "-".join(letters for letters in _plain_letters(f"{compartment} {composition}").split())
    blocks.append(
        Picture(
            name=f"composition-{name}",
            caption="Change of each part in log ratios (ln; +0.69 is twice as much against the reference). Filled: against the "
            "average of all parts; open: against each patient's part in the middle. A triangle, pointing up or down, is a part "
            "that moved against both; a diamond is one whose verdict depends on the reference, or one of two parts of which "
            "only the ratio is known to have moved.",
            content=composition_forest(parts[parts["coordinate"] != "balance"], title=title),
        )
    )
    if len(parts):
        blocks.append(_parts_table(title, parts))
    return blocks


def _whole(title: str, row: pd.Series) -> Prose:
    head = f"{capital(title)}, as a whole, in {plural(row['n_pairs'], 'pair')}"
    if not present(row["p_value"]):
        return Prose(text=f"{head}: {absent(row['note'])}.")
    note = besides_floor(row["note"])
    verdict = WHOLE_SAID.get(text(row["verdict"]), text(row["verdict"]))
    said = f"{CANNOT_REACH} with {plural(row['n_pairs'], 'pair')}" if cannot_reach(row["p_floor"]) else verdict
    told = f" {capital(note)}." if note else ""
    return Prose(text=f"{head}: {said}, p = {p_with_floor(row['p_value'], row['p_floor'])} ({row['test']}).{told}")


def _parts_table(title: str, parts: pd.DataFrame) -> Grid:
    """Parts in the order of their p, both references one below the other; rare parts are only counted."""
    rare = parts[parts["verdict"] == RARE]
    kept = parts[parts["verdict"] != RARE]
    smallest = kept.groupby("part")["p_value"].transform("min")
    order = kept.assign(smallest=smallest, place=kept["coordinate"].map(COORDINATES))
    ordered = order.sort_values(["smallest", "part", "place"], na_position="last")
    rows = [_part_row(row) for _, row in ordered.iterrows()]
    few = (
        f" {plural(rare['part'].nunique(), 'part')} seen in too few samples, tested together as one."
        if len(rare)
        else ""
    )
    return Grid(
        caption=f"Parts of {title}: {kept['part'].nunique()}, in {plural(parts['n_pairs'].max(), 'pair')}",
        columns=PART_COLUMNS,
        rows=rows,
        note=PARTS + f"{few} Test: {', '.join(sorted(set(kept['test'].dropna())))}.",
        collapsed=len(rows) > LONG_TABLE,
    )


def _part_row(row: pd.Series) -> tuple[str, ...]:
    seen = f"seen in {percent(row['prevalence'])} of samples" if present(row["prevalence"]) else ""
    named = two_lines(row["part"], "; ".join(filter(None, [part(row["part"]), seen])))
    if not present(row["p_value"]):
        return (named, text(row["reference"]), two_lines(NOT_ESTIMABLE, reason(row["note"])), *[DASH] * 5)
    stuck = f"{CANNOT_REACH} with {plural(row['n_pairs'], 'pair')}" if cannot_reach(row["p_floor"]) else ""
    note = besides_floor(row["note"])
    return (
        named,
        text(row["reference"]),
        two_lines(stuck or _verdict(row), note),
        two_lines(f"{signed(row['estimate'])} {row['unit']}", _times(row)) if present(row["estimate"]) else DASH,
        interval(row["ci_low"], row["ci_high"], row["ci_level"]) if present(row["ci_low"]) else DASH,
        p_with_floor(row["p_value"], row["p_floor"]),
        number(row["q_value"]) if present(row["q_value"]) else DASH,
        _sampled(row),
    )


def _verdict(row: pd.Series) -> str:
    """A part that moved: which way."""
    if row["verdict"] == MOVED and present(row["estimate"]) and row["estimate"] != 0:
        return "rose" if row["estimate"] > 0 else "fell"
    return "no change shown" if row["verdict"] == NOT_SHOWN else text(row["verdict"])


def _times(row: pd.Series) -> str:
    """A log ratio as how many times as much; a balance of many parts is no such ratio."""
    if row["coordinate"] == "balance":
        return ""
    return f"{number(math.exp(float(row['estimate'])))} times as much"


def _sampled(row: pd.Series) -> str:
    if not present(row["p_sampled"]):
        return DASH
    share = row["share_significant"]
    return two_lines(number(row["p_sampled"]), f"at most 0.05 in {percent(share)} of draws" if present(share) else "")


def _plain_letters(name: str) -> str:
    """Letters, digits and spaces only, as the name becomes an id on the page."""
    return "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in name.lower())
