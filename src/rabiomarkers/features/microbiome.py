"""What one stool sample's taxa say: diversity, shares of listed microbes, published scores, and whether it can be used."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rabiomarkers.errors import ScaleError
from rabiomarkers.features.diversity import (
    DRAWN,
    DRAWS,
    OF_SHARES,
    UNITS,
    checked,
    diversity,
    diversity_of_shares,
    rarefaction_curve,
)
from rabiomarkers.features.microbes import group_rows, microbe_table
from rabiomarkers.features.stool_quality import stool_quality
from rabiomarkers.features.toposcore import NEEDED, score_rows, stool_scores
from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.knowledge import load_rules, load_taxa
from rabiomarkers.stats.trees import read_tree
from rabiomarkers.tables.samples import SAMPLE_FEATURES
from rabiomarkers.tables.stool import RAREFACTION

if TYPE_CHECKING:
    from skbio import TreeNode

type Row = tuple[str, float, str, str, float, bool, str]

SCALES = ("counts", "relative")
NEEDS_READS = "needs read counts: it is about taxa seen once or twice"
NO_EVENNESS = "not defined: a single taxon"
NO_ACE = "not defined: every rare taxon was seen once"


def microbiome_features(
    table: pd.DataFrame,
    taxa: pd.DataFrame,
    *,
    scale: str,
    depth: int,
    seed: int,
    draws: int = DRAWS,
    tree: "TreeNode | None" = None,
    scores: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Every stool feature of one sample.

    Parameters
    ----------
    table
        One row a taxon: `taxon`, `value`, `lineage`.
    taxa
        The taxon table (`knowledge.load_taxa`).
    scale
        ``counts`` (reads) or ``relative`` (fractions). Relative abundances are not drawn down; measures that need reads are absent.
    depth, seed, draws, tree
        See `features.diversity.diversity`.
    scores
        The MICROBE_SCORES of the sample (`features.toposcore.stool_scores`).

    Returns
    -------
    A `SAMPLE_FEATURES` table.

    Raises
    ------
    ScaleError, AbundanceError
        See `features.diversity.diversity`; also for a scale that is neither of the two.
    """
    if scale not in SCALES:
        raise ScaleError(f"The stool table is declared as {scale!r}; counts or relative abundances can be used.")
    values = checked(table.set_index("taxon")["value"])
    if scale == "counts":
        measured = diversity(values, depth=depth, seed=seed, draws=draws, tree=tree)
        rows = _diversity_rows(measured, depth, draws, values)
    else:
        rows = _share_diversity_rows(diversity_of_shares(values), values)
    rows += group_rows(table, taxa, scale=scale, depth=depth)
    rows += score_rows(scores) if scores is not None else []
    return SAMPLE_FEATURES.check(pd.DataFrame(rows, columns=list(SAMPLE_FEATURES.columns)).sort_values("feature"))


def _diversity_rows(measured: Mapping[str, float], depth: int, draws: int, values: pd.Series) -> list[Row]:
    reads = int(values.sum())
    short = f"{reads} reads, {depth} are needed" if reads < depth else ""
    undefined = {"pielou": NO_EVENNESS, "ace": NO_ACE}
    return [
        (
            name,
            value,
            UNITS[name],
            f"mean of {draws} draws of {depth} reads" if name in DRAWN else f"expected among {depth} reads, exact",
            1.0,
            False,
            short or ("" if np.isfinite(value) else undefined.get(name, "not defined at this depth")),
        )
        for name, value in measured.items()
    ]


def _share_diversity_rows(measured: Mapping[str, float], values: pd.Series) -> list[Row]:
    empty = "" if values.sum() > 0 else "the profile holds no taxon"
    method = "relative abundances as they are, not rarefied"
    rows: list[Row] = [
        (
            name,
            measured[name],
            UNITS[name],
            method,
            1.0,
            False,
            empty or ("" if np.isfinite(measured[name]) else NO_EVENNESS),
        )
        for name in OF_SHARES
    ]
    absent = [name for name in UNITS if name not in OF_SHARES and name != "faith_pd"]
    return rows + [(name, np.nan, UNITS[name], method, 0.0, False, NEEDS_READS) for name in absent]


def microbiome_step(
    inputs: Mapping[str, Path],
    out: Path,
    *,
    depth: int,
    seed: int,
    draws: int = DRAWS,
    minimum_coverage: float = NEEDED,
    bloom: float = 0.5,
) -> Info:
    """Everything told of one stool sample.

    Writes `features.parquet`, `qc.parquet`, `microbes.parquet`, `microbe_scores.parquet` and `rarefaction.parquet`.

    Parameters
    ----------
    inputs
        `sample` (a stool piece), `taxa` (the taxon table), `rules` (the scoring rules) and, where given, the `tree`.
    depth, seed, draws
        See `features.diversity.diversity`.
    minimum_coverage
        See `features.toposcore.stool_scores`.
    bloom
        See `features.stool_quality.stool_quality`.
    """
    table = read_table(inputs["sample"])
    passport = table.attrs["passport"]
    scale, database = str(passport["scale"]), str(passport.get("database", "undeclared"))
    tree = read_tree(inputs["tree"]) if "tree" in inputs and scale == "counts" else None
    taxa, numbers = load_taxa(inputs["taxa"]), load_rules(inputs["rules"])["TOPOSCORE"]["numbers"]
    scores = stool_scores(table, taxa, numbers, scale=scale, database=database, minimum_coverage=minimum_coverage)
    features = microbiome_features(
        table, taxa, scale=scale, depth=depth, seed=seed, draws=draws, tree=tree, scores=scores
    )
    write_table(features, out / "features.parquet")
    write_table(stool_quality(table, scale=scale, depth=depth, bloom=bloom, passport=passport), out / "qc.parquet")
    microbes = microbe_table(table, taxa, scale=scale)
    write_table(microbes, out / "microbes.parquet")
    write_table(scores, out / "microbe_scores.parquet")
    curve = rarefaction_curve(table.set_index("taxon")["value"]) if scale == "counts" else RAREFACTION.empty()
    write_table(curve, out / "rarefaction.parquet")
    return {"taxa": len(table), "listed taxa named": int(microbes.loc[microbes["named"], "taxon"].nunique())}
