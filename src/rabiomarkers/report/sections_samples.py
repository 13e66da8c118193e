"""The parts of the report about patients and samples: the trial in numbers, the ledger, quality, how it was made."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from rabiomarkers.report.blocks import Card, Cards, Grid, Picture, Prose, Section
from rabiomarkers.report.data import ReportData
from rabiomarkers.report.figures.ledger import STATUS_LOOKS, ledger_map
from rabiomarkers.report.figures.quality import quality_bars
from rabiomarkers.report.words import (
    NOT_ESTIMABLE,
    in_natural_order,
    number,
    percent,
    percents,
    plural,
    present,
    reason,
    text,
    whole,
)
from rabiomarkers.tables.outcomes import known_responses
from rabiomarkers.tables.table import COMPARTMENTS, TIERS

LONG_TABLE = 12  # rows beyond which a table waits closed


def trial_section(data: ReportData) -> Section:
    """Patients, samples, pairs and the two rates, each with what it is out of."""
    summary = data.summary
    samples = summary["samples"]
    expected = sum(samples.values())
    lost = ", ".join(
        f"{count} {STATUS_LOOKS[status][2]}" for status, count in samples.items() if status != "used" and count
    )
    cards = [
        Card(label="Patients", value=str(len(data.outcomes)), detail=_who(data.outcomes)),
        Card(label="Samples used", value=f"{samples['used']} of {expected}", detail=lost or "none lost"),
        *_pair_cards(summary.get("pairs") or {}, len(data.outcomes)),
        _rate_card("Objective response", summary.get("orr") or {}),
        _rate_card("Disease control", summary.get("dcr") or {}),
        _pfs_card(summary.get("pfs") or {}),
    ]
    return Section(name="trial", title="The trial in numbers", blocks=[Cards(cards=cards)])


def _who(outcomes: pd.DataFrame) -> str:
    """How many responded, and how many nobody could judge."""
    known = known_responses(outcomes)
    unknown = int(known.isna().sum())
    told = [plural(int(known.fillna(False).sum()), "responder")] if known.notna().any() else []
    return ", ".join([*told, *([f"{unknown} not evaluable"] if unknown else [])]) or "none"


def ledger_section(data: ReportData) -> Section:
    """Who has which sample, and why the others are not there."""
    ledger = data.ledger
    lost = in_natural_order(ledger[ledger["status"] != "used"], "patient_id", "compartment", "assay", "timepoint")
    rows = [
        (
            text(row["patient_id"]),
            text(row["timepoint"]),
            text(row["compartment"]),
            text(row["assay"]).replace("_", " "),
            text(row["sample_id"], "none in the sheet"),
            STATUS_LOOKS[row["status"]][2],
            text(row["reason"], "no reason given"),
        )
        for _, row in lost.iterrows()
    ]
    picture = Picture(
        name="ledger",
        caption="Every sample the study expects. A pair needs both timepoints of one patient; whoever lacks one leaves that "
        "comparison and no other.",
        content=ledger_map(ledger),
    )
    table = Grid(
        caption=f"{plural(len(rows), 'sample')} not used, of {len(ledger)}" if rows else "Samples not used",
        columns=("patient", "timepoint", "compartment", "assay", "sample", "status", "reason"),
        rows=rows,
        note="" if rows else f"None: all {len(ledger)} expected samples were used.",
        collapsed=len(rows) > LONG_TABLE,
    )
    return Section(name="ledger", title="Who has which sample", blocks=[picture, table])


def quality_section(data: ReportData) -> Section:
    """Limits, and the samples that did not keep them."""
    qc = data.qc.sort_values(["sample_id", "assay", "measure"])
    failed = qc[~qc["passed"].fillna(True).astype(bool)]
    rows = [
        (
            text(row["sample_id"]),
            text(row["assay"]).replace("_", " "),
            text(row["measure"]).replace("_", " "),
            f"{number(row['value'])} {text(row['unit'])}".strip(),
            text(row["limit"], "none"),
        )
        for _, row in failed.iterrows()
    ]
    table = Grid(
        caption=f"Limits not kept: {plural(failed['sample_id'].nunique(), 'sample')} of {qc['sample_id'].nunique()} measured"
        if rows
        else "Limits not kept",
        columns=("sample", "assay", "measure", "value", "limit"),
        rows=rows,
        note="" if rows else f"None: {plural(qc['sample_id'].nunique(), 'sample')} measured, every limit kept.",
    )
    caption = "A sample that does not keep a limit is left out of every comparison and stays visible in the ledger."
    picture = Picture(name="quality", caption=caption, content=quality_bars(data.qc))
    return Section(name="quality", title="Quality of the samples", blocks=[picture, table])


def provenance_section(data: ReportData) -> Section:
    """Versions, settings and digests, as the run wrote them down."""
    facts = list(_flat(data.provenance))
    tiers = data.changes["tier"].value_counts()
    counted = ", ".join(f"{plural(tiers.get(tier, 0), f'{tier} feature')}" for tier in TIERS)
    dependent = sorted(data.features.loc[data.features["cohort_dependent"].astype(bool), "feature"].unique())
    scores = (
        f"These scores depend on the other samples of the cohort and are not used for prediction: {', '.join(dependent)}."
        if dependent
        else "No score depends on the other samples: a patient's values stay the same when others are added."
    )
    table = Grid(
        caption="How these results were made",
        columns=("what", "value"),
        rows=facts,
        note="" if facts else "The results folder holds no provenance.json.",
        collapsed=bool(facts),
    )
    return Section(
        name="provenance",
        title="Versions and settings",
        blocks=[Prose(text=f"Tested: {counted}. {scores}"), table],
    )


def _pair_cards(pairs: Mapping[str, int], patients: int) -> list[Card]:
    if not pairs:
        return [Card(label="Complete pairs", value="0", detail="no feature was measured")]
    return [
        Card(label=f"Complete pairs, {name}", value=f"{count} of {patients}", detail="patients with both samples")
        for name in COMPARTMENTS
        if (count := pairs.get(name)) is not None
    ]


def _rate_card(label: str, rate: Mapping[str, Any]) -> Card:
    if not present(rate.get("rate")):
        return Card(label=label, value=NOT_ESTIMABLE, detail=reason(rate.get("note"), "no patient can be judged"))
    spread = f"exact interval {percents(rate.get('ci_low'), rate.get('ci_high'))}"
    return Card(
        label=label,
        value=percent(rate["rate"]),
        detail=f"{whole(rate.get('responders'))} of {whole(rate.get('n'))}; {spread}",
    )


def _pfs_card(pfs: Mapping[str, Any]) -> Card:
    events = (
        f"{plural(pfs.get('events'), 'event')} in {plural(pfs.get('n'), 'patient')}" if present(pfs.get("n")) else ""
    )
    if not present(pfs.get("median_days")):
        why = reason(pfs.get("note"), "no follow-up")
        return Card(label="Median PFS", value=NOT_ESTIMABLE, detail=f"{why}; {events}" if pfs.get("n") else why)
    return Card(label="Median PFS", value=f"{number(pfs['median_days'])} days", detail=events)


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """A nested document as rows: the way to a value, and the value."""
    if isinstance(value, Mapping) and value:
        for key in sorted(value):
            yield from _flat(value[key], f"{path} › {key}" if path else str(key))
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping | list | tuple) for item in value):
        for index, item in enumerate(value, start=1):
            yield from _flat(item, f"{path} › {index}")
    elif isinstance(value, list | tuple):
        yield path, ", ".join(map(str, value)) or "none"
    else:
        yield path, "none" if value is None or value == {} else str(value)
