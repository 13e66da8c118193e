"""How long one patient was free of progression, alive, and in response.

References
----------
FDA, Clinical Trial Endpoints for the Approval of Cancer Drugs and Biologics, guidance for industry, December 2018: PFS counts every
death. Its version of May 2007, appendix 3, has tables of what to do about missed visits and new therapy. Both count from
randomisation; here days count from first dose.
Eisenhauer et al. 2009, RECIST 1.1, PMID 19097774, section 4.6: a response lasts from the first CR or PR, whichever is seen first,
until progression. Seymour et al. 2017, iRECIST, PMID 28271869: likewise, and a progression never confirmed does not end it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, NamedTuple

import pandas as pd

from rabiomarkers.errors import ResponseError
from rabiomarkers.response.codes import NOT_DONE, PERSISTS, RESPONSES, as_recist
from rabiomarkers.response.rules import BestResponse, Visit
from rabiomarkers.response.visits import one_a_day

PFS_RULE = (
    "event: progression under the rule set or death from any cause, whichever is first; censored: at the last evaluable visit, "
    "on day 0 where no visit after baseline is evaluable, and at the last evaluable visit on or before a new anticancer therapy "
    "that begins before the event; pfs_days of the follow-up counts as it is where it is given"
)
GAP_RULE = (
    "an event more than {days} days after the last evaluable visit before it (or after day 0) is censored at that visit"
)
OS_RULE = "event: death from any cause; censored: at the last contact; both as the follow-up gives them"
DURATION_RULE = (
    "responders only, from the first CR or PR of the response; event: progression or death; censored as PFS is; "
    "a response that no longer counts under PFS (after progression or a new therapy) has no duration"
)
BENEFIT_RULE = (
    "CR or PR, or stable disease with neither progression nor death for {days} days or more; stable disease that was followed for "
    "less is not known yet and counts as no benefit"
)

NOT_EVALUABLE = frozenset({"NE", NOT_DONE, "MISSING"})
STABLE = frozenset({"SD", PERSISTS})


@dataclass(frozen=True, kw_only=True, slots=True)
class FollowUp:
    """One patient's row of `followup.csv`, days counted from first dose; None where a cell is empty."""

    pfs_days: float | None = None
    progressed: bool | None = None
    os_days: float | None = None
    died: bool | None = None
    treatment_end_day: float | None = None
    new_therapy_day: float | None = None

    @property
    def has_pfs(self) -> bool:
        """Whether progression-free survival is given."""
        return self.pfs_days is not None and self.progressed is not None

    @property
    def has_os(self) -> bool:
        """Whether overall survival is given."""
        return self.os_days is not None and self.died is not None

    @property
    def death_day(self) -> float | None:
        """The day of death; None for who is alive or of whom it is not known."""
        return self.os_days if self.died else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Durations:
    """One patient's times in days from first dose, but `response_days`, which runs from `response_day`; None where not known."""

    pfs_days: float | None
    progressed: bool | None  # progression or death; False is censored
    response_day: float | None
    response_days: float | None
    response_ended: bool | None
    clinical_benefit: bool | None
    os_days: float | None
    died: bool | None
    note: str  # what is out of the ordinary, in words


class _Span(NamedTuple):
    days: float | None
    event: bool | None
    note: str = ""


def followups(frame: pd.DataFrame | None) -> dict[str, FollowUp]:
    """Each patient's follow-up, from those columns of `followup.csv` that are there.

    Raises
    ------
    ResponseError
        `progressed` or `died` holds text, as a plain `read_csv` leaves yes and no.
    """
    if frame is None:
        return {}
    nothing = [None] * len(frame)
    numbers, flags = (
        [frame[name].tolist() if name in frame.columns else nothing for name in names]
        for names in (("pfs_days", "os_days", "treatment_end_day", "new_therapy_day"), ("progressed", "died"))
    )
    return {
        patient: FollowUp(
            pfs_days=_number(pfs_days),
            progressed=_flag(progressed),
            os_days=_number(os_days),
            died=_flag(died),
            treatment_end_day=_number(end),
            new_therapy_day=_number(new),
        )
        for patient, pfs_days, os_days, end, new, progressed, died in zip(
            frame["patient_id"].tolist(), *numbers, *flags, strict=True
        )
    }


def _number(cell: Any) -> float | None:
    return None if pd.isna(cell) else float(cell)


def _flag(cell: Any) -> bool | None:
    if isinstance(cell, str):  # as pandas reads yes and no; bool("no") is true
        raise ResponseError(f"A flag of the follow-up is the text {cell!r}; give True, False or nothing.")
    return None if pd.isna(cell) else bool(cell)


def durations(
    best: BestResponse,
    visits: Sequence[Visit],
    followup: FollowUp | None,
    *,
    responder: bool | None,
    maximum_gap_days: int | None = None,
    clinical_benefit_days: int = 168,
    confirmation_days: int = 28,
) -> Durations:
    """Progression-free and overall survival, duration of response and clinical benefit of one patient.

    PFS is that of `followup` where it has one; the note says where the visits progress earlier. Else it ends at the first of
    `best.progression_day` and death, and without either it is censored at the last evaluable visit. Three things censor earlier: a
    new anticancer therapy before the event (at the last evaluable visit on or before it), an event more than `maximum_gap_days`
    after the last evaluable visit before it (at that visit), and no evaluable visit at all (on day 0, so that the patient stays in
    the denominator). There is no PFS without a visit and without a row in `followup`, nor where the response is known but not its
    day.

    OS is that of `followup`, else unknown.

    A response lasts from its first visit to the end of PFS. The first visit of a CR is the PR before it, if nothing else lay
    between but visits not evaluable and progressions that iRECIST does not count, or if the PR had been confirmed before it ended.

    Clinical benefit is a response, or stable disease that lasted `clinical_benefit_days`; None for stable disease that was not
    followed that long.

    Parameters
    ----------
    best
        What the rule set says of `visits`.
    visits
        (day from first dose, response) pairs in any order; day 0 and earlier is baseline.
    responder
        None where nothing is to be said of the patient's response.
    confirmation_days
        After how many days a second response confirms the first; 0 where the study asks for no confirmation.

    Raises
    ------
    ResponseError
        A response is no word of RECIST or iRECIST.
    """
    daily, _ = one_a_day(visits)
    if followup is not None and followup.has_pfs:
        pfs = _Span(followup.pfs_days, followup.progressed, _late_progression(best, followup))
    elif not visits and (followup is None or best.response not in NOT_EVALUABLE):
        pfs = _Span(None, None, _unknown(best))
    else:
        evaluable = [day for day, code in daily if code not in NOT_EVALUABLE]
        pfs = _progression_free(best.progression_day, evaluable, followup, maximum_gap_days)
    first, response = _response(best, daily, pfs, confirmation_days) if responder else (None, _Span(None, None))
    alive = followup if followup is not None and followup.has_os else None
    notes = (pfs.note, response.note, _after_the_end(daily, pfs, alive))
    return Durations(
        pfs_days=pfs.days,
        progressed=pfs.event,
        response_day=first,
        response_days=response.days,
        response_ended=response.event,
        clinical_benefit=_benefit(best, pfs, responder, clinical_benefit_days),
        os_days=alive.os_days if alive else None,
        died=alive.died if alive else None,
        note="; ".join([note for note in notes if note]),
    )


def _late_progression(best: BestResponse, followup: FollowUp) -> str:
    """Words where the follow-up does not have the progression that the visits have, or has it later."""
    seen, days = best.progression_day, followup.pfs_days
    if seen is None or days is None or (followup.progressed and days <= seen):
        return ""
    told = f"{'progression or death on' if followup.progressed else 'none until'} day {days:g}"
    return f"progression on day {seen:g}, but the follow-up says {told}, and that counts"


def _unknown(best: BestResponse) -> str:
    if best.response not in NOT_EVALUABLE:
        return "the days of the assessments are not known, so PFS is not"
    return "neither visits nor follow-up, so PFS is not known"


def _progression_free(
    progression: float | None, evaluable: Sequence[float], followup: FollowUp | None, maximum_gap_days: int | None
) -> _Span:
    death = followup.death_day if followup is not None else None
    new_therapy = followup.new_therapy_day if followup is not None else None
    event = min((day for day in (progression, death) if day is not None), default=None)
    if new_therapy is not None and new_therapy > 0 and (event is None or new_therapy < event):
        return _before_new_therapy(new_therapy, event, evaluable)
    if event is None:
        note = "" if evaluable else "no visit after baseline was evaluable: PFS is censored on day 0"
        return _Span(evaluable[-1] if evaluable else 0.0, False, note)
    # the visit that shows the progression is not the one before it; one on the day of death is
    before = [day for day in evaluable if day < event or (day == event != progression)]
    last = before[-1] if before else 0.0
    if maximum_gap_days is not None and event - last > maximum_gap_days:
        what = "progression" if event == progression else "death"
        told = f"{what} on day {event:g} came {event - last:g} days after the last evaluable visit"
        return _Span(last, False, f"{told}, more than {maximum_gap_days:g}: PFS is censored on day {last:g}")
    return _Span(event, True)


def _before_new_therapy(new_therapy: float, event: float | None, evaluable: Sequence[float]) -> _Span:
    before = [day for day in evaluable if day <= new_therapy]
    last = before[-1] if before else 0.0
    changes = event is not None or len(before) < len(evaluable) or not before
    return _Span(last, False, f"new therapy on day {new_therapy:g}: PFS is censored on day {last:g}" if changes else "")


def _response(
    best: BestResponse, daily: Sequence[Visit], pfs: _Span, confirmation_days: int
) -> tuple[float | None, _Span]:
    """The first day of the response, and how long it lasted."""
    first = _first_response(best, daily, confirmation_days)
    if first is None or pfs.days is None:
        return first, _Span(None, None)
    if pfs.days < first:
        told = f"PFS ended on day {pfs.days:g}, before the response on day {first:g}, whose duration is not known"
        return first, _Span(None, None, told)
    return first, _Span(pfs.days - first, pfs.event)


def _first_response(best: BestResponse, daily: Sequence[Visit], confirmation_days: int) -> float | None:
    """The visit of the response; of a complete one the partial response that led to it."""
    if best.day is None or as_recist(best.response) != "CR":
        return best.day
    progression = inf if best.progression_day is None else best.progression_day
    start: float | None = None
    for day, code in daily:
        if day >= best.day:
            break
        word = as_recist(code)
        if word in RESPONSES:
            start = day if start is None else start
            if day - start >= confirmation_days:
                return start
        # a progression that the rule set does not count (iRECIST, never confirmed) interrupts nothing
        elif word not in NOT_EVALUABLE and (word != "PD" or day >= progression):
            start = None
    return best.day if start is None else start


def _benefit(best: BestResponse, pfs: _Span, responder: bool | None, least_days: int) -> bool | None:
    if responder is None or responder:
        return responder
    if as_recist(best.response) not in STABLE:
        return False
    if pfs.days is not None and pfs.days >= least_days:
        return True
    return False if pfs.event else None


def _after_the_end(daily: Sequence[Visit], pfs: _Span, alive: FollowUp | None) -> str:
    """Words where something is dated after the death, or after the last contact."""
    if alive is None or alive.os_days is None:
        return ""
    days = {"a visit": daily[-1][0] if daily else None, "PFS": pfs.days}
    late = [f"{what} on day {day:g}" for what, day in days.items() if day is not None and day > alive.os_days]
    end = "death" if alive.died else "last contact"
    return f"{' and '.join(late)} after the {end} on day {alive.os_days:g} of the follow-up" if late else ""
