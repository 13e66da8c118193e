"""What a reader of a prediction model asks: items of TRIPOD+AI and ratings of PROBAST+AI, answered from the run's own facts.

References
----------
Collins et al. 2024, TRIPOD+AI, doi:10.1136/bmj-2023-078378; Moons et al. 2025, PROBAST+AI, doi:10.1136/bmj-2024-082505
Collins et al. 2016, 100 events to evaluate a model, doi:10.1002/sim.6787
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rabiomarkers.stats.multiplicity import ALPHA

type Facts = Mapping[str, Any]  # of one model, as in `models` of summary.json
type Risk = Literal["low", "high", "unclear"]

NOT_REPORTED = "not reported: the run does not know it; for the study team to tell"
ENOUGH_EVENTS = 100  # responders, and others, from which an evaluation is precise
RISKS: tuple[Risk, ...] = ("low", "unclear", "high")  # the worst one last


@dataclass(frozen=True, kw_only=True)
class Item:
    """One item of TRIPOD+AI."""

    number: str
    topic: str
    answer: str  # the value, or where it stands, or why it is not reported


@dataclass(frozen=True, kw_only=True)
class Rating:
    """One rating of PROBAST+AI, by ourselves."""

    part: Literal["development", "evaluation"]
    domain: str
    risk: Risk
    because: str


def tripod_items(model: Facts, summary: Facts, *, judged: bool) -> list[Item]:
    """All items of TRIPOD+AI, in their order.

    Parameters
    ----------
    model, summary
        The model's entry of `models`, and the whole of summary.json.
    judged
        Whether responses were judged from lesions here; else they were given.
    """
    answers = (
        _opening(model, summary)
        | _data(model, summary, judged=judged)
        | _methods(model)
        | _open_science(summary)
        | _results(model)
    )
    return [
        Item(number=number, topic=topic, answer=answers.get(number, NOT_REPORTED)) for number, topic in TOPICS.items()
    ]


TOPICS: Mapping[str, str] = {
    "1": "title names it a prediction model, its target and outcome",
    "2": "summary",
    "3a": "context and rationale",
    "3b": "who it is for and what for",
    "3c": "known inequalities between groups",
    "4": "objectives",
    "5a": "sources of the data",
    "5b": "dates of the data",
    "6a": "setting and centres",
    "6b": "who was eligible",
    "6c": "treatments received",
    "7": "preparation of the data",
    "8a": "outcome and when it is judged",
    "8b": "who judges the outcome",
    "8c": "blinding of that judgement",
    "9a": "how predictors were chosen",
    "9b": "definition of the predictors",
    "9c": "who measures the predictors",
    "10": "sample size",
    "11": "missing data",
    "12a": "how the data were used for development and evaluation",
    "12b": "how predictors enter the model",
    "12c": "type of model, how it is built and tuned",
    "12d": "differences between clusters",
    "12e": "measures of performance",
    "12f": "updating of the model",
    "12g": "how predictions are computed",
    "13": "class imbalance",
    "14": "fairness",
    "15": "output of the model",
    "16": "differences between training and evaluation",
    "17": "ethics approval",
    "18a": "funding",
    "18b": "conflicts of interest",
    "18c": "protocol",
    "18d": "registration",
    "18e": "availability of data",
    "18f": "availability of code",
    "19": "involvement of patients and the public",
    "20a": "flow of participants",
    "20b": "characteristics of participants",
    "20c": "training against evaluation data",
    "21": "participants and events of each analysis",
    "22": "the full model",
    "23a": "performance with intervals",
    "23b": "performance in clusters",
    "24": "results of updating",
    "25": "interpretation",
    "26": "limitations",
    "27a": "poor or missing input when used",
    "27b": "skill needed to use it",
    "27c": "next steps",
}
"""The items of the checklist, each in a few words of ours."""


def _opening(model: Facts, summary: Facts) -> dict[str, str]:
    return {
        "1": f"model {model['name']} of the response to treatment in the study {summary.get('study', 'without a name')}",
        "2": "this card; the section on models in report.html",
        "3b": "research only: to find out whether these features tell who responds; not for decisions about a patient",
        "4": f"whether {_knows(model)} tells who responds",
    }


def _knows(model: Facts) -> str:
    return {
        "none": "the number of responders alone",
        "baseline": "what is measured before treatment",
        "change": "how the measurements change under treatment",
        "both": "what is measured before treatment together with its change",
    }.get(str(model.get("feature_set")), "the model")


def _data(model: Facts, summary: Facts, *, judged: bool) -> dict[str, str]:
    used = summary.get("rule_sets") or {}
    rules = used.get("used") or "the rules of the study"
    return {
        "5a": "one trial, every sample of its sheet; ledger.csv",
        "5b": "relative to first dose, in days; calendar dates are not part of the data",
        "6b": "every patient of the sheet whose response is known and who has one of the features; who is left out stands below",
        "7": "each sample by itself, the same for all patients; methods in report.html; digests and versions in run.json",
        "8a": f"objective response (CR or PR) by {rules}, "
        + ("judged from the lesions here" if judged else "as given"),
        "8b": "fixed rules applied to lesion measurements" if judged else NOT_REPORTED,
        "8c": "judged without looking at any predictor: the step that judges is not handed them"
        if judged
        else NOT_REPORTED,
        "9a": "named in the plan before the data were seen; none is chosen by its relation to response",
        "9b": _feature_list(model) + "; methods in report.html, values in features.parquet",
        "9c": "computed by fixed rules that are not handed the response",
        "10": _sample_size(model),
        "11": f"{_number(model.get('missing_values'))} values missing; filled or handled inside each fold by the training patients",
        "17": NOT_REPORTED,
    }


def _feature_list(model: Facts) -> str:
    units = model.get("units") or {}
    told = [f"{name} ({units[name]})" if units.get(name) else str(name) for name in model.get("features") or []]
    return ", ".join(told) or "no feature"


def _sample_size(model: Facts) -> str:
    needed = model.get("riley_n")
    if needed is None:
        return f"{model.get('n')} patients, as many as there were"
    return f"{model.get('n')} patients, as many as there were; a stable model needs {needed} (Riley et al. 2019)"


def _methods(model: Facts) -> dict[str, str]:
    options = ", ".join(f"{name} {value}" for name, value in sorted((model.get("options") or {}).items()))
    return {
        "12a": f"{_method(model)}: everything that is learnt is learnt again from the training patients of each split",
        "12b": "on the scale changes are taken on, as they are; no cut-off, no transformation chosen from the data",
        "12c": f"{model.get('model', 'ridge')}{f' ({options})' if options else ''}; nothing is tuned on patients it is judged by",
        "12d": _batches(model),
        "12e": "AUC, its permutation p, Brier score, log loss, calibration where estimable, decision curve",
        "12f": "none",
        "12g": "rabiomarkers predict RESULTS STUDY, which refits nothing",
        "13": f"{model.get('responders')} of {model.get('n')} respond; not rebalanced, so that probabilities keep their meaning",
        "14": "not examined: groups of so few patients cannot be compared",
        "15": "probability of response",
        "16": "the same patients, each left out in turn; no other cohort is part of this run",
    }


def _method(model: Facts) -> str:
    return str(model.get("auc_method") or "not validated")


def _batches(model: Facts) -> str:
    auc = model.get("auc_left_out_batch")
    if auc is None:
        return f"not estimable: {model.get('batch_note') or 'no batch was left out'}"
    return f"each batch forecast by a model of the others: AUC {auc:.2f}; batch_validation.csv"


def _open_science(summary: Facts) -> dict[str, str]:
    plan = summary.get("plan") or {}
    registered = plan.get("registered")
    told = {True: "this plan is the registered one", False: "this plan is NOT the registered one"}
    return {
        "18c": f"the plan of study.yaml; its hash {plan.get('hash', 'is not known')}",
        "18d": told.get(registered, NOT_REPORTED)
        if registered is not None
        else "no plan was registered with this study",
        "18e": "patients' data stay with the study; out-of-fold forecasts in predictions.csv",
        "18f": "rabiomarkers, version in run.json",
    }


def _results(model: Facts) -> dict[str, str]:
    left_out = model.get("left_out") or []
    return {
        "20a": f"{model.get('n')} patients in, {len(left_out)} left out, each with the reason; ledger.csv",
        "20b": "outcomes.csv and the report; no model is fitted to other characteristics",
        "20c": "the same patients",
        "21": f"{model.get('n')} patients, {model.get('responders')} responders",
        "22": f"models/{model['name']}.skops; coefficients.csv"
        if model.get("auc") is not None
        else "there is no model",
        "23a": _performance(model),
        "23b": _batches(model),
        "24": "none",
        "25": f"the model is {model.get('verdict')}",
        "26": "; ".join(what_not_to_conclude(model)),
        "27a": "a missing value is filled as in training; a feature nobody has, another unit or another scale is refused",
        "27b": "a bioinformatician who can run the workflow; the output is no basis for treatment",
        "27c": "patients of another trial, forecast by the frozen model before their response is known",
    }


def _performance(model: Facts) -> str:
    if model.get("auc") is None:
        return f"none: {model.get('verdict')}"
    interval = ""
    if model.get("auc_low") is not None and model.get("auc_high") is not None:
        interval = f" (95 % {model['auc_low']:.2f} to {model['auc_high']:.2f})"
    return (
        f"AUC {model['auc']:.2f}{interval}, p = {model['p_count']}/{model['p_total']}; Brier score {_number(model.get('brier'))} "
        f"against {_number(model.get('brier_constant'))} of a constant forecast"
    )


def _number(value: Any) -> str:
    if value is None:
        return "not estimable"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def probast_ratings(model: Facts, summary: Facts, *, judged: bool, tried: int) -> list[Rating]:
    """Four domains of two parts, development and evaluation, each rated by the facts it names.

    Parameters
    ----------
    model, summary, judged
        As in `tripod_items`.
    tried
        How many models of this study were validated.
    """
    unregistered = (summary.get("plan") or {}).get("registered") is False
    outcome: tuple[Risk, str] = (
        ("low", "judged by fixed rules from the lesions, the same for all patients, without the predictors")
        if judged
        else ("unclear", "responses are taken as the study gives them; how they were judged is not known here")
    )
    predictors: tuple[Risk, str] = (
        ("high", "the plan that names them is not the registered one")
        if unregistered
        else ("low", "computed within each sample without the response, and named in the plan")
    )
    shared = {
        "participants and data sources": _participants(model),
        "predictors": predictors,
        "outcome": outcome,
    }
    parts = {"development": _development(model), "evaluation": _evaluation(model, tried)}
    return [
        Rating(part=part, domain=domain, risk=risk, because=because)  # type: ignore[arg-type]
        for part, analysis in parts.items()
        for domain, (risk, because) in (shared | {"analysis": analysis}).items()
    ]


def _participants(model: Facts) -> tuple[Risk, str]:
    n, out = model.get("n") or 0, len(model.get("left_out") or [])
    told = f"one trial, every patient in the ledger; {out} of {n + out} left out, each with the reason"
    if n + out and out / (n + out) > 0.2:
        return "high", f"{told}: more than one in five"
    return "low", told


def _development(model: Facts) -> tuple[Risk, str]:
    n, needed, features = model.get("n") or 0, model.get("riley_n"), len(model.get("features") or [])
    events = min(model.get("responders") or 0, n - (model.get("responders") or 0))
    if model.get("feature_set") == "none":
        return "low", "nothing is learnt but the share of responders"
    if needed is None:
        return "high", "there is no model"
    told = f"{n} patients where a stable model needs {needed}; {events / max(features, 1):.2g} events per feature"
    return ("high" if n < needed else "low"), told


def _evaluation(model: Facts, tried: int) -> tuple[Risk, str]:
    if model.get("auc") is None:
        return "high", "it was not evaluated"
    faults = []
    responders = model.get("responders") or 0
    if min(responders, (model.get("n") or 0) - responders) < ENOUGH_EVENTS:
        faults.append(
            f"fewer than {ENOUGH_EVENTS} responders or {ENOUGH_EVENTS} others, so that the AUC is not precise"
        )
    if model.get("calibration_slope") is None:
        faults.append("calibration is not estimable")
    if tried > 1 and not model.get("primary"):
        faults.append(f"one of {tried} models, not the primary one")
    if any(guard.get("findings") for guard in model.get("guards") or []):
        faults.append("a guard found a leak")
    if faults:
        return "high", "; ".join(faults)
    if model.get("auc_left_out_batch") is None:
        return "unclear", "no other cohort or batch was forecast"
    return "low", "validated inside the cohort with every step refitted, and batch by batch"


def overall(ratings: list[Rating]) -> Risk:
    """The worst of the ratings, as PROBAST+AI asks."""
    return max((rating.risk for rating in ratings), key=RISKS.index)


def what_not_to_conclude(model: Facts) -> list[str]:
    """What readers conclude from such a model and must not, as far as the facts forbid it."""
    told = ["no decision about a patient may rest on it"]
    if model.get("auc") is None:
        return [*told, "that no number is given says nothing about whether the features matter"]
    if model.get("p_value") is not None and model["p_value"] > ALPHA:
        told.append(
            "that it is not told from chance does not mean that the features do not matter: few patients show little"
        )
    else:
        told.append("better than chance in this cohort does not mean better than chance in another one")
    if (model.get("riley_n") or 0) > (model.get("n") or 0):
        told.append("its coefficients are not stable and rank no features")
    if model.get("calibration_slope") is None:
        told.append("its probabilities are not known to be calibrated: 0.7 need not mean seven of ten")
    if model.get("feature_set") in ("change", "both"):
        told.append("a change under treatment can follow from response; it is not known before treatment")
    if model.get("auc") == 1:
        told.append("a perfect order of so few patients is not a perfect model")
    return told
