"""Gene signatures of one bulk RNA sample, scored without looking at any other sample.

How a false RA response is avoided. Some genes that retinoic acid induces also rise when immune cells enter the tumour, as they
do under anti-PD-1 alone. Of `RA_RESPONSE_CORE` these are TGM2, PLAAT4 (RARRES3), CD38 and ASB2; `RA_RESPONSE_DIRECT` is the core
without them. Measured on CheckMate 038 (`riaz_bms038`, 43 pairs, nobody received RA), signed-rank p of the rank score: core 0.16,
`RA_RESPONSE_DIRECT` 0.90, while the cytolytic score moves with 2e-5. So an RA response is called only where `RA_RESPONSE_DIRECT`
moves too; a rise of the core alone is infiltration. `RA_AVAILABILITY_INDEX` holds CYP26A1 and DHRS3, which RA itself induces, with
a minus sign: it speaks of samples before treatment only.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rabiomarkers.errors import ScaleError, SignatureError
from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.knowledge import load_signatures
from rabiomarkers.tables.samples import SAMPLE_FEATURES, SAMPLE_QC

UNIT_OF_SCALE: Mapping[str, str] = {"counts": "log2 CPM", "tpm": "log2 TPM"}
Y_LINKED = ("RPS4Y1", "DDX3Y", "KDM5D", "UTY", "EIF1AY")
"""Genes of the Y chromosome outside its pairing regions: a sample that has them is a man's, whoever's name it bears."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Which genes of which signatures one sample measured: one entry a (signature, gene) pair that was."""

    names: tuple[str, ...]
    signature: NDArray[np.intp]  # position in `names`
    gene: NDArray[np.intp]  # position in the expression
    direction: NDArray[np.float64]  # 1 or -1
    weight: NDArray[np.float64]

    def mean(self, values: NDArray[np.float64], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Mean by signature of one value a pair, over the chosen pairs; NaN where none is."""
        codes = self.signature[chosen]
        count = np.bincount(codes, minlength=len(self.names))
        total = np.bincount(codes, weights=values[chosen], minlength=len(self.names))
        means = np.full(len(self.names), np.nan)
        means[count > 0] = total[count > 0] / count[count > 0]
        return means

    def count(self, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
        """How many of the chosen pairs each signature has."""
        return np.bincount(self.signature[chosen], minlength=len(self.names))


type Scorer = Callable[[pd.Series, Measured], NDArray[np.float64]]
"""One sample's expression by gene and who belongs where -> one score a signature, NaN where it has none."""


def rank_score(expression: pd.Series, up: Sequence[str], down: Sequence[str] = ()) -> float:
    """singscore: mean within-sample rank of the genes, scaled to what is lowest and highest possible for that many genes.

    Only `up`: 0 (they are the lowest of all genes) .. 1 (the highest); 0.5 is what chance gives. Only `down`: the same of the
    reversed ranks. Both: (up - 0.5) + (reversed down - 0.5), from -1 to 1, 0 by chance, the total score of singscore.
    Ranks only: any increasing transformation (a factor, a logarithm) leaves the score as it is.

    Genes of equal value share the mean of their ranks. singscore gives each of them the smallest of their ranks, which lets the
    score of low genes depend on how many genes are at zero and breaks the symmetry of up and down; without ties both are equal.

    Parameters
    ----------
    expression
        Value by gene of one sample, in any unit that orders its genes; absent values count as not measured.
    up, down
        Genes expected high and low. Those not measured play no part.

    Returns
    -------
    The score; NaN where one of the asked directions has no measured gene, where no gene is outside the set, or where all genes
    have one value (nothing is ordered).

    References
    ----------
    Foroutan et al. 2018, doi:10.1186/s12859-018-2435-4
    """
    genes = [*up, *down]
    members = pd.DataFrame(
        {"signature": "", "gene": genes, "direction": [1] * len(up) + [-1] * len(down), "weight": 1.0}
    )
    values = _values(expression)
    return float(_rank_scores(values, _measured(values, members))[0]) if genes else np.nan


def _rank_scores(expression: pd.Series, measured: Measured) -> NDArray[np.float64]:
    """`rank_score` of every signature from one sorting of the sample."""
    ranks: NDArray[np.float64] = np.asarray(expression.rank(method="average"), dtype=np.float64)
    if len(ranks) == 0 or ranks.min() == ranks.max():
        return np.full(len(measured.names), np.nan)
    up, down = measured.direction > 0, measured.direction < 0
    highs = _scaled(measured, ranks, up)
    lows = _scaled(measured, len(ranks) + 1 - ranks, down)
    both = (highs - 0.5) + (lows - 0.5)
    has_up, has_down = measured.count(up) > 0, measured.count(down) > 0
    return np.select([has_up & has_down, has_up, has_down], [both, highs, lows], default=np.nan)


def _scaled(measured: Measured, ranks: NDArray[np.float64], chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean rank of the chosen genes between the lowest and the highest that so many genes can have."""
    count = measured.count(chosen)
    lowest = (count + 1) / 2
    span = len(ranks) - count
    above = measured.mean(ranks[measured.gene], chosen) - lowest
    scaled = np.full(len(count), np.nan)
    scaled[span > 0] = above[span > 0] / span[span > 0]
    return scaled


def _mean_scores(expression: pd.Series, measured: Measured) -> NDArray[np.float64]:
    """Mean over the measured genes of direction * weight * value."""
    signed = measured.direction * measured.weight * expression.to_numpy()[measured.gene]
    return measured.mean(signed, np.ones(len(signed), dtype=bool))


SCORERS: Mapping[str, Scorer] = {"rank": _rank_scores, "mean": _mean_scores}
"""``rank``: `rank_score`, weights unused. ``mean``: mean of direction * weight * log2(CPM + 1), or of log2(TPM + 1)."""


def score_signatures(
    expression: pd.Series,
    signatures: pd.DataFrame,
    *,
    scale: str,
    methods: Sequence[str] = ("rank",),
    minimum_coverage: float = 0.6,
) -> pd.DataFrame:
    """Score every signature on one sample.

    Parameters
    ----------
    expression
        Value by gene symbol of one sample.
    signatures
        One row a signature and gene: `signature`, `gene`, `direction` (1 or -1), `weight`.
    scale
        What the values are: ``counts``, ``tpm`` or ``log``. ``mean`` needs one of the first two, as it takes the logarithm itself.
    methods
        Keys of `SCORERS`.
    minimum_coverage
        Smallest share (0..1) of a signature's genes that must be measured; below it the score is empty and says why.

    Returns
    -------
    A `SAMPLE_FEATURES` table: ``NAME`` (rank score) and ``NAME:mean`` (log2 CPM or log2 TPM), sorted by feature.

    Raises
    ------
    ScaleError
        The scale is unknown, or is logarithmic where a method takes the logarithm itself.
    SignatureError
        An unknown method, a gene symbol that occurs twice, or a gene that a signature lists twice.
    """
    unknown = [method for method in methods if method not in SCORERS]
    if unknown:
        raise SignatureError(f"No scoring method {', '.join(map(repr, unknown))}; there are {', '.join(SCORERS)}.")
    values = _values(expression)
    measured = _measured(values, signatures)
    notes, coverage = _coverage(values, signatures, measured, minimum_coverage)
    tables = []
    for method in methods:
        scored = SCORERS[method](on_scale(values, scale, method=method), measured)
        one_sided = _one_sided(signatures, measured) if method == "rank" else np.zeros(len(scored), dtype=bool)
        tables.append(_as_features(method, scale, scored, measured.names, notes, coverage, one_sided))
    table = pd.concat(tables) if tables else SAMPLE_FEATURES.empty()
    return SAMPLE_FEATURES.check(table.sort_values("feature"))


def on_scale(expression: pd.Series, scale: str, *, method: str) -> pd.Series:
    """The values as `method` needs them: as they are for ranks, log2(CPM + 1) or log2(TPM + 1) for means.

    Raises
    ------
    ScaleError
        As `score_signatures`.
    """
    if scale not in (*UNIT_OF_SCALE, "log"):
        raise ScaleError(f"The expression is declared as {scale!r}; counts, tpm or log values can be scored.")
    if method == "rank":
        return expression
    if scale == "log":
        raise ScaleError(f"The method {method!r} takes the logarithm itself: it needs counts or TPM, not log values.")
    total = float(expression.sum())
    if scale == "counts" and not total > 0:
        return expression * np.nan
    per_million = expression / total * 1e6 if scale == "counts" else expression
    return pd.Series(np.log2(per_million.to_numpy() + 1), index=expression.index)


def _values(expression: pd.Series) -> pd.Series:
    if expression.index.has_duplicates:
        twice = expression.index[expression.index.duplicated()].unique()
        raise SignatureError(
            f"{len(twice)} genes occur more than once: {', '.join(map(str, twice[:5]))}. Sum them first."
        )
    return expression.dropna().astype(np.float64)


def _measured(expression: pd.Series, signatures: pd.DataFrame) -> Measured:
    if signatures.duplicated(["signature", "gene"]).any():
        twice = signatures.loc[signatures.duplicated(["signature", "gene"]), "signature"].unique()
        raise SignatureError(f"These signatures list a gene twice: {', '.join(twice)}.")
    codes, names = pd.factorize(signatures["signature"], sort=True)
    place = expression.index.get_indexer(pd.Index(signatures["gene"]))
    found = place >= 0
    return Measured(
        names=tuple(names),
        signature=codes[found],
        gene=place[found],
        direction=signatures["direction"].to_numpy(np.float64)[found],
        weight=signatures["weight"].to_numpy(np.float64)[found],
    )


def _coverage(
    expression: pd.Series, signatures: pd.DataFrame, measured: Measured, minimum: float
) -> tuple[list[str], NDArray[np.float64]]:
    """By signature: why it cannot be scored ("" if it can), and the share of its genes that were measured."""
    genes = signatures.groupby("signature", sort=True)["gene"]
    sizes = genes.size().to_numpy()
    found = measured.count(np.ones(len(measured.signature), dtype=bool))
    shares = found / sizes
    notes = [""] * len(sizes)
    for place in np.flatnonzero(shares < minimum):
        absent = sorted(set(genes.get_group(measured.names[place])) - set(expression.index))
        named = ", ".join(absent[:10]) + (f" and {len(absent) - 10} more" if len(absent) > 10 else "")
        notes[place] = (
            f"{found[place]} of {sizes[place]} genes were measured, {minimum:.0%} are needed; absent: {named}"
        )
    return notes, shares


def _one_sided(signatures: pd.DataFrame, measured: Measured) -> NDArray[np.bool_]:
    """Signatures of up and down genes of which one direction was not measured: their score would mean something else."""
    asked = signatures.groupby("signature", sort=True)["direction"].nunique().to_numpy()
    found = (measured.count(measured.direction > 0) > 0).astype(int) + (measured.count(measured.direction < 0) > 0)
    return np.asarray(found < asked)


def _as_features(
    method: str,
    scale: str,
    scored: NDArray[np.float64],
    names: Sequence[str],
    notes: Sequence[str],
    coverage: NDArray[np.float64],
    one_sided: NDArray[np.bool_],
) -> pd.DataFrame:
    rank = method == "rank"
    told = [
        note or ("no gene of one direction was measured" if side else "")
        for note, side in zip(notes, one_sided, strict=True)
    ]
    values = np.where([note == "" for note in told], scored, np.nan)
    nothing = "all genes have one value, so none ranks above another" if rank else "nothing was counted in this sample"
    return pd.DataFrame(
        {
            "feature": [name if rank else f"{name}:{method}" for name in names],
            "value": values,
            "unit": "rank score" if rank else UNIT_OF_SCALE[scale],
            "method": method,
            "coverage": coverage,
            "cohort_dependent": False,
            "note": [note or (nothing if np.isnan(value) else "") for note, value in zip(told, values, strict=True)],
        }
    )


def choose_signatures(signatures: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """The rows of the named signatures; all of them where no name is given.

    Raises
    ------
    SignatureError
        A name that the table does not hold, with the nearest that it does.
    """
    if not names:
        return signatures
    known = sorted(signatures["signature"].unique())
    unknown = [name for name in names if name not in known]
    if unknown:
        near = {name: difflib.get_close_matches(name, known, n=2) for name in unknown}
        told = "; ".join(
            f"{name!r}" + (f" (did you mean {' or '.join(like)}?)" if like else "") for name, like in near.items()
        )
        raise SignatureError(f"The signature table does not hold {told}. Its names are in config/signatures.")
    return signatures[signatures["signature"].isin(list(names))]


def expression_quality(
    expression: pd.Series, *, scale: str, minimum_library_size: int = 1_000_000, minimum_genes: int = 5_000
) -> pd.DataFrame:
    """Quality of one bulk RNA sample as a `SAMPLE_QC` table.

    `library_size` (counts; with TPM, whose sum says nothing, `total_tpm` is only shown), `genes_detected` (value above 0), and, for
    the eye that looks for swapped samples, `y_chromosome_log2cpm`: the mean over the Y-linked genes measured.
    """
    values = _values(expression)
    total, detected = float(values.sum()), int((values > 0).sum())
    size: tuple[object, ...] = ("total_tpm", total, "TPM", "", True)
    if scale == "counts":
        size = ("library_size", total, "reads", f">= {minimum_library_size}", total >= minimum_library_size)
    y_linked = on_scale(values, scale, method="mean").reindex(list(Y_LINKED)).mean()
    rows = [
        size,
        ("genes_detected", detected, "genes", f">= {minimum_genes}", detected >= minimum_genes),
        (
            "y_chromosome_log2cpm" if scale == "counts" else "y_chromosome_log2tpm",
            y_linked,
            UNIT_OF_SCALE[scale],
            "",
            True,
        ),
    ]
    return SAMPLE_QC.check(pd.DataFrame(rows, columns=list(SAMPLE_QC.columns)))


def signature_step(
    inputs: Mapping[str, Path],
    out: Path,
    *,
    names: Sequence[str],
    methods: Sequence[str],
    minimum_coverage: float,
    minimum_library_size: int,
    minimum_genes: int,
) -> Info:
    """Score one sample's piece (`sample`) with the signature table (`signatures`): `features.parquet` and `qc.parquet`."""
    piece = read_table(inputs["sample"])
    scale = piece.attrs["passport"]["scale"]
    expression = piece.set_index("gene")["value"]
    signatures = choose_signatures(load_signatures(inputs["signatures"]), names)
    features = score_signatures(expression, signatures, scale=scale, methods=methods, minimum_coverage=minimum_coverage)
    quality = expression_quality(
        expression, scale=scale, minimum_library_size=minimum_library_size, minimum_genes=minimum_genes
    )
    write_table(features, out / "features.parquet")
    write_table(quality, out / "qc.parquet")
    return {"signatures": int(signatures["signature"].nunique()), "not_scored": int(features["value"].isna().sum())}
