"""GSVA: where the members lie among the genes of a sample once each gene is compared with itself in all other samples.

The score hangs on which other samples there are (removing one of eight moves it by 0.3), so it is marked cohort-dependent, no model
may use it, and it is here to compare with published work. Own implementation, of the Gaussian kernel on log values; equal to the R
package GSVA 1.46 (tests/reference/gsva.R).

References
----------
Hänzelmann et al. 2013, doi:10.1186/1471-2105-14-7
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from rabiomarkers.features.scoring.expression import Expression, Known, Matrix, Scored
from rabiomarkers.features.scoring.members import NOTHING_COUNTED, Members, members_of, notes_of

FEWEST_SAMPLES = 3
BANDWIDTH = 0.25  # of a gene's standard deviation
STEPS, TABLE_END = 1_000, 10.0  # the table of the R package
BLOCK = 500  # genes whose kernels are evaluated together
TOO_FEW = "GSVA compares samples: it needs {needed} or more, there are {found}"
NO_GENE = "no gene differs between the samples"


def gsva(expression: Expression, known: Known) -> Scored:
    """Largest deviation upwards plus largest downwards of the walk down each sample's genes (`mx.diff`, weight 1). Up less down.

    Counts and TPM are taken as log2(CPM + 1) or log2(TPM + 1), log values as they are. Genes that do not differ between the samples
    are left out first, and so is a sample in which nothing was counted: it has no score and moves nobody else's.
    """
    levels = expression.values if expression.scale == "log" else expression.logarithms
    counted = ~np.isnan(levels).any(axis=1)
    if not counted.all():
        return _of_the_counted(expression, known, counted)
    varying = levels.max(axis=0) > levels.min(axis=0) if len(levels) else np.zeros(len(expression.genes), dtype=bool)
    genes = expression.genes[varying]
    members = members_of(genes, known.signatures)
    shape = (len(expression.samples), len(members.names))
    if len(expression.samples) < FEWEST_SAMPLES or not len(genes):
        few = TOO_FEW.format(needed=FEWEST_SAMPLES, found=len(expression.samples))
        reasons = [few if len(expression.samples) < FEWEST_SAMPLES else NO_GENE] * shape[1]
        values = np.full(shape, np.nan)
    else:
        ordered = np.argsort(genes)  # equal densities fall as the names do, not as the file does
        densities = kernel_densities(levels[:, varying][:, ordered])
        place = np.empty(len(genes), dtype=np.intp)
        place[ordered] = np.arange(len(genes))
        reasons = members.reasons(known.minimum_coverage)
        values = _deviations(densities, members, place[members.genes])
    kept, notes = notes_of(values, reasons, NO_GENE)
    coverage = members_of(expression.genes, known.signatures).coverage
    return Scored(features=members.names, values=kept, coverage=coverage, unit="GSVA score", notes=notes)


def _of_the_counted(expression: Expression, known: Known, counted: NDArray[np.bool_]) -> Scored:
    """The scores of the samples in which something was counted, among themselves; of the others the reason."""
    some = gsva(replace(expression, values=expression.values[counted], samples=expression.samples[counted]), known)
    shape = (len(expression.samples), len(some.features))
    values, notes = np.full(shape, np.nan), np.full(shape, NOTHING_COUNTED, dtype=object)
    values[counted], notes[counted] = some.values, some.notes
    return replace(some, values=values, notes=notes)


def kernel_densities(levels: Matrix) -> Matrix:
    """Samples x genes: the share of samples that lie below each one, in the smooth form of a Gaussian kernel of sd / 4."""
    samples, genes = levels.shape
    densities = np.empty_like(levels)
    for first in range(0, genes, BLOCK):
        part = levels[:, first : first + BLOCK]
        width = BANDWIDTH * part.std(axis=0, ddof=1)
        for sample in range(samples):
            densities[sample, first : first + BLOCK] = _share_below((part[sample] - part) / width).mean(axis=0)
    return densities


def _share_below(distances: Matrix) -> Matrix:
    """The normal distribution function as the R package tabulates it: in steps of 0.001, cut towards 0, and 0 or 1 beyond 10.

    Its rounding decides which of nearly equal genes lies higher, so scores are only equal to the package's with it.
    """
    below = ndtr(np.floor(np.abs(distances) * STEPS) / STEPS)
    below = np.where(np.abs(distances) > TABLE_END, 1.0, below)
    return np.where(distances < 0, 1.0 - below, below)


def _deviations(densities: Matrix, members: Members, place: np.ndarray) -> Matrix:
    """Samples x signatures: the walk's deviation of the up genes less that of the down genes."""
    number = densities.shape[1]
    order = np.argsort(-densities, axis=1, kind="stable")
    positions = np.empty_like(order)
    np.put_along_axis(positions, order, np.arange(number)[None, :], axis=1)  # 0 is the highest gene
    scores = np.zeros((len(densities), len(members.names)))
    for signature in range(len(members.names)):
        own = members.signature == signature
        for sign in (1, -1):
            side = members.direction < 0 if sign < 0 else members.direction >= 0
            chosen = place[members.gene[own & side]]
            if len(chosen):
                scores[:, signature] += sign * _walk(np.sort(positions[:, chosen], axis=1), number)
    return scores


def _walk(positions: np.ndarray, number: int) -> np.ndarray:
    """Largest rise plus largest fall of the walk; it can only peak at a member and only be lowest just before one or at the end."""
    hits = positions.shape[1]
    misses = number - hits
    if misses == 0:
        return np.full(len(positions), np.nan)
    weight = np.abs(number - positions - number / 2)  # the walk's ranks run from n down to 1, less n / 2
    risen = np.cumsum(weight, axis=1)
    total = risen[:, -1:]
    share = np.divide(risen, total, out=np.zeros_like(risen), where=total > 0)
    passed = (positions - np.arange(hits)) / misses  # misses before each member
    before = np.concatenate([np.zeros((len(positions), 1)), share[:, :-1]], axis=1) - passed
    highest = np.maximum((share - passed).max(axis=1), 0.0)
    lowest = np.minimum(before.min(axis=1), 0.0)
    return np.asarray(highest + lowest)
