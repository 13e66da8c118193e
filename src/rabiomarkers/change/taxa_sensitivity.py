"""Two other ways to ask which taxa changed: ANCOM-BC and the Dirichlet-multinomial mixed model, both by scikit-bio.

References
----------
Lin & Peddada 2020, doi:10.1038/s41467-020-17041-7 (ANCOM-BC); Gloor et al. 2017, doi:10.3389/fmicb.2017.02224 (draws from the
Dirichlet)
"""

import warnings

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.stats.composition import PSEUDOCOUNT, Scale
from rabiomarkers.stats.multiplicity import benjamini_hochberg

COLUMNS = (
    "ancombc_log_fold",
    "ancombc_p",
    "ancombc_q",
    "dirichlet_log_fold",
    "dirichlet_low",
    "dirichlet_high",
)
LEAST_PAIRS = 5
"""Fewer leave neither model with degrees of freedom worth the name."""
LEAST_TAXA = 3
DRAWS = 64
LN2 = float(np.log(2.0))  # scikit-bio tells the mixed model in log2, ANCOM-BC in natural logarithms
NEEDS_COUNTS = "ANCOM-BC and the Dirichlet model need read counts"


def sensitivity_by_taxon(
    before: pd.DataFrame, after: pd.DataFrame, tested: NDArray[np.bool_], *, scale: Scale, seed: int = 1
) -> pd.DataFrame:
    """The change of each tested taxon by both methods, on the natural log.

    ANCOM-BC has the timepoint and each patient as terms, half a read added to every count; its p values lean on the normal curve
    and are far too small with few pairs (`tests/calibration/test_taxa.py`). The Dirichlet-multinomial model has a random
    intercept for each patient and `DRAWS` draws. Taxa that are not tested are summed into one, so that totals stay.

    Parameters
    ----------
    before, after
        Patients x taxa, counts.
    tested
        By taxon.

    Returns
    -------
    By taxon: the `COLUMNS`, absent where not tested, and a `note`.
    """
    told = pd.DataFrame(np.nan, index=before.columns, columns=list(COLUMNS))
    reason = _cannot(before, tested, scale)
    if reason:
        return told.assign(note=np.where(tested, reason, ""))
    names = list(before.columns[tested])
    table = pd.concat([_kept(before, tested), _kept(after, tested)], ignore_index=True)
    design = pd.DataFrame(
        {
            "after": np.repeat([0.0, 1.0], len(before)),
            "patient": [f"p{place}" for place in range(len(before))] * 2,
        }
    )
    table.index = design.index = pd.Index([f"s{place}" for place in range(len(table))])
    told.loc[names, list(COLUMNS[:3])] = _ancombc(table, design).reindex(names).to_numpy()
    told.loc[names, list(COLUMNS[3:])] = _dirichlet(table, design, seed).reindex(names).to_numpy()
    return told.assign(note="")


def _cannot(before: pd.DataFrame, tested: NDArray[np.bool_], scale: Scale) -> str:
    if not tested.any() or scale != "counts":
        return NEEDS_COUNTS
    if len(before) < LEAST_PAIRS:
        return f"ANCOM-BC and the Dirichlet model need {LEAST_PAIRS} pairs"
    if int(tested.sum()) < LEAST_TAXA:
        return f"ANCOM-BC and the Dirichlet model need {LEAST_TAXA} taxa"
    return ""


def _kept(side: pd.DataFrame, tested: NDArray[np.bool_]) -> pd.DataFrame:
    kept = side.loc[:, tested].set_axis([str(name) for name in side.columns[tested]], axis="columns")
    return kept.assign(**{"": side.loc[:, ~tested].sum(axis="columns")}) if not tested.all() else kept


def _ancombc(table: pd.DataFrame, design: pd.DataFrame) -> pd.DataFrame:
    from skbio.stats.composition import ancombc  # two seconds to load

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its optimiser; a fit that fails has no numbers
        result = ancombc(table + PSEUDOCOUNT, design, "after + C(patient)", p_adjust=None)
    rows = result.result.reset_index()
    own = rows[rows["Covariate"] == "after"].set_index("FeatureID")
    q = benjamini_hochberg(own["pvalue"].astype("float64"))
    return pd.DataFrame({"log_fold": own["Log(FC)"].astype("float64"), "p": own["pvalue"].astype("float64"), "q": q})


def _dirichlet(table: pd.DataFrame, design: pd.DataFrame, seed: int) -> pd.DataFrame:
    from skbio.stats.composition import dirmult_lme

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = dirmult_lme(
            table, design, "after", "patient", pseudocount=PSEUDOCOUNT, draws=DRAWS, p_adjust=None, seed=seed
        )
    own: pd.DataFrame = rows[rows["Covariate"] == "after"].set_index("FeatureID")
    return own[["Log2(FC)", "CI(2.5)", "CI(97.5)"]].astype("float64") * LN2
