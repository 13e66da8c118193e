"""TU and TR: kinds, sizes, states, units, lesions that split or merge, new lesions."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rabiomarkers.ingest.lesions import LESIONS, read_lesions
from rabiomarkers.response.assess import assess_timepoints
from tests.ingest.sdtm.folders import baseline, good, lesions, read, remarks, states, told, tr, tu

WEEK_6 = "2020-02-21"
WEEK_12 = "2020-04-03"


def test_kinds_come_from_tu_and_a_target_in_a_lymph_node_is_a_node(folder):
    found = [
        tu("T01", place="LIVER"),
        tu("T02", place="LYMPH NODE, AXILLARY"),
        tu("NT01", "NON-TARGET", "LYMPH NODE"),
        tu("NEW01", "NEW", "BONE"),
    ]
    scans = [tr("T01", "20"), tr("T02", "16"), tr("NT01", "PRESENT"), tr("NEW01", "UNEQUIVOCAL", "2", WEEK_6)]
    tables = good(folder, tu=found, tr=scans)
    assert lesions(tables, "lesion_id", "kind", "organ", "status") == [
        ("NT01", "non_target", "LYMPH NODE", "present"),
        ("T01", "target", "LIVER", "measured"),
        ("T02", "target_node", "LYMPH NODE, AXILLARY", "measured"),
        ("NEW01", "new", "BONE", "present"),
    ]
    assert {name: str(kind) for name, kind in tables.lesions.dtypes.items()}.keys() == LESIONS.keys()


@pytest.mark.parametrize("kind", ["", "SECONDARY"])
def test_a_kind_that_is_none_is_a_problem(folder, kind):
    _, problems = read(folder, tu=[tu("T01", kind)], tr=[tr("T01", "20")])
    assert "TARGET, NON-TARGET or NEW" in told(problems)[1]


def test_a_lesion_without_an_id_is_a_problem(folder):
    _, problems = read(folder, tu=[tu("T01"), tu("")], tr=[tr("T01", "20")])
    assert [(problem.row, problem.column) for problem in problems] == [(3, "TULNKID")]


def test_a_lesion_that_changes_its_kind_is_a_problem(folder):
    _, problems = read(
        folder, tu=[tu("T01"), tu("T01", "NON-TARGET"), tu("T01", place="LYMPH NODE")], tr=[tr("T01", "20")]
    )
    assert [(problem.row, problem.column) for problem in problems] == [(3, "TUORRES"), (4, "TUORRES")]
    assert "is non_target (LIVER) here and target (LIVER) in row 2" in problems[0].found


def test_sizes_keep_their_exact_tenths(folder):
    sizes = ["28.0", "19.6", "12.34", "12.35", "7"]
    tables = good(folder, **baseline(*sizes))
    assert [tenths for (tenths,) in lesions(tables, "tenths")] == [280, 196, 123, 124, 70]


def test_centimetres_are_millimetres(folder):
    scan = tr("T01", "2.85", TRSTRESU="cm")
    assert lesions(good(folder, tu=[tu("T01")], tr=[scan]), "mm", "tenths") == [(28.5, 285)]


@pytest.mark.parametrize(
    ("cells", "column", "found"),
    [
        ({"TRSTRESU": "in"}, "TRSTRESU", "'in'"),
        ({"TRSTRESU": ""}, "TRSTRESU", "an empty cell"),
        ({"TRSTRESC": "-3"}, "TRSTRESC", "-3 mm"),
        ({"TRSTRESC": "3,5"}, "TRSTRESC", "'3,5'"),
        ({"TRSTRESC": "large"}, "TRSTRESC", "'large'"),
        ({"TRSTRESC": "1e9"}, "TRSTRESC", "'1e9'"),
        ({"TRSTRESC": "9999999"}, "TRSTRESC", "9999999 mm"),
        ({"TRLNKID": ""}, "TRLNKID", "an empty cell"),
        ({"TRLNKID": "T07"}, "TRLNKID", "lesion 'T07' of P1"),
    ],
)
def test_what_is_no_size_of_a_lesion_is_a_problem_with_its_row(folder, cells, column, found):
    _, problems = read(folder, tu=[tu("T01")], tr=[tr("T01", "20"), tr("T01", "18", "2", WEEK_6, **cells)])
    assert [(problem.row, problem.column) for problem in problems] == [(3, column)]
    assert problems[0].found.startswith(found)
    assert ("decimal point" in problems[0].remedy) == ("," in cells.get("TRSTRESC", ""))


@pytest.mark.parametrize(
    ("kind", "place", "cells", "status", "tenths"),
    [
        ("TARGET", "LIVER", {"TRSTRESC": "0"}, "absent", 0),
        ("TARGET", "LYMPH NODE", {"TRSTRESC": "0"}, "measured", 0),
        ("TARGET", "LYMPH NODE", {"TRSTRESC": "8"}, "measured", 80),
        ("TARGET", "LIVER", {"TRSTRESC": "TOO SMALL TO MEASURE"}, "too_small", None),
        ("TARGET", "LIVER", {"TRSTRESC": "BELOW LIMIT OF DETECTION"}, "too_small", None),
        ("TARGET", "LIVER", {"TRSTRESC": "<5"}, "too_small", None),
        ("TARGET", "LIVER", {"TRSTRESC": "TOO SMALL TO MEASURE", "TRSTRESN": "5"}, "too_small", 50),
        ("TARGET", "LIVER", {"TRSTRESC": "NOT EVALUABLE"}, "not_evaluated", None),
        ("TARGET", "LIVER", {"TRSTRESC": "", "TRORRES": "", "TRSTAT": "NOT DONE"}, "not_evaluated", None),
        ("TARGET", "LIVER", {"TRSTRESC": "", "TRORRES": ""}, "not_evaluated", None),
        ("TARGET", "LIVER", {"TRTESTCD": "TUMSTATE", "TRSTRESC": "ABSENT"}, "absent", 0),
        ("TARGET", "LIVER", {"TRTESTCD": "TUMSTATE", "TRSTRESC": "PRESENT"}, "not_evaluated", None),
        ("NON-TARGET", "BONE", {"TRTESTCD": "TUMSTATE", "TRSTRESC": "ABSENT"}, "absent", 0),
        ("NON-TARGET", "BONE", {"TRTESTCD": "TUMSTATE", "TRSTRESC": "PRESENT"}, "present", None),
        ("NON-TARGET", "BONE", {"TRTESTCD": "TUMSTATE", "TRSTRESC": "UNEQUIVOCAL"}, "progression", None),
        ("NON-TARGET", "BONE", {"TRTESTCD": "TUMSTATE", "TRSTRESC": "EQUIVOCAL"}, "present", None),
        ("NON-TARGET", "BONE", {"TRTESTCD": "TUMSTATE", "TRSTRESC": "NE"}, "not_evaluated", None),
        ("NON-TARGET", "BONE", {"TRTESTCD": "TUMSTATE", "TRSTRESC": "", "TRORRES": ""}, "not_evaluated", None),
        ("NON-TARGET", "BONE", {"TRTESTCD": "TUMSTATE", "TRSTAT": "NOT DONE"}, "not_evaluated", None),
        ("NON-TARGET", "BONE", {"TRSTRESC": "12"}, "present", None),
        ("NON-TARGET", "BONE", {"TRSTRESC": "0"}, "absent", 0),
        ("NEW", "BONE", {"TRTESTCD": "TUMSTATE", "TRSTRESC": "UNEQUIVOCAL"}, "present", None),
        ("NEW", "BONE", {"TRTESTCD": "TUMSTATE", "TRSTRESC": "EQUIVOCAL"}, "equivocal", None),
        ("NEW", "BONE", {"TRTESTCD": "TUMSTATE", "TRSTRESC": "ABSENT"}, "absent", 0),
        ("NEW", "BONE", {"TRSTRESC": "12"}, "measured", 120),
    ],
)
def test_each_result_becomes_a_status_of_its_kind(folder, kind, place, cells, status, tenths):
    tables = good(folder, tu=[tu("X1", kind, place)], tr=[tr("X1", "18", "2", WEEK_6, **cells)])
    ((found, size),) = lesions(tables, "status", "tenths")
    assert (found, None if found == "absent" else size) == (status, None if status == "absent" else tenths)


def test_a_state_that_is_none_is_a_problem(folder):
    _, problems = read(folder, tu=[tu("NT01", "NON-TARGET")], tr=[tr("NT01", "MAYBE")])
    assert "'MAYBE'; PRESENT, ABSENT, EQUIVOCAL or UNEQUIVOCAL" in told(problems)[0]


def test_equivocal_growth_of_a_non_target_lesion_is_remarked(folder):
    tables = good(folder, tu=[tu("NT01", "NON-TARGET")], tr=[tr("NT01", "EQUIVOCAL", "2", WEEK_6)])
    assert remarks(tables) == ["equivocal growth of NT01 at visit WEEK 6 -> present: no progression yet"]


def test_what_was_not_done_is_told_once_a_visit(folder):
    parts = baseline("20", "18")
    undone = [tr(name, "", "2", WEEK_6, TRSTAT="NOT DONE", TRREASND="no scan") for name in ("T01", "T02")]
    tables = good(folder, tu=parts["tu"], tr=[*parts["tr"], *undone])
    assert remarks(tables) == ["T01, T02 not done at visit WEEK 6 (no scan) -> not evaluated"]


def test_a_node_is_measured_by_diameter_then_short_axis_then_longest_diameter(folder):
    def size(*tests):
        scans = [tr("T01", value, TRTESTCD=test) for test, value in tests]
        tables = good(folder, tu=[tu("T01", place="LYMPH NODE")], tr=scans)
        return lesions(tables, "mm")[0][0], remarks(tables)

    assert size(("LDIAM", "20"), ("LPERP", "15"), ("DIAMETER", "15")) == (15, [])
    assert size(("LDIAM", "20"), ("LPERP", "15")) == (15, [])
    assert size(("LDIAM", "20"), ("SAXIS", "16"))[0] == 16
    assert size(("LDIAM", "20"))[0] == 20
    assert "its longest diameter is used" in size(("LDIAM", "20"))[1][0]
    found, said = size(("DIAMETER", "20"), ("LPERP", "15"))
    assert found == 20
    assert said[0].startswith("DIAMETER of a lymph node is not its short axis: T01 at BASELINE")


def test_another_target_is_measured_by_diameter_then_longest_diameter(folder):
    scans = [tr("T01", "9", TRTESTCD="LPERP"), tr("T01", "20", TRTESTCD="LDIAM")]
    assert lesions(good(folder, tu=[tu("T01")], tr=scans), "mm") == [(20,)]


def test_a_test_that_was_not_done_gives_way_to_one_that_was(folder):
    scans = [tr("T01", "", TRTESTCD="DIAMETER", TRSTAT="NOT DONE"), tr("T01", "20", TRTESTCD="LDIAM")]
    tables = good(folder, tu=[tu("T01")], tr=scans)
    assert lesions(tables, "mm") == [(20,)]
    assert remarks(tables) == []


def test_a_lesion_read_twice_at_a_visit_is_a_problem(folder):
    _, problems = read(folder, tu=[tu("T01")], tr=[tr("T01", "20"), tr("T01", "21")])
    assert "DIAMETER of T01 at visit BASELINE is in row 2, too" in told(problems)[0]


def test_a_fragment_is_part_of_the_lesion_that_split(folder):
    parts = baseline("20", "18")
    fragments = [tu(f"T02.{number}", TUTESTCD="TUSPLIT", VISITNUM="2") for number in (1, 2)]
    undone = tr("T02", "", "2", WEEK_6, TRSTAT="NOT DONE")
    scans = [tr("T01", "20", "2", WEEK_6), tr("T02.1", "8", "2", WEEK_6), tr("T02.2", "9", "2", WEEK_6), undone]
    tables = good(folder, tu=[*parts["tu"], *fragments], tr=[*parts["tr"], *scans])
    assert lesions(tables, "lesion_id", "kind", "tenths", "part_of")[2:] == [
        ("T01", "target", 200, None),
        ("T02.1", "target", 80, "T02"),
        ("T02.2", "target", 90, "T02"),
    ]
    assert assess_timepoints(tables.lesions)["sum_mm"].tolist() == [38.0, 37.0]


def test_a_merged_lesion_is_carried_by_the_first(folder):
    parts = baseline("20", "18", "16")
    merged = tu("T02/T03", TUTESTCD="TUMERGE", VISITNUM="2")
    scans = [
        tr("T01", "20", "2", WEEK_6),
        tr("T02/T03", "30", "2", WEEK_6),
        tr("T03", "", "2", WEEK_6, TRSTAT="NOT DONE"),
    ]
    tables = good(folder, tu=[*parts["tu"], merged], tr=[*parts["tr"], *scans])
    assert lesions(tables, "lesion_id", "status", "tenths", "part_of")[3:] == [
        ("T01", "measured", 200, None),
        ("T02", "measured", 300, None),
        ("T03", "merged", None, "T02"),
    ]
    assert assess_timepoints(tables.lesions)["sum_mm"].tolist() == [54.0, 50.0]


def test_lesions_judged_by_eye_split_and_merge_into_their_worst_state(folder):
    found = [tu(name, "NON-TARGET") for name in ("NT01", "NT02", "NT03")]
    found += [tu(f"NT01.{number}", "NON-TARGET", TUTESTCD="TUSPLIT") for number in (1, 2)]
    found += [tu("NT02/NT03", "NON-TARGET", TUTESTCD="TUMERGE")]
    first = [tr(name, "PRESENT") for name in ("NT01", "NT02", "NT03")]
    later = {"NT01.1": "ABSENT", "NT01.2": "UNEQUIVOCAL", "NT02/NT03": "PRESENT"}
    tables = good(folder, tu=found, tr=[*first, *(tr(name, state, "2", WEEK_6) for name, state in later.items())])
    assert lesions(tables, "lesion_id", "status", "part_of")[3:] == [
        ("NT01", "progression", None),
        ("NT02", "present", None),
        ("NT03", "present", None),
    ]


@pytest.mark.parametrize(
    ("record", "told_of"),
    [
        (tu("X9.1", TUTESTCD="TUSPLIT"), "a fragment 'X9.1' of no known lesion"),
        (tu("T01/X9", TUTESTCD="TUMERGE"), "a merged lesion 'T01/X9'"),
        (tu("T01/NT01", TUTESTCD="TUMERGE"), "a merged lesion 'T01/NT01'"),
        (tu("T01", TUTESTCD="TUMERGE"), "a merged lesion 'T01'"),
    ],
)
def test_parts_that_cannot_be_traced_are_problems(folder, record, told_of):
    _, problems = read(
        folder, tu=[tu("T01"), tu("NT01", "NON-TARGET"), record], tr=[tr("T01", "20"), tr("NT01", "PRESENT")]
    )
    assert [problem.row for problem in problems] == [4]
    assert problems[0].found == told_of


def test_a_fragment_of_a_lesion_that_was_never_measured_is_a_problem(folder):
    found = [tu("T01"), tu("T02"), tu("T02.1", TUTESTCD="TUSPLIT")]
    _, problems = read(folder, tu=found, tr=[tr("T01", "20"), tr("T02.1", "8", "2", WEEK_6)])
    assert "T02.1 of P1 is part of T02, which TR never measured" in told(problems)[0]


def test_a_lesion_measured_alone_and_in_a_merged_one_is_a_problem(folder):
    parts = baseline("20", "18")
    merged = tu("T01/T02", TUTESTCD="TUMERGE")
    scans = [tr("T01/T02", "30", "2", WEEK_6), tr("T02", "10", "2", WEEK_6)]
    _, problems = read(folder, tu=[*parts["tu"], merged], tr=[*parts["tr"], *scans])
    assert "T02 at visit WEEK 6 is measured here and merged" in told(problems)[0]


def test_a_new_lesion_that_only_tu_tells_of_counts(folder):
    new = tu("NEW01", "NEW", TUDTC=WEEK_6, VISITNUM="2", VISIT="WEEK 6")
    tables = good(folder, tu=[tu("T01"), new], tr=[tr("T01", "20"), tr("T01", "20", "2", WEEK_6)])
    assert states(tables)["NEW01", 42.0] == "present"
    assert assess_timepoints(tables.lesions)["response"].tolist()[1] == "PD"
    assert remarks(tables) == ["new lesion NEW01 in TU, without a record in TR -> present"]


def test_a_new_lesion_at_baseline_is_a_problem(folder):
    _, problems = read(folder, tu=[tu("NEW01", "NEW")], tr=[tr("NEW01", "UNEQUIVOCAL")])
    assert "a new lesion NEW01 on day 0" in told(problems)[0]


def test_benign_findings_are_left_out(folder):
    tables = good(folder, tu=[tu("T01"), tu("B01", "BENIGN ABNORMALITY")], tr=[tr("T01", "20")])
    assert remarks(tables) == ["B01 is 'BENIGN ABNORMALITY' -> no tumour: left out"]


def test_without_tuloc_no_lesion_is_known_to_be_a_node(folder):
    found = {name: text for name, text in tu("T01").items() if name != "TULOC"}
    tables = good(folder, tu=[found], tr=[tr("T01", "20")])
    assert lesions(tables, "kind", "organ") == [("target", None)]
    assert "no lesion is known to be a lymph node" in remarks(tables)[0]


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(0, 500), min_size=2, max_size=2), min_size=2, max_size=4))
def test_sums_are_those_of_the_diameters_and_lesions_csv_would_say_the_same(folder, tmp_path, visits):
    scans = [
        tr(f"T0{number}", f"{size / 10}", str(visit), f"2020-0{visit}-10")
        for visit, sizes in enumerate([[100, 100], *visits], start=1)
        for number, size in enumerate(sizes, start=1)
    ]
    tables = good(folder, tu=baseline("1", "1")["tu"], tr=scans)
    expected = [200, *(sum(sizes) for sizes in visits)]
    assert assess_timepoints(tables.lesions)["sum_tenths"].tolist() == expected
    tables.lesions.drop(columns="tenths").to_csv(tmp_path / "lesions.csv", index=False)
    by_hand, problems = read_lesions(tmp_path / "lesions.csv", {"P1"})
    assert problems == []
    assert by_hand.equals(tables.lesions)
