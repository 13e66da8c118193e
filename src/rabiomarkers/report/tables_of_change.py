"""What tables of changes on the page have in common: the order of their rows, and cells without a number."""

import pandas as pd

from rabiomarkers.report.words import DASH, NOT_ESTIMABLE
from rabiomarkers.tables.table import TIERS

KEY = ["compartment", "feature"]
LONG_TABLE = 12  # rows; a longer table is collapsed


def in_plan_order(changes: pd.DataFrame) -> pd.DataFrame:
    """Primary features in their sequence, then the others by p; rows without a p last."""
    rows = changes.assign(order=changes["tier"].map(TIERS.index))
    order = ["order", "sequence", "p_value", *KEY]
    return rows.sort_values(order, na_position="last", ignore_index=True)


def or_dash(*cells: str) -> tuple[str, ...]:
    """Cells whose absence the row explains already."""
    return tuple(DASH if cell.startswith(NOT_ESTIMABLE) else cell for cell in cells)


def tests_named(table: pd.DataFrame) -> str:
    return ", ".join(sorted(set(table["test"].dropna()))) or "not named"
