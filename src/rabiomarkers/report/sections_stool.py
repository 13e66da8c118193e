"""Stool samples one by one: whose they are, how deep and how clean, and how many kinds of taxa they hold."""

from collections.abc import Iterator, Mapping

import pandas as pd

from rabiomarkers.change.metrics import METRICS
from rabiomarkers.report.blocks import Block, Grid, Picture, Prose, Section
from rabiomarkers.report.data import ReportData
from rabiomarkers.report.figures.diversity import rarefaction_curves
from rabiomarkers.report.figures.paired import paired_lines
from rabiomarkers.report.labels import plain
from rabiomarkers.report.sections_change import contrast_of
from rabiomarkers.report.summary import SWAP, perhaps_anothers
from rabiomarkers.report.words import (
    DASH,
    NOT_ESTIMABLE,
    besides_floor,
    call_of_change,
    call_of_difference,
    in_natural_order,
    interval,
    number,
    p_with_floor,
    percent,
    plural,
    present,
    reason,
    signed,
    text,
    two_lines,
    whole,
)

ASSAYS = "taxa_"  # what the names of stool's assays begin with
TOLD_ABOVE = "told above "
NEAREST, UNKNOWN = "own nearest", "cannot be told"
CONTAMINANT = "contaminant"
MEASURES = (
    "observed_taxa",
    "shannon",
    "simpson",
    "inverse_simpson",
    "pielou",
    "chao1",
    "ace",
    "fisher_alpha",
    "faith_pd",
)
DRAWN_MEASURES = ("shannon", "observed_taxa", "faith_pd", "pielou", "simpson", "chao1")
PANELS = 3
CHANGE_COLUMNS = ("what may be said", "pairs", "change", "interval (level)", "p (floor), adjusted p")
FLAGS = {
    "largest_taxon_share": "{which} is {value} of the stool: an antibiotic, a disease, or a stool that stood too long?",
    "host_share": "{value} of the reads are the patient's own: blood in the stool, or little material?",
}
LOOK = (
    "Nothing is taken out for any of this: somebody must look at the tubes and the sheet, and then exclude a sample in "
    "samples.csv with the reason, or correct the sheet."
)
IDENTITY = (
    "A gut community is personal but it is no genotype: under an antibiotic or another diet the own earlier stool need not be the "
    "nearest, and that alone is no finding. A swap is named only where stools that change places fit one another's patients. "
    "Some stools lie far from all others, and those of few taxa near to all: rank and verdict take the usual distance of both "
    "stools off, so that the nearest can lie farther than the own; the distances shown are those measured."
)
CONTAMINANTS = (
    "Held by blank controls more often than by stools (Fisher, one-sided, p without correction: a screen). A taxon that lives in "
    "every gut and in the reagents too cannot be found this way. No reads were taken out."
)
CURVES = (
    "Expected number of taxa and expected Shannon diversity if fewer reads had been sequenced, exact. A line that still climbs at "
    "the dotted line shows taxa that the depth hides; a stool that ends before it has no diversity."
)
DIVERSITY = (
    "Counts are compared at one depth; relative abundances as they are, so their richness depends on how deeply each was "
    "sequenced. The measures are ways to look at one community and not separate findings."
)


def stool_quality_section(data: ReportData) -> Section | None:
    """Warnings first, then what they rest on; None where the study has no stool, or an earlier version looked at none of this."""
    blocks = [*_looked_at(data), *_contaminants(data), *_curves(data), *_measures(data), *_identity(data)]
    if not blocks:
        return None
    return Section(name="stool-quality", title="Stool samples: whose, how deep, how clean", blocks=blocks)


def diversity_section(data: ReportData) -> Section | None:
    """Alpha diversity before and after, by patient and response; None where nothing was measured."""
    rows = _of_stool(data.changes)
    if rows.empty:
        return None
    blocks: list[Block] = [Prose(text=DIVERSITY)]
    measured = rows[rows["p_value"].notna()]
    chosen = [name for name in DRAWN_MEASURES if name in set(measured["feature"])][:PANELS]
    if chosen:
        drawn = measured.set_index("feature").loc[chosen].reset_index()
        picture = Picture(
            name="stool-diversity",
            caption="One line a patient; colour, dash and sign tell the response.",
            content=paired_lines(data.deltas, drawn, data.outcomes, contrast=contrast_of(data)),
        )
        blocks.append(picture)
    blocks.append(_diversity_table(rows, data))
    return Section(name="stool-diversity", title="Diversity of the stool", blocks=blocks)


# ---- warnings --------------------------------------------------------------------------------------------------------


def _looked_at(data: ReportData) -> Iterator[Block]:
    """One sentence on every check that was made, and the stools somebody must look at."""
    quality = _stool_quality(data)
    if data.stool_identity.empty and data.contaminants.empty and quality.empty:
        return
    yield Prose(text=" ".join(_sentences(data, quality)))
    rows = [*_swaps(data.stool_identity), *_flags(quality)]
    if rows:
        yield Grid(
            caption=f"Stools somebody must look at: {len({row[0].partition('\n')[0] for row in rows})}",
            columns=("stool", "why"),
            rows=rows,
            note=LOOK,
        )


def _sentences(data: ReportData, quality: pd.DataFrame) -> Iterator[str]:
    verdicts = data.stool_identity["verdict"].value_counts()
    if len(data.stool_identity):
        untold = int(verdicts.get(UNKNOWN, 0))
        own, told = int(verdicts.get(NEAREST, 0)), len(data.stool_identity) - untold
        found = _findings(data.stool_identity)
        if told:
            yield f"Whose stools: of {own} of {told} the patient's other stool is the nearest; {found or 'no swap was found'}."
        elif found:
            yield f"Whose stools: {found}."
        if untold:
            why = data.stool_identity.loc[data.stool_identity["verdict"] == UNKNOWN, "note"].dropna()
            yield f"Whose {plural(untold, 'stool')} these are cannot be told: {why.iloc[0] if len(why) else 'no reason given'}."
    if len(quality):
        flagged = _flagged(quality)["sample_id"].nunique()
        looked = plural(quality["sample_id"].nunique(), "stool")
        yield f"One taxon took over, or the patient's own reads did, in {flagged or 'none'} of {looked}."
    if len(data.contaminants):
        called = int((data.contaminants["verdict"] == CONTAMINANT).sum())
        untold = int((data.contaminants["verdict"] == UNKNOWN).sum())
        blanks = whole(data.contaminants["blanks"].max())
        seen = f"{len(data.contaminants)} {'taxon' if len(data.contaminants) == 1 else 'taxa'}"
        known = f", of {untold} it cannot be told" if untold else ""
        came = "none" if not called and not untold else called
        yield f"Of {seen} seen in {blanks} blank controls, {came} came with the reagents{known}."


def _findings(identity: pd.DataFrame) -> str:
    """How many stools may have been swapped, and how many more may be another patient's; empty where there is none."""
    swapped = int((identity["verdict"] == SWAP).sum())
    others = int(perhaps_anothers(identity).sum()) - swapped
    told = [f"{plural(swapped, 'stool')} may have been swapped"] if swapped else []
    told += [f"{plural(others, 'stool')} may be another patient's"] if others else []
    return ", ".join(told)


def _swaps(identity: pd.DataFrame) -> list[tuple[str, str]]:
    """Swaps, and whatever else a note of the identity check says beyond that a flora may change."""
    told = identity[perhaps_anothers(identity)]
    return [
        (_stool(row), f"{text(row['verdict'])}: {text(row['note'])}")
        for _, row in in_natural_order(told, "patient_id").iterrows()
    ]


def _flags(quality: pd.DataFrame) -> list[tuple[str, str]]:
    flagged = _flagged(quality)
    return [
        (
            text(row["sample_id"]),
            FLAGS.get(str(row["measure"]), str(row["measure"]) + ": {value}").format(
                value=percent(row["value"]), which=_named(row["limit"]) or "one taxon"
            ),
        )
        for _, row in in_natural_order(flagged, "sample_id", "measure").iterrows()
    ]


def _stool_quality(data: ReportData) -> pd.DataFrame:
    """What was measured of the stools beyond what takes a sample out."""
    return data.qc[data.qc["assay"].str.startswith(ASSAYS) & data.qc["limit"].fillna("").str.startswith(TOLD_ABOVE)]


def _flagged(quality: pd.DataFrame) -> pd.DataFrame:
    limits = quality["limit"].str.removeprefix(TOLD_ABOVE).str.split(" ", n=1).str[0]
    return quality[quality["value"] > pd.to_numeric(limits, errors="coerce")]


def _named(limit: object) -> str:
    """The taxon behind a limit (``told above 0.5 (Escherichia coli)``); empty where none is named."""
    return str(limit).partition(" (")[2].removesuffix(")")


# ---- what they rest on -----------------------------------------------------------------------------------------------


def _contaminants(data: ReportData) -> Iterator[Block]:
    table = data.contaminants
    if table.empty:
        return
    called = table[table["verdict"] == CONTAMINANT]
    order = table["verdict"].map({CONTAMINANT: 0, UNKNOWN: 1}).fillna(2)
    ordered = table.assign(order=order).sort_values(["order", "p_value", "taxon"], na_position="last")
    yield Grid(
        caption=f"Taxa of the blank controls: {len(called)} of {len(table)} called contaminants",
        columns=("taxon", "verdict", "in blanks", "in stools", "p (floor)", "largest share of a stool"),
        rows=[
            (
                text(row["taxon"]),
                two_lines(row["verdict"], text(row["note"]) if row["verdict"] == UNKNOWN else ""),
                f"{whole(row['in_blanks'])} of {whole(row['blanks'])}",
                f"{whole(row['in_samples'])} of {whole(row['samples'])}",
                p_with_floor(row["p_value"], row["p_floor"]) if present(row["p_value"]) else DASH,
                percent(row["largest_share"]) if present(row["largest_share"]) else DASH,
            )
            for _, row in ordered.iterrows()
        ],
        note=f"{CONTAMINANTS}{_brought(data.contaminated_samples)}",
        collapsed=called.empty,
    )
    yield from _contaminated(data.contaminated_samples)


def _contaminated(stools: pd.DataFrame) -> Iterator[Block]:
    """What share of each stool the contaminants are, the most of them first."""
    held = stools[stools["share"] > 0].sort_values(["share", "sample_id"], ascending=[False, True])
    if held.empty:
        return
    yield Grid(
        caption=f"What the contaminants are of each stool: {len(held)} of {plural(len(stools), 'stool')} hold any",
        columns=("stool", "contaminants", "their share of the stool"),
        rows=[
            (text(row["sample_id"]), whole(row["contaminants"]), percent(row["share"])) for _, row in held.iterrows()
        ],
        note="Of all reads of the stool, or of its whole profile. A taxon that also lives in the gut counts here in full.",
        collapsed=True,
    )


def _brought(stools: pd.DataFrame) -> str:
    """How much of the stool that has most of them the contaminants are."""
    held = stools[stools["share"] > 0]
    if held.empty:
        return ""
    most = held.sort_values("share", kind="stable").iloc[-1]
    where = f"{len(held)} of {plural(len(stools), 'stool')}"
    return f" They are in {where}, at most {percent(most['share'])} of one ({text(most['sample_id'])})."


def _curves(data: ReportData) -> Iterator[Block]:
    if len(data.rarefaction):
        content = rarefaction_curves(data.rarefaction, depth=depth_of(data))
        yield Picture(name="stool-depth", caption=CURVES, content=content)


def depth_of(data: ReportData) -> int | None:
    """Reads that every stool was brought down to, by the limit of its quality check; by the settings where there is none."""
    reads = data.qc.loc[data.qc["assay"].str.startswith(ASSAYS) & (data.qc["measure"] == "reads"), "limit"].dropna()
    asked = [limit.removeprefix(">= ") for limit in map(str, reads.unique()) if limit.startswith(">= ")]
    told = (data.provenance.get("settings") or {}).get("stool") or {}
    return int(float(asked[0])) if asked else told.get("depth")


def _measures(data: ReportData) -> Iterator[Block]:
    """Median and range of each measure of the stools that were looked at."""
    own = data.qc[data.qc["assay"].str.startswith(ASSAYS) & data.qc["value"].notna()]
    if own.empty or (data.rarefaction.empty and data.stool_identity.empty):
        return
    rows = []
    for (measure, unit), values in own.groupby(["measure", "unit"], sort=False)["value"]:
        told = percent if unit == "fraction" else number
        limits = own.loc[own["measure"] == measure, "limit"].dropna()
        rows.append(
            (
                str(measure).replace("_", " "),
                whole(len(values)),
                told(values.median()),
                f"{told(values.min())} to {told(values.max())}" + ("" if unit == "fraction" else f" {unit}"),
                _limit(str(limits.iloc[0]), unit) if len(limits) else DASH,
            )
        )
    yield Grid(
        caption="What was measured of the stools",
        columns=("measure", "stools", "median", "range", "limit"),
        rows=rows,
        note="Told above: worth a look, takes no sample out.",
        collapsed=True,
    )


def _limit(told: str, unit: object) -> str:
    """A limit in the same unit as the values beside it."""
    plainly = told.partition(" (")[0]
    head, _, last = plainly.rpartition(" ")
    return f"{head} {percent(float(last))}" if unit == "fraction" and last.replace(".", "", 1).isdigit() else plainly


def _identity(data: ReportData) -> Iterator[Block]:
    if data.stool_identity.empty:
        return
    ordered = in_natural_order(data.stool_identity, "patient_id", "timepoint")
    yield Grid(
        caption=f"Whose stools these are: {len(ordered)} looked at, by the {_spoken(ordered['metric'].iloc[0])} distance",
        columns=("stool", "verdict", "own other stool", "nearest of all", "rank of the own"),
        rows=[
            (
                _stool(row),
                two_lines(row["verdict"], text(row["note"])),
                number(row["own_distance"]) if present(row["own_distance"]) else DASH,
                two_lines(
                    number(row["nearest_distance"]) if present(row["nearest_distance"]) else DASH,
                    "its own" if row["nearest_patient"] == row["patient_id"] else text(row["nearest_sample"]),
                ),
                whole(row["rank_of_own"]) if present(row["rank_of_own"]) else DASH,
            )
            for _, row in ordered.iterrows()
        ],
        note=IDENTITY,
        collapsed=True,
    )


def _stool(row: pd.Series) -> str:
    return two_lines(text(row["sample_id"]), f"{text(row['patient_id'])}, {text(row['timepoint'])}")


def _spoken(metric: object) -> str:
    return METRICS[str(metric)].title if str(metric) in METRICS else str(metric)


# ---- diversity -------------------------------------------------------------------------------------------------------


def _of_stool(table: pd.DataFrame) -> pd.DataFrame:
    """The measures of diversity in the stool, in their order."""
    own = table[(table["compartment"] == "faecal") & table["feature"].isin(MEASURES)]
    return own.sort_values("feature", key=lambda names: names.map(MEASURES.index))


def _diversity_table(rows: pd.DataFrame, data: ReportData) -> Grid:
    differences = _of_stool(data.by_response).set_index("feature")
    shared, reasons = shared_note(rows), reasons_of(data)
    return Grid(
        caption=f"Diversity before and after: {plural(len(rows), 'measure')}",
        columns=("measure", *CHANGE_COLUMNS, "by response"),
        rows=[
            (
                *change_cells(row, shared, reasons),
                _difference(differences, str(row["feature"])),
            )
            for _, row in rows.iterrows()
        ],
        note="Each measure is tested as every other feature, and what may be said goes by the adjusted p. By response: the change "
        "of responders against that of the others." + shared_words(shared),
    )


def change_cells(row: pd.Series, shared: str, reasons: Mapping[str, str]) -> tuple[str, ...]:
    """A feature of the stool and what it did: the cells of the name and of CHANGE_COLUMNS.

    `shared` is a note that all rows have, told once below the table; `reasons` says why stools have no value.
    """
    name, tested = str(row["feature"]), present(row["p_value"])
    note = besides_floor(row["note"]) if tested else reasons.get(name) or reason(row["note"])
    return (
        two_lines(name, "; ".join(filter(None, [plain(name), text(row["tier"])]))),
        two_lines(call_of_change(row) if tested else NOT_ESTIMABLE, "" if note == shared else note),
        whole(row["n_pairs"]),
        f"{signed(row['estimate'])} {row['unit']}" if present(row["estimate"]) else DASH,
        interval(row["ci_low"], row["ci_high"], row["ci_level"]) if present(row["ci_low"]) else DASH,
        _both_p(row) if tested else DASH,
    )


def _both_p(row: pd.Series) -> str:
    """What may be said goes by the adjusted p: a small p beside `no change shown` is no mistake."""
    adjusted = f"adjusted {number(row['q_value'])}" if present(row["q_value"]) else ""
    return two_lines(p_with_floor(row["p_value"], row["p_floor"]), adjusted)


def shared_note(rows: pd.DataFrame) -> str:
    """The note of all rows that were tested; empty where they have different ones."""
    notes = {besides_floor(note) for note in rows.loc[rows["p_value"].notna(), "note"]}
    return notes.pop() if len(notes) == 1 and len(rows) > 1 else ""


def shared_words(shared: str) -> str:
    """The shared note as the last sentence below a table."""
    return f" Of all: {shared}." if shared else ""


def reasons_of(data: ReportData) -> Mapping[str, str]:
    """By feature of the stool: the commonest reason why a sample has no value."""
    absent = data.features[(data.features["compartment"] == "faecal") & data.features["value"].isna()]
    told = absent[absent["note"].fillna("") != ""]
    return {
        str(name): str(notes.value_counts().sort_index(kind="stable").idxmax())
        for name, notes in told.groupby("feature")["note"]
    }


def _difference(differences: pd.DataFrame, feature: str) -> str:
    if feature not in differences.index:
        return DASH
    row = differences.loc[feature]
    if not present(row["p_value"]):
        return two_lines(DASH, reason(row["note"]))
    return two_lines(call_of_difference(row), f"p = {p_with_floor(row['p_value'], row['p_floor'])}")
