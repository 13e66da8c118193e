"""Compositions and communities of an invented trial: cell types and taxa as parts of a whole, stool against stool."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rabiomarkers.tables.changes import COMMUNITY, COMMUNITY_QUESTIONS, COMPOSITION
from tests.support.synthetic_change import table_of

if TYPE_CHECKING:
    from tests.support.synthetic_results import Invented

CELL_PARTS = ("CD8_TEM", "CD8_naive", "CD4_naive", "CD4_TCM", "Treg", "mono_classical", "NK_CD56dim", "B_naive")
METRIC = "Bray-Curtis"
STATISTICS = (
    *("pseudo-F",) * 3,
    "mean change of the distance to the centroid",
    "mean distance of own pairs",
)
FLOOR_PAIRS = 6  # below, no p reaches 0.05


def composition_rows(trial: "Invented", pairs: dict[str, int]) -> pd.DataFrame:
    """Cells of blood and taxa of stool, each part against both references, and each composition as a whole."""
    taxa = [f"{trial.taxon}_{index:02d}" for index in range(trial.taxa)]
    rows = []
    for compartment, composition, parts in (("blood", "cell types", CELL_PARTS), ("faecal", "taxa", taxa)):
        if compartment not in pairs or not trial.features:
            continue
        rows += _of_one(compartment, composition, parts, pairs[compartment], trial.note)
    return table_of(COMPOSITION, rows)


def _of_one(compartment: str, composition: str, parts: Sequence[str], n: int, note: str) -> list[dict[str, object]]:
    generator = np.random.default_rng(17)
    told = note or ("" if n >= FLOOR_PAIRS else f"cannot reach 0.05 with {n} pairs")
    about = {"compartment": compartment, "composition": composition, "unit": "ln", "n_pairs": n, "note": told}
    rows = []
    for place, part in enumerate(parts):
        moved = (0.8, -0.5, 0.35)[place] if place < 3 else float(generator.normal(0, 0.1))
        for coordinate, reference, shift in (
            ("clr", "geometric mean of all parts", -0.08),
            ("median", "each patient's median part", 0.04),
        ):
            p_value = max(0.004, 2 / 2**n) if place < 2 else float(generator.uniform(0.02, 0.9))
            q_value = min(1.0, p_value * 4)
            verdict = ("moved", "moved", "depends on the reference")[place] if place < 3 else "not shown"
            numbers = {
                "estimate": moved + shift,
                "ci_low": moved + shift - 0.3,
                "ci_high": moved + shift + 0.3,
                "ci_level": 0.951,
                "p_value": p_value,
                "p_floor": 2 / 2**n,
                "q_value": q_value,
                "p_sampled": min(1.0, p_value * 1.3) if coordinate == "clr" else np.nan,
                "share_significant": (0.93 if place < 2 else 0.05) if coordinate == "clr" else np.nan,
                "verdict": verdict if n >= FLOOR_PAIRS else "cannot reach 0.05",
            }
            if n < 3:
                numbers = dict.fromkeys(numbers, np.nan) | {"verdict": "cannot reach 0.05"}
            names = {"part": part, "coordinate": coordinate, "reference": reference, "test": "exact signed-rank"}
            rows.append(about | names | numbers | {"prevalence": 0.9 - 0.01 * place})
    whole = {"part": "all parts", "coordinate": "whole", "reference": "none", "test": "sign flips of whole patients"}
    numbers = {"estimate": 1.1, "p_value": max(0.012, 2 / 2**n), "p_floor": 2 / 2**n, "verdict": "moved"}
    if n < 3:
        numbers = {"verdict": "cannot reach 0.05"}
    rare = {
        "part": f"{parts[0]}_rare",
        "reference": "none",
        "test": "not tested",
        "verdict": "rare",
        "prevalence": 0.05,
    }
    rare_rows = [about | rare | {"coordinate": coordinate} for coordinate in ("clr", "median")]
    return [*rows, *rare_rows, about | whole | numbers]


def community_rows(ledger: pd.DataFrame, outcomes: pd.DataFrame, note: str) -> pd.DataFrame:
    """One row a question about the stool communities."""
    used = ledger[(ledger["compartment"] == "faecal") & (ledger["status"] == "used")]
    if used.empty:
        return COMMUNITY.empty()
    patients = used.groupby("patient_id").size()
    n = int((patients == 2).sum())
    responders = int(outcomes["responder"].sum())
    rows = []
    for place, question in enumerate(COMMUNITY_QUESTIONS):
        of_response = "response" in question and not 0 < responders < len(outcomes)
        possible = n >= 2 and not of_response
        why = "both responders and others are needed" if of_response else f"{n} patients have two samples, 2 are needed"
        floor = 2 / 2**n if question in ("time", "dispersion") else 1 / 120
        p_value = (0.0098, 0.31, 0.42, 0.77, 0.0001)[place]
        rows.append(
            {
                "compartment": "faecal",
                "question": question,
                "metric": METRIC,
                "n_patients": n,
                "n_samples": 2 * n,
                "statistic": (2.31, 1.12, 0.94, 0.2, 0.48)[place] if possible else np.nan,
                "statistic_name": STATISTICS[place],
                "r_squared": (0.12, 0.08, 0.05)[place] if possible and place < 3 else np.nan,
                "p_value": max(p_value, floor) if possible else np.nan,
                "p_floor": floor if possible else np.nan,
                "p_count": round(max(p_value, floor) * 1000) if possible else pd.NA,
                "p_total": 1000 if possible else pd.NA,
                "test": "PERMANOVA, timepoints exchanged within patients" if place == 0 else "whole patients exchanged",
                "note": note or ("" if possible else why),
            }
        )
    return table_of(COMMUNITY, rows)
