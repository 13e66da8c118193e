"""Gene signatures of one bulk RNA sample, scored without looking at any other sample.

How a false RA response is avoided. Some genes that retinoic acid induces also rise when immune cells enter the tumour, as they
do under anti-PD-1 alone. Of `RA_RESPONSE_CORE` these are TGM2, PLAAT4 (RARRES3), CD38 and ASB2; `RA_RESPONSE_DIRECT` is the core
without them. Measured on CheckMate 038 (`riaz_bms038`, 43 pairs, nobody received RA), signed-rank p of the rank score: core 0.16,
`RA_RESPONSE_DIRECT` 0.90, while the cytolytic score moves with 2e-5. So an RA response is called only where `RA_RESPONSE_DIRECT`
moves too; a rise of the core alone is infiltration. `RA_AVAILABILITY_INDEX` holds CYP26A1 and DHRS3, which RA itself induces, with
a minus sign: it speaks of samples before treatment only.
"""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from rabiomarkers.errors import SignatureError
from rabiomarkers.features.expression_quality import expression_quality
from rabiomarkers.features.immune_context import TUMOUR, context_features, read_profile
from rabiomarkers.features.scoring.expression import Expression, Known, Scale
from rabiomarkers.features.scoring.mean_scores import read_reference
from rabiomarkers.features.scoring.rank_scores import singscore
from rabiomarkers.features.scoring.registry import METHODS, RANK, score_table
from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.knowledge import load_markers, load_pairs, load_rules, load_signatures
from rabiomarkers.tables.samples import SAMPLE_FEATURES

ONE_SAMPLE = "sample"


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

    Raises
    ------
    SignatureError
        A gene is given twice or is both up and down, or the expression has a gene twice or an infinite value.

    References
    ----------
    Foroutan et al. 2018, doi:10.1186/s12859-018-2435-4
    """
    genes = [*up, *down]
    if not genes or expression.dropna().empty:
        return np.nan
    members = pd.DataFrame(
        {"signature": "the genes given", "gene": genes, "direction": [1] * len(up) + [-1] * len(down), "weight": 1.0}
    )
    known = Known(signatures=members, minimum_coverage=0.0)
    return float(singscore(_one_sample(expression, "log"), known).values[0, 0])


def score_signatures(
    expression: pd.Series,
    signatures: pd.DataFrame,
    *,
    scale: Scale,
    methods: Sequence[str] = (RANK,),
    minimum_coverage: float = 0.6,
    pairs: pd.DataFrame | None = None,
    rules: Mapping[str, Mapping[str, object]] | None = None,
    reference: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Score every signature on one sample.

    Parameters
    ----------
    expression
        Value by gene symbol of one sample; genes without a value were not measured.
    signatures
        One row a signature and gene: `signature`, `gene`, `direction` (1, -1, or 0 where it is not known), `weight`.
    scale
        What the values are: ``counts``, ``tpm`` or ``log``. Methods that take the logarithm themselves need one of the first two.
    methods
        Names of the registry (`features.scoring.registry.METHODS`) whose scores hang on no other sample.
    minimum_coverage
        Smallest share (0..1) of a signature's genes that must be measured; below it the score is empty and says why.
    pairs, rules
        For the method ``authors``: gene pairs and the authors' formulas (`knowledge.load_pairs`, `load_rules`).
    reference
        For the method ``z``: `gene, mean, sd` (`freeze_reference`).

    Returns
    -------
    A `SAMPLE_FEATURES` table: ``NAME`` (rank score) and ``NAME:<method>``, sorted by feature.

    Raises
    ------
    ScaleError
        The scale is unknown, or is logarithmic where a method takes the logarithm itself; or counts or TPM are negative.
    SignatureError
        An unknown method or one that compares samples, what a method needs and lacks (rules, pairs, reference), a gene symbol that
        occurs twice, an infinite value, or a gene that a signature lists twice.
    """
    compares = [method for method in methods if method in METHODS and METHODS[method].cohort_dependent]
    if compares:
        raise SignatureError(f"{', '.join(compares)} compares samples; one sample alone has no such score.")
    known = Known(
        signatures=signatures, minimum_coverage=minimum_coverage, pairs=pairs, rules=rules, reference=reference
    )
    table = score_table(_one_sample(expression, scale), known, methods)
    return SAMPLE_FEATURES.check(table.drop(columns="sample_id"))


def _one_sample(expression: pd.Series, scale: Scale) -> Expression:
    measured = expression.dropna()
    values = measured.to_numpy(np.float64)[None, :]
    return Expression(values=values, samples=pd.Index([ONE_SAMPLE]), genes=measured.index, scale=scale)


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


def signature_step(
    inputs: Mapping[str, Path],
    out: Path,
    *,
    names: Sequence[str],
    methods: Sequence[str],
    minimum_coverage: float,
    minimum_library_size: int,
    minimum_genes: int,
    compartment: str = TUMOUR,
) -> Info:
    """Score one sample's piece (`sample`) with the signature table (`signatures`): `features.parquet` and `qc.parquet`.

    Further inputs: `pairs` and `rules` for the authors' formulas, `reference` for z; with `markers` also the immune context
    (whichever signatures are named), and with `profile` the shares of its types.
    """
    piece = read_table(inputs["sample"])
    scale = piece.attrs["passport"]["scale"]
    expression = piece.set_index("gene")["value"]
    known = load_signatures(inputs["signatures"])
    signatures = choose_signatures(known, names)
    features = score_signatures(
        expression,
        signatures,
        scale=scale,
        methods=methods,
        minimum_coverage=minimum_coverage,
        pairs=load_pairs(inputs["pairs"]) if "pairs" in inputs else None,
        rules=load_rules(inputs["rules"]) if "rules" in inputs else None,
        reference=read_reference(inputs["reference"]) if "reference" in inputs else None,
    )
    if "markers" in inputs:
        context = context_features(
            _one_sample(expression, scale),
            signatures=known,
            markers=load_markers(inputs["markers"]),
            compartment=compartment,
            profile=read_profile(inputs["profile"]) if "profile" in inputs else None,
            minimum_coverage=minimum_coverage,
        )
        features = SAMPLE_FEATURES.check(pd.concat([features, context], ignore_index=True).sort_values("feature"))
    quality = expression_quality(
        expression, scale=scale, minimum_library_size=minimum_library_size, minimum_genes=minimum_genes
    )
    write_table(features, out / "features.parquet")
    write_table(quality, out / "qc.parquet")
    return {"signatures": int(signatures["signature"].nunique()), "not_scored": int(features["value"].isna().sum())}
