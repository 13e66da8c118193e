"""A small study of stool alone, from its files to its tables: counts with blanks and host reads, and gene families."""

import numpy as np
import pandas as pd
import pytest
import yaml

from rabiomarkers.pipeline import run_study
from rabiomarkers.results import open_results
from rabiomarkers.store import Store
from rabiomarkers.study import open_study

PATIENTS = ("P1", "P2", "P3", "P4", "P5")
TAXA = (
    "Blautia obeum",
    "Bacteroides caccae",
    "Akkermansia muciniphila",
    "Lactobacillus intestinalis",
    "Ralstonia pickettii",
)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stools")
    random = np.random.default_rng(2)
    own = random.gamma(2.0, 200.0, (len(PATIENTS), len(TAXA) - 1))
    counts, rows = {}, []
    for place, patient in enumerate(PATIENTS):
        for time in ("pre", "post"):
            sample = f"{patient}-{time}"
            counts[sample] = [*random.poisson(own[place]), 0]
            rows.append([sample, patient, time, "faecal", "taxa_counts", "counts.csv"])
            rows.append([f"{sample}-ko", patient, time, "faecal", "gene_families", "families.tsv"])
    study = folder / "study"
    study.mkdir()
    pd.DataFrame(counts, index=pd.Index(TAXA, name="taxon")).to_csv(study / "counts.csv")
    families = {f"{sample}-ko": random.integers(1, 50, 3) for sample in counts}
    index = pd.Index(["K07249", "K00128", "K09999"], name="# Gene Family")
    pd.DataFrame(families, index=index).to_csv(study / "families.tsv", sep="\t")
    header = ["sample_id", "patient_id", "timepoint", "compartment", "assay", "path"]
    pd.DataFrame(rows, columns=header).to_csv(study / "samples.csv", index=False)
    pd.DataFrame({"patient_id": PATIENTS, "best_response": ["PR", "SD", "PD", "PR", "SD"]}).to_csv(
        study / "patients.csv", index=False
    )
    (study / "blanks.csv").write_text("taxon,b1,b2,b3\nRalstonia pickettii,40,12,9\nBlautia obeum,0,1,0\n")
    (study / "reads.csv").write_text("sample_id,total_reads,host_reads\nP1-pre,4000,1000\n")
    settings = {
        "name": "stools",
        "stool": {
            "depth": 200,
            "blanks": "blanks.csv",
            "sequencing": "reads.csv",
            "metrics": ["bray_curtis", "jaccard"],
        },
        "prediction": {"bootstraps": 20, "simulations": 5},
    }
    (study / "study.yaml").write_text(yaml.safe_dump(settings))
    run_study(open_study(study), Store(folder / "store"), folder / "results")
    return open_results(folder / "results")


def test_features_of_taxa_and_of_gene_families_stand_side_by_side(results):
    features = results.features.set_index(["sample_id", "feature"])["value"]
    assert features["P1-pre", "chao1"] >= features["P1-pre", "observed_taxa"]
    assert features["P1-pre-ko", "ra_production_potential"] > features["P1-pre-ko", "ra_production_potential_specific"]


def test_the_hosts_share_is_in_the_quality(results):
    quality = results.qc.set_index(["sample_id", "measure"])["value"]
    assert quality["P1-pre", "host_share"] == 0.25


def test_a_taxon_of_the_blanks_alone_is_called_and_one_of_the_gut_is_kept(results):
    verdicts = results.contaminants.set_index("taxon")["verdict"]
    assert verdicts["Ralstonia pickettii"] == "contaminant"
    assert verdicts["Blautia obeum"] != "contaminant"


def test_every_metric_that_was_asked_has_its_distances(results):
    assert set(results.distances["metric"]) == {"bray_curtis", "jaccard"}
    assert set(results.community["metric"]) == {"Bray-Curtis", "Jaccard"}


def test_microbes_and_scores_carry_what_they_rest_on(results):
    microbes = results.microbes.set_index(["sample_id", "taxon"])
    assert microbes.loc[("P1-pre", "Lactobacillus intestinalis"), "evidence"].eq("mouse").all()
    scores = results.microbe_scores
    assert (scores.loc[scores["score"] == "TOPOSCORE", "verdict"] == "refused").all()
    assert scores.loc[scores["score"] == "akkermansia", "category"].isin(["absent", "low", "high"]).all()


def test_each_stool_has_its_curve_and_its_place(results):
    assert results.rarefaction["sample_id"].nunique() == 10
    assert len(results.stool_identity) == 10
    assert set(results.taxa["rank"]) == {"phylum", "family", "genus", "species"}
