"""The pairing ledger: of every patient, timepoint and assay, whether there is a sample that counts, and if not, why."""

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import pandas as pd

from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.ingest.libraries import PLACE, summed_libraries, usable_samples
from rabiomarkers.tables.samples import LEDGER
from rabiomarkers.tables.table import COMPARTMENTS, STATUSES

_FAILED = ["sample_id", "assay", "reason"]


def pairing_ledger(
    samples: pd.DataFrame,
    patients: pd.DataFrame,
    *,
    timepoints: Sequence[str],
    failed: pd.DataFrame,
    replicates: str = "first",
) -> pd.DataFrame:
    """One row for every patient x timepoint x (compartment, assay of the sheet); no patient is left out.

    A second library, and a sample that is taken out, has a row of its own.

    Parameters
    ----------
    samples
        SAMPLES.
    patients
        With a column `patient_id`.
    timepoints
        In the order of time.
    failed
        Samples that failed quality control: `sample_id`, `assay`, `reason`.
    replicates
        ``sum`` where further libraries are added to the first.

    Returns
    -------
    LEDGER, sorted by patient, time, compartment, assay and replicate. `status` is `used`, `missing`, `excluded` or
    `failed_qc`; `reason` says in words why a sample is not used.
    """
    names = sorted({*patients["patient_id"], *samples["patient_id"]})
    assays = samples[["compartment", "assay"]].drop_duplicates().itertuples(index=False, name=None)
    order = sorted(assays, key=lambda pair: (COMPARTMENTS.index(pair[0]), pair[1]))
    present = dict(tuple(_judged(samples, failed, replicates).groupby(PLACE)))
    seen = {(str(patient), str(compartment), str(assay)) for patient, _, compartment, assay in present}
    rows = [
        row
        for patient, timepoint, (compartment, assay) in product(names, timepoints, order)
        for row in _rows(
            present.get((patient, timepoint, compartment, assay)),
            dict(zip(PLACE, (patient, timepoint, compartment, assay), strict=True)),
            at_another_time=(patient, compartment, assay) in seen,
        )
    ]
    return LEDGER.check(pd.DataFrame(rows, columns=list(LEDGER.columns))) if rows else LEDGER.empty()


def _judged(samples: pd.DataFrame, failed: pd.DataFrame, replicates: str) -> pd.DataFrame:
    """The samples with `status` and `reason`, ordered by replicate."""
    used = usable_samples(samples)
    first = {tuple(key): sample for *key, sample in used[[*PLACE, "sample_id"]].itertuples(index=False)}
    usable = set(zip(used["sample_id"], used["assay"], strict=True))
    summed = summed_libraries(samples) if replicates == "sum" else {}
    added = {(sample, assay) for (_, assay), names in summed.items() for sample in names}
    reasons = {(sample, assay): reason for sample, assay, reason in failed[_FAILED].itertuples(index=False)}

    def judge(row: pd.Series) -> tuple[str, str | None]:
        sample = (row["sample_id"], row["assay"])
        if pd.notna(row["exclude"]):
            return "excluded", row["exclude"]
        if sample not in usable:
            own = first[tuple(row[PLACE])]
            told = f"; put together with {own}" if sample in added else ""
            apart = "; of another batch or assay, so left apart" if replicates == "sum" and not told else ""
            return "excluded", f"second library of {own}{told}{apart}"
        return ("failed_qc", reasons[sample]) if sample in reasons else ("used", None)

    ordered = samples.sort_values(["replicate", "sample_id"], ignore_index=True)
    judgements = pd.DataFrame([judge(row) for _, row in ordered.iterrows()], columns=["status", "reason"])
    return ordered.join(judgements)


def _rows(found: pd.DataFrame | None, place: Mapping[str, str], *, at_another_time: bool) -> list[dict[str, object]]:
    """The ledger's rows for one cell of the trial."""
    if found is not None:
        names = list(LEDGER.columns)
        return [dict(zip(names, cells, strict=True)) for cells in found[names].itertuples(index=False)]
    timepoint, what = place["timepoint"], f"{place['compartment']} {place['assay']}"
    reason = f"no sample of timepoint {timepoint} in the sheet" if at_another_time else f"no {what} sample in the sheet"
    return [{**place, "sample_id": None, "status": "missing", "reason": reason}]


def ledger_step(inputs: Mapping[str, Path], out: Path, *, timepoints: list[str], replicates: str = "first") -> Info:
    """`samples`, `patients`, `failed` -> `ledger.parquet`; tells how many rows have each status."""
    ledger = pairing_ledger(
        read_table(inputs["samples"]),
        read_table(inputs["patients"]),
        timepoints=timepoints,
        failed=read_table(inputs["failed"]),
        replicates=replicates,
    )
    write_table(ledger, out / "ledger.parquet")
    return {status: int((ledger["status"] == status).sum()) for status in STATUSES}
