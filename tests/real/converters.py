"""Turn two public cohorts into study folders, as a data manager would: sheets beside the data, the data where it lies."""

import shutil
from pathlib import Path

import pandas as pd
import yaml


def checkmate038(data: Path, folder: Path) -> Path:
    """CheckMate 038: tumour counts of Riaz 2017 before and on nivolumab, serum sPD-L1 of the same patients.

    Traps named in the READMEs: the disputed library Pt68_On is excluded with its reason; ten second libraries carry their replicate
    number; `PFS_SOR` and `OS_SOR` are 0 for an event; flagged serum values are above the upper limit of quantification.
    """
    folder.mkdir(parents=True)
    tumour = pd.read_csv(data / "riaz_bms038" / "samples.csv")
    serum = pd.read_csv(data / "checkmate038_blood" / "soluble_pdl1.csv").dropna(subset=["riaz_patient_id"])
    clinical = pd.read_csv(data / "riaz_bms038" / "clinical.csv")
    disputed = "identity disputed: the authors' corrected table gives this library as Pt7_Pre of Pt72"
    rows = tumour.assign(
        compartment="tumour",
        assay="rna_counts",
        path="riaz_bms038/counts.csv.gz",
        exclude=tumour["sample_id"].map({"Pt68_On": disputed}),
    )
    blood = _serum_table(serum, folder)
    columns = ["sample_id", "patient_id", "timepoint", "compartment", "assay", "path", "replicate", "exclude"]
    pd.concat([rows, blood])[columns].to_csv(folder / "samples.csv", index=False)
    patients = pd.DataFrame({"patient_id": sorted(set(rows["patient_id"]) | set(blood["patient_id"]))})
    responses = pd.concat(
        [tumour[["patient_id", "bor"]], serum.rename(columns={"riaz_patient_id": "patient_id"})[["patient_id", "bor"]]]
    ).drop_duplicates("patient_id")
    cohort = clinical.rename(columns={"PatientID": "patient_id", "Cohort": "cohort"})[["patient_id", "cohort"]]
    sheet = patients.merge(responses, how="left").merge(cohort, how="left").rename(columns={"bor": "best_response"})
    sheet.to_csv(folder / "patients.csv", index=False)
    followed = clinical[clinical["PatientID"].isin(patients["patient_id"])].dropna(subset=["PFS", "OS"])
    pd.DataFrame(
        {
            "patient_id": followed["PatientID"],
            "pfs_days": followed["PFS"],
            "progressed": followed["PFS_SOR"].eq(0),
            "os_days": followed["OS"],
            "died": followed["OS_SOR"].eq(0),
        }
    ).to_csv(folder / "followup.csv", index=False)
    settings = {
        "name": "checkmate038",
        "timepoints": [{"name": "pre", "day": 0}, {"name": "on", "day": 29}],
        "contrast": ["pre", "on"],
        "data_root": str(data),
        "annotation": "hg19 knownGene",
        "plan": {
            "primary": ["CYT_ROONEY_2015", "RA_RESPONSE_CORE"],
            "secondary": ["RA_RESPONSE_DIRECT", "TIS_AYERS_2017", "sPD-L1"],
        },
        "expression": {"methods": ["rank", "mean"]},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    return folder


def _serum_table(serum: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Write `spdl1.csv` (samples x analytes) and return the sheet's rows of it."""
    parts = []
    for timepoint, day in (("pre", 1), ("on", 29)):
        part = pd.DataFrame(
            {
                "sample_id": serum["riaz_patient_id"] + f"-serum-day{day}",
                "patient_id": serum["riaz_patient_id"],
                "timepoint": timepoint,
                "sPD-L1 [pg/mL]": serum[f"spdl1_pg_ml_day{day}"],
                "sPD-L1 flag": serum[f"uloq_flag_day{day}"].map({1.0: "above_uloq"}),
            }
        )
        parts.append(part.dropna(subset=["sPD-L1 [pg/mL]"]))
    table = pd.concat(parts)
    table[["sample_id", "sPD-L1 [pg/mL]", "sPD-L1 flag"]].to_csv(folder / "spdl1.csv", index=False)
    return table[["sample_id", "patient_id", "timepoint"]].assign(
        compartment="blood", assay="proteins", path="spdl1.csv", replicate=1, exclude=None
    )


def toposcore(data: Path, folder: Path) -> Path:
    """TOPOSCORE: MetaPhlAn 4 species before (V0) and on (V3) checkpoint inhibitors, best response of those published."""
    folder.mkdir(parents=True)
    source = data / "toposcore_longitudinal"
    shutil.copyfile(source / "relative_abundance.csv.gz", folder / "species.csv.gz")
    pairs = pd.read_csv(source / "pairs.csv", dtype=str)
    clinical = pd.read_csv(source / "clinical_published_baseline.csv", dtype={"patient_id": str})
    rows = pd.concat(
        [
            pd.DataFrame({"sample_id": pairs[column], "patient_id": pairs["patient_id"], "timepoint": timepoint})
            for timepoint, column in (("V0", "sample_id_pre"), ("V3", "sample_id_post"))
        ]
    ).dropna(subset=["sample_id"])
    rows.assign(compartment="faecal", assay="taxa_relabund", path="species.csv.gz").to_csv(
        folder / "samples.csv", index=False
    )
    response = clinical.drop_duplicates("patient_id").rename(columns={"Best_response": "best_response"})
    pairs[["patient_id"]].drop_duplicates().merge(response[["patient_id", "best_response"]], how="left").to_csv(
        folder / "patients.csv", index=False
    )
    settings = {
        "name": "toposcore",
        "timepoints": [{"name": "V0", "day": 0}, {"name": "V3", "day": 84}],
        "contrast": ["V0", "V3"],
        "taxa_database": "MetaPhlAn 4 (species names of vJan21)",
        "plan": {"primary": ["shannon", "observed_taxa"], "secondary": ["butyrate_producer_share", "simpson"]},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    return folder
