"""How many samples passed each limit of quality control."""

import pandas as pd
import plotly.graph_objects as go

from rabiomarkers.report.figures.style import INK, SKY, SOFT, VERMILION, Message, dressed, label
from rabiomarkers.report.words import plural


def quality_bars(qc: pd.DataFrame) -> go.Figure | Message:
    """One bar a measure that has a limit: samples that passed and samples that failed."""
    limited = qc[qc["limit"].fillna("") != ""]
    if limited.empty:
        return Message("No quality figure: no measure with a limit was taken.")
    counts = limited.groupby(["assay", "measure", "limit"], sort=True)["passed"].agg(["sum", "count"]).reset_index()
    small = f"<span style='font-size:10px;color:{SOFT}'>"
    names = [
        f"{_words(measure)} {label(limit)} <br>{small}{_words(assay)}</span> "
        for assay, measure, limit in zip(counts["assay"], counts["measure"], counts["limit"], strict=True)
    ]
    passed, failed = counts["sum"].astype(int), (counts["count"] - counts["sum"]).astype(int)
    figure = go.Figure()
    for name, values, look in (
        ("passed", passed, {"color": SKY}),
        ("failed", failed, {"color": VERMILION}),
    ):
        figure.add_bar(
            y=names,
            x=values.tolist(),
            name=name,
            orientation="h",
            marker=look,
            text=[str(value) if value else "" for value in values],
            textposition="inside",
            textangle=0,
            textfont={"color": INK, "size": 12},
            insidetextanchor="middle",
            hovertext=[f"{name}: {plural(value, 'sample')}" for value in values],
            hoverinfo="text",
        )
    broken = limited.loc[~limited["passed"].astype(bool), ["sample_id", "assay"]].drop_duplicates()
    checked = limited[["sample_id", "assay"]].drop_duplicates()
    title = f"{len(checked) - len(broken)} of {len(checked)} samples passed every limit"
    dressed(figure, title=title, height=150 + 40 * len(names))
    figure.update_layout(barmode="stack", bargap=0.35)
    figure.update_xaxes(title_text="samples")
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False)
    return figure


def _words(name: str) -> str:
    return label(name.replace("_", " "))
