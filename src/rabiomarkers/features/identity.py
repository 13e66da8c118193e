"""Whose samples are these: sex genes, and whether the samples of a patient are like one another. A finding takes nothing out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from rabiomarkers.errors import StatisticsError
from rabiomarkers.features.expression_quality import log_levels
from rabiomarkers.features.likeness import likeness
from rabiomarkers.features.sample_pairs import LEAST_PATIENTS, UNIT, first_libraries, pair_rows
from rabiomarkers.features.sample_sex import WORDS_OF_SEX, FoundSex, found_sex, sex_rows
from rabiomarkers.features.scoring.expression import UNIT_OF_SCALE
from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.tables.genes import IDENTITY

PIECE = "piece:"
MOST_GENES = 5_000  # the most variable ones are kept for all samples at once
SEEN = 1.0  # mean log2(CPM + 1); a gene below it is mostly absent


@dataclass(frozen=True, kw_only=True)
class Group:
    """The samples of one compartment and assay."""

    samples: pd.DataFrame
    pieces: Mapping[str, Path]
    scale: str


def log_values(piece: pd.DataFrame) -> pd.Series:
    """log2(CPM + 1) or log2(TPM + 1) by gene of a sample's piece (`gene, value`); symbols that occur twice are summed."""
    return log_levels(piece.groupby("gene", sort=True)["value"].sum(), piece.attrs["passport"]["scale"])


def identity_step(
    inputs: Mapping[str, Path], out: Path, *, contrast: Sequence[str], expected_sex: str = "female", seed: int = 1
) -> Info:
    """Check whose each RNA sample is; writes `identity.parquet` (IDENTITY, and the p of the sheet's pairing as `p_value, p_floor`).

    Parameters
    ----------
    inputs
        `samples` (SAMPLES), `patients` (a column `sex` is believed before `expected_sex`), `failed` (`sample_id, assay`) and
        ``piece:<sample_id>:<assay>``. Excluded and failed samples are not looked at.
    contrast
        Earlier and later timepoint.
    expected_sex
        ``female``, ``male`` or ``unknown``.
    seed
        Of the re-matched pairings.
    """
    samples = read_table(inputs["samples"])
    patients = read_table(inputs["patients"]) if "patients" in inputs else pd.DataFrame({"patient_id": []})
    failed = read_table(inputs["failed"]) if "failed" in inputs else pd.DataFrame({"sample_id": [], "assay": []})
    expected = expected_sexes(samples["patient_id"], patients, otherwise=expected_sex)
    earlier, later = contrast[0], contrast[-1]
    tables = [_group_rows(group, expected, (earlier, later), seed=seed) for group in groups_of(samples, failed, inputs)]
    found = pd.concat(tables) if tables else IDENTITY.empty()
    checked = IDENTITY.check(found.sort_values(["compartment", "assay", "sample_id", "check"]))
    write_table(checked, out / "identity.parquet")
    return {"samples": int(checked["sample_id"].nunique()), "findings": int(checked["finding"].sum())}


def expected_sexes(persons: Iterable[str], patients: pd.DataFrame, *, otherwise: str) -> dict[str, str]:
    """``female``, ``male`` or ``unknown`` by patient; a column `sex` of `patients` comes before `otherwise`."""
    said = patients.set_index("patient_id")["sex"] if "sex" in patients else pd.Series(dtype="str")
    known = {
        str(patient): WORDS_OF_SEX[str(word).strip().lower()]
        for patient, word in said.items()
        if str(word).strip().lower() in WORDS_OF_SEX
    }
    return {patient: known.get(patient, otherwise) for patient in sorted(set(persons))}


def groups_of(samples: pd.DataFrame, failed: pd.DataFrame, inputs: Mapping[str, Path]) -> list[Group]:
    """Samples whose piece is there, by compartment, assay and scale; without those that failed or are excluded."""
    out = set(zip(failed["sample_id"], failed["assay"], strict=True))
    kept = samples[samples["exclude"].isna()] if "exclude" in samples else samples
    named = list(zip(kept["sample_id"], kept["assay"], strict=True))
    keys = pd.Series([f"{PIECE}{sample}:{assay}" for sample, assay in named], index=kept.index, dtype="str")
    there = kept.assign(piece=keys)[
        keys.isin(list(inputs)) & ~pd.Series([pair in out for pair in named], index=kept.index, dtype=bool)
    ]
    groups = []
    for _, rows in there.sort_values("sample_id").groupby(["compartment", "assay"]):
        pieces = {sample: inputs[key] for sample, key in zip(rows["sample_id"], rows["piece"], strict=True)}
        scale = read_table(next(iter(pieces.values()))).attrs["passport"]["scale"]
        if scale in UNIT_OF_SCALE:
            groups.append(Group(samples=rows.drop(columns="piece"), pieces=pieces, scale=scale))
    return groups


def _group_rows(group: Group, expected: Mapping[str, str], contrast: tuple[str, str], *, seed: int) -> pd.DataFrame:
    """The rows of IDENTITY of one compartment and assay."""
    whose = group.samples[["sample_id", "patient_id", "timepoint", "compartment", "assay"]]
    first = _first_pass(group)
    sexes = sex_rows(first.sexes, group.samples, expected, UNIT_OF_SCALE[group.scale]).assign(check="sex")
    pairs = _pairs(group, first, contrast, seed=seed).assign(check="pair", unit=UNIT)
    return whose.merge(pd.concat([sexes, pairs]), on="sample_id")


@dataclass(frozen=True, kw_only=True)
class FirstPass:
    """What one reading of all pieces tells: the sex of each sample, and the genes that vary between samples."""

    sexes: Mapping[str, FoundSex]
    genes: pd.Index


def _first_pass(group: Group) -> FirstPass:
    """One sample in memory at a time; the genes every sample has, the most variable of those that are seen."""
    sexes = {}
    mean = squares = pd.Series(dtype="float64")
    for number, (sample, path) in enumerate(group.pieces.items(), start=1):
        values = log_values(read_table(path))
        sexes[sample] = found_sex(values, unit=UNIT_OF_SCALE[group.scale])
        if number == 1:
            mean = squares = values * 0.0
        common = mean.index.intersection(values.index, sort=True)
        values, mean, squares = values.reindex(common), mean.reindex(common), squares.reindex(common)
        away = values - mean
        mean = mean + away / number  # Welford's sums: one pass, no cancellation
        squares = squares + away * (values - mean)
    varied = squares[(mean > SEEN) & (squares > 0)].sort_values(ascending=False, kind="stable")
    return FirstPass(sexes=sexes, genes=varied.index[:MOST_GENES].sort_values())


def _pairs(group: Group, first: FirstPass, contrast: tuple[str, str], *, seed: int) -> pd.DataFrame:
    earlier, later = first_libraries(group.samples, contrast)
    both = earlier.index.intersection(later.index)
    if len(both) < LEAST_PATIENTS:
        told = f"{len(both)} patients have both samples; whose is like whose needs {LEAST_PATIENTS}"
        return _untested(group.samples, both, contrast, told)
    values = np.empty((len(group.pieces), len(first.genes)), dtype=np.float32)
    for row, path in enumerate(group.pieces.values()):
        values[row] = log_values(read_table(path)).reindex(first.genes)
    table = pd.DataFrame(values, index=list(group.pieces), columns=first.genes)
    sheet = group.samples.set_index("sample_id")
    try:
        alike = likeness(table, sheet["patient_id"], sheet["timepoint"], seed=seed)
    except StatisticsError as error:
        return _untested(group.samples, both, contrast, str(error))
    rows = pair_rows(alike, group.samples, contrast, seed=seed)
    return pd.concat([rows, _alone(group.samples, contrast, set(rows["sample_id"]))], ignore_index=True)


def _alone(samples: pd.DataFrame, contrast: tuple[str, str], told: set[str]) -> pd.DataFrame:
    """A row for each sample of the contrast without a partner, empty with its reason."""
    rest = samples[samples["timepoint"].isin(contrast) & ~samples["sample_id"].isin(told)]
    return _empty(rest, "no other sample of this patient to compare with")


def _untested(samples: pd.DataFrame, both: pd.Index, contrast: tuple[str, str], told: str) -> pd.DataFrame:
    """A row for each sample of a pair, empty with its reason."""
    return _empty(samples[samples["patient_id"].isin(both) & samples["timepoint"].isin(contrast)], told)


def _empty(samples: pd.DataFrame, told: str) -> pd.DataFrame:
    empty: dict[str, object] = {"value": np.nan, "expected": None, "found": None, "finding": False, "fits": None}
    numbers = {"p_value": np.nan, "p_floor": np.nan}
    return pd.DataFrame({"sample_id": samples["sample_id"], **empty, "note": told, **numbers})
