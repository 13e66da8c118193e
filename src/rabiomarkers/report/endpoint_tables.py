"""The endpoints as tables: rates with three intervals, times to an event with its rule, and both by arm."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from rabiomarkers.report.blocks import Grid
from rabiomarkers.report.words import (
    DASH,
    NOT_ESTIMABLE,
    PERCENT,
    absent,
    cannot_reach,
    number,
    p_with_floor,
    percent,
    percents,
    plural,
    present,
    reason,
    text,
    two_lines,
    whole,
)

RATES = {
    "orr": "objective response (CR or PR)",
    "orr_evaluable": "objective response, evaluable only",
    "orr_unconfirmed": "objective response, confirmation not asked for",
    "dcr": "disease control (CR, PR or SD)",
    "dcr_evaluable": "disease control, evaluable only",
    "clinical_benefit": "clinical benefit",
    "clinical_benefit_evaluable": "clinical benefit, evaluable only",
}
ALWAYS = ("orr", "dcr")  # told even where they are absent

TIMES = {
    "pfs": "progression-free survival",
    "os": "overall survival",
    "response_duration": "duration of response",
}

WHO = {"response_duration": "responder"}

METHODS = ("Clopper-Pearson", "Wilson", "mid-P")
HEADLINE = METHODS[0]


def rate_table(summary: Mapping[str, Any]) -> Grid:
    """Every rate with its denominator in words and what kind of interval says what."""
    rates = {key: summary.get(key) or {} for key in RATES if summary.get(key) or key in ALWAYS}
    benefit = text((summary.get("clinical_benefit") or {}).get("rule"))
    return Grid(
        caption="Response rates",
        columns=("endpoint", "counted", "rate", *(f"{method} 95{PERCENT}" for method in METHODS), "denominator"),
        rows=[(RATES[key], *_rate(rate)) for key, rate in rates.items()],
        note="Clopper-Pearson never covers less than 95 % and is the one quoted elsewhere; Wilson and mid-P are shorter and cover "
        "95 % on average." + (f" Clinical benefit: {benefit}." if benefit else ""),
    )


def time_table(summary: Mapping[str, Any]) -> Grid:
    """Medians of times to an event, each with what counts as the event and what censors."""
    rows = [_time(TIMES[key], summary[key], WHO.get(key, "patient")) for key in TIMES if summary.get(key)]
    rows += [_time_to_response(summary["time_to_response"])] if summary.get("time_to_response") else []
    return Grid(
        caption="Times to an event",
        columns=("endpoint", "counted", "median", "95 % interval", "event and censoring"),
        rows=rows or [_time(TIMES["pfs"], {}, "patient")],
    )


def arm_table(by_arm: Mapping[str, Any]) -> Grid:
    """Response and medians of each arm; the exact log-rank test below."""
    rows = [
        (
            str(arm),
            whole(told.get("n")),
            _in_one(told.get("orr") or {}),
            *(_median_in_one(told.get(key) or {}) for key in ("pfs", "os")),
        )
        for arm, told in (by_arm.get("arms") or {}).items()
    ]
    tests = by_arm.get("log_rank") or {}
    told = [_log_rank(TIMES[key], tests[key]) for key in TIMES if tests.get(key)]
    note = text(by_arm.get("note"))
    return Grid(
        caption="By arm",
        columns=("arm", "patients", "objective response", "median PFS", "median survival"),
        rows=rows,
        note=" ".join([*told, f"{note[:1].upper()}{note[1:]}." if note else ""]).strip(),
    )


def medians(summary: Mapping[str, Any], endpoint: str) -> dict[str, Any]:
    """Median in days of all patients together (``"all"``) and of each arm."""
    arms = (summary.get("by_arm") or {}).get("arms") or {}
    by_arm = {str(arm): told[endpoint].get("median_days") for arm, told in arms.items() if told.get(endpoint)}
    return by_arm | {"all": (summary.get(endpoint) or {}).get("median_days")}


def denominator(outcomes: pd.DataFrame, endpoint: str) -> int:
    """Whom a curve of that endpoint could be of: all patients, or the responders."""
    return int(outcomes["responder"].fillna(False).sum()) if endpoint == "response_duration" else len(outcomes)


def _rate(rate: Mapping[str, Any]) -> tuple[str, ...]:
    """The cells after the name."""
    counted = f"{whole(rate.get('responders'))} of {whole(rate.get('n'))}" if present(rate.get("n")) else absent()
    note = text(rate.get("note"))
    about = text(rate.get("denominator"), absent())
    known = present(rate.get("rate"))
    return (
        _unbroken(counted),
        percent(rate.get("rate")) if known else NOT_ESTIMABLE,
        *(_interval(rate, method) for method in METHODS),
        two_lines(about, note if known else reason(note)),
    )


def _interval(rate: Mapping[str, Any], method: str) -> str:
    """The limits by that method; the first version wrote Clopper-Pearson's only."""
    limits = (rate.get("intervals") or {}).get(method)
    if limits is None and method == HEADLINE:
        limits = (rate.get("ci_low"), rate.get("ci_high"))
    return _unbroken(percents(*limits)) if limits and present(limits[0]) else DASH


def _in_one(rate: Mapping[str, Any]) -> str:
    if not present(rate.get("rate")):
        return absent(rate.get("note"))
    counted = f"{whole(rate.get('responders'))} of {whole(rate.get('n'))}, {percent(rate['rate'])}"
    return two_lines(counted, f"95 % {percents(rate.get('ci_low'), rate.get('ci_high'))}")


def _time(title: str, time: Mapping[str, Any], who: str) -> tuple[str, ...]:
    counted = (
        f"{plural(time.get('events'), 'event')} in {plural(time.get('n'), who)}" if present(time.get("n")) else absent()
    )
    note = text(time.get("note"))
    about = "; ".join(part for part in (text(time.get("rule")), text(time.get("method"), "Kaplan-Meier")) if part)
    return (title, counted, _median(time), _limits(time), two_lines(about, reason(note)))


def _median(time: Mapping[str, Any]) -> str:
    if present(time.get("median_days")):
        return _days(time["median_days"])
    return "not reached" if "not reached" in text(time.get("note")) else NOT_ESTIMABLE


def _limits(time: Mapping[str, Any]) -> str:
    if not (present(time.get("ci_low")) or present(time.get("ci_high"))):
        return DASH
    low, high = (
        _days(time[name]) if present(time.get(name)) else _unbroken("not reached") for name in ("ci_low", "ci_high")
    )
    return f"{low} to {high}"


def _median_in_one(time: Mapping[str, Any]) -> str:
    counted = f"{plural(time.get('events'), 'event')} in {whole(time.get('n'))}" if present(time.get("n")) else ""
    limits = _limits(time)
    return two_lines(_median(time), "; ".join(part for part in (limits if limits != DASH else "", counted) if part))


def _time_to_response(time: Mapping[str, Any]) -> tuple[str, ...]:
    known = present(time.get("median_days"))
    spread = f"{number(time.get('minimum'))} to {_days(time.get('maximum'))} (range)" if known else DASH
    about = (
        "responders only: from first dose to the first visit of the response; median of the days, nobody is censored"
    )
    return (
        "time to response",
        plural(time.get("n"), "responder"),
        _days(time["median_days"]) if known else NOT_ESTIMABLE,
        spread,
        two_lines(about, reason(time.get("note"))),
    )


def _days(value: Any) -> str:
    return _unbroken(f"{number(value)} days")


def _unbroken(cell: str) -> str:
    return cell.replace(" ", "\N{NO-BREAK SPACE}")


def _log_rank(title: str, test: Mapping[str, Any]) -> str:
    """One sentence a test, with the count behind p and its floor."""
    note = reason(test.get("note"))
    if not present(test.get("p_value")):
        return f"Log-rank test of {title}: {absent(note)}."
    way = "all relabellings counted" if test.get("exact") else "relabellings drawn"
    count = f"{whole(test.get('p_count'))} of {whole(test.get('p_total'))}, {way}" if test.get("p_total") else way
    p = f"p = {p_with_floor(test['p_value'], test.get('p_floor'))}{cannot_reach(test.get('p_floor'))}"
    return f"Log-rank test of {title}: {p} ({count}){f'; {note}' if note else ''}."
