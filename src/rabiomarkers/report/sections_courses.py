"""Each feature at all timepoints, where a study has more than the two that are compared."""

import pandas as pd

from rabiomarkers.report.blocks import Grid, Picture, Section
from rabiomarkers.report.data import ReportData
from rabiomarkers.report.figures.courses import course_lines
from rabiomarkers.report.labels import explained
from rabiomarkers.report.registration import named_in_plan
from rabiomarkers.report.tables_of_change import KEY, LONG_TABLE, in_plan_order, or_dash, tests_named
from rabiomarkers.report.words import (
    NOT_ESTIMABLE,
    freedom,
    interval,
    number,
    p_with_floor,
    place,
    plural,
    present,
    reason,
    signed,
    two_lines,
    whole,
)
from rabiomarkers.stats.multiplicity import ALPHA

MOST_SHOWN = 12  # features of a study whose plan names none; a figure of hundreds would be no page


def courses_section(data: ReportData) -> Section | None:
    """Each later timepoint against the first; None where the study has no more timepoints than the two compared."""
    if data.courses.empty:
        return None
    courses, which = _shown(data)
    picture = Picture(
        name="courses",
        caption="Estimate and interval of each later timepoint against the first one, which is the zero line, with the number of "
        "patients who have both samples below. All samples enter one model, also those of patients who miss a timepoint. "
        "Exploratory: the plan compares two timepoints only.",
        content=course_lines(courses),
    )
    rows = [
        (
            two_lines(row["feature"], "; ".join(filter(None, [explained(row["feature"]), place(row["compartment"])]))),
            f"{row['timepoint']} against {row['reference']}",
            two_lines(whole(row["n_pairs"]), f"{plural(row['n_patients'], 'patient')} with either"),
            f"{signed(row['estimate'])} {row['unit']}"
            if present(row["estimate"])
            else two_lines(NOT_ESTIMABLE, reason(row["note"])),
            *or_dash(
                interval(row["ci_low"], row["ci_high"], row["ci_level"]),
                two_lines(p_with_floor(row["p_value"], row["p_floor"]), freedom(row)),
                number(row["p_any"]),
                number(row["q_value"]),
            ),
        )
        for _, row in courses.iterrows()
    ]
    table = Grid(
        caption=f"Every later timepoint against the first, of {which}",
        columns=(
            "feature",
            "timepoints",
            "pairs",
            "estimate",
            "interval (level)",
            "p",
            "p, any timepoint",
            "adjusted p",
        ),
        rows=rows,
        note=_note(data.courses, len(data.courses) - len(courses)),
        collapsed=len(rows) > LONG_TABLE,
    )
    return Section(name="timepoints", title="All timepoints (exploratory)", blocks=[picture, table])


def _shown(data: ReportData) -> tuple[pd.DataFrame, str]:
    """The courses of the features the plan names, in its order, or where it names none those of the smallest p; and which."""
    named = in_plan_order(named_in_plan(data.changes))[KEY]
    courses = named.merge(data.courses, on=KEY)
    if len(courses):
        return courses, "the features the plan names"
    features = data.courses.drop_duplicates(KEY).sort_values(["p_any", *KEY], na_position="last")[KEY]
    first = features.head(MOST_SHOWN)
    which = "all features" if len(first) == len(features) else f"the {len(first)} features of the smallest p"
    return first.merge(data.courses, on=KEY), which


def _note(courses: pd.DataFrame, left_out: int) -> str:
    features = courses.drop_duplicates(KEY)
    passed = int((features["q_value"] <= ALPHA).sum())
    others = " The other features are in courses.csv." if left_out else ""
    return (
        "Exploratory: no claim rests on it. p, any timepoint: whether any timepoint differs from the first; adjusted p: the same "
        "with the number of features of the compartment counted in (Benjamini-Hochberg); "
        f"{passed} of {plural(len(features), 'feature')} pass. Test: {tests_named(courses)}.{others}"
    )
