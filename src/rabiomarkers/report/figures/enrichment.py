"""Which signatures' genes moved together, among all genes ranked by their change."""

import pandas as pd
import plotly.graph_objects as go

from rabiomarkers.report.figures.style import BLUE, GREY, VERMILION, Message, dressed, label
from rabiomarkers.report.words import number, p_with_floor, plural, signed
from rabiomarkers.stats.multiplicity import ALPHA

MOST = 30
ROW_HEIGHT = 24


def enrichment_points(enrichment: pd.DataFrame, *, title: str) -> go.Figure | Message:
    """The enrichment score of each signature, of at most 30 with the smallest p over the patients.

    Filled: both p pass; open: not. Blue triangles rose, vermilion ones fell.
    """
    tested = enrichment[enrichment["enrichment_score"].notna() & enrichment["p_patients"].notna()]
    if tested.empty:
        return Message(f"No signature of {title} has genes enough among those that were tested.")
    chosen = tested.sort_values(["p_patients", "p_value", "signature"]).head(MOST)
    rows = chosen.sort_values(["enrichment_score", "signature"], ascending=[False, True])
    both = (rows["q_value"] <= ALPHA) & (rows["p_patients"] <= ALPHA)
    up = rows["enrichment_score"] > 0
    colours = [(BLUE if rises else VERMILION) if passes else GREY for rises, passes in zip(up, both, strict=True)]
    symbols = [
        ("triangle-up" if rises else "triangle-down") + ("" if passes else "-open")
        for rises, passes in zip(up, both, strict=True)
    ]
    figure = go.Figure()
    figure.add_scatter(
        x=rows["enrichment_score"].tolist(),
        y=[label(name) for name in rows["signature"]],
        mode="markers",
        marker={"color": colours, "symbol": symbols, "size": 11, "line": {"width": 1.5, "color": colours}},
        hovertext=[_hover(row) for _, row in rows.iterrows()],
        hoverinfo="text",
        showlegend=False,
    )
    figure.add_vline(x=0, line={"color": GREY, "width": 1})
    of_all = f"{len(rows)} of {len(tested)} signatures" if len(rows) < len(tested) else plural(len(rows), "signature")
    detail = f"{of_all}; filled: both p pass (among genes with q, over patients)"
    dressed(
        figure,
        title=f"Signatures among the genes of {label(title)}",
        detail=detail,
        height=140 + ROW_HEIGHT * len(rows),
        legend=False,
    )
    figure.update_xaxes(title_text="enrichment score", range=[-1.05, 1.05], zeroline=False)
    figure.update_yaxes(type="category", autorange="reversed", tickfont_size=10, dtick=1, showgrid=False)
    return figure


def _hover(row: pd.Series) -> str:
    lines = [
        f"<b>{label(row['signature'])}</b>, {label(row['axis'])}",
        f"enrichment score {signed(row['enrichment_score'])}; {plural(row['n_genes'], 'gene')}",
        f"among genes: p = {number(row['p_value'])}, q = {number(row['q_value'])}",
        f"over patients: p = {p_with_floor(row['p_patients'], row['p_floor'])}, {plural(row['n_pairs'], 'pair')}",
        f"leading edge: {label(row['leading_edge'])}" if isinstance(row["leading_edge"], str) else "",
    ]
    return "<br>".join(line for line in lines if line)
