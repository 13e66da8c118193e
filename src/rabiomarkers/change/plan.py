"""What was named before the data were seen: tiers, families and the order of the primary tests."""

from collections.abc import Mapping, Sequence
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
    family: str | None = None  # of a secondary entry that the plan puts into a family of its own

    def matches(self, compartment: str, feature: str) -> bool:
        """Whether the entry means this feature; case counts, and a name that looks like a pattern means itself too."""
        here = self.compartment in (ANY_COMPARTMENT, compartment)
        return here and (feature == self.pattern or fnmatchcase(feature, self.pattern))

    def family_in(self, compartment: str) -> str:
        """Name of the family a feature of this entry is corrected in."""
        return self.family or family(self.tier, compartment)


@dataclass(frozen=True, kw_only=True)
class PlannedFeatures:
    """Features with their `tier`, `family` and `place` in the plan, and the plan's entries that match none of them."""

    features: pd.DataFrame
    unmatched: tuple[PlanEntry, ...]


def read_plan(
    *,
    primary: Sequence[str] = (),
    secondary: Sequence[str] = (),
    families: Mapping[str, Sequence[str]] | None = None,
) -> tuple[PlanEntry, ...]:
    """The plan's entries, primary first: each ``feature``, ``pattern`` or ``compartment:pattern``.

    Parameters
    ----------
    primary
        In the order in which they are tested.
    secondary
        Corrected by compartment.
    families
        Further secondary entries, by the name of the family they are corrected in.
    """
    named = [(name, text) for name, texts in (families or {}).items() for text in texts]
    return (
        *(_entry("primary", text) for text in primary),
        *(_entry("secondary", text, family=f"secondary {name}") for name, text in named),
        *(_entry("secondary", text) for text in secondary),
    )


def plan_features(features: pd.DataFrame, entries: Sequence[PlanEntry]) -> PlannedFeatures:
    """Give each feature the tier of the first entry that matches it; what none matches is exploratory.

    All primary features are one family, whatever their compartment: they answer the trial's question together, one after the
    other in the order of the plan (`place`; features that share an entry by compartment and name). Others are corrected within
    their named family, or within tier and compartment.

    Parameters
    ----------
    features
        One row a feature, with at least `compartment` and `feature`.
    entries
        From `read_plan`.
    """
    names = list(zip(features["compartment"], features["feature"], strict=True))
    found = [_first_match(entries, *name) for name in names]
    tiers = [entries[place].tier if place is not None else "exploratory" for place in found]
    families = [
        entries[place].family_in(compartment) if place is not None else family("exploratory", compartment)
        for place, (compartment, _) in zip(found, names, strict=True)
    ]
    unmatched = tuple(entry for entry in entries if not any(entry.matches(*name) for name in names))
    places = [len(entries) if place is None else place for place in found]
    return PlannedFeatures(features=features.assign(family=families, tier=tiers, place=places), unmatched=unmatched)


def family(tier: str, compartment: str) -> str:
    """Name of the family of a tier's features where the plan names none."""
    return tier if tier == "primary" else f"{tier} {compartment}"


def _first_match(entries: Sequence[PlanEntry], compartment: str, feature: str) -> int | None:
    return next((place for place, entry in enumerate(entries) if entry.matches(compartment, feature)), None)


def _entry(tier: str, text: str, family: str | None = None) -> PlanEntry:
    before, colon, after = text.partition(":")
    if colon and before in COMPARTMENTS:  # CYT_ROONEY_2015:mean is a feature, not a compartment
        return PlanEntry(tier=tier, compartment=before, pattern=after, family=family)
    return PlanEntry(tier=tier, compartment=ANY_COMPARTMENT, pattern=text, family=family)
