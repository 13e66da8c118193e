"""Taxa that changed, rank by rank, and the taxa that the literature speaks of."""

from collections.abc import Iterator

import pandas as pd

from rabiomarkers.change.taxa import UNPLACED
from rabiomarkers.report.blocks import Block, Grid, Picture, Prose, Section
from rabiomarkers.report.data import ReportData
from rabiomarkers.report.figures.microbes import EVIDENCE, SIDES, listed_microbes, microbe_dots, role_words
from rabiomarkers.report.figures.stool_scores import TITLES, TOPOSCORE, borders_fit, score_panels
from rabiomarkers.report.figures.taxa import AGREE, DISAGREE, taxa_forest
from rabiomarkers.report.sections_change import contrast_of
from rabiomarkers.report.sections_stool import CHANGE_COLUMNS, change_cells, reasons_of, shared_note, shared_words
from rabiomarkers.report.tables_of_change import LONG_TABLE
from rabiomarkers.report.words import (
    CANNOT_REACH,
    DASH,
    NOT_ESTIMABLE,
    besides_floor,
    cannot_reach,
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

RARE, NOT_TESTED, NOT_SHOWN = "rare", "not tested", "not shown"
REFUSED = "refused"
SHOWN_TAXA = 40
PLURALS = {
    "phylum": "phyla",
    "class": "classes",
    "order": "orders",
    "family": "families",
    "genus": "genera",
    "species": "species",
}
SHARES = (
    "ra_producer_share",
    "ra_metaboliser_share",
    "ra_metaboliser_balance",
    "ra_suppressor_share",
    "host_ra_inducer_share",
    "butyrate_producer_share",
    "pathobiont_share",
    "ici_favourable_share",
    "ici_unfavourable_share",
    "toposcore",
    "akkermansia_share",
)
POTENTIAL = r"_potential(?:_specific)?$"  # how features of gene families end
TAXA = (
    "Exploratory. A taxon is called where its log ratio to the average of all taxa of its rank changed (exact signed-rank test, "
    "Benjamini-Hochberg within the rank). ANCOM-BC and the Dirichlet-multinomial model look at the same stools under other "
    "assumptions; they can take a call back and never make one. Ranks are not independent of one another: a species that rises "
    "lifts its genus."
)
TAXA_PICTURE = (
    "Left: change with its interval, a triangle where the methods agree, a diamond where they do not, a circle where no change is "
    "shown; below it in grey what ANCOM-BC (cross) and the Dirichlet model (square) estimate. Right: share of the patients' "
    "stools in which the taxon was seen, before (open) and after (filled)."
)
TAXA_NOTE = (
    "Change: median change of the centred log ratio (ln; +0.69 is twice as much). Seen in: share of the stools; below it the "
    "patients in whom it came and went, with McNemar's exact p, which is not corrected here."
)
MICROBES = (
    "Who makes, turns over or suppresses retinoic acid in the gut is known from mice and from purified enzymes, and some of these "
    "taxa hardly live in people. Which taxa go with response to immunotherapy comes from melanoma, lung and kidney cancer, "
    "differs between cohorts, and is not known for breast cancer. Read all of this as exploratory."
)
DOTS = (
    "Mean share of all stools of a time, those of patients with one stool among them, so that two means are no change within "
    "patients: open before and filled after; the larger the sign, the more stools hold the taxon. Colour and "
    "sign: what the listing rests on. Taxa that no stool's table names are in the table only: absent and unreportable look the "
    "same there."
)
SCORES = (
    "TOPOSCORE counts listed species that are present; between its two borders Akkermansia decides. Akkermansia is not monotone: "
    "neither absent nor plentiful is favourable. Both were derived in lung cancer from stool before treatment, so a change of "
    "class under treatment has no published meaning, and nothing here forecasts a patient's response."
)


def taxa_section(data: ReportData) -> Section | None:
    """Which taxa changed at each rank; None where none was asked about."""
    if data.taxa.empty:
        return None
    blocks: list[Block] = [Prose(text=TAXA)]
    ranks = {str(rank): rows for rank, rows in data.taxa.groupby("rank", sort=False)}
    nameless = [rank for rank, rows in ranks.items() if (rows["taxon"] == UNPLACED).all()]
    if nameless:
        named = ", ".join(PLURALS.get(rank, rank) for rank in nameless)
        blocks.append(
            Prose(text=f"{named.capitalize()}: not asked, as no table says which taxa belong where (no lineages).")
        )
    for name, rows in ranks.items():
        if name in nameless:
            continue
        blocks.append(Prose(text=_sentence(name, rows)))
        if rows["estimate"].notna().any():
            figure = taxa_forest(rows, title=PLURALS.get(name, name))
            blocks.append(Picture(name=f"taxa-{_letters(name)}", caption=TAXA_PICTURE, content=figure))
        blocks += _taxa_tables(name, rows)
    return Section(name="taxa", title="Taxa that changed (exploratory)", blocks=blocks)


def microbe_section(data: ReportData) -> Section | None:
    """Listed microbes with the evidence for each, and the published scores; None where no stool was looked at."""
    if data.microbes.empty and data.microbe_scores.empty:
        return None
    blocks: list[Block] = [Prose(text=MICROBES)]
    blocks += _shares(data)
    if len(data.microbes):
        picture = microbe_dots(data.microbes, contrast=contrast_of(data))
        blocks.append(Picture(name="microbes", caption=DOTS, content=picture))
        blocks.append(_microbe_table(data))
    if len(data.microbe_scores):
        blocks.append(Prose(text=SCORES))
        blocks += _scores(data)
    return Section(name="microbes", title="Listed microbes and published scores (exploratory)", blocks=blocks)


# ---- taxa ------------------------------------------------------------------------------------------------------------


def _sentence(rank: str, rows: pd.DataFrame) -> str:
    counts = rows["verdict"].value_counts()
    tested = int(rows["p_value"].notna().sum())
    named = PLURALS.get(rank, rank)
    head = f"{named.capitalize()}: {tested} of {len(rows)} tested in {plural(rows['n_pairs'].max(), 'pair')}"
    called, disputed = int(counts.get(AGREE, 0)), int(counts.get(DISAGREE, 0))
    floor = rows["p_floor"].min()
    if not tested:
        return f"{head}; none was seen often enough, or there are too few pairs."
    if cannot_reach(floor):
        return f"{head}; none {CANNOT_REACH.replace('cannot', 'can')} with so few pairs."
    said = (
        f"{called} changed by every method that could be asked"
        if called
        else "no change was shown that the methods agree on"
    )
    asked = rows.loc[rows["verdict"].isin([AGREE, DISAGREE]), "ancombc_q"].notna().any()
    alone = "" if asked or not called else " (the other methods had no numbers: the call is of one method alone)"
    return f"{head}; {said}{alone}" + (f", {disputed} by the main test only." if disputed else ".")


def _taxa_tables(rank: str, rows: pd.DataFrame) -> Iterator[Block]:
    rare = rows[rows["verdict"] == RARE]
    kept = rows[rows["verdict"] != RARE].sort_values(["p_value", "taxon"], na_position="last")
    named = PLURALS.get(rank, rank)
    if len(kept):
        more = f" The {SHOWN_TAXA} of smallest p; all are in the table `taxa`." if len(kept) > SHOWN_TAXA else ""
        yield Grid(
            caption=f"{named.capitalize()}: {len(kept)} common enough to test",
            columns=(
                "taxon",
                "what may be said",
                "change, interval",
                "p (floor)",
                "adjusted p",
                "other methods",
                "mean share",
                "seen in",
            ),
            rows=[_taxon_row(row) for _, row in kept.head(SHOWN_TAXA).iterrows()],
            note=TAXA_NOTE + more,
            collapsed=len(kept) > LONG_TABLE,
        )
    if len(rare):
        most = rare.sort_values("share_after", ascending=False, na_position="last").head(SHOWN_TAXA)
        more = f"; the {SHOWN_TAXA} of the largest share after" if len(rare) > SHOWN_TAXA else ""
        yield Grid(
            caption=f"{named.capitalize()} seen in too few stools to be tested: {len(rare)}",
            columns=("taxon", "mean share", "seen in"),
            rows=[(text(row["taxon"]), _mean_share(row), _seen(row)) for _, row in most.iterrows()],
            note=f"A taxon below the least prevalence has no p and no part in any verdict{more}.",
            collapsed=True,
        )


def _taxon_row(row: pd.Series) -> tuple[str, ...]:
    if not present(row["p_value"]):
        why = two_lines(NOT_ESTIMABLE, reason(row["note"]))
        return (text(row["taxon"]), why, *[DASH] * 4, _mean_share(row), _seen(row))
    span = interval(row["ci_low"], row["ci_high"]) if present(row["ci_low"]) else "no interval at this n"
    counts = "" if row["in_counts"] else "hardly seen in the reads"
    return (
        text(row["taxon"]),
        two_lines(_said(row), "; ".join(filter(None, [counts, besides_floor(row["note"])]))),
        two_lines(signed(row["estimate"]), span) if present(row["estimate"]) else DASH,
        p_with_floor(row["p_value"], row["p_floor"]),
        number(row["q_value"]) if present(row["q_value"]) else DASH,
        _others(row),
        _mean_share(row),
        _seen(row),
    )


def _said(row: pd.Series) -> str:
    if cannot_reach(row["p_floor"]):
        return f"{CANNOT_REACH} with {plural(row['n_pairs'], 'pair')}"
    verdict = text(row["verdict"])
    if verdict == NOT_SHOWN:
        return "no change shown"
    if verdict not in (AGREE, DISAGREE) or not present(row["estimate"]) or row["estimate"] == 0:
        return verdict
    way = "rose" if row["estimate"] > 0 else "fell"
    return way if verdict == AGREE else f"{way}? methods disagree"


def _others(row: pd.Series) -> str:
    if not present(row["ancombc_log_fold"]) and not present(row["dirichlet_log_fold"]):
        return DASH
    first = (
        f"ANCOM-BC {signed(row['ancombc_log_fold'])}, adjusted p {number(row['ancombc_q'])}"
        if present(row["ancombc_log_fold"])
        else DASH
    )
    bounds = interval(row["dirichlet_low"], row["dirichlet_high"])
    second = f"Dirichlet {signed(row['dirichlet_log_fold'])} ({bounds})" if present(row["dirichlet_log_fold"]) else ""
    return two_lines(first, second)


def _mean_share(row: pd.Series) -> str:
    before, after = (percent(row[f"share_{side}"]) if present(row[f"share_{side}"]) else DASH for side in SIDES)
    return f"{before} \N{RIGHTWARDS ARROW} {after}"


def _seen(row: pd.Series) -> str:
    shares = " \N{RIGHTWARDS ARROW} ".join(percent(row[f"prevalence_{side}"]) for side in SIDES)
    if not present(row["appeared"]):
        return shares
    told = f", p = {number(row['prevalence_p'])}" if present(row["prevalence_p"]) else ""
    return two_lines(shares, f"came {whole(row['appeared'])}, went {whole(row['disappeared'])}{told}")


# ---- listed microbes -------------------------------------------------------------------------------------------------


def _shares(data: ReportData) -> Iterator[Block]:
    """What the shares and scores did, with the evidence that each rests on."""
    own = data.changes[data.changes["compartment"] == "faecal"]
    changes = own[own["feature"].isin(SHARES) | own["feature"].str.contains(POTENTIAL)]
    if changes.empty:
        return
    methods = data.features[data.features["compartment"] == "faecal"].groupby("feature")["method"].first()
    place = {name: at for at, name in enumerate(SHARES)}  # what genes could do comes after them
    order = changes.assign(place=changes["feature"].map(place).fillna(len(SHARES)))
    ordered = order.sort_values(["place", "feature"])
    shared, reasons = shared_note(ordered), reasons_of(data)
    yield Grid(
        caption=f"Listed microbes and genes before and after: {plural(len(ordered), 'feature')}",
        columns=("feature", *CHANGE_COLUMNS, "how made"),
        rows=[
            (
                *change_cells(row, shared, reasons),
                text(methods.get(row["feature"]), DASH),
            )
            for _, row in ordered.iterrows()
        ],
        note="Taxa on which sources disagree have no part in the favourable and unfavourable shares. What genes could do is "
        "potential, not activity." + shared_words(shared),
        collapsed=len(ordered) > LONG_TABLE,
    )


def _microbe_table(data: ReportData) -> Grid:
    listed = listed_microbes(data.microbes, contrast=contrast_of(data))
    named = listed[listed["named"]]
    disputed = int(listed.loc[listed["conflict"].astype(bool), "taxon"].nunique())
    return Grid(
        caption=f"Listed microbes: {named['taxon'].nunique()} of {listed['taxon'].nunique()} can be reported by these tables",
        columns=("taxon", "listed as", "evidence", "mean share", "seen in", "source"),
        rows=[_microbe_row(row) for _, row in pd.concat([named, listed[~listed["named"]]]).iterrows()],
        note=f"On {plural(disputed, 'taxon').replace('taxons', 'taxa')} sources disagree. A taxon that no table names may be "
        "absent or unknown to the database.",
        collapsed=True,
    )


def _microbe_row(row: pd.Series) -> tuple[str, ...]:
    evidence = EVIDENCE[row["evidence"]][2] if row["evidence"] in EVIDENCE else text(row["evidence"])
    cells = [DASH, DASH]
    if row["named"]:
        cells = [
            " \N{RIGHTWARDS ARROW} ".join(
                percent(row[f"{what}_{side}"]) if present(row[f"{what}_{side}"]) else DASH for side in SIDES
            )
            for what in ("share", "seen")
        ]
    return (
        text(row["taxon"]),
        role_words(row["role"]),
        two_lines(evidence, "sources disagree" if row["conflict"] else ""),
        *(cells if row["named"] else ["not named", DASH]),
        text(row["sources"], DASH),
    )


# ---- scores ----------------------------------------------------------------------------------------------------------


def _scores(data: ReportData) -> Iterator[Block]:
    scores, contrast = data.microbe_scores, contrast_of(data)
    known = scores[scores["value"].notna() & scores["timepoint"].isin(list(contrast))]
    if len(known):
        drawn = [score for score in TITLES if (known["score"] == score).any() and not borders_fit(known, score)]
        own = (
            f" The classes of {' and '.join(TITLES[score] for score in drawn)} have other borders in this study; none is drawn."
            if drawn
            else ""
        )
        picture = score_panels(scores, data.outcomes, contrast=contrast)
        yield Picture(
            name="stool-scores", caption=f"One line a patient; bands are the published classes.{own}", content=picture
        )
    yield from _refusals(scores)
    yield _score_table(scores)


def _refusals(scores: pd.DataFrame) -> Iterator[Block]:
    """Why there is no score, each reason once with how many stools it concerns."""
    without = scores[scores["value"].isna()]
    if without.empty:
        return
    notes = without.assign(why=without["note"].fillna("no reason given").replace("", "no reason given"))
    counted = notes.groupby(["score", "why"], sort=True)["sample_id"].nunique().reset_index()
    totals = scores.groupby("score")["sample_id"].nunique()
    yield Grid(
        caption=f"Scores that are not given: {without['sample_id'].nunique()} of {plural(scores['sample_id'].nunique(), 'stool')}",
        columns=("score", "stools", "why"),
        rows=[
            (
                TITLES.get(str(row["score"]), str(row["score"])),
                f"{row['sample_id']} of {totals[row['score']]}",
                text(row["why"]),
            )
            for _, row in counted.iterrows()
        ],
        note="A score whose database cannot report enough of the lists would be too near the middle without a word; it is refused.",
    )


def _score_table(scores: pd.DataFrame) -> Grid:
    ordered = in_natural_order(scores, "patient_id", "timepoint", "score")
    return Grid(
        caption=f"Scores of {plural(scores['sample_id'].nunique(), 'stool')}",
        columns=("stool", "score", "value", "class", "verdict", "members present", "database"),
        rows=[
            (
                two_lines(text(row["sample_id"]), f"{text(row['patient_id'])}, {text(row['timepoint'])}"),
                two_lines(TITLES.get(str(row["score"]), str(row["score"])), text(row["method"])),
                (percent if row["unit"] == "fraction" else number)(row["value"]) if present(row["value"]) else DASH,
                text(row["category"], DASH),
                two_lines(row["verdict"], text(row["note"])),
                _members(row),
                text(row["database"], DASH),
            )
            for _, row in ordered.iterrows()
        ],
        collapsed=True,
    )


def _members(row: pd.Series) -> str:
    if row["score"] != TOPOSCORE:
        return DASH
    reported = f"{whole(row['reportable'])} of {whole(row['members'])} can be reported"
    return two_lines(f"{whole(row['present'])} of {whole(row['reportable'])}", reported)


def _letters(name: str) -> str:
    """Letters only, as the name becomes an id on the page."""
    return "".join(letter for letter in name.lower() if letter.isascii() and letter.isalnum())
