"""Settings that nobody can mean in a study: what each check tells, and that it tells nothing of settings in order."""

import pandas as pd
import pytest

from rabiomarkers import study_checks
from rabiomarkers.settings.study import StudySettings
from rabiomarkers.study_checks import (
    assay_problems,
    data_root_problems,
    design_problems,
    method_problems,
    model_problems,
    named_files,
    signature_problems,
)

CHECKS = (method_problems, signature_problems, design_problems, model_problems)


def of(**settings):
    return StudySettings(name="a", **settings)


def told(problems):
    return [(problem.file, problem.column, problem.found) for problem in problems]


@pytest.mark.parametrize("check", CHECKS)
def test_the_settings_without_a_key_have_no_problem(check):
    assert list(check(of())) == []


def test_z_needs_a_reference():
    problems = list(method_problems(of(expression={"methods": ["rank", "z"]})))
    assert told(problems) == [("study.yaml", "expression.methods", "the method z without a reference")]
    assert list(method_problems(of(expression={"methods": ["z"], "reference": "r.csv"}))) == []


@pytest.mark.parametrize(
    ("asked", "column", "found"),
    [
        ({"genes": {"test": "deseq2"}}, "genes.test", "deseq2, but the package pydeseq2 is not installed"),
        (
            {"cells": {"embedding": {"harmony": True}}},
            "cells.embedding.harmony",
            "true, but the package harmonypy is not installed",
        ),
    ],
)
def test_a_method_needs_its_package(asked, column, found, monkeypatch):
    monkeypatch.setattr(study_checks, "find_spec", lambda name: None)
    assert told(method_problems(of(**asked))) == [("study.yaml", column, found)]
    assert list(method_problems(of())) == []
    monkeypatch.setattr(study_checks, "find_spec", lambda name: object())
    assert list(method_problems(of(**asked))) == []


def test_signatures_that_no_table_holds_are_told_wherever_they_are_asked_for():
    settings = of(
        signatures=["CYT_ROONEY_2051", "RA_RESPONSE_CORE"], cells={"pseudobulk": {"macrophage": ["nothing like it"]}}
    )
    problems = list(signature_problems(settings))
    assert told(problems) == [
        ("study.yaml", "signatures", "unknown signature 'CYT_ROONEY_2051'"),
        ("study.yaml", "cells.pseudobulk.macrophage", "unknown signature 'nothing like it'"),
    ]
    assert problems[0].remedy == "write 'CYT_ROONEY_2015' instead"
    (alone,) = signature_problems(of(cells={"pseudobulk": {"CD8_T": ["CYT_ROONEY_2051"]}}))
    assert alone.column == "cells.pseudobulk.CD8_T"


def test_files_that_are_named_are_found_in_the_study_or_told(tmp_path):
    study, data = tmp_path / "study", tmp_path / "data"
    study.mkdir()
    data.mkdir()
    (study / "reference.csv").write_text("gene,mean,sd\n")
    (data / "profile.csv").write_text("gene,T\n")
    (tmp_path / "outside.csv").write_text("gene_id,symbol\n")
    settings = of(
        data_root=str(data),
        expression={
            "reference": "reference.csv",
            "profile": "profile.csv",
            "gene_names": "../outside.csv",
            "transcripts": "gone.csv",
        },
    )
    found, problems = named_files(study, settings)
    assert {key: path.name for key, path in found.items()} == {"reference": "reference.csv", "profile": "profile.csv"}
    assert [(column, found.split(" in ")[0]) for _, column, found in told(problems)] == [
        ("expression.gene_names", "no file '../outside.csv'"),
        ("expression.transcripts", "no file 'gone.csv'"),
    ]
    (study / "folder").mkdir()
    assert told(named_files(study, of(expression={"reference": "folder"}))[1])[0][1] == "expression.reference"
    assert named_files(study, of()) == ({}, [])


def test_a_data_root_that_is_not_there_is_told(tmp_path):
    assert told(data_root_problems(tmp_path, of(data_root="gone"))) == [("study.yaml", "data_root", "no folder 'gone'")]
    (tmp_path / "gone").mkdir()
    assert list(data_root_problems(tmp_path, of(data_root="gone"))) == []
    assert list(data_root_problems(tmp_path, of())) == []


def test_a_design_that_no_search_finds_is_told_and_the_protocol_s_own_numbers_are_not_searched():
    near = {"null_rate": 0.3, "target_rate": 0.301}
    (problem,) = design_problems(of(response={"design": near}))
    assert problem.column == "response.design"
    stages = {"first_n": 9, "first_stop": 0, "n": 17, "stop": 2}
    assert list(design_problems(of(response={"design": near | {"stages": stages}}))) == []
    assert list(design_problems(of(response={"design": {"null_rate": 0.05, "target_rate": 0.25}}))) == []


def test_options_that_a_kind_of_model_does_not_take_are_told_by_place():
    models = [{"name": "ridge_baseline", "options": {"penalty": 2.0}}, {"name": "other", "options": {"depth": 3}}]
    (problem,) = model_problems(of(prediction={"models": models}))
    assert problem.column == "prediction.models.1.options"


def samples(*assays, exclude=None):
    return pd.DataFrame({"compartment": "tumour", "assay": assays, "exclude": exclude or [None] * len(assays)})


def test_two_assays_of_the_same_genes_need_features_that_say_which():
    both = samples("rna_counts", "rna_tpm", "sc_counts")
    (problem,) = assay_problems(of(), both)
    assert (problem.file, problem.column) == ("samples.csv", "assay")
    assert problem.found == "tumour samples of rna_counts and of rna_tpm"
    assert list(assay_problems(of(), samples("rna_counts", "sc_counts"))) == []
    assert list(assay_problems(of(), samples("rna_counts", "rna_tpm", exclude=["", "lost"]))) == []
    named = of(plan={"primary": ["RA_RESPONSE_CORE@rna_counts"]})
    assert list(assay_problems(named, both)) == []
