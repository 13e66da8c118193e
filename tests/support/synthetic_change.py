"""The change of an invented trial: tests, families, change by response, mechanism, sensitivity.

Invented numbers that agree with each other; nothing here is an analysis, only the tables' shape is the real one.
"""

from itertools import pairwise
from math import comb
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu, norm, spearmanr, wilcoxon

from rabiomarkers.tables.changes import (
    BY_RESPONSE,
    CHAIN,
    CHANGES,
    COURSES,
    DELTAS,
    FAMILIES,
    LINKS,
    POWER,
    SENSITIVITY,
    SHADOW_NULL,
    SINGLES,
)
from rabiomarkers.tables.outcomes import known_responses
from rabiomarkers.tables.table import Table

if TYPE_CHECKING:
    from tests.support.synthetic_results import Invented

PRE, POST = "pre", "post"
FEATURE = ["compartment", "feature"]
CORRECTIONS = {"primary": "fixed sequence", "secondary": "Holm", "exploratory": "Benjamini-Hochberg"}
FIRST_TEST, OTHER_TESTS = "exact signed-rank", ("sign_flip", "paired_t")
TESTED = ("estimate", "ci_low", "ci_high", "ci_level", "p_value", "p_floor")
SIZES = ("effect_size", "effect_low", "effect_high", "hedges_g", "hedges_g_low", "hedges_g_high")
CHAIN_NODES = {
    "RA target response": ("tumour", "RA_RESPONSE_DIRECT"),
    "macrophage peroxidation": ("tumour", "MACROPHAGE_LIPID_PEROXIDATION"),
    "CD8 infiltration": ("tumour", "TIS_AYERS_2017"),
    "CD8 function": ("tumour", "CYT_ROONEY_2015"),
    "microbes": ("faecal", "ra_metaboliser_balance"),
}


def table_of(table: Table, rows: list[dict[str, object]]) -> pd.DataFrame:
    """The rows as the table promises them."""
    return table.check(pd.DataFrame(rows, columns=list(table.columns))) if rows else table.empty()


def delta_tables(features: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Complete pairs, and patients with one sample of a feature."""
    wide = features.pivot(index=["patient_id", "compartment", "feature", "unit"], columns="timepoint", values="value")
    both = wide.reindex(columns=[PRE, POST]).reset_index().rename(columns={PRE: "before", POST: "after"})
    both = both.assign(change=both["after"] - both["before"])[list(DELTAS.columns)]
    complete = both["change"].notna()
    return DELTAS.check(both[complete]), SINGLES.check(both[~complete])


def change_rows(features: pd.DataFrame, deltas: pd.DataFrame, tiers: dict[str, str], note: str) -> pd.DataFrame:
    """The CHANGES table; `tiers` in the order of the plan, features it does not name are exploratory."""
    rows = []
    for (compartment, feature, unit), _ in features.groupby([*FEATURE, "unit"], sort=True):
        change = deltas.loc[(deltas["compartment"] == compartment) & (deltas["feature"] == feature), "change"]
        tier = tiers.get(feature, "exploratory")
        about = {"compartment": compartment, "feature": feature, "unit": unit, "n_pairs": len(change), "tier": tier}
        family = "primary" if tier == "primary" else f"{tier} {compartment}"
        told = note or ("" if len(change) >= 3 else f"{len(change)} pairs, 3 are needed")
        rows.append(about | _numbers(change) | {"test": FIRST_TEST, "family": family, "note": told})
    if not rows:
        return CHANGES.empty()
    order = list(tiers)
    frame = pd.DataFrame(rows)
    primary = frame[(frame["tier"] == "primary") & (frame["n_pairs"] >= 2)]
    primary = primary.sort_values("feature", key=lambda names: names.map(order.index))
    frame["sequence"] = pd.Series(range(1, len(primary) + 1), index=primary.index, dtype="Int64")
    frame["correction"] = frame["tier"].map(CORRECTIONS)
    frame["q_value"] = _adjusted(frame)
    frame["passes"] = (frame["q_value"] <= 0.05).astype("boolean").mask(frame["q_value"].isna())
    return CHANGES.check(frame.reindex(columns=list(CHANGES.columns)))  # no test here has degrees of freedom


def _numbers(change: pd.Series) -> dict[str, object]:
    """What a test says of the changes, empty below three pairs."""
    if len(change) < 3:
        return dict.fromkeys((*TESTED, *SIZES, "p_count", "p_total", "median", "minimum", "maximum"), np.nan)
    n, size = len(change), change.mean() / change.std()
    half, p_value = 2 / np.sqrt(n), wilcoxon(change).pvalue
    return {
        "estimate": change.median(),
        "ci_low": change.quantile(0.1),
        "ci_high": change.quantile(0.9),
        "ci_level": 0.951,
        "p_value": p_value,
        "p_floor": 2 / 2**n,
        "p_count": round(p_value * 2**n),
        "p_total": 2**n,
        "effect_size": size,
        "effect_low": size - half,
        "effect_high": size + half,
        "hedges_g": size * 0.8,
        "hedges_g_low": size * 0.8 - half,
        "hedges_g_high": size * 0.8 + half,
        "median": change.median(),
        "minimum": change.min(),
        "maximum": change.max(),
    }


def _adjusted(frame: pd.DataFrame) -> pd.Series:
    """Each p corrected in its family; a sequence that meets a feature without a p stops there."""
    told = pd.Series(np.nan, index=frame.index)
    for (_, correction), group in frame.groupby(["family", "correction"]):
        p_values = group["p_value"].dropna().sort_values()
        ranks = np.arange(1, len(p_values) + 1)
        if correction == "fixed sequence":
            ordered = group.dropna(subset="sequence").sort_values("sequence")["p_value"]
            told.update(ordered.fillna(1.0).cummax().where(ordered.notna()))
        elif correction == "Holm":
            told.update((p_values * (len(p_values) - ranks + 1)).clip(upper=1).cummax())
        else:
            told.update((p_values * len(p_values) / ranks).clip(upper=1)[::-1].cummin())
    return told


def family_rows(changes: pd.DataFrame, note: str) -> pd.DataFrame:
    """What each family can show at this n."""
    rows = []
    for (tier, family), group in changes.groupby(["tier", "family"], sort=True):
        floors, correction = group["p_floor"].dropna(), CORRECTIONS[tier]
        limit = 0.05 if correction == "fixed sequence" else 0.05 / max(len(floors), 1)
        needed = np.ceil(floors.min() * len(floors) / 0.05) if correction == "Benjamini-Hochberg" and len(floors) else 1
        rows.append(
            {
                "family": family,
                "tier": tier,
                "correction": correction,
                "n_features": len(group),
                "n_tests": len(floors),
                "n_passed": int(group["passes"].fillna(False).sum()),
                "n_cannot_pass": int((floors > (0.05 if correction == "Benjamini-Hochberg" else limit)).sum()),
                "n_needed": needed if needed > 1 else pd.NA,
                "note": note or ("" if len(floors) else "no feature could be tested"),
            }
        )
    return table_of(FAMILIES, rows)


def by_response_rows(changes: pd.DataFrame, deltas: pd.DataFrame, outcomes: pd.DataFrame, note: str) -> pd.DataFrame:
    """Responders against the others."""
    flags = deltas["patient_id"].map(known_responses(outcomes)).astype("boolean")
    rows = []
    for _, row in changes.iterrows():
        here = (deltas["compartment"] == row["compartment"]) & (deltas["feature"] == row["feature"])
        if not here.any():
            continue
        first = deltas.loc[here & flags.fillna(False), "change"]
        second = deltas.loc[here & ~flags.fillna(True), "change"]
        both = min(len(first), len(second)) > 0
        total = comb(len(first) + len(second), len(first))
        p_value = mannwhitneyu(first, second, method="exact").pvalue if both else np.nan
        why = f"nobody to compare: {len(first)} responders, {len(second)} others"
        rows.append(
            {
                **row[[*FEATURE, "unit"]].to_dict(),
                "tier": "secondary" if row["tier"] == "primary" else "exploratory",
                "family": "response primary"
                if row["tier"] == "primary"
                else f"response exploratory {row['compartment']}",
                "n_responders": len(first),
                "median_responders": first.median(),
                "n_non_responders": len(second),
                "median_non_responders": second.median(),
                "n_unknown": int((here & flags.isna()).sum()),
                "estimate": first.median() - second.median(),
                "ci_low": first.median() - second.median() - 0.1 if total > 40 else np.nan,
                "ci_high": first.median() - second.median() + 0.1 if total > 40 else np.nan,
                "ci_level": 0.952 if both and total > 40 else np.nan,
                "p_value": p_value,
                "p_floor": min(1.0, 2 / total) if both else np.nan,
                "p_count": round(p_value * total) if both else pd.NA,
                "p_total": total if both else pd.NA,
                "test": "exact rank-sum",
                "note": note or ("" if both else why),
            }
        )
    frame = pd.DataFrame(rows, columns=list(BY_RESPONSE.columns))
    if rows:
        adjusted = _adjusted(frame.assign(correction=frame["tier"].map(CORRECTIONS)))
        frame = frame.assign(q_value=adjusted)
    return BY_RESPONSE.check(frame) if rows else BY_RESPONSE.empty()


def course_rows(changes: pd.DataFrame, deltas: pd.DataFrame, note: str) -> pd.DataFrame:
    """Every feature at two later timepoints, the second one of fewer patients."""
    rows = []
    for _, row in changes.iterrows():
        same = (deltas["compartment"] == row["compartment"]) & (deltas["feature"] == row["feature"])
        for timepoint, share in ((POST, 1.0), ("follow-up", 0.6)):
            n_pairs = int(row["n_pairs"] * share)
            error = deltas.loc[same, "change"].std() / np.sqrt(n_pairs) if n_pairs >= 3 else np.nan
            estimate = row["estimate"] * share
            p_value = 2 * norm.sf(abs(estimate / error)) if n_pairs >= 3 else np.nan
            rows.append(
                {
                    **row[[*FEATURE, "unit"]].to_dict(),
                    "tier": "exploratory",
                    "timepoint": timepoint,
                    "reference": PRE,
                    "n_patients": n_pairs + 1,
                    "n_pairs": n_pairs,
                    "estimate": estimate if n_pairs >= 3 else np.nan,
                    "ci_low": estimate - 2.2 * error,
                    "ci_high": estimate + 2.2 * error,
                    "ci_level": 0.95 if n_pairs >= 3 else np.nan,
                    "p_value": p_value,
                    "p_floor": np.nan,
                    "degrees_of_freedom": 14.2 if n_pairs >= 3 else np.nan,
                    "p_any": p_value,
                    "q_value": p_value,
                    "test": "mixed model, Satterthwaite",
                    "note": note or ("" if n_pairs >= 3 else f"{n_pairs} pairs, 3 are needed"),
                }
            )
    return table_of(COURSES, rows)


def chain_rows(deltas: pd.DataFrame, patients: tuple[str, ...], note: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Each patient's change at each node, and the links between neighbours."""
    nodes, links = [], []
    told: dict[str, pd.Series] = {}
    for place, (name, (compartment, feature)) in enumerate(CHAIN_NODES.items(), start=1):
        rows = deltas[(deltas["compartment"] == compartment) & (deltas["feature"] == feature)]
        values = rows.set_index("patient_id")["change"].reindex(list(patients))
        told[name] = values
        unit = rows["unit"].iloc[0] if len(rows) else "unknown"
        about = {"node": name, "place": place, "compartment": compartment, "feature": feature, "unit": unit}
        for patient, change in values.items():
            seen = {"change": change, "as_expected": change > 0 if np.isfinite(change) else pd.NA}
            why = "" if np.isfinite(change) else "no pair"
            nodes.append(about | seen | {"patient_id": patient, "expected": "up", "note": note or why})
    names = list(CHAIN_NODES)
    for link, (source, target) in enumerate(pairwise(names), start=1):
        links.append({"link": link, "source": source, "target": target} | _link(told[source], told[target], note))
    return table_of(CHAIN, nodes), table_of(LINKS, links)


def _link(source: pd.Series, target: pd.Series, note: str) -> dict[str, object]:
    both = source.notna() & target.notna()
    n = int(both.sum())
    numbers = dict.fromkeys((*TESTED, "q_value", "p_count", "p_total"), np.nan)
    if n >= 4:
        rho, p_value = spearmanr(source[both], target[both])
        low, high = np.tanh(np.arctanh(np.clip(rho, -0.99, 0.99)) + np.array([-1.96, 1.96]) / np.sqrt(n - 3))
        numbers = {
            "estimate": rho,
            "ci_low": low,
            "ci_high": high,
            "ci_level": 0.95,
            "p_value": max(p_value, 0.0001),
            "p_floor": 0.0001,
            "q_value": min(1.0, 4 * max(p_value, 0.0001)),
            "p_count": round(max(p_value, 0.0001) * 10_000),
            "p_total": 10_000,
        }
    return {
        **numbers,
        "n_pairs": n,
        "n_as_expected": int(((source > 0) & (target > 0)).sum()),
        "test": "Spearman, labels of patients exchanged",
        "note": note or ("" if n >= 4 else f"{n} patients have both, 4 are needed"),
    }


def sensitivity_rows(changes: pd.DataFrame, deltas: pd.DataFrame, note: str) -> pd.DataFrame:
    """Each primary result without each patient and by other tests."""
    rows = []
    for _, row in changes[changes["tier"] == "primary"].iterrows():
        same = (deltas["compartment"] == row["compartment"]) & (deltas["feature"] == row["feature"])
        analyses = [("as planned", row["test"], deltas["patient_id"].eq("nobody"))]
        analyses += [("other test", name, deltas["patient_id"].eq("nobody")) for name in OTHER_TESTS]
        for patient in deltas.loc[same, "patient_id"]:
            analyses.append(("leave one out", f"without {patient}", deltas["patient_id"].eq(patient)))
        analyses.append(("flagged samples", "with samples that failed", deltas["patient_id"].eq("nobody")))
        for kind, analysis, left_out in analyses:
            numbers = _numbers(deltas.loc[same & ~left_out, "change"])
            agrees = (numbers["p_value"] <= 0.05) == (row["p_value"] <= 0.05)
            known = np.isfinite(numbers["p_value"])
            rows.append(
                {
                    **row[[*FEATURE, "unit"]].to_dict(),
                    **{name: numbers[name] for name in TESTED},
                    "kind": kind,
                    "analysis": analysis,
                    "n_pairs": int((same & ~left_out).sum()),
                    "test": analysis if kind == "other test" else row["test"],
                    "agrees": agrees if known else pd.NA,
                    "note": note,
                }
            )
    return table_of(SENSITIVITY, rows)


def shadow_rows(changes: pd.DataFrame, note: str) -> pd.DataFrame:
    """Observed rates of false positives, a little below the nominal one."""
    rows = []
    for (family, test), group in changes.groupby(["family", "test"], sort=True):
        count = int(group["p_value"].count())
        made = {"observed": 0.042 if count else np.nan, "observed_any": 0.03 if count else np.nan}
        about = {"family": family, "test": test, "n_tests": count, "n_flips": 200, "nominal": 0.05}
        rows.append(about | made | {"note": note or ("" if count else "no feature could be tested")})
    return table_of(SHADOW_NULL, rows)


def power_rows(changes: pd.DataFrame, deltas: pd.DataFrame, note: str) -> pd.DataFrame:
    """The smallest change that would have been found."""
    rows = []
    for _, row in changes[changes["tier"] == "primary"].iterrows():
        same = (deltas["compartment"] == row["compartment"]) & (deltas["feature"] == row["feature"])
        n = int(row["n_pairs"])
        spread = deltas.loc[same, "change"].std() if n >= 3 else np.nan
        effect = 2.8 / np.sqrt(n) if n >= 6 else np.nan
        rows.append(
            {
                **row[[*FEATURE, "unit", "test"]].to_dict(),
                "n_pairs": n,
                "alpha": 0.05,
                "power": 0.8,
                "spread": spread,
                "detectable_effect": effect,
                "detectable_change": effect * spread,
                "note": note or ("" if n >= 6 else f"cannot reach 0.05 with {n} pairs"),
            }
        )
    return table_of(POWER, rows)


def explained_tables(
    trial: "Invented", changes: pd.DataFrame, deltas: pd.DataFrame, outcomes: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Everything about the change that is made of the changes of single features."""
    chain, links = chain_rows(deltas, trial.patients, trial.note)
    return {
        "families": family_rows(changes, trial.note),
        "by_response": by_response_rows(changes, deltas, outcomes, trial.note),
        "courses": course_rows(changes, deltas, trial.note) if trial.later_timepoint else COURSES.empty(),
        "chain": chain if trial.chain else CHAIN.empty(),
        "links": links if trial.chain else LINKS.empty(),
        "sensitivity": sensitivity_rows(changes, deltas, trial.note),
        "shadow_null": shadow_rows(changes, trial.note),
        "power": power_rows(changes, deltas, trial.note),
    }
