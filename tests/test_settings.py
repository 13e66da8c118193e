"""The plan's hash: which settings it covers, and that it stays what it was."""

import hashlib
import json
from collections.abc import Iterator
from typing import get_args

import pytest
from pydantic import BaseModel

from rabiomarkers.settings.study import PLAN_SCHEMA, PLANNED, StudySettings

DEFAULT = {
    "schema": 5,
    "contrast": ["pre", "post"],
    "timepoints": [{"name": "pre", "day": 0}, {"name": "post", "day": 42}],
    "plan": {
        "primary": ["RA_RESPONSE_CORE", "MACROPHAGE_LIPID_PEROXIDATION", "clr_CD8_TEM"],
        "secondary": [
            "RA_RESPONSE_DIRECT",
            "CYT_ROONEY_2015",
            "TIS_AYERS_2017",
            "NLR",
            "shannon",
            "ra_metaboliser_balance",
        ],
        "families": {},
        "secondary_correction": "holm",
        "infiltration": "tumour:CYT_ROONEY_2015",
        "chain": [
            {"name": name, "compartment": compartment, "feature": feature, "expected": "up"}
            for name, compartment, feature in (
                ("RA target response", "tumour", "RA_RESPONSE_DIRECT"),
                ("macrophage peroxidation", "tumour", "MACROPHAGE_LIPID_PEROXIDATION"),
                ("CD8 infiltration", "tumour", "TIS_AYERS_2017"),
                ("CD8 function", "tumour", "CYT_ROONEY_2015"),
                ("microbes", "faecal", "ra_metaboliser_balance"),
            )
        ],
    },
    "change": {"test": "signed_rank", "exploratory_test": None, "level": 0.95},
    "composition": {"minimum_prevalence": 0.3, "balances": {}},
    "signatures": [],
    "expression": {
        "methods": ["rank", "authors"],
        "minimum_coverage": 0.6,
        "minimum_library_size": 1_000_000,
        "minimum_genes": 5_000,
        "tpm_files": "tpm",
        "replicates": "first",
    },
    "genes": {"test": "moderated_t", "minimum_count": 10.0},
    "cells": {
        "minimum_cells": 100,
        "minimum_genes": 200,
        "maximum_mitochondrial_percent": 20.0,
        "minimum_score_margin": 0.1,
        "minimum_cells_per_type": 20,
        "pseudobulk": {
            "macrophage": ["RA_RESPONSE_DIRECT", "MACROPHAGE_LIPID_PEROXIDATION"],
            "monocyte": ["RA_RESPONSE_DIRECT", "MACROPHAGE_LIPID_PEROXIDATION"],
            "CD8_T": ["CYT_ROONEY_2015", "T_CELL_EXHAUSTION_CORE"],
            "tumour_epithelial": ["RA_RESPONSE_DIRECT", "APM_WANG_2019"],
        },
        "quality_limits": "mad",
        "mads": 5.0,
        "ambient": "measure",
    },
    "cytometry": {
        "material": "pbmc",
        "transform": "logicle",
        "cofactor": 150.0,
        "minimum_events": 1_000,
        "minimum_parent_events": 100,
        "minimum_viability": 0.5,
        "state_markers": ["Ki-67", "PD-1", "HLA-DR", "CD38", "GZMB"],
    },
    "proteins": {
        "scale": "log2",
        "qc_warning": "drop",
        "beyond_quantification": "drop",
        "below_detection": "keep",
    },
    "tcr": {"clone_by": "aa", "depth": None, "minimum_clones": 10},
    "stool": {
        "depth": 10_000,
        "draws": 10,
        "metrics": ["bray_curtis", "aitchison"],
        "ranks": ["phylum", "family", "genus", "species"],
        "minimum_prevalence": 0.25,
        "minimum_coverage": 0.8,
    },
    "sdtm": None,
    "response": {
        "rule_set": "recist-1.1",
        "confirmation_required": True,
        "confirmation_days": 28,
        "stable_disease_minimum_days": 42,
        "maximum_not_evaluable_between": 1,
        "accept_stable_disease_between": False,
        "missing_as_not_evaluable": True,
        "responses_after_progression_count": False,
        "responses_after_new_therapy_count": False,
        "progression_confirmation_days": 28,
        "clinical_benefit_days": 168,
        "maximum_gap_days": None,
        "prior": [0.5, 0.5],
        "design": None,
    },
    "prediction": {
        "models": [
            {
                "name": name,
                "kind": kind,
                "feature_set": feature_set,
                "features": [],
                "compartment": None,
                "options": {},
            }
            for name, kind, feature_set in (
                ("intercept", "intercept", "none"),
                ("signature_baseline", "signature", "baseline"),
                ("ridge_baseline", "ridge", "baseline"),
                ("ridge_change", "ridge", "change"),
                ("fusion_both", "fusion", "both"),
            )
        ],
        "primary": "ridge_baseline",
        "penalty": 1.0,
        "maximum_features": 5,
    },
}
"""The default plan in full, written out: whoever changes a default or a key changes every plan that did not name it."""

GOLDEN = "9446247cb4d0136208ca2ff5322d152714f160c59af5bd591aa39847e704e118"

NOT_PLANNED = {
    "name",
    "data_root",
    "seed",
    "sdtm.folder",
    "plan.registered",
    "expression.gene_names",
    "expression.transcripts",
    "expression.reference",
    "expression.profile",
    "expression.expected_sex",
    "cells.celltypist",
    "cells.embedding.cells",
    "cells.embedding.harmony",
    "cytometry.controls",
    "cytometry.gates",
    "cytometry.tree",
    "genes.shown",
    "change.flips",
    "change.power",
    "composition.draws",
    "prediction.permutations",
    "prediction.bootstraps",
    "prediction.simulations",
    "annotation",
    "taxa_database",
    "stool.other_methods",
    "stool.bloom",
    "stool.blanks",
    "stool.sequencing",
    "stool.functions",
    "stool.taxa_map",
}
"""What changes no inference."""

DESIGN = {"null_rate": 0.05, "target_rate": 0.25}
BALANCE = {"numerator": ["CD8_*"], "denominator": ["CD4_*"]}


def hash_of(**settings):
    return StudySettings(name="a", **settings).plan_hash


def test_the_default_plan_has_the_hash_it_always_had():
    assert DEFAULT["schema"] == PLAN_SCHEMA
    assert hash_of() == hashlib.sha256(json.dumps(DEFAULT, sort_keys=True).encode()).hexdigest()
    assert hash_of() == GOLDEN


@pytest.mark.parametrize(
    "settings",
    [
        {"seed": 4},
        {"data_root": "/elsewhere"},
        {"annotation": "GENCODE v44"},
        {"taxa_database": "mpa_vJan21"},
        {"expression": {"reference": "reference.csv", "expected_sex": "male"}},
        {"genes": {"shown": 10}},
        {"change": {"flips": 20}},
        {"change": {"power": 0.9}},
        {"composition": {"draws": 20}},
        {"prediction": {"permutations": 10, "bootstraps": 10, "simulations": 10}},
        {"plan": {"registered": "0" * 64}},
    ],
    ids=str,
)
def test_what_changes_no_inference_does_not_move_the_hash(settings):
    assert hash_of(**settings) == hash_of()
    assert StudySettings(name="b").plan_hash == hash_of()


def test_where_sdtm_lies_does_not_move_the_hash_and_whose_reading_counts_does():
    here = hash_of(sdtm={"folder": "here", "evaluator": "INVESTIGATOR"})
    assert hash_of(sdtm={"folder": "there", "evaluator": "INVESTIGATOR"}) == here
    assert hash_of(sdtm={"folder": "here", "evaluator": "INDEPENDENT ASSESSOR"}) != here
    assert hash_of(sdtm={"folder": "here", "evaluator": "INVESTIGATOR", "evaluator_id": "RADIOLOGIST 1"}) != here


@pytest.mark.parametrize(
    "settings",
    [
        {"plan": {"primary": ["NLR"]}},
        {
            "plan": {"primary": ["MACROPHAGE_LIPID_PEROXIDATION", "RA_RESPONSE_CORE", "clr_CD8_TEM"]}
        },  # the order of tests
        {"plan": {"secondary": ["NLR"]}},
        {"plan": {"families": {"ratios": ["NLR", "PLR"]}}},
        {"plan": {"secondary_correction": "benjamini_hochberg"}},
        {"plan": {"infiltration": "TIS_AYERS_2017"}},
        {"plan": {"chain": [{"name": "a", "compartment": "blood", "feature": "NLR", "expected": "down"}]}},
        {"timepoints": [{"name": "pre", "day": 0}, {"name": "post", "day": 43}]},
        {"timepoints": [{"name": "pre", "day": 0}, {"name": "post", "day": 42}, {"name": "late", "day": 84}]},
        {"change": {"test": "sign_flip"}},
        {"change": {"exploratory_test": "moderated_t"}},
        {"change": {"level": 0.9}},
        {"composition": {"minimum_prevalence": 0.5}},
        {"composition": {"balances": {"CD8_to_CD4": BALANCE}}},
        {"signatures": ["RA_RESPONSE_CORE"]},
        {"expression": {"methods": ["rank", "mean"]}},
        {"expression": {"minimum_coverage": 0.5}},
        {"expression": {"replicates": "sum"}},
        {"genes": {"test": "deseq2"}},
        {"genes": {"minimum_count": 5.0}},
        {"cells": {"minimum_score_margin": 0.2}},
        {"cells": {"pseudobulk": {}}},
        {"stool": {"depth": 5_000}},
        {"response": {"confirmation_required": False}},
        {"response": {"prior": [1.0, 1.0]}},
        {"response": {"design": DESIGN}},
        {"prediction": {"primary": "ridge_change"}},
        {"prediction": {"penalty": 10.0}},
        {"prediction": {"maximum_features": 2}},
        {"prediction": {"models": [{"name": "ridge_baseline"}]}},
    ],
    ids=str,
)
def test_whatever_makes_a_value_a_test_or_a_response_moves_the_hash(settings):
    assert hash_of(**settings) != hash_of()


def test_the_numbers_of_a_design_and_the_sides_of_a_balance_move_the_hash():
    stages = {"stages": {"first_n": 9, "first_stop": 0, "n": 17, "stop": 2}}
    designs = (DESIGN, DESIGN | {"power": 0.9}, DESIGN | stages)
    assert len({hash_of(response={"design": design}) for design in designs}) == 3
    balances = (BALANCE, BALANCE | {"denominator": ["NK"]})
    assert len({hash_of(composition={"balances": {"x": balance}}) for balance in balances}) == 2


def test_every_setting_is_either_in_the_hash_or_known_to_change_no_inference():
    covered, left_out = set(told(PLANNED)), set(keys(StudySettings))
    in_the_hash = {key for key in left_out if any(key == one or key.startswith(f"{one}.") for one in covered)}
    assert covered <= {prefix for key in left_out for prefix in prefixes(key)}  # a misspelt key covers nothing
    assert left_out - in_the_hash == NOT_PLANNED


def told(included, before="") -> Iterator[str]:
    """The keys of PLANNED with dots, each item of a list named as the list."""
    if included is True:
        yield before
        return
    for key in included:
        below = included[key] if isinstance(included, dict) else True
        yield from told(below, before if key == "__all__" else f"{before}.{key}".lstrip("."))


def keys(model: type[BaseModel], before="") -> Iterator[str]:
    """Every key of the settings with dots, those of models within lists and mappings too."""
    for name, field in model.model_fields.items():
        inner = next(models(field.annotation), None)
        path = f"{before}{name}"
        yield from [path] if inner is None else keys(inner, f"{path}.")


def models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models(inner)


def prefixes(key: str) -> Iterator[str]:
    parts = key.split(".")
    yield from (".".join(parts[:length]) for length in range(1, len(parts) + 1))
