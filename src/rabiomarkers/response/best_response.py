"""From a patient's visits to the best overall response, under RECIST 1.1 with confirmation.

References
----------
Eisenhauer et al. 2009, RECIST 1.1, PMID 19097774, section 4.6 and Table 3
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from rabiomarkers.response import admiralonco, irecist_best
from rabiomarkers.response.codes import NOT_DONE, PERSISTS, STABLE_OR_BETTER, as_recist
from rabiomarkers.response.rules import BestResponse, ResponseRules, Visit
from rabiomarkers.response.visits import one_a_day

type Judgement = tuple[str, bool | None, str, float | None]
"""Response, whether it was confirmed, why, and the day it was first seen."""


def best_response(visits: Iterable[Visit], rules: ResponseRules | None = None) -> BestResponse:
    """Best overall response of one patient under the rule set that `rules` name.

    Parameters
    ----------
    visits
        (day from first dose, response) pairs in any order.

    Raises
    ------
    ResponseError
        A response is none of CR, PR, SD, NON-CR/NON-PD, PD, NE, ND, nor a word of iRECIST.
    """
    rules = rules or ResponseRules()
    return BY_RULE_SET[rules.rule_set](list(visits), rules)


def strict(visits: Sequence[Visit], rules: ResponseRules) -> BestResponse:
    """Best overall response by RECIST 1.1 as the paper has it.

    Complete and partial responses need a confirming visit (CR by CR; PR by PR or CR) at least `confirmation_days` later with
    nothing between but responses of the same or better kind, at most `maximum_not_evaluable_between` NE and, where accepted, one
    SD. An unconfirmed response counts as stable disease from `stable_disease_minimum_days` on, else the patient is PD or NE by
    what follows (Table 3). After a complete response any disease is progression (Table 3, footnote), so CR followed by PR is
    SD or PD and never PR. Of several responses on one day the worst evaluable one counts.

    Parameters
    ----------
    visits
        (day from first dose, response) pairs in any order; day 0 and earlier is baseline and plays no part. Words of iRECIST are
        taken for what RECIST calls them, ND for NE.

    Raises
    ------
    ResponseError
        What `one_a_day` raises.
    """
    daily, several = one_a_day(visits)
    reported = [(day, "NE" if code == NOT_DONE else as_recist(code)) for day, code in daily]
    everything = _progression_after_complete(reported)
    progression = next((day for day, code in everything if code == "PD"), None)
    counted = [visit for visit in everything if progression is None or visit[0] <= progression]
    evaluable = [day for day, code in everything if code != "NE" and (progression is None or day <= progression)]
    judged = everything if rules.responses_after_progression_count else counted
    counted_days = {day for day, _ in judged} if several else set()
    code, confirmed, note, seen = _judge(judged, counted, rules)
    turned = next((told for day, told in reported if day == progression and told != "PD"), None)
    notes = [
        note,
        f"{turned} on day {progression:g} after CR is progression" if turned is not None else "",
        *(f"several responses on day {day:g}: the worst counts" for day in several if day in counted_days),
    ]
    return BestResponse(
        response=code,
        confirmed=confirmed,
        note="; ".join([told for told in notes if told]),
        day=seen,
        progression_day=progression,
        last_evaluable_day=evaluable[-1] if evaluable else None,
    )


def _progression_after_complete(visits: Sequence[Visit]) -> list[Visit]:
    complete, judged = False, []
    for day, code in visits:
        judged.append((day, "PD" if complete and code in STABLE_OR_BETTER - {"CR"} else code))
        complete = complete or code == "CR"
    return judged


def _judge(responses: Sequence[Visit], counted: Sequence[Visit], rules: ResponseRules) -> Judgement:
    for wanted in ("CR", "PR"):
        first_seen = next((day for day, code in responses if code == wanted), None)
        confirmation = None if first_seen is None else _confirmation(responses, wanted, rules)
        if confirmation:
            first, second = confirmation
            told = f"{wanted} on day {first:g}, confirmed on day {second:g}"
            if rules.confirmation_required or first == first_seen:
                return wanted, True, told, first
            return wanted, True, f"{wanted} on day {first_seen:g}; {told}", first_seen
        if first_seen is not None and not rules.confirmation_required:
            told = f"{wanted} on day {first_seen:g}, not confirmed (the study asks for no confirmation)"
            return wanted, False, told, first_seen
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


def _without_response(visits: Sequence[Visit], rules: ResponseRules) -> Judgement:
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
        return "SD", None, f"{unconfirmed[0]}: best response SD" if unconfirmed else kind, day
    early = unconfirmed or [f"{code} on day {day:g}" for day, code in stable[:1]]
    early = [f"{text}, and before day {minimum} it is not stable disease" for text in early]
    if progression is not None:
        return "PD", None, "; ".join([*early, f"progression on day {progression:g}"]), progression
    if early:
        return "NE", None, f"{early[0]}: not evaluable", stable[0][0]
    return "NE", None, "no visit was evaluable" if visits else "no assessment after baseline", None


BY_RULE_SET: Mapping[str, Callable[[Sequence[Visit], ResponseRules], BestResponse]] = {
    "recist-1.1": strict,
    "admiralonco": admiralonco.best,
    "irecist": irecist_best.best,
}
