"""Listed microbes by what they are listed for: how much of the stools they are, and how well that is known of them."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from rabiomarkers.report.figures.style import BLUE, GREEN, GREY, ORANGE, SOFT, Message, dressed, label
from rabiomarkers.report.words import percent, plural, text

ROLES = {
    "ra_producer": "make retinoic acid",
    "vitamin_a_metaboliser": "turn over vitamin A",
    "ra_suppressor": "suppress retinoic acid in the host",
    "host_ra_inducer": "make the host produce retinoic acid",
    "butyrate_producer": "make butyrate",
    "pathobiont": "pathobionts",
    "ici_response_context": "effect on immunotherapy depends on the amount",
    "ici_response_favourable": "go with response to immunotherapy",
    "ici_response_unfavourable": "go with failure of immunotherapy",
}
"""In the order in which they are shown; a role of the user's own list comes after them, in its own words."""

MOST_OF_A_ROLE = 10
ROW_HEIGHT = 24
EVIDENCE = {  # colour, sign and words of what is known
    "human": (BLUE, "circle", "seen in patients"),
    "organism": (GREEN, "square", "of the organism or its enzyme"),
    "mouse": (ORANGE, "diamond", "known from mice only"),
}
SIDES = ("before", "after")


def listed_microbes(microbes: pd.DataFrame, *, contrast: Sequence[str]) -> pd.DataFrame:
    """One row a role and taxon: mean share and how many stools hold it, before and after.

    Parameters
    ----------
    microbes
        The MICROBES table with whose it is.
    contrast
        Timepoint before, timepoint after.

    Returns
    -------
    `role, taxon, evidence` (`mouse` only where nothing else is known of it), `conflict`, `named` (whether any stool's table can
    report it), `sources`, and of each side `share_`, `seen_` (share of stools) and `stools_` (how many can report it). In the order
    of ROLES, the most abundant first.
    """
    groups = microbes.groupby(["role", "taxon"], sort=True)
    told = groups.agg(conflict=("conflict", "any"), named=("named", "any"))
    kinds = groups["evidence"].unique()
    told["evidence"] = [next((kind for kind in EVIDENCE if kind in known), str(known[0])) for known in kinds]
    told["sources"] = [", ".join(sorted(map(str, set(names)))) for names in groups["source"].unique()]
    once = microbes[microbes["named"].astype(bool)].drop_duplicates(["sample_id", "role", "taxon"])
    for side, time in zip(SIDES, contrast, strict=True):
        shares = once[once["timepoint"] == time].groupby(["role", "taxon"])["share"]
        told[f"share_{side}"] = shares.mean().reindex(told.index)
        told[f"seen_{side}"] = shares.agg(lambda own: float((own > 0).mean())).reindex(told.index)
        told[f"stools_{side}"] = shares.size().reindex(told.index).fillna(0).astype(int)
    told = told.reset_index()
    known = list(ROLES)
    told["order"] = [known.index(role) if role in known else len(known) for role in told["role"]]
    told["most"] = -told[["share_before", "share_after"]].max(axis="columns").fillna(-1.0)
    ordered = told.sort_values(["order", "role", "most", "taxon"], kind="stable", ignore_index=True)
    return ordered.drop(columns=["order", "most"])


def microbe_dots(microbes: pd.DataFrame, *, contrast: Sequence[str]) -> go.Figure | Message:
    """A row a taxon under its role, at most 10 a role: mean share before (open) and after (filled), the larger the commoner."""
    listed = listed_microbes(microbes, contrast=contrast) if len(microbes) else pd.DataFrame()
    shown = _shown(listed) if len(listed) else listed
    if shown.empty or not (shown["share_before"].notna() | shown["share_after"].notna()).any():
        return Message("No figure of the listed microbes: no stool's table names any of them.")
    places = _places(shown)
    shown = shown.assign(place=[places[key] for key in zip(shown["role"], shown["taxon"], strict=True)])
    seen = shown[["share_before", "share_after"]].to_numpy().ravel()
    positive = seen[seen > 0]
    floor = float(positive.min()) / 4 if len(positive) else 1e-6
    figure = go.Figure()
    _joins(figure, shown, floor)
    for kind in [*EVIDENCE, *sorted(set(shown["evidence"]) - set(EVIDENCE))]:
        own = shown[shown["evidence"] == kind]
        if len(own):
            _dots(figure, own, kind, contrast, floor)
    _headed(figure, shown, places)
    counted = f"{shown['taxon'].nunique()} of {listed['taxon'].nunique()} listed taxa"
    detail = f"{counted}, at most {MOST_OF_A_ROLE} a role; {plural(microbes['sample_id'].nunique(), 'stool')}"
    rows = int(shown["place"].max()) + 1
    dressed(figure, title="Listed microbes: mean share of the stools", detail=detail, height=176 + ROW_HEIGHT * rows)
    figure.update_layout(margin={"t": 112, "b": 56})
    top = float(max(positive.max() * 2 if len(positive) else 1e-5, floor * 20))
    ticks = [10.0**power for power in range(-9, 1) if floor * 8 < 10.0**power <= top]  # with room for the word "absent"
    figure.update_xaxes(
        type="log",
        title_text="mean share of the stools (logarithmic)",
        tickangle=0,
        tickfont={"size": 11},
        tickmode="array",
        tickvals=[floor, *ticks],
        ticktext=["absent", *[percent(tick) if tick >= 1e-3 else f"{tick * 100:g} %" for tick in ticks]],
        zeroline=False,
    )
    return figure


def _shown(listed: pd.DataFrame) -> pd.DataFrame:
    """At most 10 a role; what needs a word beside it (disputed, known from mice only) before the most abundant."""
    known = listed[listed["named"]]
    first = known.assign(told=known["conflict"] | (known["evidence"] == "mouse")).sort_values(
        "told", ascending=False, kind="stable"
    )
    return first.groupby("role", sort=False).head(MOST_OF_A_ROLE).sort_index()


def _places(shown: pd.DataFrame) -> dict[tuple[str, str], int]:
    """The row of each taxon; above the taxa of a role a row is left for its words."""
    places: dict[tuple[str, str], int] = {}
    row = 0
    for role, own in shown.groupby("role", sort=False):
        row += 1
        for taxon in own["taxon"]:
            places[str(role), str(taxon)] = row
            row += 1
    return places


def _headed(figure: go.Figure, shown: pd.DataFrame, places: dict[tuple[str, str], int]) -> None:
    """Names of taxa with what must be known beside them; the words of each role above its own."""
    values, names = [], []
    for role, own in shown.groupby("role", sort=False):
        first = places[str(role), str(own["taxon"].iloc[0])] - 1
        values.append(first)
        names.append(f"<b>{label(role_words(role))}</b>")
        figure.add_hline(y=first, line={"color": "#D5D8DC", "width": 0.8}, layer="below")
        for _, row in own.iterrows():
            values.append(places[str(role), str(row["taxon"])])
            names.append(f"{label(row['taxon'])}{_small(row)}")
    figure.update_yaxes(
        tickmode="array",
        tickvals=values,
        ticktext=names,
        range=[max(values) + 0.8, -0.8],
        showgrid=False,
        zeroline=False,
        tickfont={"size": 11},
    )


def role_words(role: object) -> str:
    """A role in words."""
    return ROLES.get(str(role), str(role).replace("_", " "))


def _small(row: pd.Series) -> str:
    told = ["mice only"] if row["evidence"] == "mouse" else []
    told += ["sources disagree"] if row["conflict"] else []
    return f" <span style='font-size:10px;color:{SOFT}'>({', '.join(told)})</span>" if told else ""


def _joins(figure: go.Figure, shown: pd.DataFrame, floor: float) -> None:
    x: list[float | None] = []
    y: list[float | None] = []
    for _, row in shown[shown["share_before"].notna() & shown["share_after"].notna()].iterrows():
        x += [max(float(row["share_before"]), floor), max(float(row["share_after"]), floor), None]
        y += [row["place"], row["place"], None]
    line = {"color": GREY, "width": 1}
    figure.add_scatter(x=x, y=y, mode="lines", line=line, hoverinfo="skip", showlegend=False)


def _dots(figure: go.Figure, rows: pd.DataFrame, kind: str, contrast: Sequence[str], floor: float) -> None:
    colour, symbol, words = EVIDENCE.get(kind, (GREY, "pentagon", kind))
    for side, time in zip(SIDES, contrast, strict=True):
        own = rows[rows[f"share_{side}"].notna()]
        if own.empty:
            continue
        figure.add_scatter(
            x=own[f"share_{side}"].clip(lower=floor).tolist(),
            y=own["place"].tolist(),
            mode="markers",
            name=label(words),
            legendgroup=kind,
            showlegend=side == "after" or bool(rows["share_after"].isna().all()),
            marker={
                "symbol": f"{symbol}-open" if side == "before" else symbol,
                "color": colour,
                "size": [6 + 8 * float(seen) for seen in own[f"seen_{side}"]],
                "line": {"width": 1.5, "color": colour},
            },
            hovertext=[_hover(row, side, time, words) for _, row in own.iterrows()],
            hoverinfo="text",
        )


def _hover(row: pd.Series, side: str, time: str, words: str) -> str:
    stools = plural(row[f"stools_{side}"], "stool")
    lines = [
        f"<b>{label(row['taxon'])}</b>, {label(time)}",
        f"mean share {percent(row[f'share_{side}'])}, in {percent(row[f'seen_{side}'])} of {stools}",
        label(words),
        "sources disagree" if row["conflict"] else "",
        label(text(row["sources"])),
    ]
    return "<br>".join(line for line in lines if line)
