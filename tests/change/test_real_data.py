"""The measured facts of two public cohorts, as their README files in the shared data folder state them."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.change.chain import DEFAULT_CHAIN, link_table
from rabiomarkers.change.distances import principal_coordinates, within_between
from rabiomarkers.change.immune import adjusted_table
from rabiomarkers.change.mechanism import CORE, DIRECT, INFILTRATION, OTHER_INFILTRATION, retinoic_acid_call
from rabiomarkers.change.metrics import distances_of
from rabiomarkers.change.table import change_table
from rabiomarkers.features.signatures import choose_signatures, score_signatures
from rabiomarkers.knowledge import load_signatures
from rabiomarkers.schema import config_path
from rabiomarkers.stats.multiplicity import benjamini_hochberg
from rabiomarkers.stats.paired import signed_rank, signed_rank_many

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"


def folder(name):
    path = DATA / name
    if not path.is_dir():
        pytest.skip(f"the public cohort {name} is not beside the repository (../shared/data/{name})")
    return path


@pytest.fixture(scope="module")
def biopsies():
    """Counts of 43 patients before and on nivolumab (Riaz 2017), and who is whose; replicate 1, without the disputed Pt68_On."""
    path = folder("riaz_bms038")
    counts = pd.read_csv(path / "counts.csv.gz").dropna(subset="symbol").drop(columns="entrez_id")
    samples = pd.read_csv(path / "samples.csv").query("replicate == 1 and sample_id != 'Pt68_On'")
    pairs = samples.pivot(index="patient_id", columns="timepoint", values="sample_id").dropna()
    response = samples.drop_duplicates("patient_id").set_index("patient_id")["response3"].reindex(pairs.index)
    return counts.groupby("symbol").sum(), pairs, response


@pytest.fixture(scope="module")
def melanoma(biopsies):
    """log2(CPM + 1) on minus pre, genes x 43 patients, nivolumab (Riaz 2017)."""
    counts, pairs, response = biopsies
    expression = np.log2(counts / counts.sum() * 1e6 + 1)
    change = expression[pairs["on"]].to_numpy() - expression[pairs["pre"]].to_numpy()
    return pd.DataFrame(change, index=counts.index, columns=pairs.index), response


@pytest.fixture(scope="module")
def stool():
    """Species of 32 patients before and on checkpoint inhibitors (Derosa 2024), MetaPhlAn percent."""
    path = folder("toposcore_longitudinal")
    abundances = pd.read_csv(path / "relative_abundance.csv.gz", index_col="sample_id")
    pairs = pd.read_csv(path / "pairs.csv", dtype="str").query("complete_pair == 'True'")
    samples = pd.concat(
        pd.DataFrame({"sample_id": pairs[f"sample_id_{time}"], "patient_id": pairs["patient_id"], "timepoint": time})
        for time in ("pre", "post")
    )
    return abundances.loc[samples["sample_id"]], samples


def test_the_cytolytic_score_rises_under_nivolumab(melanoma):
    change, response = melanoma
    score = change.loc[["GZMA", "PRF1"]].mean()
    told = signed_rank(score)
    assert told.n == 43
    assert score.mean() == pytest.approx(0.83, abs=0.005)  # the README's +0.83 is the mean; the median is +0.41
    assert told.p_value == pytest.approx(1.5e-4, rel=0.05)
    assert told.estimate == pytest.approx(0.74, abs=0.005)  # Hodges-Lehmann, between the two
    assert told.ci_low > 0
    means = {
        group: (score[response == group].mean(), signed_rank(score[response == group]).p_value)
        for group in set(response)
    }
    assert means["PRCR"] == pytest.approx((1.35, 0.039), rel=0.02)
    assert means["SD"] == pytest.approx((1.25, 0.0015), rel=0.04)
    assert means["PD"] == pytest.approx((0.20, 0.28), rel=0.04)


@pytest.mark.parametrize(
    ("gene", "mean", "p_value"),
    [
        ("RARRES3", 0.71, 4e-4),
        ("TGM2", 0.52, 5e-4),
        ("CD38", 0.43, 0.02),
        ("DHRS3", 0.44, 0.046),
        ("CYP26A1", -0.12, 0.55),
        ("CYP26B1", -0.06, 0.70),
        ("RARB", -0.07, 0.47),
        ("CRABP2", -0.22, 0.40),
        ("STRA6", 0.03, 0.68),
    ],
)
def test_without_retinoic_acid_only_the_infiltration_genes_move(melanoma, gene, mean, p_value):
    change, _ = melanoma
    told = signed_rank(change.loc[gene])
    assert change.loc[gene].mean() == pytest.approx(mean, abs=0.006)
    assert told.p_value == pytest.approx(p_value, rel=0.25)  # one digit is printed


# ---- the response to retinoic acid, which nobody had -----------------------------------------------------------------

FALSE = "FALSE_SIGNATURE"
FALSE_GENES = ("PLAAT4", "TGM2", "CD38")  # PLAAT4: RARRES3 until 2019
PEROXIDATION = "MACROPHAGE_LIPID_PEROXIDATION"


@cache
def signatures():
    """The sets the call and the chain use, and one made of what infiltration alone brings."""
    named = [CORE, DIRECT, INFILTRATION, *OTHER_INFILTRATION, PEROXIDATION]
    shipped = choose_signatures(load_signatures(config_path("signatures/gene_signatures.csv")), named)
    false = pd.DataFrame({"signature": FALSE, "gene": FALSE_GENES, "direction": 1, "weight": 1.0})
    return pd.concat([shipped[false.columns], false])


def rank_score_deltas(biopsies, *, raised=(), factor=1.0):
    """DELTAS of the rank scores, the counts of the genes `raised` times `factor` on treatment."""
    counts, pairs, _ = biopsies
    counts = counts.rename(index={"RARRES3": "PLAAT4"}).astype(float)
    chosen = counts.index.isin(list(raised))
    counts.loc[chosen, pairs["on"]] = np.rint(counts.loc[chosen, pairs["on"]] * factor)
    before, after = (
        pd.DataFrame(
            {
                patient: score_signatures(counts[sample], signatures(), scale="counts").set_index("feature")["value"]
                for patient, sample in pairs[timepoint].items()
            }
        )
        for timepoint in ("pre", "on")
    )
    values = {"before": before, "after": after, "change": after - before}
    table = pd.concat({name: value.stack() for name, value in values.items()}, axis="columns")
    table = table.rename_axis(["feature", "patient_id"]).reset_index()
    return table.assign(compartment="tumour", unit="rank score")


def judged(deltas):
    """The call, the changes and the adjusted changes, by feature."""
    changes = change_table(deltas, primary=(CORE, DIRECT))
    adjusted = adjusted_table(deltas, features=[DIRECT, CORE, FALSE], infiltration=[INFILTRATION])
    return retinoic_acid_call(changes, adjusted), changes.set_index("feature"), adjusted.set_index("feature")


def test_as_it_is_nobody_responded_to_retinoic_acid_though_the_false_signature_rose(biopsies):
    told, changes, _ = judged(rank_score_deltas(biopsies))
    assert told["call"] == "no response"
    assert set(told["verdicts"].values()) == {"not risen"}
    assert changes.loc[CORE, "p_value"] == pytest.approx(0.16, abs=0.01)
    assert changes.loc[DIRECT, "p_value"] == pytest.approx(0.90, abs=0.01)
    assert changes.loc[FALSE, "estimate"] == pytest.approx(0.043, abs=0.001)
    assert changes.loc[FALSE, "p_value"] == pytest.approx(4e-4, rel=0.1)


def test_what_infiltration_explains_of_the_false_signature_is_all_of_it(biopsies):
    _, _, adjusted = judged(rank_score_deltas(biopsies))
    assert adjusted.loc[FALSE, "unadjusted"] == pytest.approx(0.054, abs=0.001)
    assert adjusted.loc[FALSE, "estimate"] == pytest.approx(-0.006, abs=0.001)
    assert adjusted.loc[FALSE, "p_value"] == pytest.approx(0.54, abs=0.01)
    assert adjusted.loc[FALSE, "r_squared"] == pytest.approx(0.80, abs=0.005)
    assert adjusted.loc[DIRECT, "r_squared"] == pytest.approx(0.20, abs=0.005)


@pytest.mark.parametrize(("factor", "planted"), [(1.5, 0.042), (2, 0.073), (4, 0.150)])
def test_direct_targets_that_really_rise_are_called_and_their_adjusted_change_is_what_was_planted(
    biopsies, factor, planted
):
    direct = signatures().query("signature == @DIRECT")["gene"]
    told, _, adjusted = judged(rank_score_deltas(biopsies, raised=direct, factor=factor))
    _, _, without = judged(rank_score_deltas(biopsies))
    assert told["call"] == "response"
    assert set(told["verdicts"].values()) == {"rose"}
    assert adjusted.loc[DIRECT, "p_value"] < 1e-6
    found = adjusted.loc[DIRECT, "estimate"] - without.loc[DIRECT, "estimate"]
    raised = adjusted.loc[DIRECT, "unadjusted"] - without.loc[DIRECT, "unadjusted"]
    assert found == pytest.approx(planted, abs=0.001)
    assert found == pytest.approx(raised, rel=0.06)


@pytest.mark.parametrize("factor", [4, 64])
def test_the_false_signature_makes_no_call_however_far_it_rises(biopsies, factor):
    told, changes, adjusted = judged(rank_score_deltas(biopsies, raised=FALSE_GENES, factor=factor))
    assert told["call"] == "no response"
    assert told["verdicts"] == {CORE: "rose", DIRECT: "not risen", "adjusted": "not risen"}
    assert told["why"] == "The core score rose without the direct targets, as it does when immune cells move in."
    assert adjusted.loc[CORE, "p_value"] < 0.01  # not even the adjustment would have kept the core set from a call
    assert changes.loc[DIRECT, "p_value"] == pytest.approx(0.90, abs=0.01)


def test_two_links_of_the_chain_hold_where_nobody_had_the_drug(biopsies):
    """So a link proves no mechanism: these follow how many immune cells a biopsy held."""
    links = link_table(rank_score_deltas(biopsies), DEFAULT_CHAIN).set_index("link")
    assert links["n_pairs"].tolist() == [43, 43, 43, 0]
    np.testing.assert_allclose(links["estimate"], [0.208, 0.527, 0.888, np.nan], atol=6e-4)
    assert links.loc[1, "p_value"] == pytest.approx(0.18, abs=0.03)
    assert (links.loc[[2, 3], "q_value"] < 0.01).all()


def test_measures_of_infiltration_agree_but_are_not_the_same(biopsies):
    wide = rank_score_deltas(biopsies).pivot(index="patient_id", columns="feature", values="change")
    alike = wide[[INFILTRATION, *OTHER_INFILTRATION]].corr()[INFILTRATION]
    assert alike[list(OTHER_INFILTRATION)].tolist() == pytest.approx([0.93, 0.82], abs=0.006)


def test_stool_is_individual(stool):
    abundances, samples = stool
    facts = within_between(distances_of(abundances, "bray_curtis"), samples, contrast=["pre", "post"])
    assert facts.n_within == 32
    assert facts.within_median == pytest.approx(0.43, abs=0.005)  # the median; the mean is 0.50
    assert facts.between_median == pytest.approx(0.80, abs=0.005)
    assert facts.p_value == facts.p_floor == 1e-4  # none of 9 999 matchings comes near


def test_the_stool_ordination_explains_what_bray_curtis_of_species_does(stool):
    abundances, samples = stool
    told = principal_coordinates(distances_of(abundances, "bray_curtis"), samples)
    assert len(told.axes) == 64
    assert 0.05 < told.variance_explained[1] < told.variance_explained[0] < 0.2


def test_no_species_changes_after_correction(stool):
    abundances, samples = stool
    before, after = (abundances.loc[samples.loc[samples["timepoint"] == time, "sample_id"]] for time in ("pre", "post"))
    change = (after.to_numpy() - before.to_numpy()).T
    present = (change != 0).sum(axis=1) >= 10
    q_values = benjamini_hochberg(signed_rank_many(change[present])["p_value"])
    assert present.sum() > 200
    assert q_values.min() > 0.05
