"""Every way to score signatures, under one name and one signature: `METHODS[name].score(expression, known)`."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from rabiomarkers.errors import SignatureError
from rabiomarkers.features.scoring.expression import Expression, Known, Method, Scored
from rabiomarkers.features.scoring.formulas import author_cohort_scores, author_scores
from rabiomarkers.features.scoring.gsva import gsva
from rabiomarkers.features.scoring.mean_scores import mean_score, z_score
from rabiomarkers.features.scoring.rank_scores import aucell, singscore, ssgsea
from rabiomarkers.tables.samples import SAMPLE_FEATURES

RANK = "rank"

METHODS: Mapping[str, Method] = {
    RANK: Method(
        score=singscore,
        words="mean rank of the signature's genes within the sample (singscore)",
        source="doi:10.1186/s12859-018-2435-4",
        licence="package singscore: GPL-3; own implementation from the paper",
    ),
    "mean": Method(
        score=mean_score,
        words="mean log2 level of the signature's genes",
        source="the form of MCP-counter, doi:10.1186/s13059-016-1070-5",
        licence="no code of others",
    ),
    "ssgsea": Method(
        score=ssgsea,
        words="raw enrichment score of single-sample GSEA, not normalised over samples",
        source="doi:10.1038/nature08460",
        licence="packages GSVA: Artistic-2.0, gseapy: BSD-3; own implementation from the paper",
    ),
    "aucell": Method(
        score=aucell,
        words="recovery of the signature's genes among the highest 5 % (AUCell)",
        source="doi:10.1038/nmeth.4463",
        licence="package AUCell: GPL-3; own implementation from the paper",
    ),
    "z": Method(
        score=z_score,
        words="mean z of the signature's genes against a frozen reference",
        source="project convention (config/signatures/scoring_rules.yaml)",
        licence="no code of others",
    ),
    "authors": Method(
        score=author_scores,
        words="the formula of the signature's authors, one sample at a time",
        source="config/signatures/scoring_rules.yaml",
        licence="formulas are facts of the papers; the T-cell-inflamed profile is patented for diagnostic use",
    ),
    "gsva": Method(
        score=gsva,
        words="GSVA: the signature's genes against the same genes in the other samples",
        source="doi:10.1186/1471-2105-14-7",
        licence="package GSVA: Artistic-2.0; own implementation from the paper",
        cohort_dependent=True,
    ),
    "authors_cohort": Method(
        score=author_cohort_scores,
        words="formulas of authors that compare samples with each other",
        source="config/signatures/scoring_rules.yaml",
        licence="formulas are facts of the papers",
        cohort_dependent=True,
    ),
}
"""By the name that `expression: methods` of `study.yaml` uses. A new way to score is a line here."""


def score(expression: Expression, known: Known, methods: Sequence[str]) -> dict[str, Scored]:
    """The scores of each method, by its name.

    Raises
    ------
    SignatureError
        A method that is not registered, or what a method needs and lacks.
    ScaleError
        A method needs counts or TPM and was given log values.
    """
    unknown = [method for method in methods if method not in METHODS]
    if unknown:
        raise SignatureError(f"No scoring method {', '.join(map(repr, unknown))}; there are {', '.join(METHODS)}.")
    return {method: METHODS[method].score(expression, known) for method in methods}


def score_table(expression: Expression, known: Known, methods: Sequence[str]) -> pd.DataFrame:
    """The scores of all methods, one row a sample and feature: `sample_id` and the columns of SAMPLE_FEATURES.

    A feature of the method ``rank`` bears the name of its signature, of another method ``<signature>:<method>``. Sorted by
    sample, in the order they came in, and feature.
    """
    parts = [_rows(expression.samples, method, scored) for method, scored in score(expression, known, methods).items()]
    columns = ["sample_id", *SAMPLE_FEATURES.columns]
    if not parts:
        return pd.DataFrame(columns=columns)
    table = pd.concat(parts, ignore_index=True)
    order = np.lexsort(
        [table["feature"].to_numpy(dtype=object), expression.samples.get_indexer(pd.Index(table["sample_id"]))]
    )
    return table.iloc[order].reset_index(drop=True)[columns]


def _rows(samples: pd.Index, method: str, scored: Scored) -> pd.DataFrame:
    names = [name if method == RANK else f"{name}:{method}" for name in scored.features]
    return pd.DataFrame(
        {
            "sample_id": np.repeat(samples.to_numpy(dtype=object), len(names)),
            "feature": np.tile(np.asarray(names, dtype=object), len(samples)),
            "value": scored.values.ravel(),
            "unit": scored.unit if isinstance(scored.unit, str) else np.tile(scored.unit, len(samples)),
            "method": method,
            "coverage": np.tile(scored.coverage, len(samples)),
            "cohort_dependent": METHODS[method].cohort_dependent,
            "note": scored.notes.ravel(),
        }
    )


def score_samples(chunks: Iterable[Expression], known: Known, methods: Sequence[str]) -> Iterator[pd.DataFrame]:
    """`score_table` of one chunk after another, so that ten thousand samples need no more memory than a few hundred.

    How samples are cut into chunks changes no bit of any score.

    Raises
    ------
    SignatureError
        A method whose scores depend on the other samples: it needs all of them at once. Or as `score`.
    """
    needs_all = [method for method in methods if method in METHODS and METHODS[method].cohort_dependent]
    if needs_all:
        raise SignatureError(
            f"{', '.join(needs_all)} compares samples with each other and cannot be scored in chunks; use `score_table`."
        )
    for chunk in chunks:
        yield score_table(chunk, known, methods)
