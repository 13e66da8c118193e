"""Turn two public cohorts into study folders, as a data manager would: sheets beside the data, the data where it lies."""

import shutil
from pathlib import Path

import pandas as pd
import yaml

DAYS_A_MONTH = 365.25 / 12


def checkmate038(data: Path, folder: Path) -> Path:
    """CheckMate 038: tumour counts of Riaz 2017 before and on nivolumab, serum sPD-L1 of the same trial.

    Traps named in the READMEs: the disputed library Pt68_On is excluded with its reason; ten second libraries carry their replicate
    number; `PFS_SOR` and `OS_SOR` are 0 for an event, the `*_censored` of the serum table 1 for none; serum times are in months;
    serum values above the upper limit of quantification are excluded. 59 of 78 serum patients are linked to a Riaz patient.
    """
    folder.mkdir(parents=True)
    tumour = pd.read_csv(data / "riaz_bms038" / "samples.csv")
    serum = pd.read_csv(data / "checkmate038_blood" / "soluble_pdl1.csv")
    serum["patient_id"] = serum["riaz_patient_id"].fillna(serum["subject_id"])
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
    responses = pd.concat([tumour, serum])[["patient_id", "bor"]].drop_duplicates("patient_id")
    responses.rename(columns={"bor": "best_response"}).sort_values("patient_id").to_csv(
        folder / "patients.csv", index=False
    )
    _followup(data, serum, set(responses["patient_id"])).to_csv(folder / "followup.csv", index=False)
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
        "prediction": {"permutations": 199},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    return folder


def _followup(data: Path, serum: pd.DataFrame, patients: set[str]) -> pd.DataFrame:
    """The authors' table, then the serum paper's for those who are not in it; its data cut is later."""
    clinical = pd.read_csv(data / "riaz_bms038" / "clinical.csv").dropna(subset=["PFS", "OS"])
    authors = pd.DataFrame(
        {
            "patient_id": clinical["PatientID"],
            "pfs_days": clinical["PFS"],
            "progressed": clinical["PFS_SOR"].eq(0),
            "os_days": clinical["OS"],
            "died": clinical["OS_SOR"].eq(0),
        }
    )
    known = serum.dropna(subset=["pfs_months", "os_months"])
    later = pd.DataFrame(
        {
            "patient_id": known["patient_id"],
            "pfs_days": (known["pfs_months"] * DAYS_A_MONTH).round(),
            "progressed": known["pfs_censored"].eq(0),
            "os_days": (known["os_months"] * DAYS_A_MONTH).round(),
            "died": known["os_censored"].eq(0),
        }
    )
    both = pd.concat([authors, later]).drop_duplicates("patient_id")
    return both[both["patient_id"].isin(patients)]


def _serum_table(serum: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Write `spdl1.csv` (samples x analytes) and return the sheet's rows of it."""
    parts = []
    for timepoint, day in (("pre", 1), ("on", 29)):
        part = pd.DataFrame(
            {
                "sample_id": serum["patient_id"] + f"-serum-day{day}",
                "patient_id": serum["patient_id"],
                "timepoint": timepoint,
                "sPD-L1 [pg/mL]": serum[f"spdl1_pg_ml_day{day}"],
                "exclude": serum[f"uloq_flag_day{day}"].map({1.0: "above the upper limit of quantification"}),
            }
        )
        parts.append(part.dropna(subset=["sPD-L1 [pg/mL]"]))
    table = pd.concat(parts)
    table[["sample_id", "sPD-L1 [pg/mL]"]].to_csv(folder / "spdl1.csv", index=False)
    return table[["sample_id", "patient_id", "timepoint", "exclude"]].assign(
        compartment="blood", assay="proteins", path="spdl1.csv", replicate=1
    )


def toposcore(data: Path, folder: Path) -> Path:
    """TOPOSCORE: MetaPhlAn 4 species before (V0) and on (V3) checkpoint inhibitors, best response of those published.

    One patient's published response is "SD/PD": not decided, so left empty and counted as not evaluable.
    """
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
    response["best_response"] = response["best_response"].where(response["best_response"] != "SD/PD")
    pairs[["patient_id"]].drop_duplicates().merge(response[["patient_id", "best_response"]], how="left").to_csv(
        folder / "patients.csv", index=False
    )
    settings = {
        "name": "toposcore",
        "timepoints": [{"name": "V0", "day": 0}, {"name": "V3", "day": 84}],
        "contrast": ["V0", "V3"],
        "taxa_database": "MetaPhlAn 4 (species names of vJan21)",
        "plan": {"primary": ["shannon", "observed_taxa"], "secondary": ["butyrate_producer_share", "simpson"]},
        "prediction": {"permutations": 199},
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    return folder
