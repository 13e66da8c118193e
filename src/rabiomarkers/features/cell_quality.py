"""Which barcodes of one sample are far from all others of it: limits that each sample sets for itself.

A fixed limit cannot fit a shallow and a deep library alike. Cells that lie more than so many median absolute deviations from
the middle of their own sample are left out, on the logarithm of molecules and genes, and above it on the share of mitochondrial
ones. No other sample plays a part. Deviations are as they are, not scaled to a normal distribution's: five of them are 3.4 standard
deviations.

Types with little or much RNA pay for it: of six simulated samples it took 0.1 % of intact cells, 3 % of doublets, but up to 11 % of
platelets (0.6 times the RNA of a lymphocyte) and 5 % of plasmablasts (1.6 times). Where they matter, fixed limits are the choice.

References
----------
Germain et al. 2020 (limits by median absolute deviations), doi:10.1186/s13059-020-02136-7
"""

import numpy as np
from numpy.typing import NDArray

type Values = NDArray[np.float64]
type Mask = NDArray[np.bool_]

FEWEST = 20  # barcodes that have a middle
LEAST_PERCENT = 5.0  # points above the middle that are never too many, for samples where hardly any cell has such reads
LEAST_FOLD = 2.0  # times the middle's molecules or genes, or one in so many, that are never far


def far_from_middle(values: Values, mads: float, *, only_above: bool = False, least: float = 0.0) -> Mask:
    """Which values lie more than so many median absolute deviations from the median.

    Parameters
    ----------
    values
        Of one sample's barcodes; NaN are never far.
    only_above
        Whether small values are fine.
    least
        A distance that is never far.
    """
    known = values[np.isfinite(values)]
    if len(known) < FEWEST:
        return np.zeros(len(values), dtype=bool)
    middle = float(np.median(known))
    reach = max(mads * float(np.median(np.abs(known - middle))), least)
    distance = np.nan_to_num(values - middle, nan=0.0)
    return distance > reach if only_above else np.abs(distance) > reach


def outlying(molecules: Values, genes: Values, mitochondrial_percent: Values, *, usable: Mask, mads: float) -> Mask:
    """Barcodes that are far from the `usable` ones (those within the fixed limits) in molecules, genes or mitochondrial share."""
    out = np.zeros(len(molecules), dtype=bool)
    least = float(np.log(LEAST_FOLD))
    spread = far_from_middle(np.log1p(molecules[usable]), mads, least=least)
    spread |= far_from_middle(np.log1p(genes[usable]), mads, least=least)
    spread |= far_from_middle(mitochondrial_percent[usable], mads, only_above=True, least=LEAST_PERCENT)
    out[usable] = spread
    return out
