"""From a patient's visits to the best overall response under iRECIST (iBOR).

References
----------
Seymour et al. 2017, iRECIST, PMID 28271869, Table 3
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rabiomarkers.response.codes import NOT_DONE
from rabiomarkers.response.irecist import AS_IRECIST
from rabiomarkers.response.rules import BestResponse, ResponseRules, Visit
from rabiomarkers.response.visits import one_a_day

LATEST_CONFIRMATION_DAYS = 56
"""The paper asks for the next assessment four to eight weeks after the unconfirmed progression; later ones confirm all the same."""

PERSISTS = AS_IRECIST["NON-CR/NON-PD"]
_STABLE_OR_BETTER = frozenset({"iCR", "iPR", "iSD", PERSISTS})
_AFTER_COMPLETE = _STABLE_OR_BETTER - {"iCR"}
_WORDS: Mapping[str, str] = {**AS_IRECIST, NOT_DONE: "NE", **{word: word for word in (*AS_IRECIST.values(), "iCPD")}}

type Judgement = tuple[str, bool | None, str, float | None]
"""Response, whether it was confirmed, why, and the day it was first seen."""


def best(visits: Sequence[Visit], rules: ResponseRules) -> BestResponse:
    """Best overall response of one patient under iRECIST.

    It is the best word up to the confirmed progression (iCPD). An iUPD that iCR, iPR or iSD follow is no bar to them (Table 3).
    Complete and partial responses are confirmed as under RECIST 1.1, and an iUPD between interrupts. Unconfirmed ones, iSD and
    NON-iCR/NON-iUPD count from `stable_disease_minimum_days` on; a patient without any of these is iCPD, iUPD or NE, in this order.

    Words of RECIST 1.1 are read as iRECIST's: the first PD is an iUPD, and so is a PD right after it, since the word does not tell
    whether anything grew further. Disease seen again after iCR (iPR, iSD or NON-iCR/NON-iUPD, with no iUPD told between) is an
    iUPD too. An iCPD is taken as it was told, even soon after the iUPD or without one.

    Parameters
    ----------
    visits
        (day from first dose, response) pairs in any order, in words of iRECIST or RECIST 1.1; ND is NE. Day 0 and earlier is
        baseline and plays no part; of several responses on one day the worst evaluable one counts.

    Raises
    ------
    ResponseError
        What `one_a_day` raises.
    """
    daily, several = one_a_day(visits)
    course = _read(daily)
    counted = course.words if course.confirmed_on is None else course.words[: course.ended]
    judged = course.words if rules.responses_after_progression_count else counted
    code, confirmed, note, seen = _judge(judged, counted, course, rules)
    progression = course.progression
    evaluable = None
    for day, word in counted:
        if word != "NE" and (progression is None or day <= progression):
            evaluable = day
    notes = [note, *course.notes]
    if several:
        last = judged[-1][0]
        notes += [f"several responses on day {day:g}: the worst counts" for day in several if day <= last]
    return BestResponse(
        response=code,
        confirmed=confirmed,
        note="; ".join(notes) if len(notes) > 1 else note,
        day=seen,
        progression_day=progression,
        last_evaluable_day=evaluable,
    )


@dataclass(kw_only=True, slots=True)
class _Course:
    words: list[Visit] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    progression: float | None = None
    """The first iUPD of the episode that was confirmed, or that nothing better has followed so far."""
    first_unconfirmed: float | None = None
    """The first iUPD of all."""
    confirmed_on: float | None = None
    ended: int = 0
    """How many visits there are up to the confirmed progression."""


def _read(daily: Sequence[Visit]) -> _Course:
    """The visits in words of iRECIST, and where they stand between an iUPD and what becomes of it."""
    course = _Course()
    words = course.words
    complete = False
    untold: list[float] = []
    for day, code in daily:
        word = _WORDS[code]
        if complete and word in _AFTER_COMPLETE:
            if course.confirmed_on is None:
                course.notes.append(f"{code} on day {day:g} after iCR is an iUPD")
            word = "iUPD"
        elif word == "iUPD":
            complete = False
        elif word == "iCR":
            complete = True
        words.append((day, word))
        if course.confirmed_on is not None or word == "NE":
            continue
        if word == "iUPD":
            if course.progression is None:
                course.progression = day
            elif code == "PD":
                untold.append(day)
            if course.first_unconfirmed is None:
                course.first_unconfirmed = day
        elif word == "iCPD":
            _confirm(course, day)
            untold.clear()
        else:
            course.progression = None
    if untold:
        course.notes.append(
            f"PD on day {untold[0]:g} follows an iUPD, and whether anything grew further is not told: write iCPD if it did, "
            "or give lesions.csv"
        )
    return course


def _confirm(course: _Course, day: float) -> None:
    course.confirmed_on = day
    course.ended = len(course.words)
    if course.progression is None:
        course.progression = day
        course.notes.append(f"iCPD on day {day:g} without an iUPD before it")
    elif day - course.progression > LATEST_CONFIRMATION_DAYS:
        course.notes.append(
            f"the iUPD of day {course.progression:g} was confirmed on day {day:g}, later than the eight weeks that iRECIST asks for"
        )


def _judge(responses: Sequence[Visit], counted: Sequence[Visit], course: _Course, rules: ResponseRules) -> Judgement:
    for wanted in ("iCR", "iPR"):
        first_seen = next((day for day, word in responses if word == wanted), None)
        if first_seen is None:
            continue
        confirmation = _confirmation(responses, wanted, rules)
        if confirmation is not None:
            first, second = confirmation
            told = f"{wanted} on day {first:g}, confirmed on day {second:g}"
            if rules.confirmation_required or first == first_seen:
                return wanted, True, told, first
            return wanted, True, f"{wanted} on day {first_seen:g}; {told}", first_seen
        if not rules.confirmation_required:
            told = f"{wanted} on day {first_seen:g}, not confirmed (the study asks for no confirmation)"
            return wanted, False, told, first_seen
    return _without_response(counted, course, rules)


def _confirmation(visits: Sequence[Visit], wanted: str, rules: ResponseRules) -> tuple[float, float] | None:
    """Days of the first response of this kind that is confirmed, and of the visit that confirms it."""
    confirming = ("iCR",) if wanted == "iCR" else ("iCR", "iPR")
    stable_allowed = 1 if rules.accept_stable_disease_between else 0  # only after iPR: iSD after iCR is an iUPD
    for position, (first, word) in enumerate(visits):
        if word != wanted:
            continue
        not_evaluable = stable = 0
        for following in range(position + 1, len(visits)):
            second, later = visits[following]
            if later in confirming:
                if second - first >= rules.confirmation_days:
                    return first, second
            elif later == "NE":
                not_evaluable += 1
            elif later == "iSD":
                stable += 1
            else:
                break
            if stable > stable_allowed or not_evaluable > rules.maximum_not_evaluable_between:
                break
    return None


def _without_response(visits: Sequence[Visit], course: _Course, rules: ResponseRules) -> Judgement:
    minimum = rules.stable_disease_minimum_days
    unconfirmed = [f"{word} on day {day:g} never confirmed" for day, word in visits if word in ("iCR", "iPR")][:1]
    stable = [visit for visit in visits if visit[1] in _STABLE_OR_BETTER]
    long_enough = [visit for visit in stable if visit[0] >= minimum]
    with_targets = [visit for visit in long_enough if visit[1] != PERSISTS]
    if with_targets:
        day = with_targets[0][0]
        return "iSD", None, f"{unconfirmed[0]}: best response iSD" if unconfirmed else f"iSD on day {day:g}", day
    if long_enough:
        day = long_enough[0][0]
        return PERSISTS, None, f"{PERSISTS} (no target lesion) on day {day:g}", day
    early = unconfirmed or [f"{word} on day {day:g}" for day, word in stable[:1]]
    early = [f"{text}, and before day {minimum} it is not stable disease" for text in early]
    if course.confirmed_on is not None:
        told = f"progression on day {course.progression:g}, confirmed on day {course.confirmed_on:g}"
        return "iCPD", None, "; ".join([*early, told]), course.confirmed_on
    if course.first_unconfirmed is not None:
        told = f"progression on day {course.first_unconfirmed:g}, never confirmed"
        return "iUPD", None, "; ".join([*early, told]), course.first_unconfirmed
    if early:
        return "NE", None, f"{early[0]}: not evaluable", stable[0][0]
    return "NE", None, "no visit was evaluable" if visits else "no assessment after baseline", None
