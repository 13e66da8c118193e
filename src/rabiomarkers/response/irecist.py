"""iRECIST: what a progression by RECIST 1.1 means under immunotherapy, visit by visit.

The first progression is unconfirmed (iUPD). A later visit confirms it (iCPD), leaves it as it is, or resets the bar: the word is
then that of RECIST's own categories, and progression has to be reached anew, against the nadir.

Where the paper leaves a choice, this is the one taken:

- Further growth is counted from the first iUPD of an episode, so that two small steps add up. At fewer than `confirmation_days` it
  confirms nothing, and the visit stays iUPD; later than eight weeks it still confirms.
- Targets confirm by +5 mm only where they were what progressed. Non-targets confirm by `further_progression` or by one more that
  progresses. New lesions confirm in any episode: one more of them, +5 mm in the sum of those that had a size, `further_progression`
  of any. So does progression by RECIST in a category that had not progressed.
- A new lesion counts among the new targets when it has a size, however small and however many there are.
- While an earlier new lesion is still seen, or a non-target is still said to progress, the visit is iUPD even if the targets are
  stable or in response (Table 2). The exception is shrinkage since: once the targets are in a better category than at the iUPD
  (SD to PR, PD to SD), the bar is reset although the new lesion has not gone (scenario B of the paper against its scenario F, where
  nothing changed). What is left then no longer counts as progression by itself: only one more lesion, growth of the new targets by
  20 % and 5 mm over their nadir, or a fresh `progression` or `further_progression`. It still keeps a complete response away.
- A new lesion that was last seen, or a non-target that last progressed, and that has no row now or an equivocal one was not
  evaluated: the visit cannot end the episode and is NE, unless something else says progression.
- A target sum that is unknown shows no growth; where it is unknown at the iUPD, the first known one is what growth counts from.
- Disease seen again after iCR is an iUPD, in the category it is seen in.
- A new lesion that had gone after a reset and is seen again is new once more.
- A sum that is smaller than at the iUPD, yet still 20 % over the nadir, is iUPD, even at 30 % below baseline (Table 2).
- What resolves an iUPD does so after any number of days; only the confirmation has to wait.
- After iCPD every visit with something to evaluate is iCPD.

References
----------
Seymour et al. 2017, iRECIST, PMID 28271869, Table 2 and the scenarios of the time-point responses; the RECIST Working Group's
answers on new lesions, https://recist.eortc.org/irecist/
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rabiomarkers.response.codes import PERSISTS
from rabiomarkers.response.lesions import GROWN, SEEN, Reading
from rabiomarkers.response.timepoint import TimePoint, is_progression, overall_response

FURTHER_GROWTH_TENTHS = 50
AS_IRECIST: Mapping[str, str] = {
    "CR": "iCR",
    "PR": "iPR",
    "SD": "iSD",
    PERSISTS: "NON-iCR/NON-iUPD",
    "PD": "iUPD",
    "NE": "NE",
}
"""What iRECIST calls a response of RECIST 1.1, as long as no progression has to be confirmed."""

_BETTER_FIRST = {"CR": 0, "PR": 1, "SD": 2, "PD": 3}


def assess(
    visits: Mapping[float, Sequence[Reading]], points: Sequence[TimePoint], *, confirmation_days: int = 28
) -> list[str | None]:
    """iRECIST's word for each time point: iCR, iPR, iSD, NON-iCR/NON-iUPD, iUPD, iCPD or NE; None at baseline.

    Parameters
    ----------
    visits
        Day from first dose -> the lesions read that day.
    points
        What `assess_patient` makes of them, in order.
    confirmation_days
        Least number of days between an unconfirmed progression and the visit that confirms it.

    Raises
    ------
    ValueError
        The points are not those of the visits.
    """
    words = [None if point.response is None else AS_IRECIST[point.response] for point in points]
    if "iUPD" not in words:
        return words
    first = words.index("iUPD")
    before = points[:first]
    course = _Course(
        confirmation_days=confirmation_days,
        complete=any(point.response == "CR" for point in before),
        target=next((point.target for point in reversed(before) if point.target in _BETTER_FIRST), None),
    )
    later = [point for point in points if point.response is not None]
    sights = _sights(visits, later)
    for position, sight in enumerate(sights[len(later) - len(points) + first :], start=first):
        words[position] = course.judge(sight)
    return words


class _Sight(NamedTuple):
    """What a visit shows beside its time point."""

    point: TimePoint
    new: dict[str, int | None]
    """New lesions that were seen, with their size in tenths of a millimetre where they have one."""
    grown: dict[str, str]
    """Non-target and new lesions said to progress, with their status."""
    evaluated: set[str]
    """Every lesion that the visit says something of."""

    @property
    def sizes(self) -> dict[str, int]:
        """The new lesions that have a size."""
        return {name: size for name, size in self.new.items() if size is not None}

    def sum_of(self, lesions: Mapping[str, int]) -> int:
        """What those of the new lesions add up to that have a size now."""
        return sum(self.new.get(name) or 0 for name in lesions)


def _sights(visits: Mapping[float, Sequence[Reading]], points: Sequence[TimePoint]) -> list[_Sight]:
    """The sights in order. An equivocal new lesion was seen if a later visit sees it for certain, without an absence between."""
    certain: set[str] = set()
    sights = []
    days = sorted(day for day in visits if day > 0)
    for day, point in reversed(list(zip(days, points, strict=True))):
        sight = _Sight(point=point, new={}, grown={}, evaluated=set())
        for lesion in visits[day]:
            name, status = lesion.lesion_id, lesion.status
            if lesion.kind == "new":
                if status in SEEN:
                    certain.add(name)
                elif status == "absent":
                    certain.discard(name)
                if name in certain and status != "not_evaluated":
                    sight.new[name] = lesion.size
                elif status == "equivocal":
                    continue
            if status != "not_evaluated":
                sight.evaluated.add(name)
            if status in GROWN and (lesion.kind == "new" or point.non_target == "PD"):
                sight.grown[name] = status
        sights.append(sight)
    return sights[::-1]


@dataclass(kw_only=True, slots=True)
class _Episode:
    """An iUPD that is neither confirmed nor resolved."""

    day: float
    categories: set[str]
    """Those that progressed: target, non_target, new."""
    target: str | None
    """Response of the targets, the last known one where they were not evaluated."""
    sum_tenths: int | None
    new: set[str]
    """New lesions seen by then."""
    sizes: dict[str, int]
    """Those of them that had a size."""
    grown: set[str]
    """Lesions said to progress."""
    standing: set[str]
    """New lesions that were seen and non-targets that progressed when they were last evaluated."""


@dataclass(kw_only=True, slots=True)
class _Course:
    """What earlier visits leave behind for the next one."""

    confirmation_days: int
    complete: bool
    """Whether the tumour was gone, and no reset since has allowed for what came back."""
    target: str | None
    """The last known response of the targets."""
    episode: _Episode | None = None
    confirmed: bool = False
    left: set[str] = field(default_factory=set)
    """New lesions that a reset left behind."""
    marked: set[str] = field(default_factory=set)
    """Lesions that a reset left behind with the status `progression`."""
    sizes: dict[str, int] = field(default_factory=dict)
    nadir: int = 0
    """Smallest sum of the new lesions with a size that a reset left behind."""

    def judge(self, sight: _Sight) -> str:
        """iRECIST's word for the next visit."""
        self._forget(sight)
        word = self._judge(sight)
        if word == "iCPD":
            self.confirmed = True
        elif self.episode is not None:
            self._follow(sight, self.episode)
        elif word != "NE":
            self.complete = self.complete or word == "iCR"
        if sight.point.target in _BETTER_FIRST:
            self.target = sight.point.target
        return word

    def _judge(self, sight: _Sight) -> str:
        if sight.point.response == "NE":
            return "NE"
        if self.confirmed:
            return "iCPD"
        if self.episode is not None:
            return self._within(sight, self.episode)
        categories = self._progressed(sight)
        if not categories:
            return self._word(sight)
        self._open(sight, categories)
        return "iUPD"

    def _open(self, sight: _Sight, categories: set[str]) -> None:
        point = sight.point
        self.episode = _Episode(
            day=point.day,
            categories=categories,
            target=point.target if point.target in _BETTER_FIRST else self.target,
            sum_tenths=point.sum_tenths,
            new=self.left | sight.new.keys(),
            sizes=sight.sizes,
            grown=self.marked | sight.grown.keys(),
            standing=set(self.sizes) if self._new_targets_grew(sight) else set(),
        )
        fresh = self._fresh(sight)
        self.left -= fresh  # what grew again after a reset is progression for as long as it is there
        self.marked -= fresh

    def _within(self, sight: _Sight, episode: _Episode) -> str:
        point = sight.point
        if self._further(sight, episode):
            return "iCPD" if point.day - episode.day >= self.confirmation_days else "iUPD"
        if point.target == "PD":
            if episode.sum_tenths is None:
                episode.sum_tenths = point.sum_tenths
            return "iUPD"
        if self._progressed(sight) and not _is_better(point.target, episode.target):
            return "iUPD"
        if episode.standing - sight.evaluated:
            return "NE"
        self._reset(sight, episode)
        return self._word(sight)

    def _further(self, sight: _Sight, episode: _Episode) -> bool:
        """Whether the visit shows more than the iUPD did."""
        point = sight.point
        progressed = self._progressed(sight)
        if _is_better(point.target, episode.target):
            progressed -= self._returned(sight)  # what came back after iCR is less than it was
        if progressed - episode.categories:
            return True
        if sight.new.keys() - episode.new:
            return True
        if any(status == "further_progression" or name not in episode.grown for name, status in sight.grown.items()):
            return True
        if sight.sum_of(episode.sizes) - sum(episode.sizes.values()) >= FURTHER_GROWTH_TENTHS:
            return True
        if "target" not in episode.categories or point.sum_tenths is None or episode.sum_tenths is None:
            return False
        return point.sum_tenths - episode.sum_tenths >= FURTHER_GROWTH_TENTHS

    def _progressed(self, sight: _Sight) -> set[str]:
        """The categories that progress by RECIST, but for what a reset left behind."""
        fresh = self._fresh(sight)
        categories = self._returned(sight)
        if sight.point.target == "PD":
            categories.add("target")
        if fresh - sight.new.keys():
            categories.add("non_target")
        if sight.new.keys() - self.left or fresh & sight.new.keys() or self._new_targets_grew(sight):
            categories.add("new")
        return categories

    def _fresh(self, sight: _Sight) -> set[str]:
        """Lesions said to progress that no reset left behind like this."""
        return {
            name for name, status in sight.grown.items() if status == "further_progression" or name not in self.marked
        }

    def _new_targets_grew(self, sight: _Sight) -> bool:
        """Whether the new lesions with a size that a reset left behind progress by RECIST."""
        return bool(self.sizes) and is_progression(sight.sum_of(self.sizes), self.nadir)

    def _returned(self, sight: _Sight) -> set[str]:
        """The categories in which disease is seen again after a complete response, though they do not progress by their sizes."""
        point = sight.point
        if not self.complete or point.response != "PD":
            return set()
        categories = set()
        if point.target in ("PR", "SD"):
            categories.add("target")
        if point.non_target == PERSISTS:
            categories.add("non_target")
        if not categories and not point.new_lesion and "PD" not in (point.target, point.non_target):
            # some of it seen, the rest not evaluated
            categories.add("non_target" if point.target in (None, "CR") else "target")
        return categories

    def _reset(self, sight: _Sight, episode: _Episode) -> None:
        self.episode = None
        self.complete = False  # `judge` sets it again where the word is iCR
        self.left = (self.left - sight.evaluated) | sight.new.keys()
        self.marked = (self.marked - sight.evaluated) | sight.grown.keys()
        sizes = sight.sizes
        smallest = min(sum(sizes.values()), sum(episode.sizes.get(name, size) for name, size in sizes.items()))
        self.nadir = min(smallest, self.nadir) if sizes.keys() == self.sizes.keys() else smallest
        self.sizes = sizes

    def _follow(self, sight: _Sight, episode: _Episode) -> None:
        standing = (sight.new.keys() - self.left) | self._fresh(sight)
        episode.standing = (episode.standing - (sight.evaluated - sight.new.keys())) | standing

    def _forget(self, sight: _Sight) -> None:
        """Drop what has gone since the reset, so that it is progression when it comes back."""
        if not self.left and not self.marked:
            return
        self.left -= sight.evaluated - sight.new.keys()
        self.marked -= sight.evaluated - sight.grown.keys()
        if all(name in sight.evaluated and sight.new.get(name, 0) is not None for name in self.sizes):
            self.nadir = min(self.nadir, sight.sum_of(self.sizes))

    def _word(self, sight: _Sight) -> str:
        """The word of RECIST's categories, without what a reset left behind."""
        point = sight.point
        non_target = PERSISTS if point.non_target == "PD" else point.non_target
        response = overall_response(point.target, non_target, new_lesion=False)
        if response == "CR" and self.left:
            response = "PR"  # only targets can have reset the bar beside it
        return AS_IRECIST[response]


def _is_better(target: str | None, earlier: str | None) -> bool:
    if target is None or earlier is None or target not in _BETTER_FIRST:
        return False
    return _BETTER_FIRST[target] < _BETTER_FIRST[earlier]
