"""Who has which sample: patients x (compartment, assay, timepoint)."""

import pandas as pd
import plotly.graph_objects as go

from rabiomarkers.report.figures.style import BLUE, GREY, ORANGE, VERMILION, Message, dressed, label
from rabiomarkers.report.words import natural, plural, text
from rabiomarkers.tables.table import COMPARTMENTS

LONG_LIST = 30  # patients beyond which the foot of the figure is out of sight of its head

# status: colour, symbol, word; a cell with several samples shows the first of these that one of them has
STATUS_LOOKS = {
    "used": (BLUE, "square", "used"),
    "failed_qc": (VERMILION, "triangle-down", "failed quality control"),
    "excluded": (ORANGE, "x", "excluded"),
    "missing": (GREY, "circle-open", "missing"),
}


def ledger_map(ledger: pd.DataFrame) -> go.Figure | Message:
    """One sign for each expected sample: colour and symbol tell its status, the pointer its reason."""
    if ledger.empty:
        return Message("No ledger: the study expects no sample.")
    cells = _cells(ledger)
    figure = go.Figure()
    for status, (colour, symbol, word) in STATUS_LOOKS.items():
        part = cells[cells["status"] == status]
        if part.empty:
            continue
        figure.add_scatter(
            x=[part["group"].tolist(), part["timepoint"].map(label).tolist()],
            y=part["patient_id"].map(label).tolist(),
            mode="markers",
            name=f"{word} ({int((ledger['status'] == status).sum())})",
            marker={
                "color": colour,
                "symbol": symbol,
                "size": 13,
                "line": {"width": 1.5 if status == "missing" else 0},
            },
            hovertext=part["hover"].tolist(),
            hoverinfo="text",
        )
    _dress(figure, ledger, hidden=len(ledger) - len(cells))
    patients = sorted(cells["patient_id"].unique(), key=natural, reverse=True)
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=[label(name) for name in patients])
    figure.update_yaxes(range=[-0.6, len(patients) - 0.4], dtick=1)
    return figure


def _dress(figure: go.Figure, ledger: pd.DataFrame, *, hidden: int) -> None:
    """Titles, and the timepoints above a list too long to see both ends of."""
    patients, used = ledger["patient_id"].nunique(), int((ledger["status"] == "used").sum())
    title = f"{used} of {len(ledger)} samples used, {plural(patients, 'patient')}"
    detail = f"{hidden} of the {len(ledger)} are other libraries of a sample and share its sign" if hidden else ""
    dressed(figure, title=title, detail=detail, height=190 + 26 * patients + (26 if detail else 0))
    figure.update_xaxes(type="multicategory", showgrid=False, dividercolor="#C8CDD3", tickangle=0)
    if patients > LONG_LIST:
        figure.update_xaxes(side="top")
        figure.update_layout(margin_t=figure.layout.margin.t + 50, margin_b=20)


def _cells(ledger: pd.DataFrame) -> pd.DataFrame:
    """One row a patient, compartment, assay and timepoint, in the order of the columns to draw."""
    rank = {status: index for index, status in enumerate(STATUS_LOOKS)}
    timepoints = {name: index for index, name in enumerate(ledger["timepoint"].unique())}
    rows = ledger.assign(
        rank=ledger["status"].map(rank),
        line=[
            f"{text(sample, 'no sample')}: {status}" + (f" ({text(reason)})" if text(reason) else "")
            for sample, status, reason in zip(ledger["sample_id"], ledger["status"], ledger["reason"], strict=True)
        ],
    ).sort_values(["rank", "sample_id"], kind="stable")
    keys = ["patient_id", "compartment", "assay", "timepoint"]
    cells = rows.groupby(keys, sort=True).agg(status=("status", "first"), lines=("line", list)).reset_index()
    cells["group"] = [
        f"{label(compartment)}<br>{label(assay.replace('_', ' '))}"
        for compartment, assay in zip(cells["compartment"], cells["assay"], strict=True)
    ]
    cells["hover"] = [
        "<br>".join([f"<b>{label(patient)}</b> · {label(timepoint)}", *map(label, lines)])
        for patient, timepoint, lines in zip(cells["patient_id"], cells["timepoint"], cells["lines"], strict=True)
    ]
    place = cells["compartment"].map({name: index for index, name in enumerate(COMPARTMENTS)})
    cells = cells.assign(place=place, time=cells["timepoint"].map(timepoints))
    return cells.sort_values(["place", "assay", "time", "patient_id"], ignore_index=True)
