"""T-cell receptors of blood: a few large clones and many small ones; in responders some expand under treatment."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.simulate.design import Design, Patient, Sample, stream

CLONES, PASSING = 600, 300
"""Clones that a patient keeps, and small ones beside them that are of one sample only."""
READS = 12_000
SLOPE = 0.8  # of the logarithm of a clone's size on that of its rank
DRIFT = 0.2  # natural log of a clone's share, between two samples
EXPANDING_CLONES, EXPANSION = 12, 6.0
"""How many clones of a responder grow, and by which factor."""
UNPRODUCTIVE = 0.04
LETTERS = "ACDEFGHIKLMNPQRSTVWY"
_IN_ORDER = "GCC TGC GAC GAG TTC GGC CAC ATC AAG CTG ATG AAC CCC CAG CGG AGC ACC GTG TGG TAC"
CODONS = dict(zip(LETTERS, _IN_ORDER.split(), strict=True))
"""One codon of each amino acid."""
V_GENES = ("TRBV5-1", "TRBV6-5", "TRBV7-2", "TRBV7-9", "TRBV12-3", "TRBV19", "TRBV20-1", "TRBV27", "TRBV28", "TRBV29-1")
J_GENES = ("TRBJ1-1", "TRBJ1-2", "TRBJ1-5", "TRBJ2-1", "TRBJ2-3", "TRBJ2-5", "TRBJ2-7")
COLUMNS = (
    *("sequence_id", "sample_id", "locus", "productive", "v_call", "j_call"),
    *("junction", "junction_aa", "duplicate_count"),
)


def repertoires(design: Design, *, patients: tuple[Patient, ...] | None = None) -> pd.DataFrame:
    """Rows of an AIRR rearrangement table, one a clone and sample."""
    rows = [
        row
        for patient in (design.patients if patients is None else patients)
        for sample, table in _samples(design, patient)
        if not sample.missing
        for row in _rows(sample, table)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def growing_clones(design: Design, patient: Patient) -> frozenset[str]:
    """The productive clones that treatment makes grow in this patient, as ``V:J:junction_aa``; none in whom it moves nothing."""
    if not (design.planted and patient.responder):
        return frozenset()
    clones, growing = _clones(stream(design.seed, patient.index, "tcr"))
    grown = clones.iloc[growing].query("productive")
    return frozenset(grown["v_call"] + ":" + grown["j_call"] + ":" + grown["junction_aa"])


def _samples(design: Design, patient: Patient) -> Iterator[tuple[Sample, pd.DataFrame]]:
    rng = stream(design.seed, patient.index, "tcr")
    kept, growing = _clones(rng)
    sizes = np.arange(1, CLONES + 1.0) ** -SLOPE
    for sample in patient.of("tcr"):
        weight = sizes * np.exp(rng.normal(0.0, DRIFT, CLONES))
        if design.planted and patient.responder and sample.timepoint == "post":
            weight[growing] *= EXPANSION
        clones = pd.concat([kept, _draw(rng, PASSING)], ignore_index=True)
        everything = np.concatenate([weight, sizes[-PASSING:]])
        counts = rng.multinomial(READS, everything / everything.sum())
        yield sample, clones.assign(duplicate_count=counts)[counts > 0]


def _clones(rng: np.random.Generator) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """The clones that a patient keeps, the largest first, and which of them treatment makes grow."""
    clones = _draw(rng, CLONES)
    return clones, rng.choice(np.arange(20, CLONES // 2), EXPANDING_CLONES, replace=False)


def _draw(rng: np.random.Generator, number: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "v_call": rng.choice(V_GENES, number),
            "j_call": rng.choice(J_GENES, number),
            "junction_aa": [_junction(rng) for _ in range(number)],
            "productive": rng.random(number) >= UNPRODUCTIVE,
        }
    )


def _junction(rng: np.random.Generator) -> str:
    middle = "".join(rng.choice(list(LETTERS), int(rng.integers(6, 12))))
    return f"CASS{middle}F"


def _rows(sample: Sample, table: pd.DataFrame) -> Iterator[tuple[object, ...]]:
    for number, clone in enumerate(table.itertuples(), start=1):
        amino_acids = str(clone.junction_aa)
        yield (
            f"{sample.sample_id}-{number}",
            sample.sample_id,
            "TRB",
            "T" if clone.productive else "F",
            f"{clone.v_call}*01",
            f"{clone.j_call}*01",
            "".join(CODONS[letter] for letter in amino_acids),
            amino_acids,
            clone.duplicate_count,
        )
