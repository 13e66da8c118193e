"""The response stage as one step: clinical tables in, outcomes, endpoints and what the figures draw out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rabiomarkers.files import Info, read_table, write_json, write_table
from rabiomarkers.knowledge import load_historical
from rabiomarkers.response.assess import Assessment, assess_lesions, timepoint_table
from rabiomarkers.response.baseline import Remark
from rabiomarkers.response.codes import RESPONSES, as_recist, normal_code
from rabiomarkers.response.decision import decide
from rabiomarkers.response.endpoints import endpoints, survival_table
from rabiomarkers.response.outcomes import OutcomeJudge
from rabiomarkers.response.rules import ResponseRules
from rabiomarkers.response.timeline import timeline
from rabiomarkers.response.toxicity import toxicity_table
from rabiomarkers.tables.outcomes import RECIST_OF, REMARKS, SUMS
from rabiomarkers.tables.table import TEXT


def outcome_step(
    inputs: Mapping[str, Path],
    out: Path,
    *,
    rules: Mapping[str, Any],
    maximum_gap_days: int | None = None,
    clinical_benefit_days: int = 168,
    responses_after_new_therapy_count: bool = False,
    prior: Sequence[float] = (0.5, 0.5),
    design: Mapping[str, Any] | None = None,
    seed: int = 1,
) -> Info:
    """Write `outcomes`, `sums`, `timeline`, `survival`, `toxicity` and `remarks` as parquet, and `endpoints.json`.

    `inputs`: `patients` and, where the study has them, `lesions`, `visits`, `followup`, `adverse_events`, `remarks`, as parquet;
    `historical`, the CSV of published response rates.
    """
    tables = {name: _optional(inputs, name) for name in ("lesions", "visits", "followup", "adverse_events", "remarks")}
    lesions, visits = tables["lesions"], tables["visits"]
    followup, events = tables["followup"], tables["adverse_events"]
    chosen = ResponseRules(**rules)
    assessment = assess_lesions(lesions, rules=chosen) if lesions is not None and len(lesions) else None
    judge = OutcomeJudge(
        chosen,
        maximum_gap_days=maximum_gap_days,
        clinical_benefit_days=clinical_benefit_days,
        responses_after_new_therapy_count=responses_after_new_therapy_count,
    )
    outcomes = judge.table(read_table(inputs["patients"]), assessment, visits, followup)
    sums = sum_table(assessment, visits)
    found = endpoints(
        outcomes,
        adverse_events=events,
        followup=followup,
        rule_set=chosen.rule_set,
        clinical_benefit_days=clinical_benefit_days,
        maximum_gap_days=maximum_gap_days,
        seed=seed,
    )
    orr = found["orr"]
    decision = decide(
        orr["responders"],
        orr["n"] if orr["rate"] is not None else 0,
        unknown=unsettled(outcomes) if orr["rate"] is not None else 0,
        design=design,
        prior=(float(prior[0]), float(prior[1])),
        historical=load_historical(inputs["historical"]) if "historical" in inputs else None,
    )
    write_table(outcomes, out / "outcomes.parquet")
    write_table(sums, out / "sums.parquet")
    write_table(timeline(outcomes, sums, followup, events), out / "timeline.parquet")
    write_table(survival_table(outcomes), out / "survival.parquet")
    write_table(toxicity_table(events, outcomes["patient_id"].tolist()), out / "toxicity.parquet")
    write_table(remarks_of(assessment, visits, tables["remarks"]), out / "remarks.parquet")
    write_json(found | {"decision": decision}, out / "endpoints.json")
    return {"patients": len(outcomes), "responders": orr["responders"]}


def unsettled(outcomes: pd.DataFrame) -> int:
    """Patients of the response rate whose answer is not known: not evaluable, or a response that still may be confirmed."""
    counted = outcomes[outcomes["responder"].notna()]
    seen = counted["best_response_unconfirmed"].map(as_recist).isin(RESPONSES)
    waiting = seen & ~counted["responder"].astype(bool) & counted["progression_day"].isna()
    return int((~counted["evaluable"].astype(bool) | waiting).sum())


def sum_table(assessment: Assessment | None, visits: pd.DataFrame | None = None) -> pd.DataFrame:
    """Target sums and responses by visit, for spider and swimmer plots: a SUMS table.

    Every visit of the lesions, the baseline included (without a response), and for patients without lesions the visits as given
    (without a sum).
    """
    points = SUMS.empty()
    if assessment is not None:
        judged = timepoint_table(assessment)
        points = judged.assign(nadir_mm=judged["nadir_tenths"].astype("float64") / 10)[list(SUMS.columns)]
    both = points
    if visits is not None and len(visits):
        others = visits[~visits["patient_id"].isin(points["patient_id"].tolist())]
        words = [normal_code(word) for word in others["overall_response"]]
        given = SUMS.empty().reindex(range(len(others)))
        given["patient_id"] = others["patient_id"].tolist()
        given["day"] = others["day"].tolist()
        given["response"] = pd.array(["NE" if word == "ND" else as_recist(word) for word in words], dtype=TEXT)
        given["irecist_response"] = pd.array([word if word in RECIST_OF else np.nan for word in words], dtype=TEXT)
        both = pd.concat([points, given], ignore_index=True) if len(points) else given
    return SUMS.check(both.sort_values(["patient_id", "day"], kind="stable", ignore_index=True))


def remarks_of(assessment: Assessment | None, visits: pd.DataFrame | None, others: pd.DataFrame | None) -> pd.DataFrame:
    """The REMARKS on baselines, on visits that play no part, and those that came with the tables."""
    found: list[Remark] = list(assessment.remarks) if assessment is not None else []
    if visits is not None:
        early = visits[visits["day"] <= 0]
        found += [
            (patient, day, "visits", f"{code} on day {day:g}", "on or before first dose: plays no part under RECIST")
            for patient, day, code in zip(early["patient_id"], early["day"], early["overall_response"], strict=True)
        ]
    ours = pd.DataFrame(found, columns=list(REMARKS.columns))
    frames = [REMARKS.check(ours)] if len(ours) else []
    frames += [others] if others is not None and len(others) else []
    every = pd.concat(frames, ignore_index=True) if frames else REMARKS.empty()
    every = every.assign(day=every["day"] + 0.0)  # -0.0 is day 0
    return REMARKS.check(every.sort_values(["patient_id", "source", "day", "found"], kind="stable", ignore_index=True))


def _optional(inputs: Mapping[str, Path], name: str) -> pd.DataFrame | None:
    return read_table(inputs[name]) if name in inputs else None
