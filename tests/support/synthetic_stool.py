"""Invented tables of stool beyond its features, for tests of whatever shows them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from rabiomarkers.tables.stool import (
    CONTAMINANTS,
    CONTAMINATED_SAMPLES,
    PROCRUSTES,
    SAMPLE_MICROBES,
    SAMPLE_RAREFACTION,
    SAMPLE_SCORES,
    STOOL_IDENTITY,
    TAXA_CHANGES,
)

# taxon, role, evidence, whether sources disagree, share about which a stool has of it (None: no table names it)
LISTED = (
    ("Lactobacillus intestinalis", "ra_producer", "mouse", False, 0.0),
    ("Bacillus cereus", "ra_producer", "organism", False, 1e-5),
    ("Faecalibaculum rodentium", "ra_suppressor", "mouse", False, None),
    ("Segmented filamentous bacteria", "host_ra_inducer", "mouse", False, 0.0),
    ("Faecalibacterium prausnitzii", "butyrate_producer", "organism", False, 0.06),
    ("Roseburia intestinalis", "butyrate_producer", "organism", False, 0.01),
    ("Clostridioides difficile", "pathobiont", "human", False, 2e-4),
    ("Akkermansia muciniphila", "ici_response_context", "human", False, 0.02),
    ("Faecalibacterium prausnitzii", "ici_response_favourable", "human", False, 0.06),
    ("Roseburia intestinalis", "ici_response_unfavourable", "human", True, 0.01),
)
DEPTHS = (10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000)
SHORT = 3_000
"""Reads of the second patient's later stool, which is too shallow."""
NAMES = {
    "phylum": ("Bacillota", "Bacteroidota", "Pseudomonadota", "Actinomycetota"),
    "genus": ("Blautia", "Bacteroides", "Prevotella", "Ruminococcus", "Akkermansia", "Escherichia", "Roseburia"),
    "species": tuple(f"Species number {place:02d}" for place in range(1, 17)),
}
VERDICTS = ("agree", "not shown", "methods disagree", "rare")


def stool_tables(
    patients: Sequence[str], *, contrast: tuple[str, str], note: str | None = None
) -> dict[str, pd.DataFrame]:
    """By name; of each patient a stool ``<patient>-<timepoint>-taxa_counts`` before and after.

    The second patient has no TOPOSCORE; with six patients or more the first and the third changed places.
    """
    generator = np.random.default_rng(17)
    stools = [
        (place, {"sample_id": _name(patient, time), "patient_id": patient, "timepoint": time})
        for place, patient in enumerate(patients)
        for time in contrast
    ]
    microbes = [row for _, whose in stools for row in _microbes(whose, generator, note)]
    scores = [row for place, whose in stools for row in _scores(place, whose, generator, note)]
    curves = [row for place, whose in stools for row in _curve(place, whose, contrast, generator)]
    return {
        "microbes": SAMPLE_MICROBES.check(pd.DataFrame(microbes)),
        "microbe_scores": SAMPLE_SCORES.check(pd.DataFrame(scores)),
        "rarefaction": SAMPLE_RAREFACTION.check(pd.DataFrame(curves)),
        "taxa": _taxa(len(patients), generator, note),
        "contaminants": _contaminants(len(stools), note),
        "contaminated_samples": CONTAMINATED_SAMPLES.check(
            pd.DataFrame([{"sample_id": whose["sample_id"], "contaminants": 0, "share": 0.0} for _, whose in stools])
        ),
        "stool_identity": _identity(patients, contrast, note),
        "procrustes": _procrustes(len(patients), contrast, note),
    }


def _name(patient: str, time: str) -> str:
    return f"{patient}-{time}-taxa_counts"


def _microbes(whose: dict[str, str], generator: np.random.Generator, note: str | None) -> list[dict[str, object]]:
    return [
        whose
        | {
            "taxon": taxon,
            "rank": "species",
            "role": role,
            "evidence": evidence,
            "context": "as published",
            "source": note or "PMID:35863343",
            "verification": "source_checked",
            "conflict": conflict,
            "named": share is not None,
            "share": None if share is None else share * generator.lognormal(0, 1) * (generator.random() < 0.8),
            "note": note or ("known from mice only" if evidence == "mouse" else ""),
        }
        for taxon, role, evidence, conflict, share in LISTED
    ]


def _scores(
    place: int, whose: dict[str, str], generator: np.random.Generator, note: str | None
) -> list[dict[str, object]]:
    refused = place == 1
    score, share = round(generator.uniform(0.3, 0.95), 4), (0.0, 0.004, 0.02, 0.12)[int(generator.integers(4))]
    category = "SIG1" if score <= 0.5351 else ("SIG2" if score >= 0.7911 else "Gray")
    amount = "absent" if share == 0 else ("low" if share < 0.04799 else "high")
    decided = {"SIG1": False, "SIG2": True, "Gray": amount == "low"}[category]
    topo = {
        "score": "TOPOSCORE",
        "unit": "score (0 to 1)",
        "value": None if refused else score,
        "category": None if refused else category,
        "verdict": "refused" if refused else ("favourable" if decided else "unfavourable"),
        "members": 82,
        "reportable": 30 if refused else 82,
        "present": 12,
        "coverage": 0.4 if refused else 1.0,
        "method": "TOPOSCORE; denominators as published (45 and 37)",
        "note": note or ("the table names 12 of 37 members of SIG1; 80% of each are needed" if refused else ""),
    }
    akkermansia = {
        "score": "akkermansia",
        "unit": "fraction",
        "value": share,
        "category": amount,
        "verdict": "favourable" if amount == "low" else "unfavourable",
        "members": 1,
        "reportable": 1,
        "present": int(share > 0),
        "coverage": 1.0,
        "method": "absent, below 4.799 %, at or above it: not monotone",
        "note": "",
    }
    return [whose | {"database": "mpa_vJan21"} | row for row in (topo, akkermansia)]


def _curve(
    place: int, whose: dict[str, str], contrast: Sequence[str], generator: np.random.Generator
) -> list[dict[str, object]]:
    slope, reads = generator.uniform(25, 45), SHORT if place == 1 and whose["timepoint"] == contrast[1] else DEPTHS[-1]
    return [
        whose | {"depth": depth, "observed_taxa": slope * np.log10(depth), "shannon": 3.5 - 2.0 / np.log10(depth)}
        for depth in DEPTHS
        if depth <= reads
    ]


def _taxa(pairs: int, generator: np.random.Generator, note: str | None) -> pd.DataFrame:
    rows = []
    for rank, names in NAMES.items():
        for place, taxon in enumerate(names):
            verdict = VERDICTS[place % len(VERDICTS)]
            sign = -1 if place % 3 else 1
            seen = generator.uniform(0.4, 1.0, 2) if verdict != "rare" else generator.uniform(0.0, 0.2, 2)
            row = {
                "rank": rank,
                "taxon": f"{note}{taxon}" if note else taxon,
                "lineage": f"k__Bacteria;{rank[0]}__{taxon}",
                "n_pairs": pairs,
                "prevalence_before": seen[0],
                "prevalence_after": seen[1],
                "share_before": 0.2 / (place + 1),
                "share_after": 0.25 / (place + 1),
                "appeared": 1,
                "disappeared": 2,
                "in_counts": verdict != "rare",
                "verdict": verdict,
                "note": note,
            }
            rows.append(row | (_tested(place, sign * generator.uniform(0.2, 1.5)) if verdict != "rare" else {}))
    columns = list(TAXA_CHANGES.columns)
    return TAXA_CHANGES.check(pd.DataFrame(rows).reindex(columns=columns))


def _tested(place: int, estimate: float) -> dict[str, float]:
    return {
        "estimate": estimate,
        "ci_low": estimate - 0.6,
        "ci_high": estimate + 0.6,
        "p_value": 0.002 * (1 + 10 * place),
        "p_floor": 0.002,
        "q_value": min(0.01 * (1 + 10 * place), 1.0),
        "prevalence_p": 1.0,
        "prevalence_q": 1.0,
        "ancombc_log_fold": 0.9 * estimate,
        "ancombc_p": 0.001,
        "ancombc_q": 0.002,
        "dirichlet_log_fold": 1.1 * estimate,
        "dirichlet_low": 1.1 * estimate - 0.7,
        "dirichlet_high": 1.1 * estimate + 0.7,
    }


def _contaminants(samples: int, note: str | None) -> pd.DataFrame:
    columns = ("taxon", "in_blanks", "in_samples", "p_value", "p_floor", "largest_share", "verdict", "note")
    rows = [
        ("Ralstonia pickettii", 4, 0, 0.001, 0.001, 0.0, "contaminant", note or "a screen"),
        ("Burkholderia cepacia", 1, 0, 0.17, 0.17, 0.0, "cannot be told", note or "p cannot be below 0.17"),
        ("Bacteroides uniformis", 2, samples, 1.0, 1.0, 0.2, "kept", note or "a screen"),
    ]
    table = pd.DataFrame(rows, columns=list(columns)).assign(blanks=4, samples=samples)
    return CONTAMINANTS.check(table[list(CONTAMINANTS.columns)])


def _identity(patients: Sequence[str], contrast: tuple[str, str], note: str | None) -> pd.DataFrame:
    swapped = {patients[0]: patients[2], patients[2]: patients[0]} if len(patients) >= 6 else {}
    rows = []
    for patient in patients:
        for at, time in enumerate(contrast):
            partner, other = swapped.get(patient), contrast[1 - at]
            nearest = partner or patient
            fits = (
                f"fits {_name(partner, time)} of patient {partner}, and what is there now fits elsewhere"
                if partner
                else ""
            )
            rows.append(
                {
                    "sample_id": _name(patient, time),
                    "patient_id": patient,
                    "timepoint": time,
                    "own_distance": 0.8 if partner else 0.4,
                    "nearest_sample": _name(nearest, other),
                    "nearest_patient": nearest,
                    "nearest_distance": 0.4,
                    "rank_of_own": 5 if partner else 1,
                    "metric": "aitchison",
                    "verdict": "likely swap" if partner else "own nearest",
                    "note": note or fits,
                }
            )
    return STOOL_IDENTITY.check(pd.DataFrame(rows))


def _procrustes(patients: int, contrast: tuple[str, str], note: str | None) -> pd.DataFrame:
    few = patients < 5
    rows = [
        {
            "compartment_a": "blood",
            "assay_a": "sc_counts",
            "compartment_b": "faecal",
            "assay_b": "communities",
            "timepoint": time,
            "n_patients": patients,
            "correlation": None if few else 0.5,
            "sum_of_squares": None if few else 0.75,
            "p_value": None if few else 0.3,
            "p_floor": None if few else 0.0001,
            "p_count": None if few else 3_000,
            "p_total": None if few else 10_000,
            "test": "not tested" if few else "Procrustes, 9999 random permutations of patients",
            "note": note or (f"{patients} patients with both; 5 are needed" if few else ""),
        }
        for time in contrast
    ]
    return PROCRUSTES.check(pd.DataFrame(rows))
