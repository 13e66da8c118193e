"""How far each protein could be measured over all samples, and whether its plates can be told from the timepoints."""

from collections.abc import Hashable, Mapping
from pathlib import Path

import pandas as pd

from rabiomarkers.features.proteins import below_limit, has, limited
from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.tables.cytometry import DETECTION
from rabiomarkers.tables.samples import SAMPLES

MOSTLY = 0.5
"""From which share of values below detection on a change may be noise: half of the values are guesses then."""

KEY = ["compartment", "analyte"]

NO_LIMIT = "the file tells no limit of detection"
CONFOUNDED = "no plate holds samples of two timepoints: a change cannot be told from a difference between plates"
INTENSITY = "intensity normalisation gave all plates one median: where plates are timepoints it takes a change of most samples away"


def detection_table(samples: pd.DataFrame, pieces: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The DETECTION table, sorted by compartment and analyte.

    Parameters
    ----------
    samples
        The sample sheet (SAMPLES).
    pieces
        By sample id: `analyte`, `value`, `flag`, and where they are known `plate`, `lod`, `lloq`, all as `ingest.proteins` gives
        them, with `attrs["passport"]`.

    Returns
    -------
    `n_samples` counts the samples whose file names the analyte, `n_measured` those with a value. `below_detection_share` is of the
    values with a limit (of detection, or of quantification where no other is known), the other shares are of `n_samples`. `note`
    says where most values lie below the limit, and where plates and timepoints go together: within patients a plate does no harm as
    long as both samples of a patient lie on one.
    """
    sheet = SAMPLES.check(samples)
    whose = {str(row["sample_id"]): row for row in sheet[sheet["assay"] == "proteins"].to_dict("records")}
    parts = [_judged(piece, whose[sample], sample) for sample, piece in sorted(pieces.items()) if len(piece)]
    if not parts:
        return DETECTION.empty()
    values = pd.concat(parts, ignore_index=True)
    own = values.groupby(KEY, sort=True)
    judged = values[values["limited"]].groupby(KEY)["below"].agg(["sum", "count"])
    judged = judged.reindex(own.size().index, fill_value=0)
    table = pd.DataFrame(
        {
            "n_samples": own.size(),
            "n_measured": own["measured"].sum(),
            "below_detection_share": judged["sum"] / judged["count"].where(judged["count"] > 0),
            "above_quantification_share": own["above"].mean(),
            "warned_share": own["warned"].mean(),
            "plates": values[values["plate"] != ""].groupby(KEY)["plate"].nunique().reindex(judged.index, fill_value=0),
        }
    )
    plates = _plate_notes(values).reindex(table.index, fill_value="")
    limits = [_limit_note(int(below), int(count)) for below, count in judged.itertuples(index=False)]
    table["note"] = ["; ".join(part for part in parts if part) for parts in zip(limits, plates, strict=True)]
    return DETECTION.check(table.reset_index())


def _judged(piece: pd.DataFrame, whose: Mapping[Hashable, object], sample: str) -> pd.DataFrame:
    """One sample's analytes with what is said of each."""
    flags = piece["flag"].fillna("").astype("str")
    normalization = piece.attrs.get("passport", {}).get("normalization", [])
    return pd.DataFrame(
        {
            "compartment": whose["compartment"],
            "patient_id": whose["patient_id"],
            "timepoint": whose["timepoint"],
            "sample_id": sample,
            "analyte": piece["analyte"],
            "measured": piece["value"].notna(),
            "limited": limited(piece),
            "below": below_limit(piece),
            "above": has(flags, "above_uloq"),
            "warned": has(flags, "qc_warning") | has(flags, "assay_warning") | has(flags, "qc_fail"),
            "plate": piece["plate"].fillna("") if "plate" in piece.columns else "",
            "intensity": "Intensity" in normalization,
        }
    )


def _limit_note(below: int, count: int) -> str:
    if not count:
        return NO_LIMIT
    return f"{below} of {count} values lie below the limit: a change may be noise" if below >= MOSTLY * count else ""


def _plate_notes(values: pd.DataFrame) -> "pd.Series[str]":
    """By compartment and analyte how far plates and timepoints go together; only those with a patient on several plates."""
    told = values[values["plate"] != ""]
    by_patient = told.groupby([*KEY, "patient_id"]).agg(
        plates=("plate", "nunique"), timepoints=("timepoint", "nunique")
    )
    paired = by_patient[by_patient["timepoints"] > 1]
    counts = (paired["plates"] > 1).groupby(KEY).agg(["sum", "count"])
    counts = counts[counts["sum"] > 0]
    most = told.groupby([*KEY, "plate"])["timepoint"].nunique().groupby(KEY).max().reindex(counts.index)
    intensity = told.groupby(KEY)["intensity"].any().reindex(counts.index)
    notes = [
        (CONFOUNDED if timepoints == 1 else f"{apart} of {patients} patients have their timepoints on different plates")
        + (f"; {INTENSITY}" if normalised else "")
        for apart, patients, timepoints, normalised in zip(counts["sum"], counts["count"], most, intensity, strict=True)
    ]
    return pd.Series(notes, index=counts.index, dtype="str")


def detection_step(inputs: Mapping[str, Path], out: Path) -> Info:
    """`samples` and ``piece:<sample_id>`` of each sample of proteins -> `detection.parquet`."""
    pieces = {
        name.removeprefix("piece:"): read_table(path) for name, path in inputs.items() if name.startswith("piece:")
    }
    table = detection_table(read_table(inputs["samples"]), pieces)
    write_table(table, out / "detection.parquet")
    confounded = int(table["note"].fillna("").str.contains(CONFOUNDED, regex=False).sum())
    return {"analytes": len(table), "plates_are_timepoints": confounded}
