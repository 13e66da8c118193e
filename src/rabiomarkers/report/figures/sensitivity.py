"""Whether a result hangs on one patient, on the test or on the samples that were left out."""

from collections.abc import Iterable, Mapping

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from rabiomarkers.report.figures.style import (
    BLACK,
    BLUE,
    GREY,
    PURPLE,
    SOFT,
    VERMILION,
    Look,
    Message,
    dressed,
    label,
)
from rabiomarkers.report.words import interval, natural, p_with_floor, plural, present, signed, text

PLANNED, WITHOUT, OTHER, FLAGGED = "as planned", "leave one out", "other test", "flagged samples"
LOOKS = {
    PLANNED: Look(colour=BLACK, symbol="diamond"),
    WITHOUT: Look(colour=BLUE, symbol="circle"),
    OTHER: Look(colour=VERMILION, symbol="square"),
    FLAGGED: Look(colour=PURPLE, symbol="triangle-up"),
}
SHORT = {FLAGGED: "with flagged samples"}
FOLDED_ABOVE = 20  # leave-one-outs; beyond, only the lowest and the highest of them
LOWEST, HIGHEST = "lowest without one patient", "highest without one patient"
COLUMNS = 3  # panels side by side
ROW_HEIGHT, GAP = 22, 0.5  # pixels a row; rows between two kinds
HEAD, ABOVE, BELOW = 96, 44, 58  # pixels for title and legend, for a panel's name, for its axis
REACH = 1.5  # widths of the planned interval; what reaches further beyond it is cut off, as one wide interval hides all others
FEATURE = ["compartment", "feature"]


def sensitivity_panels(sensitivity: pd.DataFrame) -> go.Figure | Message:
    """A panel a feature: estimate and interval of every analysis, a row each, in the feature's unit.

    Features are said to be primary unless the table has a column `tier`, as that of `change.sensitivity.sensitivity` has. The
    dotted line is the planned estimate. A sign is open where direction or side of p = 0.05 are not those of the plan. Of more
    than 20 leave-one-outs only the lowest and the highest estimate are drawn.
    """
    estimated = sensitivity.groupby(FEATURE)["estimate"].transform("count") > 0
    panels = [_folded(part) for _, part in sensitivity[estimated].groupby(FEATURE, sort=False)]
    if not panels:
        return Message(f"No figure of other analyses: no {_tier(sensitivity)}feature has an estimate.")
    places = _places(panels)
    lines, columns = -(-len(panels) // COLUMNS), min(COLUMNS, len(panels))
    rows = max(places.values()) + 1
    height = HEAD + lines * (round(ROW_HEIGHT * rows) + ABOVE + BELOW)
    figure = make_subplots(
        rows=lines,
        cols=columns,
        shared_yaxes=True,
        horizontal_spacing=0.03,
        vertical_spacing=(ABOVE + BELOW) / (height - HEAD - ABOVE - BELOW),
        subplot_titles=[_panel_title(panel.iloc[0]) for panel in panels],
    )
    shown: set[str] = set()
    for number, panel in enumerate(panels):
        where = {"row": number // COLUMNS + 1, "col": number % COLUMNS + 1}
        _panel(figure, panel, places, where, shown)
    without = len(sensitivity[FEATURE].drop_duplicates()) - len(panels)
    dressed(figure, title=_title(panels, _tier(sensitivity)), detail=_detail(without), height=height)
    figure.update_layout(margin_t=HEAD + ABOVE, margin_b=BELOW)
    names = {"tickmode": "array", "tickvals": list(places.values()), "ticktext": [label(name) for name in places]}
    figure.update_yaxes(**names, range=[rows - GAP, -0.7], zeroline=False, showgrid=True)
    figure.for_each_annotation(lambda note: note.update(font_size=12))
    return figure


def _tier(sensitivity: pd.DataFrame) -> str:
    """ "primary ", "exploratory "; nothing where the features are of several tiers."""
    tiers = set(sensitivity["tier"]) if "tier" in sensitivity else {"primary"}
    return f"{tiers.pop()} " if len(tiers) == 1 else ""


def _title(panels: list[pd.DataFrame], tier: str) -> str:
    pairs = [int(panel["n_pairs"].iloc[0]) for panel in panels]
    counted = plural(pairs[0], "pair") if len(set(pairs)) == 1 else f"{min(pairs)} to {max(pairs)} pairs"
    return f"Every analysis of {plural(len(panels), f'{tier}feature')} ({counted} as planned)"


def _detail(without: int) -> str:
    told = "dotted: the planned estimate; open sign: another direction or side of p = 0.05 than planned"
    return told + (f"; {plural(without, 'feature')} more without an estimate" if without else "")


def _folded(panel: pd.DataFrame) -> pd.DataFrame:
    """The feature's analyses with the name of the row they stand in (`shown`); of many leave-one-outs the two ends."""
    panel = panel.assign(shown=panel["analysis"].mask(panel["kind"] == FLAGGED, SHORT[FLAGGED]))
    one_out = panel[panel["kind"] == WITHOUT]
    if len(one_out) <= FOLDED_ABOVE:
        return panel
    ordered = one_out.dropna(subset="estimate").sort_values(["estimate", "analysis"])
    ends = [ordered.head(1).assign(shown=LOWEST), ordered.tail(1).assign(shown=HIGHEST)]
    kept = panel[panel["kind"] != WITHOUT]
    return pd.concat([kept.head(1), *ends, kept.iloc[1:]])


def _places(panels: Iterable[pd.DataFrame]) -> dict[str, float]:
    """From the top down the place of each row that any panel has, with a gap between two kinds."""
    told = pd.concat(list(panels)).drop_duplicates("shown")
    named = {kind: told.loc[told["kind"] == kind, "shown"].tolist() for kind in LOOKS}
    named[WITHOUT] = sorted(named[WITHOUT], key=lambda name: (name == HIGHEST, natural(name)))
    places: dict[str, float] = {}
    for kind in LOOKS:
        start = max(places.values()) + 1 + GAP if places else 0.0
        places |= {name: start + number for number, name in enumerate(named[kind])}
    return places


def _panel(
    figure: go.Figure, panel: pd.DataFrame, places: Mapping[str, float], where: Mapping[str, int], shown: set[str]
) -> None:
    drawn = panel[panel["estimate"].notna()]
    for rank, (kind, look) in enumerate(LOOKS.items()):
        rows = drawn[drawn["kind"] == kind]
        if len(rows):
            _points(
                figure, rows, places, look, where, {"name": kind, "legendrank": rank, "showlegend": kind not in shown}
            )
            shown.add(kind)
    figure.add_vline(x=0, line={"color": GREY, "width": 1.5}, **where)
    planned = drawn[drawn["kind"] == PLANNED]
    if len(planned):
        figure.add_vline(x=float(planned["estimate"].iloc[0]), line={"color": SOFT, "width": 1, "dash": "dot"}, **where)
    title = f"change, {label(panel['unit'].iloc[0])}"
    figure.update_xaxes(title_text=title, title_standoff=8, range=_range(drawn), zeroline=False, nticks=6, **where)


def _points(
    figure: go.Figure,
    rows: pd.DataFrame,
    places: Mapping[str, float],
    look: Look,
    where: Mapping[str, int],
    legend: Mapping[str, object],
) -> None:
    other = [present(agrees) and not agrees for agrees in rows["agrees"]]
    figure.add_scatter(
        x=rows["estimate"].tolist(),
        y=[places[name] for name in rows["shown"]],
        mode="markers",
        legendgroup=legend["name"],
        marker={
            "symbol": [look.symbol + ("-open" if flag else "") for flag in other],
            "color": look.colour,
            "size": 9,
            "line": {"width": 1.6, "color": look.colour},
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": (rows["ci_high"] - rows["estimate"]).fillna(0.0).tolist(),
            "arrayminus": (rows["estimate"] - rows["ci_low"]).fillna(0.0).tolist(),
            "thickness": 1.4,
            "width": 3,
            "color": look.colour,
        },
        hovertext=[_hover(row) for _, row in rows.iterrows()],
        hoverinfo="text",
        **legend,
        **where,
    )


def _hover(row: pd.Series) -> str:
    agrees = {True: "agrees with the plan", False: "does not agree with the plan"}
    lines = [
        f"<b>{label(row['feature'])}</b>, {label(row['analysis'])}",
        f"estimate {signed(row['estimate'])} {label(row['unit'])}",
        f"interval {interval(row['ci_low'], row['ci_high'], row['ci_level'])}",
        f"p = {p_with_floor(row['p_value'], row['p_floor'])}; {label(row['test'])}; {plural(row['n_pairs'], 'pair')}",
        agrees[bool(row["agrees"])] if present(row["agrees"]) and row["kind"] != PLANNED else "",
        label(text(row["note"])),
    ]
    return "<br>".join(line for line in lines if line)


def _range(drawn: pd.DataFrame) -> list[float]:
    """All estimates, 0, and the intervals as far as they do not dwarf the planned one."""
    limits = drawn[["ci_low", "ci_high"]].dropna()
    planned = drawn.loc[drawn["kind"] == PLANNED, ["ci_low", "ci_high"]].dropna()
    if len(planned):
        low, high = planned.iloc[0]
        limits = limits.clip(low - REACH * (high - low), high + REACH * (high - low))
    shown = [0.0, *drawn["estimate"], *limits.to_numpy().ravel()]
    room = 0.06 * (max(shown) - min(shown)) or 1.0
    return [min(shown) - room, max(shown) + room]


def _panel_title(row: pd.Series) -> str:
    return f"<b>{label(row['feature'])}</b><br><span style='color:{SOFT}'>{label(row['compartment'])}</span>"
