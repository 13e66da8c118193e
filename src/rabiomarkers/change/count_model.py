"""The negative binomial model of DESeq2 for pairs, through pydeseq2 (extra `deseq2`)."""

import contextlib
import io
import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import norm

from rabiomarkers.errors import StatisticsError

NAME = "DESeq2 Wald test"
MISSING = "The test deseq2 needs the package pydeseq2: install rabiomarkers[deseq2], or choose moderated_t."
OUTLIER = "a count that no other sample bears out (Cook's distance)"
BEFORE, AFTER = "a_before", "b_after"


def count_model(counts: np.ndarray, genes: pd.Index, patients: Sequence[str], *, level: float = 0.95) -> pd.DataFrame:
    """log2 fold change of each gene in the design ~ patient + timepoint, with its Wald test.

    Independent filtering is off, as the genes were filtered before; a gene whose p the model withholds says why.

    Parameters
    ----------
    counts
        Genes x samples: first all patients before, then all patients after, in the order of `patients`. Fractions are rounded.
    genes
        Their names.
    patients
        Who.

    Returns
    -------
    `gene, estimate, ci_low, ci_high, statistic, degrees_of_freedom` (empty: the normal distribution), `p_value, test, note`.

    Raises
    ------
    StatisticsError
        The package is not installed.

    References
    ----------
    Love, Huber & Anders 2014, doi:10.1186/s13059-014-0550-8
    """
    try:
        from pydeseq2.dds import DeseqDataSet
        from pydeseq2.ds import DeseqStats
    except ImportError:
        raise StatisticsError(MISSING) from None
    samples = [f"s{place:05d}" for place in range(counts.shape[1])]
    table = pd.DataFrame(np.rint(counts).astype(np.int64).T, index=samples, columns=genes.astype(str))
    who = [f"p{place:05d}" for place in range(len(patients))]  # no id leaves the study
    design = pd.DataFrame({"patient": who + who, "timepoint": [BEFORE] * len(who) + [AFTER] * len(who)}, index=samples)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # it warns of its own fallbacks, which its results name as well
        model = DeseqDataSet(counts=table, metadata=design, design="~patient + timepoint", quiet=True, n_cpus=1)
        model.deseq2()
        stats = DeseqStats(model, contrast=["timepoint", AFTER, BEFORE], independent_filter=False, quiet=True, n_cpus=1)
        stats.summary()
    told = stats.results_df.loc[genes.astype(str)]
    reach = norm.ppf((1 + level) / 2) * told["lfcSE"].to_numpy(np.float64)
    estimate = told["log2FoldChange"].to_numpy(np.float64)
    return pd.DataFrame(
        {
            "gene": genes.astype(str),
            "estimate": estimate,
            "ci_low": estimate - reach,
            "ci_high": estimate + reach,
            "statistic": told["stat"].to_numpy(np.float64),
            "degrees_of_freedom": np.nan,
            "p_value": told["pvalue"].to_numpy(np.float64),
            "test": NAME,
            "note": np.where(told["pvalue"].isna(), OUTLIER, ""),
        }
    )
