"""Every sample's features in one tidy table: who it is, when it was taken, what was measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from rabiomarkers.errors import TableError
from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.stats.taxa_databases import commonest_database, database_of
from rabiomarkers.tables.samples import FEATURES, QC, SAMPLES

IDENTITY = ("sample_id", "patient_id", "timepoint", "compartment", "assay")
ORDER = ["patient_id", "timepoint", "compartment", "feature"]
FAILED_COLUMNS = ("sample_id", "assay", "reason")

type Sample = tuple[str, str]
"""Sample id and assay."""


@dataclass(frozen=True, kw_only=True)
class Joined:
    """All samples' features and quality.

    `features` holds samples that passed quality control (FEATURES), `quality` all of them (QC), `failed` those that did not, with
    the reason in words (`sample_id, assay, reason`). `flagged` holds the features of those that failed (FEATURES), to see what
    they would have changed: one value a patient, timepoint and feature, and none where a sample that passed has one.
    """

    features: pd.DataFrame
    quality: pd.DataFrame
    failed: pd.DataFrame
    flagged: pd.DataFrame


def join_features(
    samples: pd.DataFrame,
    features: Mapping[Sample, pd.DataFrame],
    quality: Mapping[Sample, pd.DataFrame],
    *,
    databases: Mapping[Sample, str] | None = None,
) -> Joined:
    """Put every sample's tables together and set apart those that failed quality control.

    Where two assays of one compartment have a feature of the same name, both names end in ``@<assay>``, in every sample.

    Parameters
    ----------
    samples
        The sample sheet (SAMPLES).
    features, quality
        SAMPLE_FEATURES and SAMPLE_QC by sample id and assay.
    databases
        Which taxonomic database named the taxa of each stool. Profiles of two databases are never compared: of each assay the
        samples of the commonest one are kept, and the others fail with that reason.

    Raises
    ------
    TableError
        A sample is not in the sheet or has only one of the two tables, or two samples claim the same patient, timepoint and
        feature.
    """
    identity = SAMPLES.check(samples)[list(IDENTITY)]
    known = set(zip(identity["sample_id"], identity["assay"], strict=True))
    strange = sorted({*features, *quality} - known)
    if strange:
        raise TableError(f"These samples are not in the sheet: {', '.join(map(' '.join, strange))}.")
    if features.keys() != quality.keys():
        lonely = sorted(features.keys() ^ quality.keys())
        raise TableError(f"These samples lack features or quality: {', '.join(map(' '.join, lonely))}.")
    measures = QC.check(_stacked(quality, QC.empty()).sort_values(["sample_id", "assay", "measure"]))
    failed = failed_samples(measures)
    failed = pd.concat([failed, other_databases(databases or {}, failed)]).sort_values(
        list(FAILED_COLUMNS), ignore_index=True
    )
    table = _with_unique_names(_stacked(features, FEATURES.empty()[["sample_id", "assay"]]).merge(identity))
    table = table if features else FEATURES.empty()
    passed = table.merge(failed[["sample_id", "assay"]], how="left", indicator=True)["_merge"].to_numpy() == "left_only"
    chosen = table[passed]
    _refuse_second_claims(chosen)
    return Joined(
        features=FEATURES.check(chosen.sort_values(ORDER)),
        quality=measures,
        failed=failed,
        flagged=_flagged(chosen, table[~passed]),
    )


def failed_samples(quality: pd.DataFrame) -> pd.DataFrame:
    """Samples of a QC table with a measure beyond its limit: `sample_id, assay, reason`.

    The reason names each such measure with its value and limit: ``library_size 200000 reads, limit >= 1000000``.
    """
    beyond = quality[~quality["passed"].astype(bool)]
    told = [
        f"{measure} {'not measured' if pd.isna(value) else f'{value:.10g} {unit}'}"
        + (f", limit {limit}" if limit else "")
        for measure, value, unit, limit in zip(
            beyond["measure"], beyond["value"], beyond["unit"], beyond["limit"].fillna(""), strict=True
        )
    ]
    reasons = beyond.assign(reason=told).sort_values(["sample_id", "assay", "measure"])
    joined = reasons.groupby(["sample_id", "assay"], sort=True)["reason"].agg("; ".join).reset_index()
    return joined[list(FAILED_COLUMNS)].astype("str")


def other_databases(databases: Mapping[Sample, str], failed: pd.DataFrame) -> pd.DataFrame:
    """Stools that did not fail before and are of another database than most of their assay: `sample_id, assay, reason`."""
    out = set(zip(failed["sample_id"], failed["assay"], strict=True))
    usable = {sample: name for sample, name in databases.items() if sample not in out}
    rows = []
    for assay in sorted({assay for _, assay in usable}):
        named = {sample: name for (sample, own), name in usable.items() if own == assay}
        kept = commonest_database(named.values())
        keeping = sorted(name for name in named.values() if database_of(name) == kept)
        rows += [
            (
                sample,
                assay,
                f"taxa named by another database ({name}) than those of {len(keeping)} of {len(named)} samples ({keeping[0]}): "
                "never compared unless stool.taxa_map maps them",
            )
            for sample, name in sorted(named.items())
            if database_of(name) != kept
        ]
    return pd.DataFrame(rows, columns=list(FAILED_COLUMNS), dtype="str")


def _flagged(passed: pd.DataFrame, failed: pd.DataFrame) -> pd.DataFrame:
    """The FEATURES table of failed samples, of two libraries of one sample the first, where no sample that passed stands."""
    key = list(FEATURES.key)
    ordered = failed.sort_values([*key, "sample_id", "assay"]).drop_duplicates(key)
    taken = pd.MultiIndex.from_frame(ordered[key]).isin(pd.MultiIndex.from_frame(passed[key]))
    return FEATURES.check(ordered[~taken].sort_values(ORDER))


def _stacked(tables: Mapping[Sample, pd.DataFrame], empty: pd.DataFrame) -> pd.DataFrame:
    parts = [tables[sample_id, assay].assign(sample_id=sample_id, assay=assay) for sample_id, assay in sorted(tables)]
    return pd.concat(parts, ignore_index=True) if parts else empty


def _with_unique_names(table: pd.DataFrame) -> pd.DataFrame:
    """The names of features that two assays of a compartment share, made different by the assay."""
    if "feature" not in table.columns:
        return table
    assays = table.groupby(["compartment", "feature"])["assay"].transform("nunique")
    return table.assign(feature=table["feature"].mask(assays > 1, table["feature"] + "@" + table["assay"]))


def _refuse_second_claims(table: pd.DataFrame) -> None:
    twice = table[table.duplicated(list(FEATURES.key), keep=False)]
    if len(twice):
        named = ", ".join(sorted(twice["sample_id"].unique()))
        raise TableError(
            f"These samples are of the same patient, timepoint and assay: {named}. "
            "Give the second library a `replicate` of 2 or an `exclude` reason in samples.csv."
        )


def join_step(inputs: Mapping[str, Path], out: Path) -> Info:
    """Join the tables of all used samples.

    `inputs` holds the sheet (`samples`) and for each used sample ``features:<sample_id>:<assay>`` and ``qc:<sample_id>:<assay>``,
    where there are further features of it ``more:<sample_id>:<assay>``, and of a stool its piece ``taxa:<sample_id>:<assay>``;
    written are `features.parquet`, `qc.parquet`, `failed.parquet` and `flagged.parquet`.
    """
    tables: dict[str, dict[Sample, pd.DataFrame]] = {"features": {}, "qc": {}}
    further: dict[Sample, pd.DataFrame] = {}
    databases: dict[Sample, str] = {}
    for name, path in inputs.items():
        kind, _, sample = name.partition(":")
        sample_id, _, assay = sample.rpartition(":")
        if kind in tables:
            tables[kind][sample_id, assay] = read_table(path)
        elif kind == "more":
            further[sample_id, assay] = read_table(path)
        elif kind == "taxa":
            databases[sample_id, assay] = str(read_table(path).attrs["passport"].get("database", "undeclared"))
    for key, frame in further.items():
        tables["features"][key] = pd.concat([tables["features"][key], frame], ignore_index=True)
    joined = join_features(read_table(inputs["samples"]), tables["features"], tables["qc"], databases=databases)
    write_table(joined.features, out / "features.parquet")
    write_table(joined.quality, out / "qc.parquet")
    write_table(joined.failed, out / "failed.parquet")
    write_table(joined.flagged, out / "flagged.parquet")
    return {"samples": len(tables["features"]), "failed": len(joined.failed)}
