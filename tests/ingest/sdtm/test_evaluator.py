"""Whose readings count."""

import pytest

from tests.ingest.sdtm.folders import dm, good, lesions, read, remarks, rs, told, tr, tu

FIRST = {"EVAL": "INDEPENDENT ASSESSOR", "EVALID": "RADIOLOGIST 1"}
SECOND = {"EVAL": "INDEPENDENT ASSESSOR", "EVALID": "RADIOLOGIST 2"}


def by(domain, who, accepted=""):
    return {f"{domain}{name}": text for name, text in who.items()} | {f"{domain}ACPTFL": accepted}


def readings(*, accepted=("", "")):
    """One lesion that the investigator and two radiologists measured: 10, 20 and 30 mm."""
    readers = [
        ({"EVAL": "INVESTIGATOR", "EVALID": ""}, "", "10"),
        (FIRST, accepted[0], "20"),
        (SECOND, accepted[1], "30"),
    ]
    return {
        "tu": [tu("T01", **by("TU", who, flag)) for who, flag, _ in readers],
        "tr": [tr("T01", size, **by("TR", who, flag)) for who, flag, size in readers],
        "rs": [
            rs(code, **by("RS", who, flag)) for (who, flag, _), code in zip(readers, ("SD", "PR", "PD"), strict=True)
        ],
    }


@pytest.mark.parametrize(
    ("name", "number", "size", "response"),
    [
        ("investigator ", None, 10, "SD"),
        ("Independent Assessor", "RADIOLOGIST 1", 20, "PR"),
        ("INDEPENDENTASSESSOR", "radiologist2", 30, "PD"),
    ],
)
def test_only_the_chosen_evaluators_records_count(folder, name, number, size, response):
    tables = good(folder, evaluator=name, evaluator_id=number, **readings())
    assert lesions(tables, "mm") == [(size,)]
    assert tables.visits["overall_response"].tolist() == [response]


def test_an_evaluator_that_does_not_occur_is_a_problem_that_names_those_that_do(folder):
    _, problems = read(folder, evaluator="SPONSOR", **readings())
    assert told(problems) == [
        "study.yaml:sdtm.evaluator: no record of the evaluator 'SPONSOR'; "
        "one of those there are: INDEPENDENT ASSESSOR (6 records), INVESTIGATOR (3 records); name one of them"
    ]


def test_records_that_name_no_evaluator_are_nobodys(folder):
    parts = {"tu": [tu("T01", TUEVAL="")], "tr": [tr("T01", "10", TREVAL="")]}
    _, problems = read(folder, evaluator="", **parts)
    assert "one of those there are: (none) (2 records)" in problems[0].expected


def test_two_readers_and_none_chosen_is_a_problem_that_names_them(folder):
    _, problems = read(folder, evaluator="INDEPENDENT ASSESSOR", **readings())
    assert [problem.column for problem in problems] == ["sdtm.evaluator_id"]
    assert "RADIOLOGIST 1 (3 records), RADIOLOGIST 2 (3 records)" in problems[0].found


def test_two_readers_of_whom_one_is_accepted_is_no_problem(folder):
    tables = good(folder, evaluator="INDEPENDENT ASSESSOR", **readings(accepted=("", "Y")))
    assert lesions(tables, "mm") == [(30,)]
    assert any("for 1 subjects the records of RADIOLOGIST 2 are the accepted ones" in each for each in remarks(tables))


def test_two_accepted_readers_of_one_subject_are_a_problem(folder):
    _, problems = read(folder, evaluator="INDEPENDENT ASSESSOR", **readings(accepted=("Y", "Y")))
    assert "do not single out one for P1" in problems[0].expected


def test_each_subject_may_have_its_own_accepted_reader(folder):
    first, second = readings(accepted=("Y", "")), readings(accepted=("", "Y"))
    both = {name: [*first[name], *({**record, "USUBJID": "P2"} for record in second[name])] for name in first}
    tables = good(folder, dm=[dm(), dm("P2")], evaluator="INDEPENDENT ASSESSOR", **both)
    assert lesions(tables, "patient_id", "mm") == [("P1", 20), ("P2", 30)]


def test_a_reader_that_does_not_occur_is_a_problem(folder):
    _, problems = read(folder, evaluator="INDEPENDENT ASSESSOR", evaluator_id="RADIOLOGIST 3", **readings())
    assert "RADIOLOGIST 1 (3 records), RADIOLOGIST 2 (3 records)" in problems[0].expected


def test_a_domain_without_the_evaluator_is_remarked(folder):
    parts = readings()
    tables = good(
        folder, evaluator="INDEPENDENT ASSESSOR", evaluator_id="RADIOLOGIST 1", **parts | {"rs": parts["rs"][:1]}
    )
    assert tables.visits is None
    assert any("nothing is read from RS" in each for each in remarks(tables))


def test_a_domain_without_the_reader_is_remarked(folder):
    parts = readings()
    tables = good(
        folder, evaluator="INDEPENDENT ASSESSOR", evaluator_id="RADIOLOGIST 1", **parts | {"rs": parts["rs"][2:]}
    )
    assert tables.visits is None
    assert any("RS has no record of INDEPENDENT ASSESSOR with the id RADIOLOGIST 1" in each for each in remarks(tables))


@pytest.mark.parametrize("missing", ["tu", "tr"])
def test_lesions_without_measurements_or_the_other_way_round_are_a_problem(folder, missing):
    parts = readings()
    tables, problems = read(folder, **{name: records for name, records in parts.items() if name != missing})
    assert f"and none of {missing.upper()}" in told(problems)[0]
    assert tables.lesions is None
