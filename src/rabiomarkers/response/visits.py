"""A patient's visits in order, one response a day."""

from collections.abc import Iterable

from rabiomarkers.response.codes import PERSISTS, normal_code
from rabiomarkers.response.rules import Visit

WORST_FIRST = ("iCPD", "iUPD", "PD", "iSD", "SD", "NON-iCR/NON-iUPD", PERSISTS, "iPR", "PR", "iCR", "CR", "NE", "ND")
"""Which of several responses on one day counts: the first found here, so the worst that says something."""

_RANK = {code: rank for rank, code in enumerate(WORST_FIRST)}


def one_a_day(visits: Iterable[Visit], *, after: float | None = 0.0) -> tuple[list[Visit], list[float]]:
    """The visits sorted by day, the worst evaluable response of each day, and the days that had several.

    Parameters
    ----------
    after
        Visits on or before this day play no part (day 0 and earlier is baseline); None takes all.

    Raises
    ------
    ResponseError
        A response is none of RECIST's, iRECIST's or ND.
    """
    chosen: dict[float, str] = {}
    several: set[float] = set()
    for day, text in visits:
        code = text if text in _RANK else normal_code(text)
        if after is not None and day <= after:
            continue
        earlier = chosen.setdefault(day, code)
        if earlier != code:
            several.add(day)
            if _RANK[code] < _RANK[earlier]:
                chosen[day] = code
    return sorted(chosen.items()), sorted(several)
