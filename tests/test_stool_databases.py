"""A study whose stools were profiled with two databases: apart without a map, together with one."""

import numpy as np
import pandas as pd
import pytest
import yaml

from rabiomarkers.pipeline import run_study
from rabiomarkers.results import open_results
from rabiomarkers.store import Store
from rabiomarkers.study import check_study, open_study

PATIENTS = ("P1", "P2", "P3", "P4")
INDEX = "mpa_vJun23_CHOCOPhlAnSGB_202403"
MAP = (
    "database,taxon,mapped_database,mapped_taxon,mapped_lineage\n"
    "vJun23_202403,Blautia_obeum,GTDB r220,Blautia_A obeum,d__Bacteria;g__Blautia_A;s__Blautia_A obeum\n"
    "vJun23_202403,Dorea_longicatena,GTDB r220,Dorea_A longicatena,d__Bacteria;g__Dorea_A;s__Dorea_A longicatena\n"
)


@pytest.fixture
def study(tmp_path):
    """Both stools of P1 to P3 with GTDB; of P4 the second is a profile of MetaPhlAn, a tenth of it of a taxon that no map knows."""
    folder = tmp_path / "study"
    folder.mkdir()
    random = np.random.default_rng(4)
    rows, shares = [], {}
    for patient in PATIENTS:
        for time in ("pre", "post"):
            last = (patient, time) == ("P4", "post")
            rows.append(
                [f"{patient}-{time}", patient, time, "faecal", "taxa_relabund", "p4.txt" if last else "taxa.csv"]
            )
            if not last:
                shares[f"{patient}-{time}"] = random.dirichlet([5.0, 3.0, 2.0])
    index = pd.Index(["Blautia_A obeum", "Dorea_A longicatena", "Akkermansia muciniphila"], name="taxon")
    pd.DataFrame(shares, index=index).to_csv(folder / "taxa.csv")
    (folder / "p4.txt").write_text(
        f"#{INDEX}\n#clade_name\trelative_abundance\nk__Bacteria\t100.0\nk__Bacteria|s__Blautia_obeum\t60.0\n"
        "k__Bacteria|s__Dorea_longicatena\t30.0\nk__Bacteria|s__GGB1_SGB2\t10.0\n"
    )
    header = ["sample_id", "patient_id", "timepoint", "compartment", "assay", "path"]
    pd.DataFrame(rows, columns=header).to_csv(folder / "samples.csv", index=False)
    responses = pd.DataFrame({"patient_id": PATIENTS, "best_response": ["PR", "SD", "PD", "PR"]})
    responses.to_csv(folder / "patients.csv", index=False)

    def settled(**stool):
        settings = {"name": "two", "taxa_database": "GTDB r220", "stool": stool}
        settings["prediction"] = {"bootstraps": 20, "simulations": 5}
        (folder / "study.yaml").write_text(yaml.safe_dump(settings))
        return folder

    return settled


def judged(folder, out):
    """The row of the last stool in the ledger, the samples that were compared, and the quality of the last stool."""
    run_study(open_study(folder), Store(out / "store"), out / "results")
    results = open_results(out / "results")
    ledger, quality = results.ledger.set_index("sample_id"), results.qc
    features = set(results.features["sample_id"])
    return ledger.loc["P4-post"], features, quality[quality["sample_id"] == "P4-post"].set_index("measure")


def test_the_stool_of_the_other_database_is_in_the_ledger_with_its_reason(study, tmp_path):
    row, features, _ = judged(study(), tmp_path)
    assert row["status"] == "failed_qc"
    assert row["reason"].startswith(
        f"taxa named by another database ({INDEX}) than those of 7 of 8 samples (GTDB r220): never compared"
    )
    assert features == {f"{patient}-{time}" for patient in PATIENTS for time in ("pre", "post")} - {"P4-post"}


def test_a_map_puts_it_beside_the_others_and_tells_what_it_does_not_know(study, tmp_path):
    folder = study(taxa_map="map.csv")
    (folder / "map.csv").write_text(MAP)
    row, features, quality = judged(folder, tmp_path)
    assert row["status"] == "used"
    assert "P4-post" in features
    assert quality.loc["unmapped_share", "value"] == pytest.approx(0.1)


def test_a_map_that_knows_none_of_the_taxa_is_told_by_the_check(study):
    folder = study(taxa_map="map.csv")
    (folder / "map.csv").write_text(MAP.replace("Blautia_obeum", "x").replace("Dorea_longicatena", "y"))
    told = [str(problem) for problem in check_study(folder)]
    assert any("p4.txt: none of the 3 taxa is in map.csv" in problem for problem in told)
