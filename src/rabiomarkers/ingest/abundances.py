"""What every reader of stool tables hands on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

LINEAGE_COLUMNS = ("taxonomy", "lineage", "consensus lineage", "consensuslineage")
ABUNDANCE = "an abundance"


@dataclass(frozen=True, kw_only=True)
class Abundances:
    """Taxa x samples as the file has them."""

    values: pd.DataFrame  # index: line where the file has lines, else position
    taxa: "pd.Series[str]"
    lineages: "pd.Series[str]"
    database: str | None = None
    unclassified: Mapping[str, float] = field(default_factory=dict)  # share of all reads, by sample
    host: Mapping[str, float] = field(default_factory=dict)
