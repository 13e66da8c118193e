from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.report.blocks import Grid, Picture, Prose
from rabiomarkers.report.data import LATER, data_of_results
from rabiomarkers.report.figures.composition import verdict_look
from rabiomarkers.report.sections_change import change_section, pairs_section
from rabiomarkers.report.sections_community import composition_section, stool_section
from rabiomarkers.report.sections_courses import courses_section
from rabiomarkers.report.sections_families import families_table
from rabiomarkers.results import open_results
from rabiomarkers.stats.moderated import MINIMUM_FEATURES
from rabiomarkers.tables.changes import BY_RESPONSE, CHANGES, COMMUNITY, COMPOSITION, COURSES, FAMILIES
from tests.support.synthetic_results import INJECTION, Invented, make_results

SECTIONS = (change_section, pairs_section, stool_section, composition_section, courses_section)
ADJUSTED, SIZE = "adjusted p", "effect size"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    trial = Invented(later_timepoint=True)
    return data_of_results(open_results(make_results(tmp_path_factory.mktemp("later") / "r", trial)))


@pytest.fixture(scope="module")
def five(tmp_path_factory):
    """Five pairs: no exact p is below 0.0625."""
    patients = tuple(f"P{index}" for index in range(5))
    trial = Invented(patients=patients, responders=2, missing=frozenset(), exploratory=3)
    return data_of_results(open_results(make_results(tmp_path_factory.mktemp("five") / "r", trial)))


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    trial = Invented(first_version=True, exploratory=3)
    return data_of_results(open_results(make_results(tmp_path_factory.mktemp("old") / "r", trial)))


@pytest.fixture(scope="module")
def empty(data):
    """A study in which nothing was measured."""
    tables = {"changes": CHANGES, "by_response": BY_RESPONSE, "families": FAMILIES, "courses": COURSES}
    tables |= {"composition": COMPOSITION, "community": COMMUNITY}
    nothing = {name: table.empty() for name, table in tables.items()}
    return replace(data, **nothing, deltas=data.deltas.head(0), ordination=data.ordination.head(0), summary={})


def grid(section, start):
    return next(block for block in section.blocks if isinstance(block, Grid) and block.caption.startswith(start))


def grids(section):
    return [block for block in section.blocks if isinstance(block, Grid)]


def cells(table, row):
    """The row of that name, by column."""
    found = next(cells for cells in table.rows if cells[0].partition("\n")[0] == row)
    return dict(zip(table.columns, found, strict=True))


def all_rows(section):
    """The rows of all tables of changes."""
    return [row for table in grids(section) if "what may be said" in table.columns for row in table.rows]


def in_words(section):
    """Everything a section says outside its figures."""
    said = []
    for block in section.blocks:
        if isinstance(block, Prose):
            said.append(block.text)
        elif isinstance(block, Picture):
            said.append(f"{block.caption} {block.message}")
        elif isinstance(block, Grid):
            said += [block.caption, block.note, *(cell for row in block.rows for cell in row)]
    return "\n".join(said)


# ---- changes and their families --------------------------------------------------------------------------------------


def test_primary_features_stand_in_their_sequence_with_their_place(data):
    table = grid(change_section(data), "Change of the 9 features")
    assert [row[0].partition("\n")[0] for row in table.rows[:3]] == [
        "RA_RESPONSE_CORE",
        "MACROPHAGE_LIPID_PEROXIDATION",
        "clr_CD8_TEM",
    ]
    assert [row[table.columns.index(ADJUSTED)] for row in table.rows[:4]] == [
        "0.00391\nfixed sequence, place 1 of 3",
        "0.0742\nfixed sequence, place 2 of 3",
        "0.0742\nfixed sequence, place 3 of 3",
        "0.0117\nHolm",
    ]


def test_what_follows_the_stop_of_the_sequence_is_not_claimed(data):
    row = cells(grid(change_section(data), "Change of the"), "clr_CD8_TEM")
    assert row["p (floor)"] == "0.00195 (floor\N{NO-BREAK SPACE}0.00195)"
    assert row["what may be said"] == "no change shown, as an earlier feature of the sequence did not pass"


def test_each_effect_size_has_its_interval_and_the_sizes_stand_in_a_table_of_their_own(data):
    section = change_section(data)
    row = data.changes.query("feature == 'NLR'").iloc[0]
    assert (
        cells(grid(section, "Change of the"), "NLR")[SIZE]
        == "\N{MINUS SIGN}0.805\n\N{MINUS SIGN}1.44 to \N{MINUS SIGN}0.172"
    )
    sizes = grid(section, "Median, range")
    assert sizes.collapsed
    assert cells(sizes, "NLR")["median change"].startswith(f"\N{MINUS SIGN}{abs(row['median']):.3f}")
    assert "\n" in cells(sizes, "NLR")["Hedges' g (95 % interval)"]


def test_a_family_tells_how_many_must_be_at_the_floor_together(data):
    row = cells(families_table(data), "exploratory tumour")
    assert row["family"].endswith("exploratory: no claim rests on it")
    assert (row["tests"], row["passed"]) == ("40", "0")
    assert row["what this number of pairs allows"] == (
        "with 9 pairs at least 4 of 40 must be at the floor, the smallest possible p, before any passes"
    )
    assert "moderated_t" in families_table(data).note


def test_a_family_that_cannot_pass_says_so(five):
    table = families_table(five)
    assert {row[-1] for row in table.rows} == {
        "with 5 pairs none can pass, whatever the data show",
        "with 5 pairs it cannot pass, whatever the data show",
    }


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"n_cannot_pass": 2}, "2 of 5 cannot pass, whatever the data show"),
        ({}, "with 10 pairs each can pass"),
        ({"n_tests": 0}, "no feature could be tested"),
        ({"n_tests": 1}, "it can pass"),
    ],
)
def test_what_a_family_allows_is_told_in_words(data, told, said):
    row = {"family": "primary", "tier": "primary", "correction": "Holm", "n_features": 5, "n_tests": 5, "n_passed": 0}
    families = FAMILIES.check(pd.DataFrame([row | {"n_cannot_pass": 0, "n_needed": pd.NA, "note": ""} | told]))
    changes = pd.DataFrame({"family": ["primary"], "p_value": [0.5], "n_pairs": [10]})
    table = families_table(replace(data, families=families, changes=changes))
    assert table.rows[0][-1] == said
    untested = 5 - int(told.get("n_tests", 5))
    assert (f"{untested} features more could not be tested" in table.rows[0][2]) == (untested > 0)


def test_what_the_table_of_families_notes_is_shown_with_its_pairs(data):
    """A sequence that an untestable feature stopped can pass nothing, which no count of floors tells."""
    note = "the sequence stops at A, which could not be tested"
    families = data.families.assign(note=data.families["note"].mask(data.families["family"] == "primary", note))
    table = families_table(replace(data, families=families))
    assert cells(table, "primary")["what this number of pairs allows"] == f"{note}\nwith 9 to 10 pairs"
    assert cells(table, "secondary blood")["what this number of pairs allows"] == "it can pass"


def test_benjamini_hochberg_is_said_to_hold_on_average_and_the_moderated_t_what_it_assumes(data):
    table = families_table(data)
    said = next(row[1] for row in table.rows if row[1].startswith("Benjamini-Hochberg"))
    assert "at most 5 in 100 are false on average" in said
    assert "independent or positively dependent" in said
    assert "the features of its compartment and unit share" in table.note
    assert f"fewer than {MINIMUM_FEATURES} such features" in table.note


def test_patients_with_one_sample_are_counted_where_a_test_used_them(data):
    changes = data.changes.assign(n_single=pd.array([2] + [0] * (len(data.changes) - 1), dtype="Int64"))
    changes["degrees_of_freedom"] = [8.5] + [np.nan] * (len(changes) - 1)
    first = changes["feature"].iloc[0]
    rows = all_rows(change_section(replace(data, changes=changes)))
    shown = {row[0].partition("\n")[0]: row[2] for row in rows}
    assert {row[0].partition("\n")[0] for row in rows if row[5].endswith("\n8.50 degrees of freedom")} == {first}
    assert shown.pop(first).endswith("\nand 2 patients with one sample")
    assert not any("one sample" in pairs for pairs in shown.values())


def test_a_note_of_a_plan_that_was_not_registered_stays_beside_a_floor(five):
    note = "the plan is not the one that was registered; cannot reach 0.05: with 5 pairs no p is below 0.0625"
    table = grid(change_section(replace(five, changes=five.changes.assign(note=note))), "Change of the")
    assert table.rows[0][1] == "cannot reach 0.05 with 5 pairs\nthe plan is not the one that was registered"


# ---- change by response ----------------------------------------------------------------------------------------------


def test_change_by_response_has_both_groups_shift_floor_and_adjusted_p(data):
    row = cells(grid(pairs_section(data), "Change in patients who responded"), "clr_CD8_TEM")
    assert row["responders"] == "+0.640 clr\n3 pairs"
    assert row["non-responders"] == "+0.338 clr\n6 pairs"
    assert row["shift, interval (level)"] == "+0.301 clr\n0.201 to 0.401 (95.2\N{NO-BREAK SPACE}%)"
    assert row["p (floor)"] == "0.0476 (floor\N{NO-BREAK SPACE}0.0238)"
    assert row["what may be said"] == "no difference shown"
    assert row["feature"].endswith("blood, secondary")


def test_too_few_responders_are_said_to_be_too_few(data):
    row = cells(grid(pairs_section(data), "Change in patients who responded"), "RA_RESPONSE_CORE")
    assert row["what may be said"] == "cannot reach 0.05 with 2 against 6"
    assert row["shift, interval (level)"].endswith("no interval at this n")


def test_only_features_the_plan_names_are_compared_on_the_page(data):
    table = grid(pairs_section(data), "Change in patients who responded")
    assert len(table.rows) == 9
    assert "46 features, 1 passed, all in by_response.csv" in table.note


def test_results_without_the_test_describe_the_groups_and_say_who_adds_it(old):
    section = pairs_section(old)
    table = grid(section, "Change in patients who responded")
    assert LATER in table.note
    assert cells(table, "clr_CD8_TEM")["responders"] == "+0.640 clr\n3 pairs"
    assert [block.name for block in section.blocks if isinstance(block, Picture)] == ["pairs"]


# ---- courses ---------------------------------------------------------------------------------------------------------


def test_courses_are_shown_where_there_are_more_timepoints_and_marked_exploratory(data, results):
    section = courses_section(data)
    assert "exploratory" in section.title
    table = grids(section)[0]
    assert len(table.rows) == 18  # nine features of the plan, two later timepoints; forty others are left to the file
    assert table.rows[0][:3] == (
        "RA_RESPONSE_CORE\nretinoic-acid target genes, core set; tumour",
        "post against pre",
        "9\n10 patients with either",
    )
    assert "courses.csv" in table.note
    assert courses_section(data_of_results(results)) is None


def test_of_a_study_whose_plan_names_nothing_the_courses_of_the_smallest_p_are_shown(data):
    unnamed = replace(data, changes=data.changes.assign(tier="exploratory"))
    table = grids(courses_section(unnamed))[0]
    assert table.caption == "Every later timepoint against the first, of the 12 features of the smallest p"
    smallest = data.courses.groupby(["compartment", "feature"])["p_any"].first().nsmallest(12)
    assert {row[0].partition("\n")[0] for row in table.rows} == set(smallest.index.get_level_values("feature"))
    few = replace(unnamed, courses=data.courses[data.courses["compartment"] == "blood"])
    assert grids(courses_section(few))[0].caption.endswith("of all features")


# ---- communities and compositions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", [stool_section, composition_section])
def test_wholes_are_stamped_exploratory_in_title_and_first_sentence(data, section):
    made = section(data)
    assert made.title.endswith("(exploratory)")
    assert made.blocks[0].text.startswith("Exploratory: the plan names single features and none of the tests below")


def test_every_question_about_communities_is_asked_in_words(data):
    table = grid(stool_section(data), "Questions")
    assert len(table.rows) == 4  # own pairs against others is told with the distances
    assert table.rows[0] == (
        "Did the stool communities change from the first to the second timepoint?\nfaecal, Bray-Curtis",
        "9\n18 samples",
        "2.31\npseudo-F",
        "12\N{NO-BREAK SPACE}%",
        "0.00980 (floor\N{NO-BREAK SPACE}0.00391)",
        "PERMANOVA, timepoints exchanged within patients",
    )


def test_a_question_that_cannot_be_answered_has_its_reason(data):
    unknown = data.community.assign(p_value=None, statistic=None, note="no responder among the patients")
    table = grid(stool_section(replace(data, community=COMMUNITY.check(unknown))), "Questions")
    assert {row[-2] for row in table.rows} == {"not estimable"}
    assert all(row[-1].endswith("no responder among the patients") for row in table.rows)


def test_a_composition_is_told_as_a_whole_and_by_its_parts(data):
    section = composition_section(data)
    said = [block.text for block in section.blocks if isinstance(block, Prose)]
    assert said[2] == (
        "Cell types, blood, as a whole, in 10 pairs: changed, p = 0.0120 (floor\N{NO-BREAK SPACE}0.00195) "
        "(sign flips of whole patients)."
    )
    assert [block.name for block in section.blocks if isinstance(block, Picture)] == [
        "composition-blood-cell-types",
        "composition-faecal-taxa",
    ]
    table = grid(section, "Parts of cell types, blood: 8, in 10 pairs")
    assert table.collapsed
    assert cells(table, "CD8_TEM") == {
        "part": "CD8_TEM\nCD8 effector memory T cells; seen in 90\N{NO-BREAK SPACE}% of samples",
        "against": "geometric mean of all parts",
        "verdict": "rose",
        "estimate": "+0.720 ln\n2.05 times as much",
        "interval (level)": "0.420 to 1.02 (95.1\N{NO-BREAK SPACE}%)",
        "p (floor)": "0.00400 (floor\N{NO-BREAK SPACE}0.00195)",
        "adjusted p": "0.0160",
        "p over draws": "0.00520\nat most 0.05 in 93\N{NO-BREAK SPACE}% of draws",
    }
    assert cells(table, "CD8_naive")["verdict"] == "fell"
    assert cells(table, "CD4_naive")["verdict"] == "depends on the reference"
    assert cells(table, "Treg")["verdict"] == "no change shown"
    assert "1 part seen in too few samples" in table.note


def test_of_two_parts_the_ratio_is_said_to_have_moved_and_neither_part_is_drawn_as_a_mover(data):
    two = data.composition[data.composition["part"].isin(["CD8_TEM", "CD8_naive"])].assign(verdict="their ratio moved")
    section = composition_section(replace(data, composition=COMPOSITION.check(two)))
    assert {row[2].partition("\n")[0] for row in grids(section)[0].rows} == {"their ratio moved"}
    assert {verdict_look(row).symbol for _, row in two.iterrows()} == {"diamond"}


def test_a_composition_that_cannot_reach_the_level_says_so(five):
    section = composition_section(five)
    assert "as a whole, in 5 pairs: cannot reach 0.05 with 5 pairs, p = 0.0625" in in_words(section)
    assert {row[2].partition("\n")[0] for row in grids(section)[0].rows} == {"cannot reach 0.05 with 5 pairs"}


def test_a_balance_of_many_parts_is_no_number_of_times(data):
    row = {"part": "CD8 to CD4", "coordinate": "balance", "reference": "2 parts against 3 parts", "verdict": "moved"}
    blood = data.composition.query("compartment == 'blood'")
    table = COMPOSITION.check(pd.concat([blood, blood.head(1).assign(**row)]))
    shown = cells(grid(composition_section(replace(data, composition=table)), "Parts of"), "CD8 to CD4")
    assert shown["estimate"] == "+0.720 ln"
    assert shown["verdict"] == "rose"


# ---- whatever is not there -------------------------------------------------------------------------------------------


def test_results_of_an_earlier_version_say_what_adds_the_rest(old):
    assert LATER in families_table(old).note
    assert LATER in grid(stool_section(old), "Questions").note
    assert composition_section(old) is None
    assert courses_section(old) is None
    assert cells(grid(change_section(old), "Change of the"), "NLR")[ADJUSTED].endswith("Benjamini-Hochberg")
    assert not [table for table in grids(change_section(old)) if table.caption.startswith("Median, range")]


@pytest.mark.parametrize("section", SECTIONS)
def test_a_study_in_which_nothing_was_measured_is_told_in_words(empty, section):
    made = section(empty)
    if section in (composition_section, courses_section):
        assert made is None
    else:
        assert in_words(made).strip()
        assert "nan" not in in_words(made)


@pytest.mark.parametrize("section", SECTIONS)
def test_no_degenerate_study_breaks_a_section(degenerate, section):
    made = section(data_of_results(degenerate))
    assert made is None or not {"nan", "<NA>", "None", "inf"} & set(in_words(made).replace("\n", " ").split())


def test_a_name_on_the_page_is_never_an_id(hostile):
    names = [block.name for block in composition_section(data_of_results(hostile)).blocks if isinstance(block, Picture)]
    assert names == ["composition-blood-cell-types", "composition-faecal-taxa"]
    odd = data_of_results(hostile).composition.assign(composition=f"{INJECTION}\"'")
    named = composition_section(replace(data_of_results(hostile), composition=odd))
    names = [block.name for block in named.blocks if isinstance(block, Picture)]
    assert all(name.replace("-", "").isalnum() for name in names)
