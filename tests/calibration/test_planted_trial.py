"""What is planted is found, and what is not there is not: tumour part of the simulated trial, through the library's own steps."""

from functools import cache

import pandas as pd
import pytest

from rabiomarkers.change.pairs import paired_deltas
from rabiomarkers.change.table import change_table
from rabiomarkers.features.signatures import choose_signatures, score_signatures
from rabiomarkers.knowledge import load_signatures
from rabiomarkers.schema import config_path
from rabiomarkers.simulate.design import design_trial
from rabiomarkers.simulate.tumour import tumour_counts

PRIMARY = ("RA_RESPONSE_CORE", "MACROPHAGE_LIPID_PEROXIDATION")


@cache
def signatures() -> pd.DataFrame:
    return choose_signatures(load_signatures(config_path("signatures/gene_signatures.csv")), PRIMARY)


def primary_changes(*, patients: int, effect: str, seed: int, neutral_genes: int) -> pd.DataFrame:
    """The primary rows of the changes table of one simulated trial, by feature."""
    design = design_trial(patients=patients, effect=effect, seed=seed)
    counts = tumour_counts(design, neutral_genes=neutral_genes)
    identity = {
        sample.sample_id: {"patient_id": patient.patient_id, "timepoint": sample.timepoint}
        for patient in design.patients
        for sample in patient.of("tumour")
        if not sample.poor and not sample.missing
    }
    features = pd.concat(
        [
            score_signatures(counts[sample], signatures(), scale="counts").assign(
                sample_id=sample, compartment="tumour", assay="rna_counts", **who
            )
            for sample, who in identity.items()
        ]
    )
    deltas = paired_deltas(features, contrast=("pre", "post"))
    return change_table(deltas, primary=PRIMARY).set_index("feature")


def found_in(*, seeds: int, **options) -> int:
    """In how many trials RA_RESPONSE_CORE rises, after correction for the primary family."""
    changes = [primary_changes(effect="planted", seed=seed, **options).loc[PRIMARY[0]] for seed in range(1, seeds + 1)]
    return sum(row["estimate"] > 0 and row["q_value"] <= 0.05 for row in changes)


def false_calls(*, seeds: int, **options) -> float:
    """The share of primary tests without an effect that are called at 0.05."""
    changes = pd.concat([primary_changes(effect="none", seed=seed, **options) for seed in range(1, seeds + 1)])
    return float((changes["p_value"] <= 0.05).mean())


def test_the_planted_primary_feature_is_found_in_small_trials():
    assert found_in(seeds=3, patients=10, neutral_genes=500) == 3


def test_a_trial_without_effect_makes_no_more_calls_than_the_nominal_rate():
    # 12 tests at 0.05: four or more would come by chance in fewer than 1 of 100 such batches
    assert false_calls(seeds=6, patients=10, neutral_genes=500) * 12 <= 3


@pytest.mark.calibration
def test_the_planted_primary_feature_is_found_in_95_of_100_trials_of_20_patients():
    assert found_in(seeds=100, patients=20, neutral_genes=10_500) >= 95


@pytest.mark.calibration
def test_100_trials_without_effect_stay_at_the_nominal_rate():
    # 200 tests, two features a trial; nominal 0.05 + 3 Monte-Carlo standard errors
    assert false_calls(seeds=100, patients=20, neutral_genes=10_500) <= 0.05 + 3 * (0.05 * 0.95 / 200) ** 0.5
