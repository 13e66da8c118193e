"""What is said where the plan is not the one that was registered: nothing is primary then, whatever the plan names."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

STAMP = "the plan is not the one that was registered"
"""In the note of every change that such a plan names (`change.table`)."""

EXPLORATORY = "The plan is not the one that was registered, so every feature is exploratory."
"""In front of each sentence that would be read as the answer to a planned question."""

NOTHING_PRIMARY = (
    "The plan of this study is not the one that was registered, so nothing is primary or secondary: every feature is "
    "exploratory, and no claim rests on any."
)


def unregistered(summary: Mapping[str, Any]) -> bool:
    """Whether a plan was registered and this is another one; `summary` is that of the results."""
    return (summary.get("plan") or {}).get("registered") is False


def marked(sentence: str, summary: Mapping[str, Any]) -> str:
    """The sentence, with the plan's state in front of it where it is not the registered one."""
    return f"{EXPLORATORY} {sentence}" if unregistered(summary) else sentence


def named_in_plan(changes: pd.DataFrame) -> pd.DataFrame:
    """The rows of CHANGES that the plan names, also where they are exploratory because it is not the registered one."""
    return changes[(changes["tier"] != "exploratory") | changes["note"].fillna("").str.contains(STAMP, regex=False)]
