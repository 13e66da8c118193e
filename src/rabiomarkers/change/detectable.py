"""The smallest change each primary test would find with the pairs at hand."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.change.notes import joined
from rabiomarkers.change.pairs import FEATURE
from rabiomarkers.stats.multiplicity import ALPHA
from rabiomarkers.stats.power import detectable_effect
from rabiomarkers.tables.changes import POWER

NO_SPREAD = "the changes have no spread, so no change in the feature's unit can be told"
NOISE = 1e-12  # of the largest change; a spread below is that of floats


def power_table(
    deltas: pd.DataFrame,
    changes: pd.DataFrame,
    *,
    test: str = "signed_rank",
    power: float = 0.8,
    seed: int = 1,
) -> pd.DataFrame:
    """What the planned test would have found of each primary feature, as many pairs as it has.

    Primary features are tested one after the other, each at the full 0.05: the power is that of a feature whose turn comes.

    Parameters
    ----------
    deltas, changes
        The DELTAS and the CHANGES table; primary features only are looked at.
    test
        The plan's, a name in `change.tests.TESTS`.
    power, seed
        As in `stats.power.detectable_effect`.

    Returns
    -------
    The POWER table in the order of `changes`. `spread` is the standard deviation of the patients' changes; the detectable change
    is as uncertain as that is.
    """
    values = {key: group.to_numpy(dtype=np.float64) for key, group in deltas.groupby(FEATURE)["change"]}
    primary = changes[changes["tier"] == "primary"]
    options = {"test": test, "alpha": ALPHA, "power": power, "seed": seed}
    rows = [
        _row(row, values.get((row["compartment"], row["feature"]), np.empty(0)), options)
        for row in primary.to_dict("records")
    ]
    return POWER.check(pd.DataFrame(rows, columns=list(POWER.columns)))


def _row(row: Mapping[Any, Any], changes: NDArray[np.float64], options: Mapping[str, Any]) -> dict[str, Any]:
    found = detectable_effect(len(changes), **options)
    spread = _spread(changes)
    return {
        "compartment": row["compartment"],
        "feature": row["feature"],
        "unit": row["unit"],
        "n_pairs": len(changes),
        "test": row["test"],
        "alpha": options["alpha"],
        "power": options["power"],
        "spread": spread,
        "detectable_effect": found.effect,
        "detectable_change": found.effect * spread if spread > 0 else math.nan,
        "note": joined(found.note, NO_SPREAD if spread == 0 else ""),
    }


def _spread(changes: NDArray[np.float64]) -> float:
    """Standard deviation; 0 where all are equal but for float noise, NaN of fewer than two."""
    if len(changes) < 2:
        return math.nan
    ordered = np.sort(changes)  # the order of patients plays no part, not even in the last digit
    spread = float(np.std(ordered, ddof=1))
    return spread if spread > NOISE * float(np.abs(ordered).max()) else 0.0
