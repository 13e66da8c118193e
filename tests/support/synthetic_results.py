"""A results folder made of invented numbers, valid by `tables.py`, for tests of whatever reads one.

The numbers agree with each other where a reader could tell (n of pairs, counts, rates) but come from no analysis.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from rabiomarkers.files import write_csv, write_json, write_table
from rabiomarkers.publish import AS_CSV
from rabiomarkers.report.summary import build_summary
from rabiomarkers.tables.changes import DISTANCES, ORDINATION
from rabiomarkers.tables.predictions import PERMUTATIONS, PREDICTIONS
from rabiomarkers.tables.published import FIRST_COLUMNS
from rabiomarkers.tables.samples import FEATURES, LEDGER, QC
from rabiomarkers.tables.table import words
from tests.support.synthetic_blood import blood_tables
from tests.support.synthetic_change import POST, PRE, change_rows, delta_tables, explained_tables
from tests.support.synthetic_genes import gene_tables
from tests.support.synthetic_models import LATER, model_tables, with_later_facts
from tests.support.synthetic_response import endpoints_of, response_tables
from tests.support.synthetic_stool import stool_tables
from tests.support.synthetic_wholes import community_rows, composition_rows

LATER_TABLES = words(
    "timeline survival toxicity remarks families singles courses composition community chain links sensitivity shadow_null power "
    "genes gene_deltas enrichment gene_coverage identity axes gates populations densities positions gate_checks detection "
    "overlaps clones embedding"
)
FIRST_ENDPOINTS = ("orr", "dcr", "pfs", "adverse_events")
INJECTION = "<script>alert(1)</script>"

# feature: compartment, assay, unit (of the change), tier, mean before, spread, planted change, note
NAMED = {
    "RA_RESPONSE_CORE": ("tumour", "rna_counts", "rank score", "primary", 0.55, 0.04, 0.09),
    "MACROPHAGE_LIPID_PEROXIDATION": ("tumour", "rna_counts", "rank score", "primary", 0.48, 0.05, 0.02),
    "clr_CD8_TEM": ("blood", "sc_counts", "clr", "primary", 0.4, 0.3, 0.35),
    "RA_RESPONSE_DIRECT": ("tumour", "rna_counts", "rank score", "secondary", 0.5, 0.05, 0.08),
    "CYT_ROONEY_2015": ("tumour", "rna_counts", "rank score", "secondary", 0.6, 0.08, 0.02),
    "TIS_AYERS_2017": ("tumour", "rna_counts", "rank score", "secondary", 0.62, 0.07, 0.03),
    "NLR": ("blood", "cell_counts", "log2 ratio", "secondary", 1.6, 0.5, -0.25),
    "shannon": ("faecal", "taxa_counts", "nats", "secondary", 3.4, 0.4, 0.0),
    "ra_metaboliser_balance": ("faecal", "taxa_counts", "log ratio", "secondary", -4.0, 0.8, 0.6),
}
EXPLORATORY = ("tumour", "rna_counts", "rank score", "exploratory", 0.5, 0.05, 0.0)


@dataclass(frozen=True, kw_only=True)
class Invented:
    """What the invented trial is like."""

    patients: tuple[str, ...] = tuple(f"P{index:02d}" for index in range(1, 11))
    responders: int = 3
    pairs: bool = True
    compartments: tuple[str, ...] = ("tumour", "blood", "faecal")
    features: bool = True
    models: bool = True
    exploratory: int = 40
    lesions: bool = True
    arms: bool = False
    adverse_events: bool = True
    design: bool = True
    chain: bool = True
    later_timepoint: bool = False  # a third one, so that features have courses
    taxon: str = "Genus"  # what every taxon's name begins with
    taxa: int = 40
    rule_set: str = "recist-1.1"
    first_version: bool = False  # only the tables and columns that the first version wrote
    odd_sample: str = ""  # what the first tumour sample would fit, so that there is a finding about identity
    note: str = ""  # a free text that ends up wherever a table has room for one
    study: str = "invented-trial"
    missing: frozenset[tuple[str, str]] = field(
        default_factory=lambda: frozenset({("P03", "tumour"), ("P07", "faecal")})
    )

    def response(self, index: int) -> str:
        """Best response of the patient of that number: responders first, then SD and PD in turn, the last one NE."""
        if index < self.responders:
            return "CR" if index == 1 else "PR"
        return "NE" if index == len(self.patients) - 1 and len(self.patients) > 2 else ("SD", "PD")[index % 2]


def make_results(folder: Path, trial: Invented | None = None) -> Path:
    """Write the folder and return it."""
    trial = trial or Invented()
    folder.mkdir(parents=True, exist_ok=True)
    response, ledger, features = response_tables(trial), _ledger(trial), _features(trial)
    outcomes = response["outcomes"]
    deltas, singles = delta_tables(features)
    changes = change_rows(features, deltas, {name: spec[3] for name, spec in NAMED.items()}, trial.note)
    qc = _qc(ledger, trial)
    distances, ordination, facts = _stool(ledger, trial)
    models, permutations, predictions = _models(outcomes, trial)
    if not trial.first_version:
        models = [with_later_facts(model) for model in models]
    tables = {
        "features": features,
        "changes": changes,
        "deltas": deltas,
        "singles": singles,
        **explained_tables(trial, changes, deltas, outcomes),
        **gene_tables(trial, ledger, changes),
        **(
            blood_tables(trial.patients, contrast=(PRE, POST), note=trial.note) if "blood" in trial.compartments else {}
        ),
        **(
            stool_tables(trial.patients, contrast=(PRE, POST), note=trial.note)
            if "faecal" in trial.compartments
            else {}
        ),
        "composition": composition_rows(trial, _most_pairs(changes)),
        "community": community_rows(ledger, outcomes, trial.note),
        "predictions": predictions,
        "permutations": permutations,
        **model_tables(models, trial.note),
        "ledger": ledger,
        "qc": qc,
        "distances": distances,
        "ordination": ordination,
        **response,
    }
    endpoints = endpoints_of(trial, outcomes)
    if trial.first_version:
        tables, endpoints = _of_the_first_version(tables, endpoints)
    for name, frame in tables.items():
        write_table(frame, folder / f"{name}.parquet")
    for name in tables.keys() & set(AS_CSV):
        write_csv(tables[name], folder / f"{name}.csv")
    summary = build_summary(
        study=trial.study,
        contrast=[PRE, POST],
        endpoints=endpoints,
        models=models,
        outcomes=outcomes,
        changes=changes,
        ledger=ledger,
        qc=qc,
        distances=facts,
        genes=tables.get("genes"),
        identity=tables.get("identity"),
    )
    write_json(summary, folder / "summary.json")
    write_json(facts, folder / "distances.json")
    provenance = {
        "study": trial.study,
        "settings": {
            "seed": 1,
            "contrast": ["pre", "post"],
            "plan": {"primary": ["RA_RESPONSE_CORE"], "secondary": []},
        },
        "inputs": {"samples.csv": "0" * 64},
        "versions": {"rabiomarkers": "0.1.0", "python": "3.13.1"},
        "plan_hash": "f" * 64,
    }
    write_json(provenance, folder / "provenance.json")
    write_json(provenance | {"steps": []}, folder / "run.json")
    return folder


def _of_the_first_version(
    tables: dict[str, pd.DataFrame], endpoints: dict[str, object]
) -> tuple[dict[str, pd.DataFrame], dict[str, object]]:
    """What a results folder held before there were timelines, curves, remarks and decisions."""
    known = {name: frame for name, frame in tables.items() if name not in {*LATER_TABLES, *LATER}}
    known |= {name: frame[sorted(FIRST_COLUMNS[name])] for name, frame in known.items() if name in FIRST_COLUMNS}
    return known, {name: value for name, value in endpoints.items() if name in FIRST_ENDPOINTS}


def _ledger(trial: Invented) -> pd.DataFrame:
    assays = sorted({(spec[0], spec[1]) for spec in NAMED.values() if spec[0] in trial.compartments})
    rows = []
    for patient in trial.patients:
        for timepoint in (PRE, POST):
            for compartment, assay in assays:
                status, reason = "used", trial.note
                if timepoint == POST and ((patient, compartment) in trial.missing or not trial.pairs):
                    status, reason = "missing", trial.note or "biopsy not possible"
                elif patient == trial.patients[-1] and timepoint == PRE and assay == "sc_counts":
                    status, reason = "failed_qc", "cells 62 (limit >= 100)"
                sample = None if status == "missing" else f"{patient}-{timepoint}-{assay}"
                rows.append((patient, timepoint, compartment, assay, sample, status, reason))
    return LEDGER.check(pd.DataFrame(rows, columns=list(LEDGER.columns)))


def _features(trial: Invented) -> pd.DataFrame:
    generator = np.random.default_rng(7)
    specs = NAMED | {f"SIGNATURE_{index:02d}": EXPLORATORY for index in range(trial.exploratory)}
    rows = []
    for feature, (compartment, assay, unit, _, mean, spread, planted) in specs.items():
        for index, patient in enumerate(trial.patients):
            own = generator.normal(mean, spread)
            moved = planted * (1.8 if index < trial.responders else 0.7) + generator.normal(0, spread * 0.5)
            for timepoint, value in ((PRE, own), (POST, own + moved)):
                lost = timepoint == POST and ((patient, compartment) in trial.missing or not trial.pairs)
                if lost or compartment not in trial.compartments or not trial.features:
                    continue
                identity = (f"{patient}-{timepoint}-{assay}", patient, timepoint, compartment, assay)
                rows.append((*identity, feature, value, unit, "invented", 0.95, False, trial.note))
    frame = pd.DataFrame(rows, columns=list(FEATURES.columns))
    return FEATURES.check(frame) if rows else FEATURES.empty()


def _most_pairs(changes: pd.DataFrame) -> dict[str, int]:
    """The most pairs any feature of a compartment has."""
    return {str(name): int(count) for name, count in changes.groupby("compartment")["n_pairs"].max().items()}


def _qc(ledger: pd.DataFrame, trial: Invented) -> pd.DataFrame:
    rows = []
    measures = {
        "rna_counts": ("library_size", 12_400_000.0, "counts", ">= 1000000"),
        "sc_counts": ("cells", 1850.0, "cells", ">= 100"),
        "cell_counts": ("analytes", 8.0, "analytes", ">= 4"),
        "taxa_counts": ("reads", 41_000.0, "reads", ">= 10000"),
    }
    for sample, assay, status in zip(ledger["sample_id"], ledger["assay"], ledger["status"], strict=True):
        if status == "missing":
            continue
        measure, value, unit, limit = measures[assay]
        failed = status == "failed_qc"
        rows.append((sample, assay, measure, 62.0 if failed else value, unit, limit, not failed))
        rows.append((sample, assay, "note", np.nan, trial.note or "text", None, True))
    return QC.check(pd.DataFrame(rows, columns=list(QC.columns)))


def _stool(ledger: pd.DataFrame, trial: Invented) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, object]]:
    generator = np.random.default_rng(11)
    used = ledger[(ledger["compartment"] == "faecal") & (ledger["status"] == "used")]
    if used.empty:
        return DISTANCES.empty(), ORDINATION.empty(), {}
    own = {patient: generator.normal(0, 0.25, 2) for patient in trial.patients}
    places = [own[patient] + generator.normal(0, 0.06, 2) for patient in used["patient_id"]]
    ordination = used[["sample_id", "patient_id", "timepoint"]].assign(
        metric="bray_curtis", axis_1=[place[0] for place in places], axis_2=[place[1] for place in places]
    )
    rows = []
    keys = list(zip(used["patient_id"], used["timepoint"], places, strict=True))
    for position, (patient, timepoint, place) in enumerate(keys):
        for other, later, there in keys[position + 1 :]:
            distance = float(min(1, np.linalg.norm(place - there)))
            rows.append(("bray_curtis", patient, timepoint, other, later, patient == other, distance))
    distances = DISTANCES.check(pd.DataFrame(rows, columns=list(DISTANCES.columns)))
    within = distances.loc[distances["same_patient"], "distance"]
    between = distances.loc[
        ~distances["same_patient"] & (distances["timepoint_a"] != distances["timepoint_b"]), "distance"
    ]
    facts = {
        "metric": "Bray-Curtis",
        "name": "bray_curtis",
        "within_median": within.median() if len(within) else None,
        "between_median": between.median() if len(between) else None,
        "n_within": len(within),
        "n_between": len(between),
        "p_value": 0.0002 if len(within) > 1 else None,
        "p_floor": 0.0001 if len(within) > 1 else None,
        "test": "re-matching of whole patients",
        "variance_explained": [0.31, 0.17],
        "note": "" if len(within) else "no patient has stool of two timepoints",
    }
    return distances, ORDINATION.check(ordination[list(ORDINATION.columns)]), facts


def _models(outcomes: pd.DataFrame, trial: Invented) -> tuple[list[dict[str, object]], pd.DataFrame, pd.DataFrame]:
    if not trial.models or not trial.features:
        return [], PERMUTATIONS.empty(), PREDICTIONS.empty()
    generator = np.random.default_rng(13)
    models, permutations, predictions = [], [], []
    for feature_set, auc in (("baseline", 0.43), ("change", 0.905)):
        kinds = f"{trial.responders} of {len(outcomes)} patients responded, both kinds are needed"
        estimable = 0 < trial.responders < len(trial.patients)
        null = np.clip(generator.normal(0.5, 0.2, 120), 0, 1).round(3) if estimable else []
        count = int((np.asarray(null) >= auc).sum())
        models.append(
            {
                "name": f"ridge_{feature_set}",
                "feature_set": feature_set,
                "features": ["RA_RESPONSE_CORE", "clr_CD8_TEM"],
                "n": len(outcomes),
                "responders": int(outcomes["responder"].sum()),
                "auc": auc if estimable else None,
                "auc_method": "leave-pair-out",
                "p_value": count / 120 if estimable else None,
                "p_count": count if estimable else None,
                "p_total": 120 if estimable else None,
                "null_mean": float(np.mean(null)) if estimable else None,
                "brier": 0.21 if estimable else None,
                "brier_constant": 0.26 if estimable else None,
                "riley_n": 323 if estimable else None,
                "left_out": [{"patient_id": trial.patients[0], "reason": trial.note or "no pair"}],
                "refused": [],
                "verdict": _verdict(count, trial, len(outcomes)) if estimable else f"not estimable: {kinds}",
            }
        )
        permutations += [{"model": f"ridge_{feature_set}", "auc": value} for value in null]
        for patient, responder in zip(outcomes["patient_id"], outcomes["responder"], strict=True):
            if estimable:
                predictions.append(
                    (patient, feature_set, feature_set, round(generator.uniform(0.05, 0.95), 4), responder)
                )
    frame = pd.DataFrame(permutations, columns=list(PERMUTATIONS.columns))
    table = pd.DataFrame(predictions, columns=list(PREDICTIONS.columns))
    return models, PERMUTATIONS.check(frame), PREDICTIONS.check(table)


def _verdict(count: int, trial: Invented, n: int) -> str:
    if count > 6:
        return f"not distinguishable from chance at n = {n} (p = {count}/120)"
    return f"better than chance in this cohort (p = {count}/120), exploratory: {n} of the 323 patients a stable model needs"
