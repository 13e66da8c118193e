"""study.yaml: defaults, and every mistake told with its line."""

from pathlib import Path
from typing import get_args

import pytest
import yaml

from rabiomarkers.change.tests import TESTS
from rabiomarkers.config import read_settings
from rabiomarkers.features.scoring.registry import METHODS
from rabiomarkers.settings.measures import COHORT_METHODS, MethodName
from rabiomarkers.settings.plan import TestName
from rabiomarkers.settings.study import StudySettings

TRIAL = Path(__file__).parents[1] / "config" / "trial.yaml"


@pytest.fixture
def read(tmp_path):
    def reader(text: str):
        path = tmp_path / "study.yaml"
        path.write_text(text)
        return read_settings(path)

    return reader


def test_only_the_name_is_needed(read):
    settings, problems = read("name: ra-pd1\n")
    assert problems == []
    assert settings == StudySettings(name="ra-pd1")
    assert settings.timepoint_names == ("pre", "post")
    assert settings.response.confirmation_days == 28
    assert settings.plan.primary == ("RA_RESPONSE_CORE", "MACROPHAGE_LIPID_PEROXIDATION", "clr_CD8_TEM")


def test_the_example_file_shows_every_key_with_its_default():
    settings, problems = read_settings(TRIAL)
    assert problems == []
    assert settings == StudySettings(name="ra-pd1")
    assert yaml.safe_load(TRIAL.read_text()) == settings.model_dump(mode="json")


def test_settings_are_fixed_once_read(read):
    settings, _ = read("name: a\n")
    with pytest.raises(ValueError, match="frozen"):
        settings.name = "b"


def test_on_and_yes_are_words_where_a_word_is_meant(read):
    settings, problems = read(
        "name: a\ntimepoints: [{name: pre, day: 0}, {name: on, day: 29}]\ncontrast: [pre, on]\n"
        "response: {confirmation_required: no}\n"
    )
    assert problems == []
    assert settings.contrast == ("pre", "on")
    assert settings.response.confirmation_required is False


@pytest.mark.parametrize(
    ("text", "row", "column", "told"),
    [
        ("name: a\nsede: 3\n", 2, "sede", "write 'seed' instead"),
        ("name: a\nresponse:\n  confirmation_day: 3\n", 3, "response.confirmation_day", "'confirmation_days'"),
        (
            "name: a\nexpression: {minimum_coverage: 1.5}\n",
            2,
            "expression.minimum_coverage",
            "1.5; less than or equal to 1",
        ),
        ("name: a\nseed: many\n", 2, "seed", "'many'; a valid integer"),
        ("seed: 1\n", 1, "name", "the key is missing"),
        ("name: my study\n", 1, "name", "'my study'; letters, digits, dot"),
        ("name: ../up\n", 1, "name", "letters, digits, dot"),
        ("name: a\nresponse: {rule_set: recist}\n", 2, "response.rule_set", "'recist-1.1', 'admiralonco' or 'irecist'"),
        ("name: a\nresponse: {prior: [0, 1]}\n", 2, "response.prior.0", "greater than 0"),
        (
            "name: a\nresponse:\n  design: {null_rate: 0.3, target_rate: 0.2}\n",
            3,
            "response.design",
            "a target_rate above the null_rate",
        ),
        (
            "name: a\nresponse:\n  design:\n    null_rate: 0.1\n    target_rat: 0.3\n",
            5,
            "response.design.target_rat",
            "'target_rate'",
        ),
        (
            "name: a\nresponse:\n  design:\n    null_rate: 0.1\n    target_rate: 0.3\n"
            "    stages: {first_n: 9, first_stop: 3, n: 9, stop: 3}\n",
            6,
            "response.design.stages",
            "first_stop < first_n < n",
        ),
        ("name: a\nsdtm: {folder: sdtm}\n", 2, "sdtm.evaluator", "the key is missing"),
        ("name: a\ncontrast: [pre, pots]\n", 2, "contrast", "pre, pots; two of pre, post, the earlier one first"),
        ("name: a\ncontrast: [post, pre]\n", 2, "contrast", "the earlier one first"),
        ("name: a\ncontrast: [pre]\n", 2, "contrast.1", "two timepoints of this file"),
        ("name: a\ntimepoints:\n  - {name: pre, day: 0}\n  - {name: post, dya: 3}\n", 4, "timepoints.1.dya", "'day'"),
        ("name: a\ntimepoints: [{name: pre, day: 9}, {name: post, day: 2}]\n", 2, "timepoints", "order of their days"),
        (
            "name: a\ntimepoints: [{name: pre, day: 0}, {name: pre, day: 2}]\n",
            2,
            "timepoints",
            "each timepoint named once",
        ),
        ("name: a\nplan: {primary: RA}\n", 2, "plan.primary", "'RA'"),
        ("name: a\nchange: {test: t_test}\n", 2, "change.test", "'ancova' or 'mixed_model'"),
        ("name: a\nseed: 1\nseed: 2\n", 3, "seed", "twice"),
        ("name: a\n  seed: 2\n", 2, None, "no valid YAML"),
        ("name: a\nseed:\t[1\n", 2, None, "no valid YAML"),
        ("- name\n", None, None, "a list"),
        ("# nothing\n", None, None, "no keys"),
    ],
)
def test_each_mistake_is_told_with_its_line_and_key(read, text, row, column, told):
    settings, problems = read(text)
    assert settings is None
    assert len(problems) == 1
    assert (problems[0].file, problems[0].row, problems[0].column) == ("study.yaml", row, column)
    assert told in str(problems[0])


def test_all_mistakes_are_told_at_once(read):
    settings, problems = read("nam: a\nseed: -1\nstool: {deph: 3}\ncontrast: [a, b]\n")
    assert settings is None
    assert [(problem.row, problem.column) for problem in problems] == [
        (1, "nam"),
        (2, "seed"),
        (3, "stool.deph"),
        (4, "contrast"),
    ]


def test_a_missing_file_is_a_problem(tmp_path):
    settings, problems = read_settings(tmp_path / "study.yaml")
    assert settings is None
    assert "no such file" in str(problems[0])


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("plan: {primary: ['']}", "study.yaml:2:plan.primary.0: ''; a feature or a pattern"),
        ("plan: {primary: ['tumour:']}", "study.yaml:2:plan.primary.0: 'tumour:'; a feature or a pattern"),
        ("plan: [NLR]", "study.yaml:2:plan: ['NLR']; keys with values below it"),
        ("annotation: 37", "study.yaml:2:annotation: 37; text; put it in quotes"),
        ("signatures: CYT", "study.yaml:2:signatures: 'CYT'; a list"),
        ("prediction: {penalty: .inf}", "study.yaml:2:prediction.penalty: inf; a finite number"),
        ('data_root: "a\\0b"', "study.yaml:2:data_root: "),
        ("seed: 2024-13-45", "study.yaml:2:seed: '2024-13-45'"),
        ("seed: " + "9" * 5000, "study.yaml: no valid YAML"),
        ("plan: " + "[" * 3000, "study.yaml: no valid YAML"),
        ("plan: &a {primary: *a}", "study.yaml:2:plan"),
        ("seed: 1\x07", "study.yaml: no valid YAML (unacceptable character #x0007: special"),
    ],
)
def test_odd_values_are_told_in_one_line(read, line, told):
    settings, problems = read(f"name: a\n{line}\n")
    assert settings is None
    assert told in str(problems[0])
    assert "\n" not in str(problems[0])


# ---- the plan ---------------------------------------------------------------------------------------------------------


def test_the_tests_of_the_settings_are_those_of_the_registry():
    assert set(get_args(TestName.__value__)) == set(TESTS)


def test_a_plan_is_held_against_the_registered_one(read):
    assert StudySettings(name="a").registration is None
    own = StudySettings(name="a").plan_hash
    assert read(f"name: a\nplan: {{registered: {own}}}\n")[0].registration is True
    assert read(f"name: a\nplan: {{registered: {own}, primary: [NLR]}}\n")[0].registration is False


@pytest.mark.parametrize(
    ("text", "column", "told"),
    [
        ("plan: {registered: abc}", "plan.registered", "'abc'"),
        ("plan: {families: {'': [NLR]}}", "plan.families..[key]", "letters, digits"),
        (
            "plan: {chain: [{name: a, compartment: urine, feature: b}]}",
            "plan.chain.0.compartment",
            "'blood' or 'faecal'",
        ),
        (
            "plan: {chain: [{name: a, compartment: tumour, feature: b}, {name: a, compartment: tumour, feature: c}]}",
            "plan.chain",
            "each step of the chain named once",
        ),
        (
            "plan: {chain: [{name: a, compartment: tumour, feature: c}, {name: b, compartment: tumour, feature: c}]}",
            "plan.chain",
            "each feature once in the chain",
        ),
        ("plan: {primary: [a], secondary: [a, b]}", "plan.secondary", "a as primary or as secondary; keep it in one"),
        ("plan: {infiltration: 'clr_*'}", "plan.infiltration", "'clr_*'; one feature"),
        ("plan: {infiltration: ' '}", "plan.infiltration", "one feature, such as"),
        ("change: {test: z_test}", "change.test", "'z_test'; 'signed_rank'"),
        ("change: {flips: 0}", "change.flips", "greater than or equal to 1"),
        ("change: {flips: 1000001}", "change.flips", "less than or equal to 1000000"),
        ("composition: {draws: 1000001}", "composition.draws", "less than or equal to 1000000"),
        ("prediction: {permutations: 1000001}", "prediction.permutations", "less than or equal to 1000000"),
        ("composition: {balances: {a: {numerator: [x]}}}", "composition.balances.a.denominator", "the key is missing"),
        (
            "composition: {balances: {a: {numerator: [x, y], denominator: [z, y, x]}}}",
            "composition.balances.a",
            "x, y on one side of the balance; keep it in numerator or denominator",
        ),
        (
            "composition: {balances: {a: {numerator: [], denominator: [y]}}}",
            "composition.balances.a.numerator",
            "at least 1",
        ),
        ("expression: {methods: [rank, magic]}", "expression.methods.1", "'magic'; 'rank', 'mean'"),
        ("expression: {methods: []}", "expression.methods", "at least 1"),
        ("expression: {methods: [rank, rank]}", "expression.methods", "each method once"),
        ("expression: {tpm_files: rpkm}", "expression.tpm_files", "'tpm', 'fpkm' or 'log2_tpm'"),
        ("expression: {replicates: mean}", "expression.replicates", "'first' or 'sum'"),
        ("expression: {expected_sex: other}", "expression.expected_sex", "'female', 'male' or 'unknown'"),
        ("expression: {minimum_library_size: -1}", "expression.minimum_library_size", "greater than or equal to 0"),
        ('expression: {reference: "a\\0b"}', "expression.reference", "correct the path"),
        ("expression: {refrence: a.csv}", "expression.refrence", "write 'reference' instead"),
        ("genes: {test: t}", "genes.test", "'moderated_t' or 'deseq2'"),
        ("genes: {minimum_count: -1}", "genes.minimum_count", "greater than 0"),
        ("genes: {shown: 0}", "genes.shown", "greater than or equal to 1"),
        ("cells: {minimum_cells_per_type: 0}", "cells.minimum_cells_per_type", "greater than or equal to 1"),
        ("cells: {pseudobulk: {macrophage: RA_RESPONSE_CORE}}", "cells.pseudobulk.macrophage", "a list"),
    ],
)
def test_a_mistake_in_the_plan_is_told_with_its_line_and_key(read, text, column, told):
    settings, problems = read(f"name: a\n{text}\n")
    assert settings is None
    assert [(problem.row, problem.column) for problem in problems] == [(2, column)]
    assert told in str(problems[0])


@pytest.mark.parametrize(
    "text",
    [
        "change: {flips: 1000000}",
        "composition: {balances: {a: {numerator: [x], denominator: [y]}, b: {numerator: [y], denominator: [x]}}}",
        "plan: {primary: [a], secondary: ['tumour:a']}",
        "plan: {chain: [{name: a, compartment: tumour, feature: c}, {name: b, compartment: blood, feature: c}]}",
        "expression: {methods: [rank, mean, ssgsea, aucell, z, authors, gsva, authors_cohort]}",
        "cells: {pseudobulk: {}}",
    ],
)
def test_what_lies_just_inside_the_limits_is_accepted(read, text):
    assert read(f"name: a\n{text}\n")[1] == []


def test_the_methods_of_the_settings_are_those_of_the_registry():
    assert set(get_args(MethodName.__value__)) == set(METHODS)
    assert set(COHORT_METHODS) == {name for name, method in METHODS.items() if method.cohort_dependent}
