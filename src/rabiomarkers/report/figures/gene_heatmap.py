"""Each patient's change of each shown gene, responders beside the others."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from rabiomarkers.report.figures.style import (
    FALL_TO_RISE,
    GREY,
    INK,
    Message,
    dressed,
    flags_of,
    label,
    pale,
    responder_group,
)
from rabiomarkers.report.words import natural, plural, signed, text

MOST_GENES = 60
ROW_HEIGHT = 17
GROUPS = ("responder", "non-responder", "response not known")
# blue and vermilion mean rise and fall in this figure
BAND = {"responder": INK, "non-responder": pale(GREY, 0.6), "response not known": "#FFFFFF"}
STRIP = (3, 10)  # pixels above the genes
SHARE_WITHIN = 0.98  # of the changes that lie within the ends of the colours


def gene_heatmap(gene_deltas: pd.DataFrame, outcomes: pd.DataFrame, *, title: str) -> go.Figure | Message:
    """Genes x patients, the colour the change; patients by response, with its strip above; genes by their mean change.

    Parameters
    ----------
    gene_deltas
        Rows of the GENE_DELTAS table of one compartment and assay. Beyond 60 genes those that moved furthest are drawn.
    outcomes
        OUTCOMES, for who responded.
    title
        What the genes are of.
    """
    if gene_deltas.empty:
        return Message(f"No pair of {title}, so no gene's change to show.")
    wide = gene_deltas.pivot(index="gene", columns="patient_id", values="change")
    mean = wide.mean(axis=1)
    chosen = mean.abs().sort_values(ascending=False, kind="stable").index[:MOST_GENES]
    order = mean[chosen].sort_values(kind="stable").index
    flags = flags_of(outcomes, "responder")
    groups = {patient: responder_group(flags.get(patient)) for patient in wide.columns}
    patients = sorted(wide.columns, key=lambda patient: (GROUPS.index(groups[patient]), natural(patient)))
    table = wide.loc[order, patients]
    reach = float(np.nanquantile(np.abs(table.to_numpy()), SHARE_WITHIN)) or 1.0
    why = gene_deltas.drop_duplicates("gene").set_index("gene")["chosen"]
    figure = go.Figure(
        go.Heatmap(
            z=table.to_numpy().round(3),
            x=[[label(groups[patient]) for patient in patients], [label(patient) for patient in patients]],
            y=[label(gene) for gene in order],
            colorscale=FALL_TO_RISE,
            zmin=-reach,
            zmax=reach,
            hovertext=[[_hover(gene, patient, table, groups, why) for patient in patients] for gene in order],
            hoverinfo="text",
            xgap=1,
            ygap=1,
            colorbar={"title": {"text": "log2 change", "side": "right"}, "thickness": 14, "len": 0.8},
        )
    )
    of_all = f"{len(order)} of {len(wide)} genes" if len(order) < len(wide) else plural(len(order), "gene")
    height = 150 + ROW_HEIGHT * len(order)
    detail = f"{of_all}, {plural(len(patients), 'patient')}; rose: blue, fell: vermilion; band: responders dark"
    dressed(figure, title=f"Change of genes of {label(title)}", detail=detail, height=height, legend=False)
    figure.update_xaxes(type="multicategory", tickangle=-60, showgrid=False, dividercolor="#C8CDD3")
    figure.update_yaxes(tickfont_size=10, showgrid=False, dtick=1)
    _strip(figure, [groups[patient] for patient in patients], rows=len(order))
    return figure


def _strip(figure: go.Figure, groups: list[str], *, rows: int) -> None:
    """A band over the patients, dark over responders; its names stand below."""
    low, high = (1 + pixels / (ROW_HEIGHT * rows) for pixels in STRIP)
    for group in dict.fromkeys(groups):
        first, many = groups.index(group), groups.count(group)
        ends = {"x0": first / len(groups), "x1": (first + many) / len(groups), "y0": low, "y1": high}
        figure.add_shape(
            type="rect", xref="paper", yref="paper", **ends, fillcolor=BAND[group], line={"width": 1, "color": INK}
        )


def _hover(gene: str, patient: str, table: pd.DataFrame, groups: dict[str, str], why: "pd.Series[str]") -> str:
    told = text(why.get(gene))
    return "<br>".join(
        [
            f"<b>{label(gene)}</b> in {label(patient)}, {groups[patient]}",
            f"change {signed(table.loc[gene, patient])}",
            f"shown for: {label(told)}",
        ]
    )
