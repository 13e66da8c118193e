"""The part of the report on how far the primary results can be trusted, and what the trial could have found."""

import pandas as pd

from rabiomarkers.report.blocks import Block, Grid, Picture, Prose, Section
from rabiomarkers.report.data import LATER, ReportData
from rabiomarkers.report.figures.sensitivity import FLAGGED, OTHER, PLANNED, WITHOUT, sensitivity_panels
from rabiomarkers.report.labels import explained
from rabiomarkers.report.registration import NOTHING_PRIMARY
from rabiomarkers.report.words import (
    DASH,
    NOT_ESTIMABLE,
    absent,
    number,
    p_with_floor,
    percent,
    place,
    plural,
    present,
    reason,
    signed,
    text,
    two_lines,
    whole,
)
from rabiomarkers.stats.multiplicity import ALPHA

FEATURE = ["compartment", "feature"]
ON_DEMAND = (
    "Primary results alone are analysed otherwise and have a detectable change here; rabiomarkers.sensitivity does the first for "
    "any feature in a notebook."
)
NAMED = 4  # analyses that are named where they do not agree
WHAT_AGREES = (
    f"Agrees: the same direction and the same side of p = {ALPHA} as planned. Leaving a patient out also takes a pair away, and "
    "fewer pairs cannot give as small a p. Samples that failed quality control are out of the planned analysis. The tests are "
    "kin: paired t, moderated t, ANCOVA and mixed model are all t tests of the same mean change (with complete pairs the mixed "
    "model is the paired t test), so that their agreement is one opinion rather than four; the two signed-rank tests differ only "
    "where a change is zero."
)
WHAT_SHADOW_IS = (
    "Before and after of whole patients are swapped at random, so that nothing can have changed, and every test is done again. "
    "The swaps make the changes symmetric about zero by construction, and of such data an exact test rejects at most the nominal "
    "share, whatever they were before. So this shows errors in the machinery, how coarse the p-values are, and whether the t "
    "distribution fits changes as uneven as these; it cannot show what skewed changes or a drift between the two samplings would "
    "do. A test that cannot reach its level calls fewer. Features of one family are correlated, so the observed share scatters "
    "more than its number of tests suggests."
)
WHAT_POWER_IS = (
    "The smallest true change that the planned test finds with this probability, if changes scatter normally and as widely as they "
    "did here; a primary feature is tested at the full level once those before it in the sequence have passed. A change that was "
    "not found may be anything smaller."
)


def sensitivity_section(data: ReportData) -> Section:
    """Each primary result under every other analysis, the false positives observed, the changes that could have been found."""
    blocks: list[Block] = []
    if len(data.sensitivity):
        blocks += [_agreement_table(data.sensitivity), _picture(data.sensitivity)]
    else:
        blocks.append(Prose(text=_why_none(data)))
    if len(data.shadow_null):
        blocks.append(_shadow_table(data.shadow_null))
    if len(data.power):
        blocks.append(_power_table(data.power))
    return Section(name="sensitivity", title="Do the primary results hold", blocks=blocks)


def _why_none(data: ReportData) -> str:
    """Why no result is analysed otherwise, and no detectable change told: both are done of primary features only."""
    if data.unregistered:
        return f"{NOTHING_PRIMARY} {ON_DEMAND}"
    if data.families.empty and len(data.changes):  # written together with the analyses
        return f"No result was analysed otherwise. {LATER}"
    return f"No result was analysed otherwise, as the plan names no primary feature. {ON_DEMAND}"


def _picture(table: pd.DataFrame) -> Picture:
    return Picture(
        name="sensitivity",
        caption="Each row is one analysis: as planned, without one patient, by another test, with the samples that failed quality "
        "control. Lines are the interval of the same test; what reaches far beyond the planned interval is cut off.",
        content=sensitivity_panels(table),
    )


# ---- agreement -------------------------------------------------------------------------------------------------------


def _agreement_table(table: pd.DataFrame) -> Grid:
    features = [part for _, part in table.groupby(FEATURE, sort=False)]
    return Grid(
        caption=f"What else the data say of {plural(len(features), 'primary result')}",
        columns=("feature", "in short", "as planned", "without each patient", "by other tests", "with flagged samples"),
        rows=[_agreement_row(part) for part in features],
        note=WHAT_AGREES,
    )


def _agreement_row(part: pd.DataFrame) -> tuple[str, ...]:
    planned = part[part["kind"] == PLANNED].iloc[0]
    kinds = {kind: part[part["kind"] == kind] for kind in (WITHOUT, OTHER, FLAGGED)}
    name = two_lines(planned["feature"], _about(planned))
    if not present(planned["p_value"]):
        return name, two_lines(NOT_ESTIMABLE, reason(planned["note"])), DASH, DASH, DASH, DASH
    result = two_lines(
        f"{signed(planned['estimate'])} {planned['unit']}", f"p {p_with_floor(planned['p_value'], planned['p_floor'])}"
    )
    return (
        name,
        in_short(part),
        result,
        *(_agreement(kinds[kind]) for kind in (WITHOUT, OTHER)),
        _put_back(kinds[FLAGGED]),
    )


def in_short(part: pd.DataFrame) -> str:
    """One feature's rows in a line: "holds in 9 of 10 leave-one-outs; 5 of 6 tests agree; agrees with flagged samples"."""
    parts = [_share(part, WITHOUT, "holds in {} of {} leave-one-outs"), _share(part, OTHER, "{} of {} tests agree")]
    for flag in part.loc[part["kind"] == FLAGGED, "agrees"].dropna():
        parts.append("holds with flagged samples" if flag else "does not hold with flagged samples")
    return "; ".join(told for told in parts if told)


def _share(part: pd.DataFrame, kind: str, told: str) -> str:
    known = part.loc[part["kind"] == kind, "agrees"].dropna()
    return told.format(int(known.sum()), len(known)) if len(known) else ""


def _agreement(rows: pd.DataFrame) -> str:
    """How many agree, which do not, and why the number of pairs may be all there is to it."""
    known = rows[rows["agrees"].notna()]
    if known.empty:
        return DASH
    against = known[~known["agrees"].astype(bool)]
    names = against["analysis"].head(NAMED).tolist()
    if len(against) > NAMED:
        names.append(f"{len(against) - NAMED} more")
    short = int((against["p_floor"] > ALPHA).sum())
    lost = len(rows) - len(known)
    parts = [
        f"not: {', '.join(names)}" if names else "",
        f"{short} of these cannot reach {ALPHA} with so few pairs" if short else "",
        f"{lost} {NOT_ESTIMABLE}" if lost else "",
    ]
    return two_lines(f"{len(known) - len(against)} of {len(known)} agree", "; ".join(told for told in parts if told))


def _put_back(rows: pd.DataFrame) -> str:
    if rows.empty:
        return "none was measured"
    row = rows.iloc[0]
    if not present(row["agrees"]):
        return two_lines(absent(), reason(row["note"]))
    said = "agrees" if row["agrees"] else "does not agree"
    return two_lines(
        said, f"{text(row['note'])}; {signed(row['estimate'])}, p {p_with_floor(row['p_value'], row['p_floor'])}"
    )


def _about(row: pd.Series) -> str:
    pairs = f"{place(row['compartment'])}, {plural(row['n_pairs'], 'pair')}"
    return "; ".join(part for part in (explained(row["feature"]), pairs) if part)


# ---- shadow null and power -------------------------------------------------------------------------------------------


def _shadow_table(table: pd.DataFrame) -> Grid:
    rows = [
        (
            text(row["family"]),
            text(row["test"]).replace("_", " "),  # an earlier version wrote signed_rank
            whole(row["n_tests"]),
            whole(row["n_flips"]),
            percent(row["nominal"]),
            _rate(row, "observed"),
            _rate(row, "observed_any"),
            text(row["note"]),
        )
        for _, row in table.iterrows()
    ]
    columns = (
        "family",
        "test",
        "tests",
        "swaps",
        "nominal",
        "tests that call a change",
        "swaps in which any passes",
        "remark",
    )
    return Grid(
        caption="False positives observed where nothing can have changed (shadow null)",
        columns=columns,
        rows=rows,
        note=WHAT_SHADOW_IS,
    )


def _rate(row: pd.Series, column: str) -> str:
    """The remark says why a rate is absent."""
    return percent(row[column]) if present(row[column]) else DASH


def _power_table(table: pd.DataFrame) -> Grid:
    powers = sorted(set(table["power"]))
    chance = percent(powers[0]) if len(powers) == 1 else "the power stated"
    return Grid(
        caption=f"The smallest change found with a probability of {chance}",
        columns=(
            "feature",
            "pairs",
            "spread of the changes (SD)",
            "detectable change",
            "in SD of the changes",
            "remark",
        ),
        rows=[_power_row(row) for _, row in table.iterrows()],
        note=WHAT_POWER_IS,
    )


def _power_row(row: pd.Series) -> tuple[str, ...]:
    def measured(column: str) -> str:
        return f"{number(row[column])} {row['unit']}" if present(row[column]) else DASH

    effect = number(row["detectable_effect"]) if present(row["detectable_effect"]) else DASH
    about = "; ".join(part for part in (explained(row["feature"]), place(row["compartment"])) if part)
    change = f"\N{PLUS-MINUS SIGN}{measured('detectable_change')}" if present(row["detectable_change"]) else DASH
    return (
        two_lines(row["feature"], about),
        whole(row["n_pairs"]),
        measured("spread"),
        change,
        effect,
        text(row["note"]),
    )
