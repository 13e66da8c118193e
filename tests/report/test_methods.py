"""What the page says of its methods, held against the methods themselves."""

import re
from dataclasses import replace
from html import unescape

import numpy as np
import pytest

from rabiomarkers.change.tests import TESTS
from rabiomarkers.report.data import data_of_results
from rabiomarkers.report.methods import EXACT
from rabiomarkers.report.page import render
from rabiomarkers.settings.study import StudySettings
from rabiomarkers.stats.moderated import moderated_t_many
from rabiomarkers.stats.paired import sign_flip_many, signed_rank_many
from rabiomarkers.stats.parametric import ancova_many, paired_t_many
from rabiomarkers.stats.patient_effects import time_effect
from rabiomarkers.stats.two_groups import rank_sum_many


def words(data):
    """The section on methods without its tags, on one line."""
    html = render(data)
    section = html[html.index('<section id="methods"') :]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", "", section[: section.index("</section>")])))


def with_settings(results, **changes):
    settings = StudySettings(name="a").model_dump(mode="json")
    merged = settings | {key: settings[key] | value for key, value in changes.items()}
    data = data_of_results(results)
    return replace(data, provenance={**data.provenance, "settings": merged})


@pytest.fixture(scope="module")
def told(results):
    return words(with_settings(results))


def test_every_part_of_the_change_has_its_method(told):
    for method in (
        "How far tests are exact",
        "Moderated t",
        "Analysis of covariance",
        "Mixed model, and more than two timepoints",
        "The plan and its hash",
        "Response to retinoic acid",
        "Adjusting for immune cells",
        "Chain and links",
        "Shadow null",
        "Detectable change",
        "Zeros",
        "Parts against two references",
        "Balances",
        "The composition as a whole",
        "Draws from the posterior",
        "Communities",
        "Dispersion",
    ):
        assert method in told


def test_results_without_settings_have_methods_too(results):
    assert "seen in few samples" in words(replace(data_of_results(results), provenance={}))


@pytest.mark.parametrize("test", TESTS)
def test_the_planned_test_is_named(results, test):
    told = words(with_settings(results, change={"test": test, "exploratory_test": "moderated_t"}))
    assert f"Two-sided {test.replace('_', ' ')}, moderated t for features the plan does not name." in told


def test_the_settings_stand_where_they_matter(told):
    assert "on the change of infiltration (tumour:CYT_ROONEY_2015)" in told
    assert "seen in fewer than 30 % of the samples are summed into one" in told
    assert "in 200 draws of the shares" in told


@pytest.mark.parametrize(
    ("said", "run", "limit"),
    [
        ("with their ties and zeros, up to {} pairs", signed_rank_many, "signed_rank"),
        ("Sign-flip: all ways up to {} pairs", sign_flip_many, "sign_flip"),
    ],
)
def test_a_paired_test_is_exact_as_far_as_it_is_said_to_be(told, said, run, limit):
    number = int(EXACT[limit])
    assert said.format(number) in told
    changes = np.random.default_rng(1).normal(size=(1, number + 1))
    assert run(changes[:, :number])["test"].item().startswith("exact")
    assert not run(changes)["test"].item().startswith("exact")


def test_the_rank_sum_test_and_permanova_are_exact_as_far_as_they_are_said_to_be(told):
    assert f"all assignments up to {EXACT['rank_sum']} patients" in told
    values = np.random.default_rng(1).normal(size=(1, int(EXACT["rank_sum"]) + 1))
    groups = np.arange(values.shape[1]) < 9
    assert rank_sum_many(values[:, 1:], groups[1:])["test"].item().startswith("exact")
    assert not rank_sum_many(values, groups)["test"].item().startswith("exact")
    pairs = int(EXACT["swaps"])
    assert f"in all ways up to {pairs} pairs" in told
    assert time_of(pairs).p_total == 2**pairs
    assert time_of(pairs + 1).p_total == 10_000  # drawn


def time_of(pairs):
    points = np.random.default_rng(2).normal(size=(2 * pairs, 3))
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    return time_effect(distances, list(range(pairs)) * 2, [0] * pairs + [1] * pairs)


def test_the_analysis_of_covariance_is_never_sharper_than_the_paired_t(told):
    assert "with one arm this is never sharper than the paired t" in told
    before, after = np.random.default_rng(3).normal(size=(2, 200, 10))
    sharper = ancova_many(before, before / 2 + after)["p_value"] < paired_t_many(after - before / 2)["p_value"]
    assert not sharper.any()


def test_fewer_features_than_said_share_no_variance(told):
    number = int(EXACT["shared_features"])
    assert f"With fewer than {number} features to share it is the paired t" in told
    changes = np.random.default_rng(4).normal(size=(number, 8))
    few = moderated_t_many(changes[1:])["p_value"]
    np.testing.assert_allclose(few, paired_t_many(changes[1:])["p_value"])
    assert not np.allclose(moderated_t_many(changes)["p_value"], paired_t_many(changes)["p_value"])
