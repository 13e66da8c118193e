"""Correction for many tests."""

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control


def benjamini_hochberg(p_values: pd.Series, families: pd.Series | None = None) -> pd.Series:
    """False-discovery-rate adjusted p (q) of each test, each family on its own.

    A test without a p has no q and does not count: it was not made.

    Parameters
    ----------
    p_values
        0..1, NaN where there is none.
    families
        Name of each test's family, on the same index; one family if not given.

    References
    ----------
    Benjamini & Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x
    """
    names = pd.Series("all", index=p_values.index) if families is None else families
    q_values = pd.Series(np.nan, index=p_values.index, name="q_value", dtype=np.float64)
    made = p_values.notna().to_numpy()
    for family in sorted(set(names[made])):
        chosen = made & (names == family).to_numpy()
        q_values[chosen] = false_discovery_control(p_values[chosen].to_numpy(dtype=np.float64), method="bh")
    return q_values
