"""Best response and its kin under the rules that the R package admiralonco documents, one patient at a time.

Where its versions differ the newest (1.4.0) counts, and where its functions leave something open its predefined events do. It
differs from RECIST 1.1 as the paper has it: a partial response or stable disease after a complete response is no progression but
a fault of the data, which the note names; NON-CR/NON-PD, ND and MISSING are words of their own; day 0 and earlier is not
dropped, because the package leaves the choice of visits to whoever calls it.

References
----------
admiralonco 1.4.0 (pharmaverse): the reference pages of `derive_param_bor`, `derive_param_confirmed_bor`, `derive_param_response`,
`derive_param_confirmed_resp`, `derive_param_clinbenefit`, `derive_param_lasta` (until 0.3.0), `filter_pd`, `signal_crpr` and
`event_objects`, and the vignettes `adrs_basic` and `adrs`
"""

from collections.abc import Collection, Sequence

from rabiomarkers.errors import ResponseError
from rabiomarkers.response.codes import CODES, NOT_DONE, PERSISTS, RESPONSES, STABLE_OR_BETTER, normal_code
from rabiomarkers.response.rules import BestResponse, ResponseRules, Visit
from rabiomarkers.response.visits import one_a_day

WORDS = CODES | {NOT_DONE}
"""The responses this rule set reads."""

WITHOUT_RESPONSE = ("SD", PERSISTS, "PD", "NE", NOT_DONE)
"""What a patient without complete or partial response can be, best first."""

CONFIRMED_BY = {"CR": frozenset({"CR"}), "PR": RESPONSES}

type Judgement = tuple[str, bool | None, float | None, str]
"""Response, whether it was confirmed, the day it was first seen, and why."""


def best(visits: Sequence[Visit], rules: ResponseRules) -> BestResponse:
    """Best overall response, confirmed where the rules ask for it.

    Each visit counts for what it can: CR and PR where a later visit confirms them (or at once, where no confirmation is asked
    for); CR, PR and SD from `stable_disease_minimum_days` on as SD, NON-CR/NON-PD from then on as itself, before as NE; PD, NE and
    ND as themselves on any day. The best of these is the response, its first visit the day. Visits after the first PD are cut,
    unless `responses_after_progression_count`.

    Parameters
    ----------
    visits
        (day from the reference date, response) pairs in any order; no day is dropped. Of several responses on one day, which the
        package refuses, the worst evaluable one counts.

    Raises
    ------
    ResponseError
        A response is none of CR, PR, SD, NON-CR/NON-PD, PD, NE, ND.
    """
    daily, several = _one_a_day(visits)
    progression = next((day for day, code in daily if code == "PD"), None)
    until = up_to_progression(daily, progression)
    counted = daily if rules.responses_after_progression_count else until
    response, confirmed, day, why = _judge(counted, rules)
    notes = [why, _worse_after_complete(counted)]
    last = counted[-1][0] if counted else None
    notes += [
        f"several responses on day {twice:g}, which admiralonco refuses: the worst counts"
        for twice in several
        if last is not None and twice <= last
    ]
    evaluable = [seen for seen, code in until if code not in ("NE", NOT_DONE)]
    return BestResponse(
        response=response,
        confirmed=confirmed,
        note="; ".join([note for note in notes if note]),
        day=day,
        progression_day=progression,
        last_evaluable_day=evaluable[-1] if evaluable else None,
    )


def up_to_progression(visits: Sequence[Visit], progression_day: float | None) -> list[Visit]:
    """The visits until this day, that day included; all of them where there is no progression."""
    return [visit for visit in visits if progression_day is None or visit[0] <= progression_day]


def first_response(visits: Sequence[Visit], *, progression_day: float | None) -> float | None:
    """Day of the first CR or PR, confirmed or not, until the progression; None without one.

    Raises
    ------
    ResponseError
        As `best`.
    """
    daily, _ = _one_a_day(visits)
    return next((day for day, code in up_to_progression(daily, progression_day) if code in RESPONSES), None)


def confirmed_response(visits: Sequence[Visit], rules: ResponseRules) -> float | None:
    """Day of the first CR or PR that a later visit confirms; None without one.

    Raises
    ------
    ResponseError
        As `best`.
    """
    return _first_confirmed(_counted(visits, rules), rules)


def clinical_benefit(
    visits: Sequence[Visit],
    rules: ResponseRules,
    *,
    benefit_days: float,
    counted: Collection[str] = STABLE_OR_BETTER,
) -> float | None:
    """First day of clinical benefit: a response, or a visit of the `counted` kinds from `benefit_days` on; None without either.

    The response must be confirmed where the rules ask for confirmation, the other visit never.

    Raises
    ------
    ResponseError
        As `best`.
    """
    daily = _counted(visits, rules)
    if rules.confirmation_required:
        response = _first_confirmed(daily, rules)
    else:
        response = next((day for day, code in daily if code in RESPONSES), None)
    lasting = next((day for day, code in daily if code in counted and day >= benefit_days), None)
    return min((day for day in (response, lasting) if day is not None), default=None)


def last_assessment(
    visits: Sequence[Visit], *, progression_day: float | None = None, evaluable_only: bool = False
) -> float | None:
    """Day of the last visit until the progression; None without a visit.

    Parameters
    ----------
    evaluable_only
        Leave out NE and ND.

    Raises
    ------
    ResponseError
        As `best`.
    """
    daily, _ = _one_a_day(visits)
    left_out = ("NE", NOT_DONE) if evaluable_only else ()
    days = [day for day, code in up_to_progression(daily, progression_day) if code not in left_out]
    return days[-1] if days else None


def _one_a_day(visits: Sequence[Visit]) -> tuple[list[Visit], list[float]]:
    spelt_otherwise = {text for _, text in visits} - WORDS
    foreign = sorted({normal_code(text) for text in sorted(spelt_otherwise)} - WORDS) if spelt_otherwise else []
    if foreign:
        raise ResponseError(
            f"The rule set admiralonco does not know {', '.join(foreign)}; it reads {', '.join(sorted(WORDS))}. "
            "Set response: rule_set: irecist in study.yaml, or give the responses of RECIST 1.1."
        )
    return one_a_day(visits, after=None)


def _counted(visits: Sequence[Visit], rules: ResponseRules) -> list[Visit]:
    """The visits in order, cut after the first progression where the rules say so."""
    daily, _ = _one_a_day(visits)
    if rules.responses_after_progression_count:
        return daily
    return up_to_progression(daily, next((day for day, code in daily if code == "PD"), None))


def _judge(visits: Sequence[Visit], rules: ResponseRules) -> Judgement:
    if not visits:
        return "NE" if rules.missing_as_not_evaluable else "MISSING", None, None, "no assessment"
    for wanted in ("CR", "PR"):
        judged = _as_response(visits, wanted, rules)
        if judged is not None:
            return judged
    return _without_response(visits, rules.stable_disease_minimum_days)


def _as_response(visits: Sequence[Visit], wanted: str, rules: ResponseRules) -> Judgement | None:
    first = None
    for position, (day, code) in enumerate(visits):
        if code != wanted:
            continue
        first = day if first is None else first
        later = _confirmed_on(visits, position, rules)
        if later is not None:
            told = f"{wanted} on day {day:g}, confirmed on day {later:g}"
            if rules.confirmation_required or day == first:
                return wanted, True, day, told
            return wanted, True, first, f"{wanted} on day {first:g}; {told}"
    if first is None or rules.confirmation_required:
        return None
    return wanted, False, first, f"{wanted} on day {first:g}, not confirmed (the study asks for no confirmation)"


def _confirmed_on(visits: Sequence[Visit], position: int, rules: ResponseRules) -> float | None:
    """Day of the visit that confirms the response at this position; None where none does."""
    first, wanted = visits[position]
    confirming, complete = CONFIRMED_BY[wanted], False
    not_evaluable = rules.maximum_not_evaluable_between
    stable = 1 if wanted == "PR" and rules.accept_stable_disease_between else 0
    for day, code in visits[position + 1 :]:
        if code in confirming:
            if complete and code == "PR":  # a partial response after a complete one confirms nothing
                return None
            if day - first >= rules.confirmation_days:
                return day
            complete = complete or code == "CR"
        elif code == "NE" and not_evaluable:
            not_evaluable -= 1
        elif code == "SD" and stable:
            stable -= 1
        else:
            return None
    return None


def _first_confirmed(visits: Sequence[Visit], rules: ResponseRules) -> float | None:
    for position, (day, code) in enumerate(visits):
        if code in RESPONSES and _confirmed_on(visits, position, rules) is not None:
            return day
    return None


def _without_response(visits: Sequence[Visit], minimum: float) -> Judgement:
    firsts: dict[str, Visit] = {}
    for day, code in visits:
        counts_as = code
        if code in STABLE_OR_BETTER:
            counts_as = "NE" if day < minimum else PERSISTS if code == PERSISTS else "SD"
        firsts.setdefault(counts_as, (day, code))
    response = next(word for word in WITHOUT_RESPONSE if word in firsts)
    return response, None, firsts[response][0], _why(response, firsts[response], visits, minimum)


def _why(response: str, visit: Visit, visits: Sequence[Visit], minimum: float) -> str:
    day, code = visit
    if response == "SD" and code in RESPONSES:
        return f"{code} on day {day:g} never confirmed: counts as SD"
    worth_saying = RESPONSES if response in ("SD", PERSISTS) else STABLE_OR_BETTER
    notable = [visit for visit in visits if visit[1] in RESPONSES] or [
        visit for visit in visits if visit[1] in worth_saying
    ]
    told = [
        f"{code} on day {day:g}{' never confirmed' if code in RESPONSES else ''}"
        f"{f', and before day {minimum:g} it counts as not evaluable' if day < minimum else ''}"
        for day, code in notable[:1]
    ]
    last = {
        "PD": f"progression on day {day:g}",
        "NE": "" if told else "no visit was evaluable",
        NOT_DONE: "no assessment was done",
    }.get(response, f"{response} on day {day:g}")
    return "; ".join([text for text in (*told, last) if text])


def _worse_after_complete(visits: Sequence[Visit]) -> str:
    """What the package warns of (CR, then PR) or calls a fault of the data (CR, then SD); empty where there is nothing."""
    complete = next((day for day, code in visits if code == "CR"), None)
    if complete is None:
        return ""
    for worse in ("PR", "SD", PERSISTS):
        later = next((day for day, code in visits if code == worse and day > complete), None)
        if later is not None:
            return (
                f"the data hold CR (day {complete:g}) followed by {worse} (day {later:g}), "
                "which this rule set does not take for progression"
            )
    return ""
