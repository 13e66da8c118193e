"""The parts of the report about response: how far tumours shrank, the rates, and each patient's course and survival."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from rabiomarkers.report.blocks import Block, Grid, Picture, Prose, Section
from rabiomarkers.report.data import LATER, ReportData
from rabiomarkers.report.endpoint_tables import arm_table, denominator, medians, rate_table, time_table
from rabiomarkers.report.figures.spider import spider
from rabiomarkers.report.figures.style import Message
from rabiomarkers.report.figures.survival import survival_curves
from rabiomarkers.report.figures.swimmer import swimmer
from rabiomarkers.report.figures.waterfall import waterfall
from rabiomarkers.report.labels import RESPONSES, RULE_SETS, described
from rabiomarkers.report.retinoic_acid import CORE
from rabiomarkers.report.words import (
    DASH,
    in_natural_order,
    number,
    percent_change,
    plural,
    present,
    text,
    two_lines,
    yes_no,
)

LONG_TABLE = 12  # rows beyond which a table waits closed
NOT_KNOWN = "not known"
NO_SUM = "no sum"
AGREEING = tuple(RULE_SETS.values())
CURVE = (
    "Kaplan-Meier estimate with pointwise 95 % limits; a tick is a patient whose follow-up ends there without the event. The "
    "dotted lines mark the median. Below: patients still followed without the event just before that week."
)
ENDPOINTS = ("pfs", "os", "response_duration")


def response_section(data: ReportData) -> Section:
    """Waterfall and spider, rates with their denominators, what the rule sets make of it, each patient and visit."""
    return Section(
        name="response",
        title="Response",
        blocks=[
            _waterfall(data),
            rate_table(data.summary),
            _spider(data),
            *_rule_sets(data),
            _patient_table(data.outcomes),
            _visit_table(data.sums),
            _remarks(data),
        ],
    )


def course_section(data: ReportData) -> Section:
    """Each patient's course, and times to progression and death, by arm where there are arms."""
    picture = Picture(
        name="swimmer",
        caption="One bar a patient, coloured by best response, which stands beside the name. A cross in a diamond is progression "
        "by a new lesion; an arrow means that neither progression, death nor an end of treatment is known. Signs above the bar are "
        "adverse events of grade 3 or higher and serious ones, with their grade. Numbers in brackets are patients.",
        content=Message(f"No swimmer plot. {LATER}")
        if data.of_first_version
        else swimmer(data.timeline, data.outcomes),
    )
    blocks: list[Block] = [picture, time_table(data.summary)]
    by_arm = data.summary.get("by_arm") or {}
    if by_arm:
        blocks.append(arm_table(by_arm))
    if data.survival.empty:
        why = f". {LATER}" if data.of_first_version else ": no patient has a known time to progression or death."
        blocks.append(Prose(text=f"No survival curves{why}"))
    known = set(data.survival["endpoint"])
    blocks += [_curves(data, endpoint) for endpoint in ENDPOINTS if endpoint in known]
    return Section(name="course", title="Course and survival", blocks=blocks)


def _curves(data: ReportData, endpoint: str) -> Picture:
    """The curve by arm; a response's duration of all responders together, as arms of responders are few and not comparable."""
    return Picture(
        name=f"survival-{endpoint.replace('_', '-')}",
        caption=CURVE if endpoint == ENDPOINTS[0] else "Drawn as the progression-free survival above.",
        content=survival_curves(
            data.survival,
            endpoint=endpoint,
            patients=denominator(data.outcomes, endpoint),
            medians=medians(data.summary, endpoint),
            arm="all" if endpoint == "response_duration" else None,
        ),
    )


def _waterfall(data: ReportData) -> Picture:
    tumour = data.changes[(data.changes["feature"] == CORE) & (data.changes["compartment"] == "tumour")]
    deltas = data.deltas[(data.deltas["feature"] == CORE) & (data.deltas["compartment"] == "tumour")]
    coloured = len(tumour) > 0 and len(deltas) > 0
    return Picture(
        name="waterfall",
        caption="Best change of the sum of target diameters from baseline; the best overall response is written at each bar. The "
        "dotted lines are where a partial response begins and, counted from the smallest sum, progression."
        + (f" Colour: the change of {described(CORE)}." if coloured else ""),
        content=waterfall(
            data.outcomes,
            deltas=deltas if coloured else None,
            colour=CORE if coloured else "best_response",
        ),
    )


def _spider(data: ReportData) -> Picture:
    return Picture(
        name="spider",
        caption="Change of the sum of target diameters from baseline at each visit. Colour, line and sign tell the best overall "
        "response. A visit without a sum interrupts its line; a cross in a diamond is progression by a new lesion.",
        content=spider(data.sums, data.outcomes),
    )


def _rule_sets(data: ReportData) -> list[Block]:
    """On whom the rule sets disagree; how many responders each finds."""
    told: Mapping[str, Any] | None = data.summary.get("rule_sets")
    if not told:
        return [Prose(text=f"Whether other rule sets would judge otherwise is not known. {LATER}")]
    used = RULE_SETS.get(str(told.get("used")), text(told.get("used"), "not named"))
    responders = told.get("responders") or {}
    counted = ", ".join(f"{words} {responders[name]}" for name, words in RULE_SETS.items() if name in responders)
    found = f" Responders by rule set: {counted}." if counted else ""
    differ = told.get("disagreements") or []
    n = plural(len(data.outcomes), "patient")
    if not differ:
        same = f"{', '.join(AGREEING[:-1])} and {AGREEING[-1]} say the same of all {n}"
        return [Prose(text=f"Judged by {used}. {same}, where iUPD and iCPD are read as PD.{found}")]
    rows = [
        (
            text(row.get("patient_id")),
            *(text(row.get(key), NOT_KNOWN) for key in ("recist_1_1", "admiralonco", "irecist")),
        )
        for row in differ
    ]
    said = f"Judged by {used}. The rule sets disagree on {len(differ)} of {n}: what is said of them depends on the rules.{found}"
    table = Grid(
        caption=f"Patients whom the rule sets judge differently: {len(differ)} of {n}",
        columns=("patient", *AGREEING),
        rows=rows,
        note="The same visits and the same parameters under each; the study's own rule set is the one in every other table.",
        collapsed=len(rows) > LONG_TABLE,
    )
    return [Prose(text=said), table]


def _patient_table(outcomes: pd.DataFrame) -> Grid:
    rows = [
        (
            two_lines(text(row["patient_id"]), text(row["arm"])),
            two_lines(text(row["best_response"]), _explained(row)),
            yes_no(row["confirmed"], DASH),
            yes_no(row["responder"]),
            yes_no(row["evaluable"]),
            percent_change(row["best_change_percent"]) if present(row["best_change_percent"]) else NO_SUM,
            _response(row),
            _time(row["pfs_days"], _event(row["progressed"])) if present(row["pfs_days"]) else NOT_KNOWN,
            _time(row["os_days"], _vital(row["died"])) if present(row["os_days"]) else NOT_KNOWN,
            text(row["note"]),
        )
        for _, row in in_natural_order(outcomes, "patient_id").iterrows()
    ]
    columns = (
        "patient",
        "best response",
        "confirmed",
        "responder",
        "evaluable",
        "best change",
        "response lasted",
        "PFS",
        "survival",
        "reason",
    )
    return Grid(
        caption=f"Outcome patient by patient ({plural(len(rows), 'patient')})",
        columns=columns,
        rows=rows,
        note="" if rows else "The study has no patient.",
        collapsed=True,
    )


def _explained(row: pd.Series) -> str:
    """The response in words, and the one without confirmation where that is another."""
    code, unconfirmed = row["best_response"], text(row["best_response_unconfirmed"])
    told = RESPONSES.get(str(code), "")
    return f"{told}; {unconfirmed} if unconfirmed counted" if unconfirmed and unconfirmed != code else told


def _response(row: pd.Series) -> str:
    """When the response began and how long it lasted."""
    if not present(row["response_day"]):
        return NOT_KNOWN if yes_no(row["responder"]) == "yes" else DASH
    ended = {"yes": "ended", "no": "ongoing"}.get(yes_no(row["response_ended"]), "")
    about = [f"from day {number(row['response_day'])}", *([ended] if ended else [])]
    return _time(row["response_days"], ", ".join(about))


def _time(days: Any, about: str) -> str:
    """So many days, and what they ended with in small print."""
    return two_lines(f"{number(days)} days".replace(" ", "\N{NO-BREAK SPACE}") if present(days) else NOT_KNOWN, about)


def _visit_table(sums: pd.DataFrame) -> Grid:
    rows = [
        (
            text(row["patient_id"]),
            number(row["day"]),
            number(row["sum_mm"]) if present(row["sum_mm"]) else NO_SUM,
            percent_change(row["change_percent"]) if present(row["change_percent"]) else DASH,
            text(row["response"], "baseline"),
            text(row["irecist_response"], DASH),
            text(row["target_response"], DASH),
            text(row["non_target_response"], DASH),
            yes_no(row["new_lesion"], DASH) if present(row["response"]) else DASH,
            text(row["note"]),
        )
        for _, row in in_natural_order(sums, "patient_id", "day").iterrows()
    ]
    return Grid(
        caption="Sum of target diameters" + (f" at each of {plural(len(rows), 'visit')}" if rows else ""),
        columns=(
            "patient",
            "day",
            "sum (mm)",
            "change from baseline",
            "RECIST 1.1",
            "iRECIST",
            "targets",
            "other lesions",
            "new lesion",
            "remark",
        ),
        rows=rows,
        note=f"{NO_SUM}: a target lesion was not evaluated, or there is none."
        if rows
        else "The study has no table of lesions or visits.",
        collapsed=bool(rows),
    )


def _remarks(data: ReportData) -> Grid:
    rows = [
        (
            text(row["patient_id"], "all"),
            number(row["day"]) if present(row["day"]) else DASH,
            text(row["source"]),
            text(row["found"]),
            text(row["consequence"]),
        )
        for _, row in data.remarks.iterrows()
    ]
    return Grid(
        caption=f"Remarks on the clinical tables ({len(rows)})" if rows else "Remarks on the clinical tables",
        columns=("patient", "day", "table", "found", "what was done"),
        rows=rows,
        note="No mistakes, and yet not to pass in silence." if rows else LATER if data.of_first_version else "None.",
        collapsed=bool(rows),
    )


def _event(progressed: Any) -> str:
    return {"yes": "progressed or died", "no": "censored"}.get(yes_no(progressed), "event not known")


def _vital(died: Any) -> str:
    return {"yes": "died", "no": "alive"}.get(yes_no(died), "event not known")
