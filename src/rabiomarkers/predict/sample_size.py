"""How many patients a prediction model needs before its numbers are stable.

References
----------
Riley et al. 2019, minimum sample size for binary outcomes, PMID 30357870
"""

from dataclasses import dataclass
from math import ceil, exp, log

from rabiomarkers.errors import PredictionError

NORMAL_QUANTILE = 1.96  # as printed in the paper


@dataclass(frozen=True, kw_only=True)
class SampleSize:
    """Patients needed by each criterion."""

    shrinkage: int  # expected uniform shrinkage of at least 0.9
    optimism: int  # apparent minus adjusted Nagelkerke R2 of at most 0.05
    prevalence: int  # overall risk estimated to within 0.05

    @property
    def needed(self) -> int:
        """The largest of the three."""
        return max(self.shrinkage, self.optimism, self.prevalence)


def riley_sample_size(
    *,
    predictors: int,
    prevalence: float,
    r_squared: float = 0.2,
    shrinkage: float = 0.9,
    optimism: float = 0.05,
    margin: float = 0.05,
) -> SampleSize:
    """Patients needed to develop a model of a binary outcome.

    Parameters
    ----------
    predictors
        Parameters of the model without the intercept.
    prevalence
        Share with the outcome, strictly between 0 and 1.
    r_squared
        Cox-Snell R2 that is expected; lowered to nine tenths of what the prevalence allows at most, where that is less.

    Raises
    ------
    PredictionError
        `predictors` is below 1, or `prevalence` not strictly between 0 and 1.
    """
    if predictors < 1 or not 0 < prevalence < 1:
        raise PredictionError(
            f"A sample size needs a predictor and a prevalence between 0 and 1; given {predictors} and {prevalence:g}."
        )
    highest = 1 - exp(2 * (prevalence * log(prevalence) + (1 - prevalence) * log(1 - prevalence)))
    expected = min(r_squared, 0.9 * highest)
    allowed = expected / (expected + optimism * highest)  # shrinkage at which the optimism is the tolerated one
    return SampleSize(
        shrinkage=_for_shrinkage(predictors, expected, shrinkage),
        optimism=_for_shrinkage(predictors, expected, allowed),
        prevalence=ceil((NORMAL_QUANTILE / margin) ** 2 * prevalence * (1 - prevalence)),
    )


def _for_shrinkage(predictors: int, r_squared: float, shrinkage: float) -> int:
    return ceil(predictors / ((shrinkage - 1) * log(1 - r_squared / shrinkage)))
