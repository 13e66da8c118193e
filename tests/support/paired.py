"""Features of small paired studies, for tests of the change."""

import numpy as np
import pandas as pd

from rabiomarkers.change.pairs import paired_deltas, pairing
from rabiomarkers.change.table import change_table
from rabiomarkers.tables.samples import FEATURES

CONTRAST = ["pre", "post"]


def table(rows):
    """FEATURES from (patient, timepoint, compartment, feature, value, unit)."""
    records = [
        {
            "sample_id": f"{patient}-{timepoint}-{compartment}",
            "patient_id": patient,
            "timepoint": timepoint,
            "compartment": compartment,
            "assay": "assay",
            "feature": feature,
            "value": value,
            "unit": unit,
            "method": "method",
            "coverage": 1.0,
            "cohort_dependent": False,
            "note": "",
        }
        for patient, timepoint, compartment, feature, value, unit in rows
    ]
    return FEATURES.check(pd.DataFrame(records)) if records else FEATURES.empty()


def pairs_of(feature, pairs, unit="rank score", compartment="tumour"):
    """Rows of one feature from (before, after) by patient; None where there is no sample."""
    return [
        (f"P{number:02}", timepoint, compartment, feature, value, unit)
        for number, pair in enumerate(pairs)
        for timepoint, value in zip(CONTRAST, pair, strict=True)
        if value is not None
    ]


def changes(rows, **options):
    features = table(rows)
    deltas = paired_deltas(features, contrast=CONTRAST)
    return change_table(deltas, pairing(features, contrast=CONTRAST), **options).set_index(["compartment", "feature"])


def random_study(seed=0, patients=10):
    random = np.random.default_rng(seed)
    rows = []
    for compartment, feature, unit in [
        ("tumour", "A", "rank score"),
        ("tumour", "B", "rank score"),
        ("blood", "NLR", "ratio"),
        ("blood", "IL6", "pg/mL"),
    ]:
        pairs = np.exp(random.normal(size=(patients, 2))).round(6).tolist()
        rows += pairs_of(feature, pairs, unit, compartment)
    return rows
