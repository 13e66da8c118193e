"""What was named before the data were seen: tiers and families of the tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import pandas as pd

from rabiomarkers.tables.table import COMPARTMENTS

ANY_COMPARTMENT = "any"  # of a planned feature that no sample gave and whose entry names no compartment


@dataclass(frozen=True, kw_only=True)
class PlanEntry:
    """One line of the plan: a feature name or pattern (`*`, `?`), in one compartment or in any."""

    tier: str
    compartment: str  # or ANY_COMPARTMENT
    pattern: str

    def matches(self, compartment: str, feature: str) -> bool:
        """Whether the entry means this feature; case counts, and a name that looks like a pattern means itself too."""
        here = self.compartment in (ANY_COMPARTMENT, compartment)
        return here and (feature == self.pattern or fnmatchcase(feature, self.pattern))


@dataclass(frozen=True, kw_only=True)
class PlannedFeatures:
    """Features with their `tier` and `family`, and the plan's entries that match none of them."""

    features: pd.DataFrame
    unmatched: tuple[PlanEntry, ...]


def read_plan(*, primary: Sequence[str] = (), secondary: Sequence[str] = ()) -> tuple[PlanEntry, ...]:
    """The plan's entries, primary first: each ``feature``, ``pattern`` or ``compartment:pattern``."""
    return tuple(
        _entry(tier, text) for tier, texts in (("primary", primary), ("secondary", secondary)) for text in texts
    )


def plan_features(features: pd.DataFrame, entries: Sequence[PlanEntry]) -> PlannedFeatures:
    """Give each feature the tier of the first entry that matches it; what none matches is exploratory.

    All primary features are one family, whatever their compartment: they answer the trial's question together. Others are
    corrected within tier and compartment.

    Parameters
    ----------
    features
        One row a feature, with at least `compartment` and `feature`.
    entries
        From `read_plan`.
    """
    names = list(zip(features["compartment"], features["feature"], strict=True))
    tiers = [next((entry.tier for entry in entries if entry.matches(*name)), "exploratory") for name in names]
    families = [family(tier, compartment) for tier, (compartment, _) in zip(tiers, names, strict=True)]
    unmatched = tuple(entry for entry in entries if not any(entry.matches(*name) for name in names))
    return PlannedFeatures(features=features.assign(family=families, tier=tiers), unmatched=unmatched)


def family(tier: str, compartment: str) -> str:
    """Name of the family a feature is corrected in."""
    return tier if tier == "primary" else f"{tier} {compartment}"


def _entry(tier: str, text: str) -> PlanEntry:
    before, colon, after = text.partition(":")
    if colon and before in COMPARTMENTS:  # CYT_ROONEY_2015:mean is a feature, not a compartment
        return PlanEntry(tier=tier, compartment=before, pattern=after)
    return PlanEntry(tier=tier, compartment=ANY_COMPARTMENT, pattern=text)
