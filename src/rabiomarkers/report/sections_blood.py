"""Blood: gated cells and their borders, T-cell receptors, proteins, a picture of the single cells."""

from collections.abc import Iterator

import pandas as pd

from rabiomarkers.report.blocks import Block, Grid, Picture, Prose, Section
from rabiomarkers.report.data import ReportData
from rabiomarkers.report.figures.clones import clone_panels
from rabiomarkers.report.figures.embedding import cell_map, type_words
from rabiomarkers.report.figures.gates import gate_panels
from rabiomarkers.report.figures.paired import paired_lines
from rabiomarkers.report.figures.style import flags_of, responder_group
from rabiomarkers.report.labels import part, plain
from rabiomarkers.report.sections_change import contrast_of
from rabiomarkers.report.words import (
    DASH,
    number,
    p_with_floor,
    percent,
    plural,
    present,
    signed,
    text,
    two_lines,
    whole,
)

DRIVEN = "marker-driven"
ASSAYS = {"flow": "flow cytometry", "cytof": "mass cytometry"}
SHOWN_PAIRS = 6
SHOWN_POPULATIONS = 60
CYTOMETRY = (
    "Populations of the gating tree. Where the borders were found on the samples of a batch, a further sample of that "
    "batch moves them a little, and no model may use what depends on them; with frozen borders (gates.csv of this run), "
    "controls or a gating strategy each sample stands for itself. A population that needs a marker the panel lacks is left "
    "out, and so are all below it."
)
BORDERS = (
    "Look at every border: it should lie where the lines are lowest, and mean the same in every sample. A border that does not "
    "convince can be corrected in a copy of gates.csv and given as cytometry.gates."
)
WARNING = (
    "A marker that moves on all cells carries cells over a fixed border without any having come or gone. A population is "
    "listed where the marker moved on cells that cannot be of it, or its own cells moved far along it, in the direction in "
    "which its share changed."
)
CLONES = (
    "A clone is called where its share at least doubled or halved and an exact test, given how often it was seen in both "
    "samples together, says more than chance would (q at most 0.05 within the patient). How many counts make one observation is "
    "measured on the pair itself and stands in the table of overlaps: a clone is called that moved more than the others did. "
    "Drawn are the called clones and each patient's largest others."
)


def cytometry_section(data: ReportData) -> Section | None:
    """Gated populations, their change, warnings and borders; None where nothing was gated."""
    if data.populations.empty:
        return None
    blocks: list[Block] = [Prose(text=CYTOMETRY)]
    blocks += _warnings(data)
    blocks += _pairs(data)
    for name, rows in data.populations.groupby("assay", sort=True):
        blocks.append(_population_table(rows, str(name), data))
        blocks += _dropped(rows, str(name))
    for (batch, kind), rows in data.densities.groupby(["batch", "assay"], sort=True):
        assay = str(kind)
        own = data.gates[(data.gates["batch"] == batch) & (data.gates["assay"] == assay)]
        title = f"Borders of {batch}, {ASSAYS.get(assay, assay)}"
        blocks.append(
            Picture(name=f"gates-{_slug(batch)}-{assay}", caption=BORDERS, content=gate_panels(rows, own, title=title))
        )
    return Section(name="cytometry", title="Gated blood cells", blocks=blocks)


def repertoire_section(data: ReportData) -> Section | None:
    """Repertoires before and after; None where no patient has both."""
    if data.overlaps.empty:
        return None
    blocks: list[Block] = []
    for (compartment, locus), rows in data.overlaps.groupby(["compartment", "locus"], sort=True):
        clones = data.clones[(data.clones["compartment"] == compartment) & (data.clones["locus"] == locus)]
        title = f"T-cell clones of {compartment}, {locus}"
        blocks.append(
            Picture(
                name=f"clones-{compartment}-{locus}", caption=CLONES, content=clone_panels(clones, rows, title=title)
            )
        )
        blocks.append(_overlap_table(rows, f"{compartment}, {locus}", data))
    return Section(name="repertoires", title="T-cell receptors", blocks=blocks)


def protein_section(data: ReportData) -> Section | None:
    """Each protein's change beside how far it could be measured; None where no protein was."""
    if data.detection.empty:
        return None
    changes = data.changes.set_index(["compartment", "feature"])
    rows = [_protein_row(row, changes) for _, row in data.detection.iterrows()]
    rows.sort(key=lambda pair: pair[0])
    table = Grid(
        caption=f"Proteins: {plural(len(rows), 'analyte')}",
        columns=("protein", "change", "p", "q", "measured in", "below detection", "plates"),
        rows=[cells for _, cells in rows],
        note="In the order of p. Below detection: share of the measured values, where the file tells the limit.",
        collapsed=len(rows) > 20,
    )
    return Section(name="proteins", title="Proteins in blood", blocks=[table])


def cell_section(data: ReportData) -> Section | None:
    """The map of the single cells and what its clusters hold; None where none was drawn."""
    if data.embedding.empty:
        return None
    blocks: list[Block] = []
    for compartment, rows in data.embedding.groupby("compartment", sort=True):
        title = f"Single cells of {compartment}"
        words = (
            "For the eye only: types were called cell by cell from markers, before this map and its clusters were drawn, "
            "and no number of this report comes from either."
        )
        blocks.append(Picture(name=f"cells-{compartment}", caption=words, content=cell_map(rows, title=title)))
        blocks.append(_cluster_table(rows, str(compartment)))
    return Section(name="cells", title="Single cells", blocks=blocks)


# ---- gated cells -----------------------------------------------------------------------------------------------------


def _warnings(data: ReportData) -> Iterator[Block]:
    checked = data.gate_checks
    driven = checked[checked["verdict"] == DRIVEN]
    if checked.empty:
        return
    yield Grid(
        caption=f"Changes that a marker may have made: {len(driven)} of {plural(len(checked), 'pair')} of population and marker "
        "looked at",
        columns=("population", "marker", "change of share", "pairs", "why"),
        rows=[
            (
                two_lines(text(row["population"]), part(str(row["population"]))),
                text(row["marker"]),
                signed(row["fraction_change"]),
                f"{whole(row['same_direction'])} of {whole(row['n_pairs'])}",
                text(row["note"]),
            )
            for _, row in driven.iterrows()
        ],
        note=WARNING if len(driven) else f"None was found. {WARNING}",
        collapsed=driven.empty,
    )


def _pairs(data: ReportData) -> Iterator[Block]:
    """The gated shares of smallest p, patient by patient."""
    own = data.changes[data.changes["feature"].str.startswith("gated_fraction_") & data.changes["p_value"].notna()]
    chosen = own.sort_values(["p_value", "feature"]).head(SHOWN_PAIRS)
    if chosen.empty:
        return
    figure = paired_lines(data.deltas, chosen, data.outcomes, contrast=contrast_of(data))
    yield Picture(
        name="gated-pairs",
        caption=f"The {plural(len(chosen), 'share')} of smallest p of {len(own)}, chosen by looking: material for a next question.",
        content=figure,
    )


def _population_table(rows: pd.DataFrame, assay: str, data: ReportData) -> Grid:
    """Medians before and after; the tests are among the changes."""
    times = data.features[["sample_id", "timepoint"]].drop_duplicates().set_index("sample_id")["timepoint"]
    known = rows[rows["fraction"].notna()].assign(timepoint=rows["sample_id"].map(times))
    before, after = contrast_of(data)[:2]
    driven = set(data.gate_checks.loc[data.gate_checks["verdict"] == DRIVEN, "population"])
    cells = []
    for name in rows["population"].drop_duplicates():
        own = known[known["population"] == name]
        if own.empty:
            continue
        per_ul = own["cells_per_ul"].dropna()
        cells.append(
            (
                two_lines(text(name), part(str(name)) + (" (marker-driven?)" if name in driven else "")),
                text(own["frequency_of"].iloc[0]),
                percent(own.loc[own["timepoint"] == before, "fraction"].median()),
                percent(own.loc[own["timepoint"] == after, "fraction"].median()),
                number(per_ul.median()) if len(per_ul) else DASH,
                whole(own["sample_id"].nunique()),
            )
        )
    return Grid(
        caption=f"Populations by {ASSAYS.get(assay, assay)}: {len(cells)}",
        columns=("population", "share of", f"median {before}", f"median {after}", "median cells/µl", "samples"),
        rows=cells[:SHOWN_POPULATIONS],
        note="Cells per microlitre: share of the leukocytes times their number in the blood count of the same timepoint. All "
        "samples are in populations.csv.",
        collapsed=True,
    )


def _dropped(rows: pd.DataFrame, assay: str) -> Iterator[Block]:
    """Populations that could not be gated in any sample, by reason."""
    absent = rows[rows["events"].isna()]
    reasons = absent.groupby("population", sort=False)["note"].agg(lambda notes: text(notes.iloc[0]))
    counted = absent.groupby("population")["sample_id"].nunique()
    if reasons.empty:
        return
    yield Grid(
        caption=f"Populations left out ({ASSAYS.get(assay, assay)}): {len(reasons)}",
        columns=("population", "samples", "why"),
        rows=[(two_lines(str(name), part(str(name))), whole(counted[str(name)]), why) for name, why in reasons.items()],
        collapsed=True,
    )


# ---- receptors, proteins, cells --------------------------------------------------------------------------------------


def _overlap_table(rows: pd.DataFrame, title: str, data: ReportData) -> Grid:
    responders = flags_of(data.outcomes, "responder")
    return Grid(
        caption=f"Repertoires before and after: {title}",
        columns=("patient", "clones before", "after", "shared", "Morisita–Horn", "expanded", "contracted", "tested"),
        rows=[
            (
                two_lines(text(row["patient_id"]), responder_group(responders.get(row["patient_id"]))),
                whole(row["clones_before"]),
                whole(row["clones_after"]),
                whole(row["clones_shared"]),
                number(row["morisita_horn"]) if present(row["morisita_horn"]) else text(row["note"], DASH),
                whole(row["n_expanded"]) if present(row["n_expanded"]) else DASH,
                whole(row["n_contracted"]) if present(row["n_contracted"]) else DASH,
                whole(row["n_tested"]) if present(row["n_tested"]) else DASH,
            )
            for _, row in rows.iterrows()
        ],
        note="Morisita–Horn: 0 where no clone is shared, 1 where all have the same shares. Diversity and clonality are among "
        "the changes.",
    )


def _protein_row(row: pd.Series, changes: pd.DataFrame) -> tuple[tuple[float, str], tuple[str, ...]]:
    name = str(row["analyte"])
    key = next(
        (key for key in ((row["compartment"], name), (row["compartment"], f"{name}@proteins")) if key in changes.index),
        None,
    )
    told = changes.loc[key] if key is not None else None
    tested = told is not None and present(told["p_value"])
    order = (float(told["p_value"]) if told is not None and tested else 2.0, name)
    below = row["below_detection_share"]
    cells = (
        two_lines(name, "; ".join(words for words in (plain(name), text(row["note"])) if words)),
        f"{signed(told['estimate'])} {told['unit']}" if told is not None and present(told["estimate"]) else DASH,
        p_with_floor(told["p_value"], told["p_floor"]) if told is not None and tested else DASH,
        number(told["q_value"]) if told is not None and present(told["q_value"]) else DASH,
        f"{whole(row['n_measured'])} of {whole(row['n_samples'])}",
        percent(below) if present(below) else DASH,
        whole(row["plates"]) if present(row["plates"]) and row["plates"] else DASH,
    )
    return order, cells


def _cluster_table(rows: pd.DataFrame, compartment: str) -> Grid:
    """Which types each cluster holds: a check of the calls by something that knows no marker."""
    counts = pd.crosstab(rows["cluster"], rows["cell_type"])
    ordered = counts.loc[counts.sum(axis="columns").sort_values(ascending=False).index]
    cells = []
    for cluster, own in ordered.iterrows():
        largest = own.sort_values(ascending=False)
        total = int(own.sum())
        second = (
            f"{largest.index[1]} {percent(largest.iloc[1] / total)}" if len(largest) > 1 and largest.iloc[1] else DASH
        )
        cells.append(
            (str(cluster), whole(total), type_words(str(largest.index[0])), percent(largest.iloc[0] / total), second)
        )
    return Grid(
        caption=f"Clusters of {compartment} and the types called in them",
        columns=("cluster", "cells", "most are", "share", "next"),
        rows=cells,
        note="A cluster of many types, or a type in many clusters, is a reason to look at the markers again.",
        collapsed=True,
    )


def _slug(name: object) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in str(name))
