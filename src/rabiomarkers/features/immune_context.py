"""Which cells a bulk RNA sample holds: marker means, shares against a profile of pure types, and a proxy of its purity.

Every value is that of one sample alone. None is a count of cells: marker means compare one type between samples, never two types
within a sample; shares are of the RNA and lend to the types of the profile whatever comes of types it lacks.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.optimize import nnls

from rabiomarkers.errors import InputError, Problem, SignatureError
from rabiomarkers.features.scoring.expression import UNIT_OF_SCALE, Expression, Known, Vector
from rabiomarkers.features.scoring.gene_files import faults, numbers_of, read_gene_file, repeated_genes
from rabiomarkers.features.scoring.mean_scores import mean_score
from rabiomarkers.features.scoring.members import NOTHING_COUNTED, members_of
from rabiomarkers.features.scoring.rank_scores import singscore
from rabiomarkers.tables.samples import SAMPLE_FEATURES

MARKER_SETS = "MCPCOUNTER_"
IMMUNE = ("MCPCOUNTER_T_CELLS", "MCPCOUNTER_B_LINEAGE", "MCPCOUNTER_MONOCYTIC_LINEAGE", "DANAHER_CD45")
STROMA = ("MCPCOUNTER_FIBROBLASTS", "MCPCOUNTER_ENDOTHELIAL_CELLS")
EPITHELIAL = "tumour_epithelial"
EPITHELIAL_MEAN = "epithelial_markers"
TUMOUR = "tumour"

GENES_PER_TYPE = 5
"""Genes a profile and a sample must share for each type that is estimated; with fewer the noise of single genes decides."""
LARGEST_CONDITION = 100.0
"""Of the profile's columns at unit length: from here on an error of one percent in the sample may double a share."""
UNEXPLAINED = "no type of the profile explains any of the sample"
UNSETTLED = "the solver of the shares came to no end"
NOT_LINEAR = "the values are logarithms: this needs counts or TPM"
NO_LEVEL = "no gene of the profile was found in this sample"
PER_READ = "the sample is in CPM: true only if the profile is too, as the length of genes does not cancel"
"""Said beside shares from counts. Of invented mixtures in CPM against a profile in TPM (six types, 2 000 genes, log lengths of
sd 0.7; 200 of them) the worst of the six shares was off by 0.04 on average and by 0.14 at most, and the residual was 0.6."""
LARGEST_TOTAL = 1.01e6  # of TPM or CPM, rounding allowed for
LARGEST_LOG = 40.0  # no TPM profile of a thousand genes stays below it; logarithms do

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
RESIDUAL = "residual"  # `nnls_residual` is no type, so no type may have its name

type Row = tuple[str, float, str, str, float, str]  # feature, value, unit, method, coverage, note


@dataclass(frozen=True, kw_only=True)
class ContextMethod:
    """A way to tell cells from bulk RNA, with what must be said beside its numbers."""

    words: str
    source: str
    licence: str


METHODS_OF_CONTEXT: Mapping[str, ContextMethod] = {
    "marker mean": ContextMethod(
        words="mean log2 level of a type's markers; compares samples, not types",
        source="MCP-counter, doi:10.1186/s13059-016-1070-5; epithelium: config/markers/immune_markers.csv, unverified there",
        licence="marker lists are facts of the paper; package MCPcounter: GPL-3, own implementation",
    ),
    "nnls": ContextMethod(
        words="shares of the RNA by non-negative least squares against a profile of pure types (TPM or CPM, as the sample)",
        source="Abbas et al. 2009, doi:10.1371/journal.pone.0006098; solver of scipy",
        licence="own implementation; the licence of the profile is that of its source",
    ),
    "purity proxy": ContextMethod(
        words="1 less the mean of the rank scores of immune and stromal markers; says which sample has more tumour, no fraction",
        source="project convention, after the idea of ESTIMATE (doi:10.1038/ncomms3612); its gene lists are not used",
        licence="no code of others",
    ),
}


def context_features(
    expression: Expression,
    *,
    signatures: pd.DataFrame,
    markers: pd.DataFrame,
    compartment: str = TUMOUR,
    profile: pd.DataFrame | None = None,
    minimum_coverage: float = 0.6,
) -> pd.DataFrame:
    """The immune context of one sample.

    Parameters
    ----------
    expression
        One sample: counts (taken as CPM) or TPM. Of log values only the proxy of purity, which is of ranks, has a value.
    signatures
        All signatures (`knowledge.load_signatures`); the sets of MCP-counter are used.
    markers
        Cell markers (`knowledge.load_markers`): those of tumour epithelium.
    compartment
        Where the sample comes from; purity and epithelium are told of tumours only.
    profile
        `read_profile`; without it there are no shares. In TPM for a sample in TPM, in CPM for counts.
    minimum_coverage
        Smallest share of a set's genes that must be measured.

    Returns
    -------
    A `SAMPLE_FEATURES` table: ``mcp_<TYPE>`` (log2 CPM or TPM), ``nnls_<type>`` (shares of the RNA, together 1), ``nnls_residual``
    (what the profile does not explain, as a share of the sample; its note tells the condition number of the profile and what the
    shares summed to before they were brought to 1), ``purity_proxy`` (0 to 1, no fraction) and ``epithelial_markers`` (a marker
    mean, by which a piece without tumour is seen). An absent value has its reason in its note.

    Raises
    ------
    SignatureError
        Not one sample but several or none, a set that lists a gene twice, or a profile that `read_profile` would refuse for a name
        that occurs twice or a value.
    """
    if len(expression.samples) != 1:
        raise SignatureError(f"The immune context is that of one sample; there are {len(expression.samples)}.")
    rows = _marker_means(expression, signatures, minimum_coverage)
    if compartment == TUMOUR:
        rows.append(_epithelium(expression, markers, minimum_coverage))
        rows.append(_purity(expression, signatures, minimum_coverage))
    if profile is not None:
        rows += _shares(expression, _checked(profile))
    columns = ["feature", "value", "unit", "method", "coverage", "note"]
    table = pd.DataFrame(rows, columns=columns).assign(cohort_dependent=False)
    return SAMPLE_FEATURES.check(table.sort_values("feature", ignore_index=True))


def _marker_means(expression: Expression, signatures: pd.DataFrame, minimum_coverage: float) -> list[Row]:
    """Danaher's sets overlap with these and are scored as signatures; one family of marker means is enough."""
    sets = signatures[signatures["signature"].str.startswith(MARKER_SETS)]
    return _means(expression, sets, minimum_coverage, lambda name: f"mcp_{name.removeprefix(MARKER_SETS)}")


def _means(
    expression: Expression, sets: pd.DataFrame, minimum_coverage: float, name_of: Callable[[str], str]
) -> list[Row]:
    reason = NOT_LINEAR if expression.scale == "log" else "" if expression.values.any() else NOTHING_COUNTED
    if reason:
        members = members_of(expression.genes, sets)
        unit = UNIT_OF_SCALE.get(expression.scale, "log2 level")
        return [
            (name_of(name), np.nan, unit, "marker mean", share, reason)
            for name, share in zip(members.names, members.coverage, strict=True)
        ]
    scored = mean_score(expression, Known(signatures=sets, minimum_coverage=minimum_coverage))
    return [
        (name_of(name), value, str(scored.unit), "marker mean", share, note)
        for name, value, share, note in zip(
            scored.features, scored.values[0], scored.coverage, scored.notes[0], strict=True
        )
    ]


def _epithelium(expression: Expression, markers: pd.DataFrame, minimum_coverage: float) -> Row:
    """Apart from the purity: these genes tell subtypes too (ESR1, GATA3), mean nothing in a melanoma, and may themselves answer to
    retinoic acid, which makes epithelium differentiate."""
    chosen = (markers["cell_type"] == EPITHELIAL) & (markers["modality"] == "rna") & (markers["sign"] == "+")
    genes = pd.unique(markers.loc[chosen, "hgnc"])
    if not len(genes):
        return EPITHELIAL_MEAN, np.nan, "log2 level", "marker mean", 0.0, f"no markers of {EPITHELIAL}"
    sets = pd.DataFrame({"signature": EPITHELIAL, "gene": genes, "direction": 1, "weight": 1.0})
    return _means(expression, sets, minimum_coverage, lambda _: EPITHELIAL_MEAN)[0]


def _purity(expression: Expression, signatures: pd.DataFrame, minimum_coverage: float) -> Row:
    """Tumour is what is neither immune nor stroma, as ESTIMATE has it: no gene of the tumour itself plays a part.

    Chosen on CheckMate 038 (107 melanomas) by genes that are not in it, those of melanocytes: Spearman's rho with SOX10 is 0.49,
    and of the changes of 43 patients with the mean of seven such genes 0.51. With the epithelial markers they are 0.19 and 0.33.
    """
    parts = {"immune": IMMUNE, "stroma": STROMA}
    sets = pd.concat(
        [
            pd.DataFrame(
                {"signature": part, "gene": pd.unique(signatures.loc[signatures["signature"].isin(names), "gene"])}
            )
            for part, names in parts.items()
        ],
        ignore_index=True,
    ).assign(direction=1, weight=1.0)
    scored = singscore(expression, Known(signatures=sets, minimum_coverage=minimum_coverage))
    told = [f"{part}: {note}" for part, note in zip(scored.features, scored.notes[0], strict=True) if note]
    told += [f"no gene set for {part}" for part in parts if part not in scored.features]
    value = np.nan if told else 1 - float(scored.values[0].mean())
    coverage = float(scored.coverage.min()) if len(scored.coverage) == len(parts) else 0.0
    return "purity_proxy", value, "rank score", "purity proxy", coverage, "; ".join(told)


def _shares(expression: Expression, profile: pd.DataFrame) -> list[Row]:
    """Shares by non-negative least squares on the common genes, each weighed by one over the root of its level in the profile.

    The weight makes the noise of reads alike in all genes; without it the few genes of highest level would decide.
    """
    types = sorted(map(str, profile.columns))
    common = sorted(set(profile.index) & set(expression.genes))
    coverage = len(common) / len(profile)
    shares, residual, told = np.full(len(types), np.nan), np.nan, ""
    reason = NOT_LINEAR if expression.scale == "log" else ""
    if not reason:
        pure = profile.loc[common, types].to_numpy(np.float64)
        mixed = expression.linear[0, expression.genes.get_indexer(pd.Index(common))]
        reason, condition = _refusal(pure, mixed, types)
        if not reason:
            raw, residual, reason = _solve(pure, mixed)
            shares = raw if reason else raw / raw.sum()
            told = f"condition number of the profile {condition:.3g}; the shares summed to {raw.sum():.3g} before"
            told += f"; {PER_READ}" if expression.scale == "counts" else ""
    rows: list[Row] = [
        (f"nnls_{name}", share, "share of RNA", "nnls", coverage, reason)
        for name, share in zip(types, shares, strict=True)
    ]
    return [*rows, (f"nnls_{RESIDUAL}", residual, "share of the sample", "nnls", coverage, reason or told)]


def _checked(profile: pd.DataFrame) -> pd.DataFrame:
    """The profile, refused where it was not read by `read_profile` and would give numbers by accident."""
    values = profile.to_numpy(np.float64)
    names = profile.columns.astype(str)
    if profile.index.has_duplicates or names.has_duplicates or RESIDUAL in names:
        raise SignatureError(f"The profile has a gene or a type twice, or a type called {RESIDUAL!r}.")
    if not (np.isfinite(values) & (values >= 0)).all():
        raise SignatureError("The profile has a value that is no number of 0 or more.")
    return profile


def _refusal(pure: np.ndarray, mixed: Vector, types: list[str]) -> tuple[str, float]:
    """Why shares cannot be estimated ("" where they can), and the condition number."""
    needed = GENES_PER_TYPE * len(types)
    if len(pure) < needed:
        return f"{len(pure)} genes of the profile were measured, {needed} are needed for {len(types)} types", np.nan
    if not np.nansum(mixed) > 0:
        return NO_LEVEL, np.nan
    silent = [name for name, total in zip(types, pure.sum(axis=0), strict=True) if not total > 0]
    if silent:
        return f"no measured gene of the profile is above 0 in {', '.join(silent)}", np.nan
    weighted = _weights(pure)[:, None] * pure
    condition = float(np.linalg.cond(weighted / np.linalg.norm(weighted, axis=0)))
    if condition > LARGEST_CONDITION:
        told = f"the profile cannot tell its types apart (condition number {condition:.3g}"
        return f"{told}, {LARGEST_CONDITION:.0f} is the limit)", condition
    return "", condition


def _weights(pure: np.ndarray) -> Vector:
    return np.asarray(1 / np.sqrt(pure.mean(axis=1) + 1), dtype=np.float64)


def _solve(pure: np.ndarray, mixed: Vector) -> tuple[Vector, float, str]:
    """Shares as they come (absent where there are none, with the reason), and the norm of what is left over that of the sample.

    Both sides stay what they are, parts of a million: a type that spends little of its RNA on the genes of the profile gets no
    smaller share for it, and the shares sum to the part of the sample's RNA that is of the profile's types.
    """
    weights = _weights(pure)
    right = weights * mixed
    try:
        found, rest = nnls(weights[:, None] * pure, right)
    except RuntimeError:  # more steps than scipy allows
        return np.full(pure.shape[1], np.nan), np.nan, UNSETTLED
    residual = float(rest / np.linalg.norm(right))
    if not found.sum() > 0:
        return np.full(len(found), np.nan), residual, UNEXPLAINED
    return np.asarray(found, dtype=np.float64), residual, ""


def read_profile(path: Path) -> pd.DataFrame:
    """A profile of pure cell types: the column `gene`, then one column a type, TPM or CPM.

    It may hold all genes or the telling ones only; parts of a million of all RNA in either case.

    Returns
    -------
    Genes (sorted) x types.

    Raises
    ------
    InputError
        Every problem of the file: no CSV, fewer than two types, a type twice or one that is called ``residual``, a gene twice, a
        cell that is no number from 0 to a million, a type whose genes sum to 0 or to more than a million, values that look like
        logarithms.
    """
    expected = "a CSV with the column gene and a column of TPM for each of two or more cell types"
    remedy = "correct the cell, or write the profile again"
    table = read_gene_file(path, expected=expected, remedy=remedy)
    table["gene"] = table["gene"].str.strip()
    types = [str(name) for name in table.columns if name != "gene"]
    numbers = numbers_of(table, types)
    problems = [*repeated_genes(path, table, remedy), *_names_refused(path, types, expected)]
    for name in types:
        values = numbers[name].to_numpy()
        wrong = ~(np.isfinite(values) & (values >= 0) & (values <= LARGEST_TOTAL))
        problems += faults(path, table, name, wrong, "a number from 0 to a million", remedy)
        total = 0.0 if wrong.any() else float(values.sum())
        if not wrong.any() and not 0 < total <= LARGEST_TOTAL:
            told = f"a sum of {total:.7g}" if total > 0 else "0 in every gene"
            undo = "divide each type by the sum of all its genes, and multiply by a million"
            part = "levels that are parts of a million"
            problems.append(Problem(file=path.name, column=name, found=told, expected=part, remedy=undo))
    highest = numbers.to_numpy().max(initial=0.0)
    if not problems and highest <= LARGEST_LOG:
        told = f"no value above {highest:.3g}, as logarithms are"
        undo = (
            "undo the logarithm (shares of a mixture add up in linear values only), or bring the profile to TPM or CPM"
        )
        problems.append(Problem(file=path.name, found=told, expected="TPM or CPM", remedy=undo))
    if problems:
        raise InputError(problems)
    return numbers.set_axis(pd.Index(table["gene"], name="gene"), axis=0).sort_index()


def _names_refused(path: Path, types: list[str], expected: str) -> list[Problem]:
    """What is wrong with the header."""
    problems = []
    if len(types) < 2:
        found = f"{len(types)} columns of cell types"
        remedy = "add the other types: one alone is the whole of every sample"
        problems.append(Problem(file=path.name, row=1, found=found, expected=expected, remedy=remedy))
    for name in types:
        if not NAME.fullmatch(name) or name.lower() == RESIDUAL:
            told = f"letters, digits, _ - and . in the name of a type, and not {RESIDUAL!r}"
            problems.append(Problem(file=path.name, row=1, found=repr(name), expected=told, remedy="rename the column"))
    return problems
