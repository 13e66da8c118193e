"""Turn the synthetic ADaM trial of tern into the clinical tables of a study; its README lies beside the data."""

from pathlib import Path

import pandas as pd

from rabiomarkers.ingest.clinical import ADVERSE_EVENTS, FOLLOWUP, VISITS
from rabiomarkers.ingest.sdtm.frames import typed
from rabiomarkers.tables.table import TEXT


def tables(data: Path) -> dict[str, pd.DataFrame]:
    """`patients` (arm, best_response as reported), `visits`, `followup` (progression-free survival) and `adverse_events`."""
    folder = data / "tern_synthetic_trial"
    subjects, events, responses, times = (
        pd.read_csv(folder / f"{name}.csv.gz") for name in ("adsl", "adae", "adrs", "adtte")
    )
    best = responses[responses["PARAMCD"] == "BESRSPI"].set_index("USUBJID")["AVALC"]
    patients = pd.DataFrame(
        {
            "patient_id": subjects["USUBJID"].astype(TEXT),
            "arm": subjects["ACTARM"].str.slice(0, 1).astype(TEXT),
            "best_response": subjects["USUBJID"].map(best).astype(TEXT),
        }
    ).sort_values("patient_id", ignore_index=True)
    return {
        "patients": patients,
        "visits": _visits(responses),
        "followup": _followup(times),
        "adverse_events": _events(events),
    }


def _day(later: pd.Series, first_dose: pd.Series) -> pd.Series:
    dates = (pd.to_datetime(each.astype(str).str.slice(0, 10)) for each in (later, first_dose))
    on, start = dates
    return (on - start).dt.days


def _visits(responses: pd.DataFrame) -> pd.DataFrame:
    """Screening (day -100) and baseline included, as the data have them."""
    seen = responses[responses["PARAMCD"] == "OVRINV"]
    days = _day(seen["ADTM"], seen["TRTSDTM"])
    rows = pd.DataFrame({"patient_id": seen["USUBJID"], "day": days, "overall_response": seen["AVALC"]})
    return typed(rows.to_dict("records"), VISITS, key=("patient_id", "day"))


def _followup(times: pd.DataFrame) -> pd.DataFrame:
    """`CNSR` is 1 for a patient who is censored."""
    pfs = times[times["PARAMCD"] == "PFS"]
    rows = pd.DataFrame({"patient_id": pfs["USUBJID"], "pfs_days": pfs["AVAL"], "progressed": pfs["CNSR"] == 0})
    return typed(rows.to_dict("records"), FOLLOWUP, key=("patient_id",))


def _events(events: pd.DataFrame) -> pd.DataFrame:
    rows = pd.DataFrame(
        {
            "patient_id": events["USUBJID"],
            "term": events["AEDECOD"],
            "grade": events["AETOXGR"],
            "start_day": _day(events["ASTDTM"], events["TRTSDTM"]),
            "related": events["AEREL"] == "Y",
            "serious": events["AESER"] == "Y",
            "severity": events["AESEV"].str.lower(),
        }
    )
    return typed(rows.to_dict("records"), ADVERSE_EVENTS)
