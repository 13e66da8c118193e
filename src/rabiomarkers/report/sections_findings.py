"""The parts of the report that answer: response, change and stool."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from rabiomarkers.report.blocks import Grid, Picture, Prose, Section
from rabiomarkers.report.data import ReportData
from rabiomarkers.report.figures.forest import forest
from rabiomarkers.report.figures.ordination import ordination_map
from rabiomarkers.report.figures.paired import paired_lines
from rabiomarkers.report.figures.waterfall import waterfall
from rabiomarkers.report.summary import RA_FEATURE
from rabiomarkers.report.words import (
    CANNOT_REACH,
    absent,
    call_of_change,
    interval,
    number,
    p_with_floor,
    percent,
    percents,
    plural,
    present,
    signed,
    text,
    whole,
    yes_no,
)

EXPLORATORY_SHOWN = 30

RATES = {
    "orr": "objective response (CR or PR)",
    "orr_evaluable": "objective response, evaluable only",
    "dcr": "disease control (CR, PR or SD)",
    "dcr_evaluable": "disease control, evaluable only",
}

CHANGE_COLUMNS = (
    "feature",
    "what may be said",
    "compartment, tier",
    "pairs",
    "estimate",
    "interval (level)",
    "p (floor)",
    "q",
    "effect size",
)


def response_section(data: ReportData) -> Section:
    """Waterfall, rates with their denominators, and each patient's outcome."""
    tumour = data.changes[(data.changes["feature"] == RA_FEATURE) & (data.changes["compartment"] == "tumour")]
    deltas = data.deltas[(data.deltas["feature"] == RA_FEATURE) & (data.deltas["compartment"] == "tumour")]
    coloured = len(tumour) > 0 and len(deltas) > 0
    picture = Picture(
        name="waterfall",
        caption="Best change of the sum of target diameters from baseline; the best overall response is written at each bar. The "
        "dotted lines are where a partial response begins and, counted from the smallest sum, progression.",
        content=waterfall(
            data.outcomes,
            deltas=deltas if coloured else None,
            colour=RA_FEATURE if coloured else "best_response",
        ),
    )
    return Section(
        name="response",
        title="Response",
        blocks=[
            picture,
            _endpoint_table(data.summary),
            _patient_table(data.outcomes),
            _visit_table(data.sums),
            _adverse_events(data.summary),
        ],
    )


def change_section(data: ReportData) -> Section:
    """Every named feature's change, and the exploratory ones that came closest."""
    named = data.changes[data.changes["tier"] != "exploratory"]
    families = data.summary.get("families") or {}
    counted = "; ".join(f"{name}: {plural(count, 'test')}" for name, count in families.items() if count)
    picture = Picture(
        name="forest",
        caption="Each row is divided by the standard deviation of its own changes, so that features of different units share an "
        "axis; the numbers are in the feature's unit. The floor is the smallest p that this number of pairs can give.",
        content=forest(data.changes, data.deltas),
    )
    table = Grid(
        caption=f"Change of the {plural(len(named), 'feature')} the plan names",
        columns=CHANGE_COLUMNS,
        rows=[_change_row(row) for _, row in _ordered(named).iterrows()],
        note=f"q: Benjamini-Hochberg within a family ({counted})." if counted else "No feature could be tested.",
    )
    return Section(
        name="change",
        title="What changed under treatment",
        blocks=[picture, table, _exploratory_table(data.changes)],
    )


def pairs_section(data: ReportData) -> Section:
    """The primary features, patient by patient."""
    primary = _ordered(data.changes[data.changes["tier"] == "primary"])
    picture = Picture(
        name="pairs",
        caption="Only patients with both samples are drawn. Colour, line and sign tell responders from the others; the test "
        "beneath each title is over all pairs and does not compare the two groups.",
        content=paired_lines(data.deltas, primary, data.outcomes, contrast=contrast_of(data)),
    )
    return Section(name="pairs", title="Primary features, patient by patient", blocks=[picture])


def stool_section(data: ReportData) -> Section:
    """Whether a patient's stool stays like itself, and which way it moved."""
    stool: Mapping[str, Any] = data.summary.get("stool") or {}
    if not stool and data.ordination.empty:
        said = Prose(text="Not estimable: no stool sample was used in this study.")
        return Section(name="stool", title="Stool", blocks=[said])
    why = text(stool.get("note"))
    rows = [
        ("same patient, before and after", whole(stool.get("n_within")), number(stool.get("within_median"), why)),
        ("different patients", whole(stool.get("n_between")), number(stool.get("between_median"), why)),
    ]
    tested = (
        f"Test ({text(stool.get('test'), 'not named')}): p = {p_with_floor(stool.get('p_value'), stool.get('p_floor'))}. {why}"
        if present(stool.get("p_value"))
        else f"Test: {absent(why)}."
    )
    table = Grid(
        caption=f"Distance between stool samples ({text(stool.get('metric'), 'metric not stated')})",
        columns=("samples compared", "distances", "median distance"),
        rows=rows,
        note=tested.strip(),
    )
    picture = Picture(
        name="ordination",
        caption="Open signs are before treatment, filled ones after; an arrow joins the two samples of one patient. "
        "Near means alike.",
        content=ordination_map(data.ordination, data.outcomes, stool=stool, contrast=contrast_of(data)),
    )
    return Section(name="stool", title="Stool", blocks=[table, picture])


def contrast_of(data: ReportData) -> list[str]:
    """The names of the two timepoints that are compared."""
    return [str(name) for name in data.summary.get("contrast") or ("before", "after")]


def _endpoint_table(summary: Mapping[str, Any]) -> Grid:
    rows: list[tuple[str, ...]] = []
    for key, title in RATES.items():
        rate = summary.get(key)
        if rate is None and key.endswith("_evaluable"):
            continue
        rate = rate or {}
        counted = f"{whole(rate.get('responders'))} of {whole(rate.get('n'))}" if present(rate.get("n")) else absent()
        span = percents(rate.get("ci_low"), rate.get("ci_high"), rate.get("note"))
        about = "; ".join(part for part in (text(rate.get("denominator")), text(rate.get("method"))) if part)
        rows.append((title, counted, percent(rate.get("rate"), rate.get("note")), span, about or absent()))
    rows.append(_pfs_row(summary.get("pfs") or {}))
    return Grid(
        caption="Endpoints",
        columns=("endpoint", "counted", "estimate", "95 % interval", "denominator and method"),
        rows=rows,
    )


def _pfs_row(pfs: Mapping[str, Any]) -> tuple[str, ...]:
    counted = (
        f"{plural(pfs.get('events'), 'event')} in {plural(pfs.get('n'), 'patient')}"
        if present(pfs.get("n"))
        else absent()
    )
    median = f"{number(pfs['median_days'])} days" if present(pfs.get("median_days")) else absent(pfs.get("note"))
    low, high = (
        f"{number(pfs[name])} days" if present(pfs.get(name)) else "not reached" for name in ("ci_low", "ci_high")
    )
    span = f"{low} to {high}" if present(pfs.get("ci_low")) or present(pfs.get("ci_high")) else absent(pfs.get("note"))
    about = "; ".join(part for part in (text(pfs.get("denominator")), text(pfs.get("method"))) if part)
    return ("progression-free survival, median", counted, median, span, about or "Kaplan-Meier")


def _patient_table(outcomes: pd.DataFrame) -> Grid:
    rows = [
        (
            text(row["patient_id"]),
            text(row["best_response"]),
            yes_no(row["confirmed"], "not applicable"),
            yes_no(row["responder"]),
            yes_no(row["evaluable"]),
            f"{signed(row['best_change_percent'])} %" if present(row["best_change_percent"]) else "no measurement",
            f"{number(row['pfs_days'])}, {_event(row['progressed'])}" if present(row["pfs_days"]) else "not known",
            text(row["note"]),
        )
        for _, row in outcomes.sort_values("patient_id").iterrows()
    ]
    columns = ("patient", "best response", "confirmed", "responder", "evaluable", "best change", "PFS (days)", "reason")
    return Grid(
        caption=f"Outcome patient by patient ({plural(len(rows), 'patient')})",
        columns=columns,
        rows=rows,
        collapsed=True,
    )


def _visit_table(sums: pd.DataFrame) -> Grid:
    rows = [
        (
            text(row["patient_id"]),
            whole(row["day"]),
            number(row["sum_mm"], "a target lesion was not evaluated, or there is none"),
            f"{signed(row['change_percent'])} %" if present(row["change_percent"]) else absent(),
            text(row["response"], "baseline"),
        )
        for _, row in sums.sort_values(["patient_id", "day"], kind="stable").iterrows()
    ]
    return Grid(
        caption=f"Sum of target diameters at each of {plural(len(rows), 'visit')}",
        columns=("patient", "day", "sum (mm)", "change from baseline", "response of the visit"),
        rows=rows,
        note="" if rows else "The study has no table of lesions or visits.",
        collapsed=bool(rows),
    )


def _event(progressed: Any) -> str:
    return {"yes": "progressed", "no": "censored"}.get(yes_no(progressed), "event not known")


def _adverse_events(summary: Mapping[str, Any]) -> Grid:
    events = summary.get("adverse_events") or {}
    n = events.get("n")
    grades = events.get("by_worst_grade") or {}
    counts = {name: value for name, value in events.items() if name not in ("n", "note", "by_worst_grade")}
    rows = [
        (name.replace("_", " "), f"{whole(counts[name])} of {whole(n)}")
        for name in sorted(counts)
        if present(counts[name])
    ]
    rows += [(f"worst grade {grade}", f"{whole(grades[grade])} of {whole(n)}") for grade in sorted(grades)]
    return Grid(
        caption="Adverse events",
        columns=("what", "patients"),
        rows=rows,
        note=""
        if rows
        else f"{absent(text(events.get('note'), 'the study has no table of adverse events')).capitalize()}.",
        collapsed=bool(rows),
    )


def _ordered(changes: pd.DataFrame) -> pd.DataFrame:
    """Primary before secondary, then by p, the rows without a p last."""
    order = changes["tier"].map({"primary": 0, "secondary": 1, "exploratory": 2})
    rows = changes.assign(order=order)
    return rows.sort_values(["order", "p_value", "compartment", "feature"], na_position="last", ignore_index=True)


def _change_row(row: pd.Series) -> tuple[str, ...]:
    return (
        text(row["feature"]),
        _said(row),
        f"{row['compartment']}, {row['tier']}",
        whole(row["n_pairs"]),
        f"{signed(row['estimate'])} {row['unit']}" if present(row["estimate"]) else absent(),
        interval(row["ci_low"], row["ci_high"], row["ci_level"]),
        p_with_floor(row["p_value"], row["p_floor"]),
        number(row["q_value"]),
        number(row["effect_size"]),
    )


def _said(row: pd.Series) -> str:
    """What may be said of the change, with the row's note unless it says the same."""
    said, why = call_of_change(row), text(row["note"])
    if said.startswith(CANNOT_REACH) and CANNOT_REACH in why:
        return why
    return f"{said} ({why})" if why and why not in said else said


def _exploratory_table(changes: pd.DataFrame) -> Grid:
    exploratory = _ordered(changes[changes["tier"] == "exploratory"])
    shown = exploratory.head(EXPLORATORY_SHOWN)
    return Grid(
        caption=f"Exploratory features: the {len(shown)} with the smallest p of {len(exploratory)}",
        columns=CHANGE_COLUMNS,
        rows=[_change_row(row) for _, row in shown.iterrows()],
        note="Chosen by p after the fact: material for a next question, not an answer. All features are in changes.csv."
        if len(shown)
        else "No exploratory feature was measured; all features are in changes.csv.",
        collapsed=len(shown) > 0,
    )
