"""Taxa by rank: names, planted shifts, nulls, presence, and what other methods may say."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.change.taxa import UNPLACED, at_rank, taxa_table
from rabiomarkers.change.taxa_sensitivity import LEAST_PAIRS, NEEDS_COUNTS
from rabiomarkers.tables.stool import TAXA_CHANGES

CONTRAST = ("pre", "post")


def lineages(taxa):
    """Four species a genus, two genera a family, one phylum."""
    return pd.Series(
        {name: f"k__Bacteria;p__P;f__F{at // 8};g__G{at // 4};s__{name}" for at, name in enumerate(taxa)}, dtype="str"
    )


def study(patients=10, taxa=40, shift=0.0, shifted=8, seed=0, patient_sd=1.0):
    """Poisson counts around a composition of each patient's own; the first taxa rise by `shift` (natural log)."""
    random = np.random.default_rng(seed)
    own = random.normal(5.0, patient_sd, (patients, taxa))
    effect = np.where(np.arange(taxa) < shifted, shift, 0.0)
    names = [f"t{at:02d}" for at in range(taxa)]
    rows, sheet = {}, []
    for patient in range(patients):
        for time in CONTRAST:
            level = own[patient] + random.normal(0, 0.25, taxa) + effect * (time == "post")
            rows[f"S{patient}{time}"] = random.poisson(np.exp(level)).astype(float)
            sheet.append({"sample_id": f"S{patient}{time}", "patient_id": f"P{patient}", "timepoint": time})
    counts = pd.DataFrame(rows, index=names).T
    return counts, lineages(names), pd.DataFrame(sheet)


def table(data, **options):
    counts, taxonomy, samples = data
    settings = {"contrast": CONTRAST, "ranks": ["species"], "other_methods": "called"} | options
    return taxa_table(counts, taxonomy, samples, **settings)


def test_taxa_are_summed_by_rank_and_keep_their_total():
    counts, taxonomy, _ = study()
    for rank, number in (("phylum", 1), ("family", 5), ("genus", 10), ("species", 40)):
        summed, paths = at_rank(counts, taxonomy, rank)
        assert summed.shape[1] == number
        np.testing.assert_allclose(summed.sum(axis="columns"), counts.sum(axis="columns"))
        assert paths.iloc[0].split(";")[-1].startswith(f"{rank[0]}__")


@pytest.mark.parametrize(
    ("lineage", "rank", "name"),
    [
        ("k__Bacteria;p__P;f__F", "genus", f"F {UNPLACED}"),
        ("k__Bacteria;p__P;f__F", "phylum", "P"),
        ("k__Bacteria", "family", f"Bacteria {UNPLACED}"),
        ("", "genus", UNPLACED),
        ("", "species", "hash1"),
        ("k__Bacteria;p__P;f__F;g__G", "species", "hash1"),
        ("k__Bacteria;p__P;f__F;g__G;s__G x", "species", "G x"),
        ("k__Bacteria;p__;f__F", "phylum", f"Bacteria {UNPLACED}"),
    ],
)
def test_what_a_lineage_does_not_place_goes_by_what_is_above(lineage, rank, name):
    counts = pd.DataFrame({"hash1": [3.0]}, index=["S"])
    assert list(at_rank(counts, pd.Series({"hash1": lineage}), rank)[0].columns) == [name]


def test_planted_shifts_are_found_and_others_are_not():
    """C3: 8 of 40 taxa up by 1.0; against the mean of all, which rises by 8/40, the others seem to fall and are not called."""
    told = table(study(shift=1.0, seed=3)).set_index("taxon")
    planted = told.loc[[f"t{at:02d}" for at in range(8)]]
    assert (planted["q_value"] <= 0.05).sum() >= 6
    assert planted["estimate"].mean() == pytest.approx(0.8, abs=0.15)
    called = set(told.index[told["verdict"] == "agree"])
    assert len(called & set(planted.index)) >= 6
    assert not called - set(planted.index)
    assert (told.loc[told["verdict"] == "methods disagree", "estimate"] < 0).all()  # the seeming falls, told as such


def test_without_an_effect_nothing_is_called():
    called = sum((table(study(seed=seed))["q_value"] <= 0.05).sum() for seed in range(8))
    assert called <= 1


def test_the_other_methods_are_asked_where_something_is_called_and_agree_on_a_strong_shift():
    told = table(study(shift=1.5, shifted=5, seed=5)).set_index("taxon").loc[[f"t{at:02d}" for at in range(5)]]
    assert told["ancombc_p"].notna().all()
    assert (told["ancombc_log_fold"] > 0).all()
    assert (told["dirichlet_low"] < told["dirichlet_log_fold"]).all()
    assert (told["verdict"] == "agree").sum() >= 3


def test_the_other_methods_never_make_a_call():
    """ANCOM-BC with a term for each patient is far too sure with few pairs: on null data it calls, and is not followed."""
    tables = [table(study(patients=6, seed=seed), other_methods="all") for seed in range(3)]
    told = pd.concat(tables)
    assert (told["ancombc_q"] <= 0.05).any()
    assert set(told["verdict"]) <= {"not shown", "rare"}


def test_estimates_of_the_mixed_model_are_natural_logarithms():
    counts, taxonomy, samples = study(shift=2.0, shifted=1, seed=2, patient_sd=0.3)
    told = table((counts, taxonomy, samples), other_methods="all").set_index("taxon").loc["t00"]
    assert told["dirichlet_log_fold"] == pytest.approx(told["estimate"], abs=0.5)
    assert told["ancombc_log_fold"] == pytest.approx(told["estimate"], abs=0.5)


def test_taxa_below_the_floor_are_not_tested_and_are_told():
    counts, taxonomy, samples = study()
    counts["t39"] = 0.0
    counts.loc["S0pre", "t39"] = 4.0
    told = table((counts, taxonomy, samples)).set_index("taxon").loc["t39"]
    assert told["verdict"] == "rare"
    assert np.isnan(told["p_value"])
    assert not told["in_counts"]


def test_presence_by_hand():
    """Seen in 8 of 10 patients afterwards who lacked it, lost in none: McNemar 2 / 2**8."""
    counts, taxonomy, samples = study()
    counts["t00"] = [20.0 if name.endswith("post") or name < "S2" else 0.0 for name in counts.index]
    told = table((counts, taxonomy, samples)).set_index("taxon").loc["t00"]
    assert (told["appeared"], told["disappeared"]) == (8, 0)
    assert told["prevalence_p"] == pytest.approx(2 / 2**8)
    assert (told["prevalence_before"], told["prevalence_after"]) == (0.2, 1.0)


def test_relative_abundances_are_tested_and_the_methods_for_counts_are_not_asked():
    counts, taxonomy, samples = study(shift=1.5, seed=4)
    shares = counts.div(counts.sum(axis="columns"), axis="index")
    told = table((shares, taxonomy, samples), scale="relative")
    assert (told["q_value"] <= 0.05).any()
    assert told["ancombc_p"].isna().all()
    assert told["note"].fillna("").str.contains(NEEDS_COUNTS).any()


def test_few_pairs_have_a_floor_and_no_other_method():
    told = table(study(patients=LEAST_PAIRS - 1), other_methods="all")
    assert (told["p_floor"].dropna() >= 0.125).all()
    assert told["ancombc_p"].isna().all()
    assert set(told["verdict"]) == {"not shown"}


def test_no_pair_gives_an_empty_table():
    counts, taxonomy, samples = study()
    alone = samples[samples["timepoint"] == "pre"]
    assert table((counts.loc[alone["sample_id"]], taxonomy, alone)).empty


def test_the_order_of_samples_and_taxa_changes_nothing():
    counts, taxonomy, samples = study(shift=1.0, seed=6)
    random = np.random.default_rng(1)
    mixed = counts.iloc[random.permutation(len(counts)), random.permutation(counts.shape[1])]
    first = table((counts, taxonomy, samples), ranks=["genus", "species"])
    again = table((mixed, taxonomy, samples.sample(frac=1, random_state=2)), ranks=["genus", "species"])
    pd.testing.assert_frame_equal(first, again, rtol=1e-9)


def test_the_table_holds_what_it_promises():
    TAXA_CHANGES.check(table(study(), ranks=["phylum", "family", "genus", "species"]))
