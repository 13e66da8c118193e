"""From a patient's visits to the best overall response, under RECIST 1.1 with confirmation.

References
----------
Eisenhauer et al. 2009, RECIST 1.1, PMID 19097774, section 4.6 and Table 3
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rabiomarkers.errors import ResponseError

RULE_SETS = ("recist-1.1",)
BEST_FIRST = ("CR", "PR", "SD", "PD", "NE")
PERSISTS = "NON-CR/NON-PD"
CODES = frozenset({*BEST_FIRST, PERSISTS})
STABLE_OR_BETTER = frozenset({"CR", "PR", "SD", PERSISTS})
SEVERITY = (
    "PD",
    "SD",
    PERSISTS,
    "PR",
    "CR",
    "NE",
)  # which of several responses on one day counts: the first found here

type Visit = tuple[float, str]


@dataclass(frozen=True, kw_only=True)
class ResponseRules:
    """How visits become a best overall response; the names are those of `study.yaml`."""

    rule_set: str = "recist-1.1"
    confirmation_required: bool = True
    confirmation_days: int = 28
    """Least number of days between a response and the visit that confirms it."""
    stable_disease_minimum_days: int = 42
    """Stable disease counts from this day after first dose."""
    maximum_not_evaluable_between: int = 1
    accept_stable_disease_between: bool = False
    """Whether one stable visit may lie between a partial response and its confirmation."""
    missing_as_not_evaluable: bool = True
    """Whether a patient without any assessment counts in the intention-to-treat denominator."""
    responses_after_progression_count: bool = False

    def __post_init__(self) -> None:
        """Refuse a rule set that this version does not know."""
        if self.rule_set not in RULE_SETS:
            raise ResponseError(
                f"Rule set {self.rule_set!r} is not known to this version; it reads {', '.join(RULE_SETS)}. "
                "Set response: rule_set: recist-1.1 in study.yaml."
            )


@dataclass(frozen=True, kw_only=True)
class BestResponse:
    """A patient's best overall response and the days that progression-free survival needs."""

    response: str  # CR, PR, SD, PD or NE
    confirmed: bool | None  # None unless the response is CR or PR
    note: str  # the reason in words
    progression_day: float | None = None
    last_evaluable_day: float | None = None


def best_response(visits: Iterable[Visit], rules: ResponseRules | None = None) -> BestResponse:
    """Best overall response of one patient.

    Complete and partial responses need a confirming visit (CR by CR; PR by PR or CR) at least `confirmation_days` later with
    nothing between but responses of the same or better kind, at most `maximum_not_evaluable_between` NE and, where accepted, one
    SD. An unconfirmed response counts as stable disease from `stable_disease_minimum_days` on, else the patient is PD or NE by
    what follows (Table 3). After a complete response any disease is progression (Table 3, footnote), so CR followed by PR is
    SD or PD and never PR. Of several responses on one day the worst evaluable one counts.

    Parameters
    ----------
    visits
        (day from first dose, response) pairs in any order; day 0 and earlier is baseline and plays no part.

    Raises
    ------
    ResponseError
        A response is none of CR, PR, SD, PD, NE, NON-CR/NON-PD.
    """
    rules = rules or ResponseRules()
    reported = _one_a_day(visits)
    everything = _progression_after_complete(reported)
    progression = next((day for day, code in everything if code == "PD"), None)
    counted = [visit for visit in everything if progression is None or visit[0] <= progression]
    evaluable = [day for day, code in everything if code != "NE" and (progression is None or day <= progression)]
    code, confirmed, note = _judge(everything if rules.responses_after_progression_count else counted, counted, rules)
    turned = next((told for day, told in reported if day == progression and told != "PD"), None)
    return BestResponse(
        response=code,
        confirmed=confirmed,
        note=note if turned is None else f"{note}; {turned} on day {progression:g} after CR is progression",
        progression_day=progression,
        last_evaluable_day=evaluable[-1] if evaluable else None,
    )


def normal_code(text: str) -> str:
    """The response in capitals without stray blanks, if it is one.

    Raises
    ------
    ResponseError
        It is none of CR, PR, SD, PD, NE, NON-CR/NON-PD.
    """
    code = "".join(text.split()).upper()
    if code not in CODES:
        raise ResponseError(f"Response {text!r} is not known; expected one of {', '.join(sorted(CODES))}.")
    return code


def _one_a_day(visits: Iterable[Visit]) -> list[Visit]:
    by_day: dict[float, set[str]] = {}
    for day, text in visits:
        code = normal_code(text)
        if day > 0:
            by_day.setdefault(day, set()).add(code)
    return [(day, next(code for code in SEVERITY if code in codes)) for day, codes in sorted(by_day.items())]


def _progression_after_complete(visits: Sequence[Visit]) -> list[Visit]:
    complete, judged = False, []
    for day, code in visits:
        judged.append((day, "PD" if complete and code in STABLE_OR_BETTER - {"CR"} else code))
        complete = complete or code == "CR"
    return judged


def _judge(responses: Sequence[Visit], counted: Sequence[Visit], rules: ResponseRules) -> tuple[str, bool | None, str]:
    for wanted in ("CR", "PR"):
        confirmation = _confirmation(responses, wanted, rules)
        if confirmation:
            first, second = confirmation
            return wanted, True, f"{wanted} on day {first:g}, confirmed on day {second:g}"
        first_seen = next((day for day, code in responses if code == wanted), None)
        if first_seen is not None and not rules.confirmation_required:
            return wanted, False, f"{wanted} on day {first_seen:g}, not confirmed (the study asks for no confirmation)"
    return _without_response(counted, rules)


def _confirmation(visits: Sequence[Visit], wanted: str, rules: ResponseRules) -> tuple[float, float] | None:
    """Days of the first response of this kind that is confirmed, and of the visit that confirms it."""
    confirming = {"CR"} if wanted == "CR" else {"CR", "PR"}
    for position, (first, code) in enumerate(visits):
        if code != wanted:
            continue
        not_evaluable = stable = 0
        for second, later in visits[position + 1 :]:
            if later in confirming and second - first >= rules.confirmation_days:
                return first, second
            not_evaluable += later == "NE"
            stable += later == "SD"
            allowed_stable = 1 if wanted == "PR" and rules.accept_stable_disease_between else 0
            interrupted = later in ("PD", PERSISTS)
            if interrupted or stable > allowed_stable or not_evaluable > rules.maximum_not_evaluable_between:
                break
    return None


def _without_response(visits: Sequence[Visit], rules: ResponseRules) -> tuple[str, bool | None, str]:
    minimum = rules.stable_disease_minimum_days
    unconfirmed = [f"{code} on day {day:g} never confirmed" for day, code in visits if code in ("CR", "PR")][:1]
    stable = [visit for visit in visits if visit[1] in STABLE_OR_BETTER]
    long_enough = [visit for visit in stable if visit[0] >= minimum]
    progression = next((day for day, code in visits if code == "PD"), None)
    if long_enough:
        day, code = long_enough[0]
        kind = (
            f"{PERSISTS} (no target lesion) on day {day:g}, counted as SD" if code == PERSISTS else f"SD on day {day:g}"
        )
        return "SD", None, f"{unconfirmed[0]}: best response SD" if unconfirmed else kind
    early = unconfirmed or [f"{code} on day {day:g}" for day, code in stable[:1]]
    early = [f"{text}, and before day {minimum} it is not stable disease" for text in early]
    if progression is not None:
        return "PD", None, "; ".join([*early, f"progression on day {progression:g}"])
    if early:
        return "NE", None, f"{early[0]}: not evaluable"
    return "NE", None, "no visit was evaluable" if visits else "no assessment after baseline"
