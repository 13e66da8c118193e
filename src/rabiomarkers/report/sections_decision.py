"""The parts of the report that weigh: where the trial stands against its design and older rates, and adverse events."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from rabiomarkers.report.blocks import Block, Grid, Prose, Section
from rabiomarkers.report.data import LATER, ReportData
from rabiomarkers.report.words import (
    DASH,
    absent,
    number,
    percent,
    percents,
    plural,
    present,
    reason,
    text,
    two_lines,
    whole,
)

LONG_TABLE = 12  # rows beyond which a table waits closed
GRADES = ("1", "2", "3", "4", "5")
ICI = {
    "naive": "no checkpoint inhibitor before",
    "mixed": "some had a checkpoint inhibitor before",
    "pre_ici_era": "before checkpoint inhibitors",
}
HISTORICAL_COLUMNS = (
    "trial",
    "population",
    "its response rate",
    "probability of lying above it",
    "the same, its rate uncertain",
    "remark",
)


def decision_section(data: ReportData) -> Section:
    """The two-stage design and where the trial stands in it; the response rate against published ones."""
    decision: Mapping[str, Any] = data.summary.get("decision") or {}
    blocks: list[Block] = (
        [*_design(decision), *_posterior(decision.get("posterior") or {})]
        if decision
        else [Prose(text=f"Where the trial stands is not told. {LATER}")]
    )
    return Section(name="decision", title="Where the trial stands", blocks=blocks)


def safety_section(data: ReportData) -> Section:
    """Patients by the worst grade they had, and by term."""
    events: Mapping[str, Any] = data.summary.get("adverse_events") or {}
    blocks: list[Block] = [_grades(events)]
    fatal = events.get("grade_5_terms") or []
    if fatal:
        blocks.append(Prose(text=f"Fatal events (grade 5): {', '.join(map(str, fatal))}."))
    if present(events.get("patients_with_any")):
        blocks.append(
            _terms(data.toxicity, events.get("n"), LATER if data.of_first_version else "No event has a term.")
        )
    return Section(name="safety", title="Adverse events", blocks=blocks)


# ---- the decision ----------------------------------------------------------------------------------------------------


def _design(decision: Mapping[str, Any]) -> list[Block]:
    design: Mapping[str, Any] | None = decision.get("design")
    if not design:
        why = text(decision.get("note"), "no two-stage design is named for this trial")
        return [Prose(text=f"{why[:1].upper()}{why[1:]}.")]
    stages = (
        f"The design stops after {whole(design.get('first_n'))} patients with {plural(design.get('first_stop'), 'responder')} or "
        f"fewer; of all {whole(design.get('n'))}, {whole(design.get('stop'))} or fewer are too few."
    )
    null, target = (
        f"true rate {percent(design.get(rate))} ({word})"
        for rate, word in (("null_rate", "too low"), ("target_rate", "worth more"))
    )
    rows: list[tuple[str, ...]] = [
        ("calls the treatment active", percent(design.get("type_1_error")), percent(design.get("power"))),
        (
            "stops after the first stage",
            percent(design.get("early_stop_null")),
            _share(design.get("early_stop_target")),
        ),
        ("patients on average", number(design.get("expected_n_null")), _number(design.get("expected_n_target"))),
    ]
    chances = [_share(design.get(f"chance_of_rejection_{rate}")) for rate in ("null", "target")]
    if chances != [DASH, DASH]:
        rows.append(("will call it active, from where it stands", *chances))
    note = text(design.get("note"))
    return [
        Prose(text=f"{text(design.get('reading'), 'Where the trial stands in its design is not told.')} {stages}"),
        Grid(
            caption=f"Two-stage design ({text(design.get('kind'), 'as given')})",
            columns=("what it does", null, target),
            rows=rows,
            note=f"{note[:1].upper()}{note[1:]}." if note else "",
        ),
    ]


def _posterior(posterior: Mapping[str, Any]) -> list[Block]:
    if not posterior:
        return []
    note = text(posterior.get("note"))
    if not present(posterior.get("median")):
        return [Prose(text=f"How the response rate compares with published ones is {absent(note)}.")]
    prior = ", ".join(f"{part:g}" for part in posterior.get("prior") or ())
    said = (
        f"Under a beta prior ({prior}) the response rate has the median {percent(posterior['median'])} and lies with "
        f"{percent(posterior.get('level'))} probability within {percents(posterior.get('ci_low'), posterior.get('ci_high'))}."
    )
    rows: Sequence[Mapping[str, Any]] = posterior.get("historical") or []
    if not rows:
        return [Prose(text=f"{said} No published rates stand beside it.")]
    like = [row for row in rows if row.get("comparable")]
    others = [row for row in rows if not row.get("comparable")]
    return [
        Prose(text=" ".join([said, *_range(like), *([f"{note[:1].upper()}{note[1:]}."] if note else [])])),
        _published(like, "Published rates nearest to this trial", collapsed=len(like) > LONG_TABLE),
        _published(others, "Other published rates, for context only", collapsed=True),
    ]


def _range(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Against which published rate the trial looks worst and best."""
    known = sorted(
        (row for row in rows if present(row.get("probability_above"))), key=lambda row: row["probability_above"]
    )
    if not known:
        return []
    least, most = (
        f"{percent(row['probability_above'])} ({text(row.get('trial'))}, {text(row.get('regimen'))}: {percent(row['rate'])})"
        for row in (known[0], known[-1])
    )
    span = f"is {least}" if len(known) == 1 else f"runs from {least} to {most}"
    return [f"Its probability of lying above the {plural(len(known), 'nearest published rate')} {span}."]


def _share(value: Any) -> str:
    return percent(value) if present(value) else DASH


def _number(value: Any) -> str:
    return number(value) if present(value) else DASH


def _published(rows: Sequence[Mapping[str, Any]], caption: str, *, note: str = "", collapsed: bool = False) -> Grid:
    return Grid(
        caption=f"{caption} ({len(rows)})",
        columns=HISTORICAL_COLUMNS,
        rows=[_historical(row) for row in rows],
        note=note or ("" if rows else "None."),
        collapsed=collapsed and bool(rows),
    )


def _historical(row: Mapping[str, Any]) -> tuple[str, ...]:
    before = ICI.get(str(row.get("prior_ici")), text(row.get("prior_ici")))
    counted = f"{whole(row.get('responders'))} of {whole(row.get('n'))}"
    return (
        two_lines(text(row.get("trial")), text(row.get("regimen"))),
        two_lines(text(row.get("population")), "; ".join(part for part in (text(row.get("line")), before) if part)),
        two_lines(percent(row.get("rate")), counted),
        _share(row.get("probability_above")),
        _share(row.get("probability_above_uncertain")),
        text(row.get("note")),
    )


# ---- adverse events --------------------------------------------------------------------------------------------------


def _grades(events: Mapping[str, Any]) -> Grid:
    """Patients by worst grade, of any cause and of events called related."""
    n = events.get("n")
    any_cause, related = (events.get(key) or {} for key in ("by_worst_grade", "by_worst_grade_related"))
    pairs = [
        ("any event", events.get("patients_with_any"), events.get("patients_with_related")),
        *((f"worst grade {grade}", any_cause.get(grade), related.get(grade)) for grade in GRADES),
        (
            "grade 3 or higher",
            events.get("patients_with_grade_3_or_higher"),
            events.get("patients_with_related_grade_3_or_higher"),
        ),
        ("serious", events.get("patients_with_serious"), events.get("patients_with_related_serious")),
        ("events without a grade only", events.get("ungraded"), None),
        ("no event", events.get("none"), None),
    ]
    severity = events.get("by_severity") or {}
    pairs += [(f"worst severity {word}", count, None) for word, count in severity.items()]
    rows = [
        (what, *(f"{whole(count)} of {whole(n)}" if present(count) else DASH for count in counts))
        for what, *counts in pairs
        if any(present(count) for count in counts)
    ]
    why = text(events.get("note"))
    return Grid(
        caption="Patients with adverse events, by their worst grade",
        columns=("patients with", "any cause", "related to treatment"),
        rows=rows,
        note=(f"{why[:1].upper()}{why[1:]}." if why else "")
        if rows
        else f"{absent(reason(why, 'the study has no table of adverse events')).capitalize()}.",
    )


def _terms(toxicity: pd.DataFrame, n: Any, otherwise: str) -> Grid:
    count = whole(n) if present(n) else "all"
    rows = [
        (
            text(row["term"]),
            f"{whole(row['patients'])} of {count}",
            *(whole(row[f"grade_{grade}"]) for grade in GRADES),
            whole(row["ungraded"]),
            whole(row["related"]),
            whole(row["related_grade_3_or_higher"]),
            whole(row["serious"]),
        )
        for _, row in toxicity.iterrows()
    ]
    return Grid(
        caption=f"Adverse events by term ({plural(len(rows), 'term')})" if rows else "Adverse events by term",
        columns=(
            "term",
            "patients",
            *(f"grade {grade}" for grade in GRADES),
            "no grade",
            "related",
            "related, grade 3 or higher",
            "serious",
        ),
        rows=rows,
        note="Patients, not events: each counts once a term, at the worst grade they had of it." if rows else otherwise,
        collapsed=len(rows) > LONG_TABLE,
    )
