"""Values of edgeR and limma: `tests/reference/edger.csv`, written by `edger.R` there."""

from pathlib import Path

import numpy as np
import pandas as pd

_TABLE = pd.read_csv(Path(__file__).parents[1] / "reference" / "edger.csv").set_index("statistic")["value"]


def numbers(statistic: str) -> np.ndarray:
    return np.array(_TABLE[statistic].split(), dtype=np.float64)


COUNTS = numbers("counts").reshape(60, 12)
"""60 genes x 12 samples: six patients before, the same six after."""
KEPT = numbers("keep").astype(bool)
