"""How diverse and how uneven the T-cell receptors of one sample are.

Diversity grows with the number of cells seen: samples of unequal depth are comparable only when drawn down to the same (`depth`).
Evenness-based numbers (clonality, Gini, the share of the largest clones) hang on it less, but not nothing. What is drawn is what
was counted: reads of one molecule are no further cells, so reads drawn to one depth may still come from unequal numbers of cells.

scirpy's `alpha_diversity` has the same Shannon-based measures (through scikit-bio) for clonotypes of paired single cells; here they
are taken of one chain at a time, as in bulk sequencing.

References
----------
Hill 1973, doi:10.2307/1934352; Kirsch et al. 2015 (clonality), doi:10.1126/scitranslmed.aad1252
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from skbio.diversity.alpha import gini_index, pielou_e, shannon, sobs
from skbio.stats import subsample_counts

from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.tables.samples import SAMPLE_FEATURES, SAMPLE_QC

type Counts = NDArray[np.int64]

MAIN_LOCUS = "TRB"
"""The chain that repertoires are compared by: its clones are the most specific."""
LARGEST = 10
SINGLE = "a single clone has no evenness"
MEASURES: Mapping[str, str] = {
    "clonality": "1 - evenness",
    "shannon": "nats",
    "hill_1": "clones",
    "gini": "index",
    "top10_share": "fraction",
    "richness": "clones",
}
"""Name and unit of each measure."""
UNITS = {
    "cell_id": "rows of cells",
    "umi_count": "molecules",
    "duplicate_count": "copies",
    "consensus_count": "reads",
    "rows": "rows",
}
"""What was counted, in words."""
SHALLOW = "{reads:,} counted, {depth:,} are drawn"
FEW = "{clones} clones of {locus}, {minimum} are needed"
DRAWS = 10  # rarefactions that are averaged


def diversity(counts: Counts) -> dict[str, float]:
    """The `MEASURES` of one repertoire; NaN where a measure is not defined (evenness of a single clone).

    Parameters
    ----------
    counts
        Of each clone, above 0.
    """
    if not len(counts) or counts.sum() <= 0:
        return dict.fromkeys(MEASURES, np.nan)
    entropy = float(shannon(counts, base=np.e))
    return {
        "clonality": max(0.0, 1 - float(pielou_e(counts))) if len(counts) > 1 else np.nan,  # rounding goes below 0
        "shannon": entropy,
        "hill_1": float(np.exp(entropy)),
        "gini": float(gini_index(counts, method="trapezoids")),
        "top10_share": float(np.sort(counts)[::-1][:LARGEST].sum() / counts.sum()),
        "richness": float(sobs(counts)),
    }


def rarefied(counts: Counts, depth: int, *, seed: int) -> dict[str, float]:
    """The measures at `depth` reads, the mean of ten draws without replacement; NaN where there are fewer reads."""
    if counts.sum() < depth:
        return dict.fromkeys(MEASURES, np.nan)
    ordered = np.sort(counts)
    drawn = [subsample_counts(ordered, depth, seed=np.random.default_rng([seed, draw])) for draw in range(DRAWS)]
    told = [diversity(np.asarray(draw[draw > 0], dtype=np.int64)) for draw in drawn]
    return {name: float(np.mean([each[name] for each in told])) for name in MEASURES}


def repertoire_features(
    clones: pd.DataFrame, *, depth: int | None = None, minimum_clones: int = 10, seed: int = 1
) -> pd.DataFrame:
    """``tcr_<measure>`` of the main chain, ``tcr_<measure>_<LOCUS>`` of others that were seen: a SAMPLE_FEATURES table.

    Parameters
    ----------
    clones
        `clone, locus, count` of one sample.
    depth
        Reads that are drawn before anything is measured; None: all.
    minimum_clones
        With fewer clones nothing is told of a locus.
    """
    rows = []
    for locus in sorted({MAIN_LOCUS, *clones["locus"]}):
        counts = clones.loc[clones["locus"] == locus, "count"].to_numpy(np.int64)
        reads, few = int(counts.sum()), len(counts) < minimum_clones
        told = diversity(counts) if depth is None else rarefied(counts, depth, seed=seed)
        reason = FEW.format(clones=len(counts), locus=locus, minimum=minimum_clones) if few else ""
        if not reason and depth is not None and reads < depth:
            reason = SHALLOW.format(reads=reads, depth=depth)
        method = "all that were counted" if depth is None else f"{depth} drawn, mean of {DRAWS}"
        for name, unit in MEASURES.items():
            feature = f"tcr_{name}" + ("" if locus == MAIN_LOCUS else f"_{locus}")
            value = np.nan if reason else told[name]
            note = reason or (SINGLE if np.isnan(value) else "")
            rows.append((feature, value, unit, method, 1.0, False, note))
    table = pd.DataFrame(rows, columns=list(SAMPLE_FEATURES.columns))
    return SAMPLE_FEATURES.check(table.sort_values("feature"))


def repertoire_quality(clones: pd.DataFrame, *, minimum_clones: int = 10) -> pd.DataFrame:
    """Clones (of the main chain; decides), reads, and shares that were left aside, as a SAMPLE_QC table."""
    told = clones.attrs.get("passport", {})
    main = clones[clones["locus"] == MAIN_LOCUS]
    number = len(main) if len(main) else len(clones)
    reads = float(told.get("reads", clones["count"].sum()))
    unproductive = float(told.get("unproductive", 0.0)) / reads if reads else np.nan
    incomplete = float(told.get("incomplete", 0.0)) / reads if reads else np.nan
    rows = [
        ("clones", number, "clones", f">= {minimum_clones}", number >= minimum_clones),
        ("reads", reads, UNITS.get(str(told.get("counted")), "reads"), "", True),
        ("unproductive_share", unproductive, "fraction", "", True),
        ("incomplete_share", incomplete, "fraction", "", True),
    ]
    return SAMPLE_QC.check(pd.DataFrame(rows, columns=list(SAMPLE_QC.columns)))


def repertoire_features_step(
    inputs: Mapping[str, Path], out: Path, *, depth: int | None, minimum_clones: int, seed: int
) -> Info:
    """Features and quality of one repertoire (`sample`): `features.parquet` and `qc.parquet`."""
    clones = read_table(inputs["sample"])
    features = repertoire_features(clones, depth=depth, minimum_clones=minimum_clones, seed=seed)
    write_table(features, out / "features.parquet")
    write_table(repertoire_quality(clones, minimum_clones=minimum_clones), out / "qc.parquet")
    return {"clones": len(clones)}
