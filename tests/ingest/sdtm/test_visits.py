"""Which records make one time point, and what the sums of the file are compared with."""

from rabiomarkers.response.assess import assess_timepoints
from tests.ingest.sdtm.folders import baseline, good, lesions, read, remarks, told, tr, tu

WEEK_6 = "2020-02-21"


def total(result, visit="2", when=WEEK_6, **cells):
    return tr("", result, visit, when, TRTESTCD="SUMDIAM", **cells)


def visits(tables):
    return [(visit, day) for visit, day in dict.fromkeys(lesions(tables, "visit", "day"))]


def test_scans_of_one_visit_on_several_days_share_its_name(folder):
    parts = baseline("20", "18")
    scans = [tr("T01", "15", "2", WEEK_6), tr("T02", "14", "2", "2020-02-24")]
    tables = good(folder, tu=parts["tu"], tr=[*parts["tr"], *scans])
    assert visits(tables) == [("BASELINE", 0), ("WEEK 6", 42), ("WEEK 6", 45)]
    assert assess_timepoints(tables.lesions)[["day", "sum_mm"]].to_numpy().tolist() == [[0, 38], [45, 29]]


def test_an_unscheduled_number_that_served_two_visits_is_two_time_points(folder):
    parts = baseline("20")
    scans = [tr("T01", "15", "9.2", WEEK_6), tr("T01", "14", "9.2", "2020-05-21")]
    tables = good(folder, tu=parts["tu"], tr=[*parts["tr"], *scans])
    assert visits(tables)[1:] == [("UNSCHEDULED 9.2 2020-02-21", 42), ("UNSCHEDULED 9.2 2020-05-21", 132)]
    assert remarks(tables)[0].startswith("records of visit UNSCHEDULED 9.2 on 2 dates -> time points of their own")


def test_an_unscheduled_visit_of_a_few_days_is_one_time_point(folder):
    parts = baseline("20", "18")
    scans = [tr("T01", "15", "9.2", WEEK_6), tr("T02", "14", "9.2", "2020-02-24")]
    tables = good(folder, tu=parts["tu"], tr=[*parts["tr"], *scans])
    assert visits(tables)[1:] == [("UNSCHEDULED 9.2", 42), ("UNSCHEDULED 9.2", 45)]
    assert remarks(tables) == []


def test_without_names_a_visit_number_that_is_no_whole_one_is_unscheduled(folder):
    nameless = {"VISIT": ""}
    scans = [
        tr("T01", "20", **nameless),
        tr("T01", "15", "9.2", WEEK_6, **nameless),
        tr("T01", "14", "9.2", "2020-05-21", **nameless),
    ]
    tables = good(folder, tu=[tu("T01")], tr=scans)
    assert visits(tables) == [("1", 0), ("9.2 2020-02-21", 42), ("9.2 2020-05-21", 132)]


def test_visits_that_are_called_alike_are_told_apart_by_their_numbers(folder):
    scans = [tr("T01", "20"), tr("T01", "15", "9.1", WEEK_6), tr("T01", "14", "9.2000000000000002", "2020-05-21")]
    scans = [scan | {"VISIT": "UNSCHEDULED"} if scan["VISITNUM"] != "1" else scan for scan in scans]
    tables = good(folder, tu=[tu("T01")], tr=scans)
    assert visits(tables)[1:] == [("UNSCHEDULED (9.1)", 42), ("UNSCHEDULED (9.2)", 132)]


def test_a_visit_on_both_sides_of_first_dose_is_a_baseline_and_a_visit(folder):
    parts = baseline("20", "18")
    late = tr("T02", "18", "1", "2020-01-12")
    tables = good(folder, tu=parts["tu"], tr=[parts["tr"][0], late])
    assert visits(tables) == [("BASELINE before first dose", 0), ("BASELINE", 2)]
    assert "on both sides of first dose (days 0 to 2)" in remarks(tables)[0]
    assess_timepoints(tables.lesions)  # which would refuse one visit on both sides


def test_two_visits_that_end_on_one_day_are_one_time_point(folder):
    parts = baseline("20", "18")
    scans = [tr("T01", "15", "2", WEEK_6), tr("T02", "14", "9.2", WEEK_6)]
    tables = good(folder, tu=parts["tu"], tr=[*parts["tr"], *scans])
    assert {visit for visit, day in visits(tables) if day == 42} == {"UNSCHEDULED 9.2"}
    assert remarks(tables) == ["visits UNSCHEDULED 9.2 and WEEK 6 end on one day -> one time point, UNSCHEDULED 9.2"]
    assert assess_timepoints(tables.lesions)["sum_mm"].tolist() == [38, 29]


def test_a_lesion_read_at_two_visits_on_one_day_is_a_problem(folder):
    scans = [tr("T01", "20"), tr("T01", "15", "2", WEEK_6), tr("T01", "14", "9.2", WEEK_6)]
    _, problems = read(folder, tu=[tu("T01")], tr=scans)
    assert "T01 read at visit WEEK 6 and at visit UNSCHEDULED 9.2 on one day" in told(problems)[0]


def test_without_visits_each_day_is_a_time_point(folder):
    none = {"VISIT": "", "VISITNUM": ""}
    tables = good(folder, tu=[tu("T01")], tr=[tr("T01", "20", **none), tr("T01", "15", when=WEEK_6, **none)])
    assert visits(tables) == [("day 0", 0), ("day 42", 42)]


def test_a_sum_that_is_that_of_its_diameters_is_not_spoken_of(folder):
    parts = baseline("20.5", "18")
    tables = good(folder, tu=parts["tu"], tr=[*parts["tr"], total("38.5", "1", "2020-01-10")])
    assert remarks(tables) == []
    assert len(tables.lesions) == 2


def test_another_sum_is_remarked_with_both_numbers(folder):
    parts = baseline("20.5", "18")
    tables = good(folder, tu=parts["tu"], tr=[*parts["tr"], total("40", "1", "2020-01-10")])
    assert remarks(tables) == [
        "SUMDIAM is 40 mm at visit BASELINE, its diameters add up to 38.5 mm -> not used: sums are computed from the diameters"
    ]


def test_a_sum_that_leaves_out_a_lesion_is_remarked(folder):
    parts = baseline("20", "18")
    scans = [tr("T01", "15", "2", WEEK_6), tr("T02", "", "2", WEEK_6, TRSTAT="NOT DONE"), total("15")]
    tables = good(folder, tu=parts["tu"], tr=[*parts["tr"], *scans])
    assert "SUMDIAM 15 mm at visit WEEK 6 leaves out T02, not evaluated -> not used: the sum is not known" in remarks(
        tables
    )


def test_a_sum_adds_5_mm_for_a_lesion_too_small_to_measure(folder):
    parts = baseline("20", "18")
    scans = [tr("T01", "15", "2", WEEK_6), tr("T02", "TOO SMALL TO MEASURE", "2", WEEK_6, TRTESTCD="DIAMETER")]
    tables = good(
        folder, tu=parts["tu"], tr=[*parts["tr"], *scans, total("20"), total("", "3", "2020-04-03", TRSTAT="NOT DONE")]
    )
    assert not any("SUMDIAM" in each for each in remarks(tables))


def test_two_sums_at_one_visit_are_remarked_and_none_is_used(folder):
    scans = [tr("T01", "20"), tr("T01", "15", "2", WEEK_6), total("15"), total("17")]
    tables = good(folder, tu=[tu("T01")], tr=scans)
    assert remarks(tables) == [
        "2 sums at one visit, WEEK 6: 15 mm (row 4, day 42), 17 mm (row 5, day 42) -> "
        "none of them is used: sums are computed from the diameters"
    ]
    assert lesions(tables, "mm")[1] == (15,)
