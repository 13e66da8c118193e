"""Where a trial stands in its two-stage design, in words."""

from dataclasses import dataclass, replace

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.two_stage import Design

STAGES = ("not started", "first", "second", "ended", "beyond the plan")
VERDICTS = ("open", "continues", "stops", "rejected", "not rejected", "not told")


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How far the trial is and what its design says so far."""

    stage: str
    """One of `STAGES`."""
    verdict: str
    """Of the null rate: ``"rejected"``, ``"not rejected"``, or ``"stops"`` after the first stage, which is not rejected either.
    ``"continues"`` to the second stage; ``"open"`` before; ``"not told"`` by numbers that have more patients than the design."""
    reading: str
    """The same in a sentence or two."""


def standing(design: Design, responders: int, n: int, *, unknown: int = 0) -> Standing:
    """What the design says of `responders` among `n` patients, `unknown` of whom have no response that could be judged (yet).

    A verdict that hangs on the unknown ones is left open, and the reading tells both ways it can go.

    Totals do not tell in which stage a patient responded. What follows from them whichever patients came first is said as certain;
    otherwise a trial that went on is taken to have been allowed to.

    Raises
    ------
    StatisticsError
        `responders` is not between 0 and n, or there are more unknown ones than the others leave room for.
    """
    if not (0 <= responders <= n and 0 <= unknown <= n - responders):
        raise StatisticsError(
            f"A design needs 0 <= responders <= n; there are {responders} of {n}, and {unknown} unknown."
        )
    told = _standing(design, responders, n)
    if not unknown:
        return told
    best = _standing(design, responders + unknown, n)
    who = f"{unknown} of the {_patients(n)} {'has' if unknown == 1 else 'have'} no response that could be judged"
    if best.verdict == told.verdict:
        return replace(told, reading=f"{told.reading} {_sentence(who)}; it holds whatever they show.")
    reading = f"{_sentence(who)}. If none of them responds: {told.reading} If all of them do: {best.reading}"
    return Standing(stage=told.stage, verdict="open", reading=reading)


def _standing(design: Design, responders: int, n: int) -> Standing:
    if n == 0:
        return Standing(stage="not started", verdict="open", reading="No patient with an evaluable response yet.")
    if responders <= design.first_stop and n >= design.first_n:
        return _stopped(design, responders, n)
    if n < design.n:
        return _under_way(design, responders, n)
    return _ended(design, responders, n) if n == design.n else _beyond(design, responders, n)


def _under_way(design: Design, responders: int, n: int) -> Standing:
    stage, size = ("first", design.first_n) if n <= design.first_n else ("second", design.n)
    found = f"{_of(responders, n)}; the {stage} stage {'ends with' if stage == 'second' else 'has'} {_patients(size)}"
    to_come, earned = design.n - n, _earned(design, responders, n)
    if responders > design.stop:
        told = f"More than {design.stop}: {_null(design)} is rejected, whatever the {_next(to_come)}"
        return Standing(stage=stage, verdict="rejected", reading=f"{found}. {told}.{earned}")
    if responders + to_come <= design.stop:
        told = f"{_null(design)} will not be rejected, whatever the {_next(to_come)}"
        return Standing(stage=stage, verdict="not rejected", reading=f"{found}. {_sentence(told)}.")
    if stage == "first":
        return _first_stage(design, responders, n, found)
    told = f"{_needed(design.stop + 1 - responders, to_come)} for {_null(design)} to be rejected"
    return Standing(stage=stage, verdict="open", reading=f"{found}. {told}.{earned}")


def _first_stage(design: Design, responders: int, n: int, found: str) -> Standing:
    to_come = design.first_n - n
    if responders > design.first_stop:
        ahead = f"continues to {_patients(design.n)}, of whom at least {design.stop + 1} must respond"
        whatever = f", whatever the {_next(to_come)} in the first stage" if to_come else ""
        told = f"More than {design.first_stop}: the trial {ahead}{whatever}"
        return Standing(stage="first", verdict="continues", reading=f"{found}. {told}.")
    if responders + to_come <= design.first_stop:
        told = f"The trial will stop after it, whatever the {_next(to_come)}: more than {design.first_stop} are out of reach"
        return Standing(stage="first", verdict="stops", reading=f"{found}. {told}.")
    told = f"{_needed(design.first_stop + 1 - responders, to_come)} for the trial to continue"
    return Standing(stage="first", verdict="open", reading=f"{found}. {told}.")


def _stopped(design: Design, responders: int, n: int) -> Standing:
    rule = f"{design.first_stop} or fewer of the first {design.first_n} stop the trial"
    found = f"{_of(responders, n)}, and {rule}: it stops after its first stage, and {_null(design)} is not rejected"
    late = (
        f" The {n - design.first_n} treated beyond the first stage change nothing of that."
        if n > design.first_n
        else ""
    )
    return Standing(stage="ended", verdict="stops", reading=f"{found}.{late}")


def _ended(design: Design, responders: int, n: int) -> Standing:
    if responders > design.stop:
        told = f"{_of(responders, n)}, more than {design.stop}: {_null(design)} is rejected"
        return Standing(stage="ended", verdict="rejected", reading=f"{told}.{_earned(design, responders, n)}")
    told = f"{_of(responders, n)}, and {design.stop} or fewer are too few: {_null(design)} is not rejected"
    return Standing(stage="ended", verdict="not rejected", reading=f"{told}.")


def _beyond(design: Design, responders: int, n: int) -> Standing:
    more = n - design.n
    fewest, most = max(responders - more, 0), min(responders, design.n)
    found = f"{_of(responders, n)}, {more} more than the {design.n} of the design, which decides by those who were treated first"
    if fewest > design.stop:
        told = f"At least {fewest} of them responded, more than {design.stop}: {_null(design)} is rejected"
        earned = _earned(design, responders, n)
        return Standing(stage="beyond the plan", verdict="rejected", reading=f"{found}. {told}.{earned}")
    if most <= design.stop:
        told = (
            f"At most {most} of them responded, and {design.stop} or fewer are too few: {_null(design)} is not rejected"
        )
        return Standing(stage="beyond the plan", verdict="not rejected", reading=f"{found}. {told}.")
    told = f"Between {fewest} and {most} of them responded, and more than {design.stop} are needed: count them"
    return Standing(stage="beyond the plan", verdict="not told", reading=f"{found}. {told}.")


def _earned(design: Design, responders: int, n: int) -> str:
    """What has to be added where the totals leave it open whether the first stage was passed."""
    if n <= design.first_n or responders - (n - design.first_n) > design.first_stop:
        return ""
    return (
        f" This takes for granted that more than {design.first_stop} of the first {design.first_n} responded, as the design asks "
        "for a second stage; the totals do not tell."
    )


def _null(design: Design) -> str:
    return f"a response rate of {100 * design.null_rate:g} %"


def _of(responders: int, n: int) -> str:
    return f"{responders} of {_patients(n)} responded"


def _patients(n: int) -> str:
    return f"{n} patient" if n == 1 else f"{n} patients"


def _next(n: int) -> str:
    return "next patient shows" if n == 1 else f"next {n} show"


def _needed(responders: int, to_come: int) -> str:
    who = "The next patient" if to_come == 1 else f"At least {responders} of the next {to_come} patients"
    return f"{who} must respond"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
