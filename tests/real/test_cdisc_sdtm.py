"""The oncology test data of CDISC (dummy tumours, 254 patients): the facts its README lists, read from the SDTM domains.

The README's 545 + 66 + 22 of 633 target responses come of reading the file's sums as they stand: summed by visit number (so that
the two scans of one subject at visit 9.2 become one sum of 85 mm), in the order of the visit numbers, the nadir taken over sums
that leave out a lesion, too, and a visit with a lesion that was not assessed NE whatever the others say. `readme_reading` does
just that. The engine goes by dates, does not take an incomplete sum for a nadir, and calls progression where the lesions that were
assessed already make it; it disagrees with the data in 75 places, all of them among the README's 88.
"""

import pandas as pd
import pytest

from rabiomarkers.ingest.lesions import read_lesions
from rabiomarkers.ingest.sdtm.read import read_sdtm
from rabiomarkers.response.assess import assess_timepoints
from rabiomarkers.response.timepoint import is_partial_response, is_progression

TWICE = "01-711-1143"  # two scans, two sums at one unscheduled visit


@pytest.fixture(scope="module")
def data(shared_data):
    return shared_data / "cdisc_onco_sdtm"


@pytest.fixture(scope="module")
def tables(data):
    found, problems = read_sdtm(data, evaluator="Investigator")
    assert problems == []
    return found


@pytest.fixture(scope="module")
def raw(data):
    """The investigator's records of TR and RS as they stand; `day` from RFXSTDTC where the date is complete."""
    demographics = pd.read_csv(data / "dm.csv.gz", dtype=str, keep_default_na=False).set_index("USUBJID")
    found = {}
    for name in ("tr", "rs"):
        frame = pd.read_csv(data / f"{name}_onco.csv.gz", dtype=str, keep_default_na=False)
        frame = frame[frame[f"{name.upper()}EVAL"] == "INVESTIGATOR"]
        dates = pd.to_datetime(frame[f"{name.upper()}DTC"], format="%Y-%m-%d", errors="coerce")
        first = pd.to_datetime(frame["USUBJID"].map(demographics["RFXSTDTC"]), format="%Y-%m-%d")
        days = (dates - first).dt.days.fillna(0)  # the one date in parts is a baseline of study day 1
        found[name] = frame.assign(day=days.astype(float), number=frame["VISITNUM"].astype(float))
    return found


@pytest.fixture(scope="module")
def sums(raw):
    """Each SUMDIAM in tenths, and whether a target of its scan was not done; sorted by date."""
    tr = raw["tr"]
    undone = tr[(tr["TRTESTCD"] == "DIAMETER") & (tr["TRSTAT"] == "NOT DONE")]
    missing = set(zip(undone["USUBJID"], undone["day"], strict=True))
    found = tr[tr["TRTESTCD"] == "SUMDIAM"].sort_values(["USUBJID", "day"])
    keys = zip(found["USUBJID"], found["day"], strict=True)
    return found.assign(tenths=found["TRSTRESC"].astype(int) * 10, incomplete=[key in missing for key in keys])


@pytest.fixture(scope="module")
def reported(raw):
    """TRGRESP by patient and day."""
    rs = raw["rs"]
    return rs[rs["RSTESTCD"] == "TRGRESP"].set_index(["USUBJID", "day"])["RSSTRESC"]


@pytest.fixture(scope="module")
def judged(tables):
    """The engine's visits after baseline by patient and day."""
    points = assess_timepoints(tables.lesions)
    return points[points["day"] > 0].set_index(["patient_id", "day"])


def target_code(tenths, start, reference, *, incomplete=False):
    """Target response of a sum, all of its lesions together, with progression measured from `reference`."""
    if incomplete:
        return "NE"
    if tenths == 0:
        return "CR"
    if is_progression(tenths, reference):
        return "PD"
    return "PR" if is_partial_response(tenths, start) else "SD"


def readme_reading(sums):
    """Target response by patient and day, as the README read it (see above)."""
    found = {}
    for patient, own in sums.groupby("USUBJID"):
        by_visit = own.groupby("number")["tenths"].sum()
        nadir = start = by_visit.iloc[0]
        for number, tenths in by_visit.iloc[1:].items():
            scans = own[own["number"] == number]
            for day, incomplete in zip(scans["day"], scans["incomplete"], strict=True):
                found[patient, day] = target_code(tenths, start, nadir, incomplete=incomplete)
            nadir = min(nadir, tenths)
    return pd.Series(found)


def test_254_patients_without_the_52_screen_failures(tables):
    assert len(tables.patients) == 254
    assert tables.patients["arm"].value_counts().to_dict() == {
        "Xanomeline Low Dose": 96,
        "Placebo": 86,
        "Xanomeline High Dose": 72,
    }
    assert (tables.remarks["found"] == "a screen failure").sum() == 52
    assert tables.remarks["found"].str.startswith("arm as planned").sum() == 12


def test_the_sums_of_the_diameters_are_those_of_the_file(tables, sums):
    """By visit number 885 of 887 (99.8 %, README): the two that differ are the two scans that share one number. By date all."""
    lesions = tables.lesions[tables.lesions["kind"].isin(["target", "target_node"])]
    ours = lesions.groupby(["patient_id", "day"])["tenths"].sum()
    theirs = sums.set_index(["USUBJID", "day"])["tenths"]
    assert len(theirs) == 887
    assert ours.to_dict() == theirs.to_dict()
    by_number = sums.groupby(["USUBJID", "VISITNUM"])["tenths"].transform("sum")
    assert set(sums.loc[by_number != sums["tenths"], "USUBJID"]) == {TWICE}
    assert round(100 * (by_number == sums["tenths"]).mean(), 1) == 99.8
    assert not tables.remarks["found"].str.contains("its diameters add up").any()


def test_the_readmes_545_66_and_22_of_633_target_responses(sums, reported):
    found = readme_reading(sums)
    pairs = pd.DataFrame({"theirs": reported, "ours": found[reported.index]})
    assert len(pairs) == 633
    assert (pairs["theirs"] == pairs["ours"]).sum() == 545
    wrong = pairs[pairs["theirs"] != pairs["ours"]]
    assert wrong.value_counts("ours").to_dict() == {"PD": 66, "NE": 22}
    assert wrong[wrong["ours"] == "PD"].value_counts("theirs").to_dict() == {"SD": 41, "PR": 25}


def test_measured_from_baseline_every_target_response_is_that_of_the_file(sums, reported):
    """633 of 633. The README's 635 pairs are sums and responses joined by visit number: the doubled visit gives four pairs."""
    start = sums.drop_duplicates("USUBJID").set_index("USUBJID")["tenths"]
    after = sums[sums["day"] > 0]
    codes = [
        target_code(tenths, start[patient], start[patient])
        for patient, tenths in zip(after["USUBJID"], after["tenths"], strict=True)
    ]
    found = after.assign(code=codes)
    assert (
        found.set_index(["USUBJID", "day"])["code"] == reported[pd.MultiIndex.from_frame(found[["USUBJID", "day"]])]
    ).all()
    numbers = sums.set_index(["USUBJID", "day"])["VISITNUM"]
    responses = reported.rename("TRGRESP").reset_index()
    responses["VISITNUM"] = numbers[reported.index].to_numpy()
    pairs = found.merge(responses, on=["USUBJID", "VISITNUM"])
    assert ((pairs["code"] == pairs["TRGRESP"]).sum(), len(pairs)) == (635, 635)


def test_the_engine_disagrees_where_the_nadir_or_a_lesion_that_was_not_assessed_says_so_and_nowhere_else(
    judged, sums, reported
):
    ours = judged["target_response"].reindex(reported.index)
    assert ours.notna().all()
    assert len(judged) == 633
    wrong = reported[reported != ours]
    from_nadir, not_assessed = set(), set()
    for patient, own in sums.groupby("USUBJID"):
        rows = list(zip(own["day"], own["tenths"], own["incomplete"], strict=True))
        nadir = start = rows[0][1]
        for day, tenths, incomplete in rows[1:]:
            progression = tenths > 0 and is_progression(tenths, nadir)
            if progression and not is_progression(tenths, start):
                from_nadir.add((patient, day))
            if incomplete and not progression:
                not_assessed.add((patient, day))
            nadir = nadir if incomplete else min(nadir, tenths)
    assert set(wrong.index[ours[wrong.index] == "PD"]) == from_nadir
    assert set(wrong.index[ours[wrong.index] == "NE"]) == not_assessed
    assert (len(from_nadir), len(not_assessed), len(wrong)) == (55, 20, 75)
    assert wrong[list(from_nadir)].value_counts().to_dict() == {"SD": 36, "PR": 19}


def test_the_engines_disagreements_are_among_the_readmes_and_the_other_13_are_explained(judged, sums, reported):
    ours = judged["target_response"].reindex(reported.index)
    readme = readme_reading(sums)[reported.index]
    assert set(ours.index[ours != reported]) <= set(readme.index[readme != reported])
    settled = readme.index[(readme != reported) & (ours == reported)]
    assert len(settled) == 13
    by_key = sums.set_index(["USUBJID", "day"])
    reasons = {key: _reason(key, by_key, sums) for key in settled}
    assert pd.Series(reasons).value_counts().to_dict() == {
        "the README's nadir is a sum that leaves out a lesion": 8,
        "progression already by the lesions that were assessed": 2,
        "two scans under one visit number": 2,
        "an unscheduled scan that is later than the visit numbered after it": 1,
    }


def _reason(key, by_key, sums):
    """Why the README counted a disagreement where the engine, going by dates and complete sums, agrees with the data."""
    patient, day = key
    row = by_key.loc[key]
    own = sums[sums["USUBJID"] == patient]
    if row["incomplete"]:
        return "progression already by the lesions that were assessed"
    if (own["number"] == row["number"]).sum() > 1:
        return "two scans under one visit number"
    numbered_before = own[own["number"] < row["number"]]
    if (numbered_before["day"] > day).any():
        return "an unscheduled scan that is later than the visit numbered after it"
    lowest = numbered_before.loc[numbered_before["tenths"].idxmin()]
    assert lowest["incomplete"]
    return "the README's nadir is a sum that leaves out a lesion"


def test_the_non_target_response_is_that_of_the_file_everywhere(judged, raw):
    """UNEQUIVOCAL of a non-target lesion is its progression: all 233 such visits are NTRGRESP PD, and no others are."""
    rs = raw["rs"]
    theirs = rs[rs["RSTESTCD"] == "NTRGRESP"].set_index(["USUBJID", "day"])["RSSTRESC"]
    assert (judged["non_target_response"].reindex(theirs.index) == theirs).all()
    assert theirs.value_counts()["PD"] == 233
    assert len(theirs) == 632  # the visit whose overall response is CHECK has none


def test_baseline_is_day_0_the_date_in_parts_included(tables):
    first = tables.lesions.groupby("patient_id")["day"].min()
    assert (first == 0).all()
    assert len(first) == 254
    said = tables.remarks[tables.remarks["patient_id"] == "01-701-1015"]
    assert "a date in parts (2014-01) at visit BASELINE" in said["found"].tolist()
    assert "taken as 2014-01-02: its study day" in said["consequence"].tolist()


def test_two_sums_at_one_unscheduled_visit_are_two_time_points_and_remarked(tables, judged):
    assert judged.loc[TWICE, "sum_mm"].loc[[80, 172]].tolist() == [41.0, 44.0]
    said = tables.remarks[tables.remarks["patient_id"] == TWICE]["found"]
    assert said.str.contains("2 sums at one visit, UNSCHEDULED 9.2: 41 mm .*, 44 mm").sum() == 1
    assert (said == "records of visit UNSCHEDULED 9.2 on 2 dates").sum() == 1
    labels = tables.lesions.query("patient_id == @TWICE and day > 60")["visit"].unique().tolist()
    assert labels == ["UNSCHEDULED 9.2 2013-06-22", "UNSCHEDULED 9.2 2013-09-22"]


def test_a_sum_that_leaves_out_a_lesion_is_remarked_22_times(tables):
    assert tables.remarks["found"].str.contains("leaves out").sum() == 22


def test_check_is_no_response_and_makes_the_visit_not_evaluable(tables, raw):
    assert len(tables.visits) == 633
    visit = tables.visits.query("patient_id == @TWICE and day == 80")
    assert visit["overall_response"].tolist() == ["NE"]
    assert (tables.remarks["found"] == "overall response 'CHECK' at visit UNSCHEDULED 9.2").sum() == 1
    rs = raw["rs"]
    theirs = rs[rs["RSTESTCD"] == "OVRLRESP"]["RSSTRESC"].replace("CHECK", "NE").value_counts().to_dict()
    assert tables.visits["overall_response"].value_counts().to_dict() == theirs


def test_adverse_events_have_a_severity_and_no_grade(tables):
    """770 mild, 378 moderate, 43 severe (README); 361 probable and 343 possible, 322 none and 161 remote, 4 empty."""
    events = tables.adverse_events
    assert events["severity"].value_counts().to_dict() == {"mild": 770, "moderate": 378, "severe": 43}
    assert events["grade"].isna().all()
    assert events["patient_id"].nunique() == 225
    assert events["related"].value_counts(dropna=False).to_dict() == {True: 704, False: 483, pd.NA: 4}
    assert events["serious"].sum() == 3
    assert (
        tables.remarks["found"].str.contains("1,191 of 1,191 adverse events without a CTCAE grade", regex=False).sum()
        == 1
    )


def test_three_patients_died_and_the_others_were_last_seen_later_than_first_dose(tables):
    followup = tables.followup.set_index("patient_id")
    died = followup[followup["died"].astype(bool)]
    assert died["os_days"].to_dict() == {"01-701-1211": 60, "01-704-1445": 174, "01-710-1083": 11}
    assert len(followup) == 254
    assert (followup["os_days"] >= 0).all()
    assert followup["treatment_end_day"].isna().sum() == 2  # neither EXENDTC nor RFXENDTC


def test_another_evaluator_is_another_set_of_lesions(data):
    accepted, problems = read_sdtm(data, evaluator="INDEPENDENT ASSESSOR")
    assert problems == []
    assert accepted.lesions["lesion_id"].str.startswith("R1-").all()
    said = accepted.remarks[accepted.remarks["found"].str.contains("has several ids")]
    assert said["found"].tolist() == [
        "INDEPENDENT ASSESSOR has several ids; for 254 subjects the records of RADIOLOGIST 1 are the accepted ones"
    ]
    second, problems = read_sdtm(data, evaluator="INDEPENDENT ASSESSOR", evaluator_id="RADIOLOGIST 2")
    assert problems == []
    assert second.lesions["lesion_id"].str.startswith("R2-").all()
    assert len(assess_timepoints(second.lesions)) == len(second.visits) + 254


def test_a_lesions_csv_of_the_same_content_is_read_as_the_same(tables, tmp_path):
    tables.lesions.drop(columns="tenths").to_csv(tmp_path / "lesions.csv", index=False)
    by_hand, problems = read_lesions(tmp_path / "lesions.csv", set(tables.patients["patient_id"]))
    assert problems == []
    pd.testing.assert_frame_equal(by_hand, tables.lesions)


def test_transport_files_of_the_same_content_are_read_as_the_same(data, tables, tmp_path):
    pyreadstat = pytest.importorskip("pyreadstat")
    for path in sorted(data.glob("*.csv.gz")):
        name = path.name.removesuffix(".csv.gz")
        if name == "lb":
            continue
        frame = pd.read_csv(path, keep_default_na=False, dtype=str)
        for column in frame.columns[frame.columns.str.endswith(("SEQ", "NUM", "DY", "STRESN", "AGE", "DOSE"))]:
            frame[column] = pd.to_numeric(frame[column])
        pyreadstat.write_xport(frame, tmp_path / f"{name}.xpt", file_format_version=5, table_name=name[:2].upper())
    found, problems = read_sdtm(tmp_path, evaluator="INVESTIGATOR")
    assert problems == []
    for table in ("patients", "lesions", "visits", "followup", "adverse_events"):
        pd.testing.assert_frame_equal(getattr(found, table), getattr(tables, table))
