"""How much of the spread of communities goes with a factor: sums of squared distances, judged by handing out labels anew."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from math import factorial, prod

import numpy as np
from numpy.typing import ArrayLike

from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.arrays import Matrix
from rabiomarkers.stats.design import columns_of_terms, row_codes
from rabiomarkers.stats.gower import distance_matrix, gower_matrix
from rabiomarkers.stats.group_squares import BLOCK, TIE, count_at_least, squares_between
from rabiomarkers.stats.guards import refuse_fewer_than_one
from rabiomarkers.stats.relabelling import (
    Codes,
    Labels,
    all_relabellings,
    as_codes,
    count_relabellings,
    random_relabellings,
)

EXACT_WAYS = 4096  # ways to hand out labels that are all tried (12 pairs); above, random ones
TOO_FEW = 1e-12  # of the total sum of squares: a residual below it is none

NOT_TESTED = "not tested"
NO_SPREAD = "all distances are zero"
ONE_GROUP = "one group only: nothing to compare"
EXPLAINED = "already explained by the terms before it"
FIXED = "the same for all samples of a stratum: no permutation moves it"
NO_RESIDUAL = "no sample is left to tell the spread within groups"
NOT_EUCLIDEAN = (
    "less than nothing is left within groups, as these are no distances in a space: the pseudo-F is not defined"
)
NO_SPREAD_WITHIN = "no spread within groups: the pseudo-F is infinite"


@dataclass(frozen=True, kw_only=True)
class Term:
    """What a term explains. NaN where the data cannot say, with the reason in `note`."""

    name: str
    degrees_of_freedom: int
    residual_degrees_of_freedom: int
    sum_of_squares: float  # in squared units of the distance
    pseudo_f: float
    r_squared: float  # share of the total sum of squares
    p_value: float  # share of labellings with at least this pseudo-F
    p_floor: float  # labellings that only swap names of groups tie with the observed one: no p is smaller
    p_count: int | None
    p_total: int | None
    test: str
    note: str


@dataclass(frozen=True, kw_only=True)
class Permanova:
    """The terms in the order given, and what is left."""

    n: int
    terms: tuple[Term, ...]
    residual_degrees_of_freedom: int
    residual_sum_of_squares: float
    total_sum_of_squares: float


@dataclass(frozen=True, kw_only=True)
class Relabelled:
    """Labels handed out anew (ways x n), all `ways` there are (`exact`) or some; in `ties` of them only names are swapped."""

    labels: Labels
    ways: int
    ties: int
    exact: bool

    @property
    def floor(self) -> float:
        """The smallest p."""
        smallest = min(self.ties / self.ways, 1.0)
        return smallest if self.exact else max(smallest, 1.0 / (len(self.labels) + 1))


def permanova(
    distances: ArrayLike,
    factors: Mapping[str, ArrayLike],
    *,
    strata: ArrayLike | None = None,
    permutations: int = 9999,
    seed: int = 1,
) -> Permanova:
    """Permutational analysis of variance; each term is judged after those before it.

    All labels of a sample move together. Every distinct way to hand them out is tried where there are at most 4 096 (12 pairs
    inside their patients), else `permutations` seeded ones with p = (count + 1) / (permutations + 1).

    Parameters
    ----------
    distances
        n x n, any metric.
    factors
        By name, one label a sample. An interaction is a factor whose labels join those of two earlier ones.
    strata
        One label a sample: labels change hands inside a stratum only. Two samples of one patient are not independent: give the
        patients here, or use `patient_effects.response_effect` where the factor is the same for all samples of a patient.
    permutations, seed
        Of the random ways. The order of the samples plays no part.

    Raises
    ------
    StatisticsError
        `distances` is no distance matrix, a factor has another length or a missing label, or `permutations` is below 1.

    References
    ----------
    Anderson 2001, doi:10.1111/j.1442-9993.2001.01070.pp.x; Phipson & Smyth 2010, doi:10.2202/1544-6115.1585
    """
    refuse_fewer_than_one(permutations, "random permutations")
    table = distance_matrix(distances)
    codes = {name: checked_codes(name, labels, len(table)) for name, labels in factors.items()}
    blocks = np.zeros(len(table), dtype=np.int64) if strata is None else checked_codes("strata", strata, len(table))
    order = _canonical_order(table, [blocks, *codes.values()])
    table, blocks = table[np.ix_(order, order)], blocks[order]
    codes = {name: code[order] for name, code in codes.items()}
    with ThreadPoolExecutor(1) as pool:  # labels are drawn while the distances are turned into products
        drawing = pool.submit(relabelled, list(codes.values()), blocks, permutations=permutations, seed=seed)
        gram = gower_matrix(table)
        tried = drawing.result()
    if len(codes) == 1 and _moves(next(iter(codes.values())), blocks):
        (name, code), *_ = codes.items()
        return _summary([group_term(name, gram, code, tried, total=float(gram.trace()))], gram)
    return _summary(_terms(gram, codes, blocks, tried), gram)


def _canonical_order(table: Matrix, codes: Sequence[Codes]) -> Codes:
    """An order of the samples that does not depend on the one they come in: by their labels, then by their distances.

    Random labels are drawn for places. Samples in another order would have others, and with them another p.
    """
    rows = np.sort(table, axis=1)
    return np.lexsort((*rows.T[::-1], *reversed(codes)))


def relabelled(
    factors: Sequence[Codes], strata: Codes, *, permutations: int, seed: int, exact_ways: int = EXACT_WAYS
) -> Relabelled:
    """The rows of `factors` (each of length n) handed out anew inside `strata`, as the codes of `row_codes`.

    Raises
    ------
    StatisticsError
        `permutations` is below 1.
    """
    refuse_fewer_than_one(permutations, "random permutations")
    cells = row_codes(factors, len(strata))
    ways = count_relabellings(cells, strata)
    exact = ways <= exact_ways
    random = np.random.default_rng([seed, len(strata)])
    return Relabelled(
        labels=all_relabellings(cells, strata)
        if exact
        else random_relabellings(cells, strata, size=permutations, random=random),
        ways=ways,
        ties=prod(_swaps(factors, strata, which) for which in range(len(factors))),
        exact=exact,
    )


def group_term(name: str, gram: Matrix, codes: Codes, tried: Relabelled, *, total: float) -> Term:
    """The term of one factor (codes 0, 1, .. of length n) on inner products whose rows add up to zero.

    `total` is what the share explained refers to; the labels of `tried` are the codes.
    """
    sizes = np.bincount(codes, minlength=1)
    observed = float(squares_between(gram, codes[None, :], sizes)[0]) if len(sizes) > 1 else float("nan")
    residual = float(gram.trace()) - observed
    term = _described(name, len(sizes) - 1, len(codes) - len(sizes), observed, residual, total=total)
    if term.test == NOT_TESTED:
        return term
    return _judged(term, count_at_least(gram, tried.labels, sizes, observed), tried)


def checked_codes(name: str, labels: ArrayLike, n: int) -> Codes:
    """0, 1, .. for the labels.

    Raises
    ------
    StatisticsError
        There are not n of them, or one is missing.
    """
    values = np.asarray(labels)
    if values.shape != (n,):
        raise StatisticsError(f"'{name}' needs one label a sample: {n} samples, {values.size} labels.")
    missing = [value is None or bool(value != value) for value in values.tolist()]
    if any(missing):
        raise StatisticsError(f"'{name}' lacks the labels of {sum(missing)} samples; leave these samples out.")
    return as_codes(values)


# ---- several terms ---------------------------------------------------------------------------------------------------


def _terms(gram: Matrix, codes: Mapping[str, Codes], strata: Codes, tried: Relabelled) -> list[Term]:
    columns = columns_of_terms(list(codes.values()), len(gram))
    total = float(gram.trace())
    squares = [float(np.vecdot(term.T @ gram, term.T).sum()) for term in columns]
    residual = total - sum(squares)
    freedom = len(gram) - 1 - sum(term.shape[1] for term in columns)
    terms = [
        _described(name, term.shape[1], freedom, explained, residual, total=total, levels=len(np.unique(code)))
        for (name, code), term, explained in zip(codes.items(), columns, squares, strict=True)
    ]
    moving = [
        place
        for place, (term, column) in enumerate(zip(terms, columns, strict=True))
        if term.test != NOT_TESTED and _moves(column, strata)
    ]
    counts = _counts(gram, columns, moving, squares, row_codes(list(codes.values()), len(gram)), tried.labels)
    judged = {place: _judged(terms[place], count, tried) for place, count in zip(moving, counts, strict=True)}
    return [judged.get(place, term if term.note else _fixed(term)) for place, term in enumerate(terms)]


def _counts(
    gram: Matrix, columns: list[Matrix], moving: list[int], squares: list[float], cells: Codes, labels: Labels
) -> list[int]:
    """For each moving term, the labellings with at least its pseudo-F; the other terms stay what they are."""
    total = float(gram.trace())
    still = sum(explained for place, explained in enumerate(squares) if place not in moving)
    residual = total - sum(squares)
    first = np.unique(cells, return_index=True)[1]  # samples with equal labels have equal rows in all columns
    counts = np.zeros(len(moving), dtype=np.int64)
    step = max(BLOCK // max(len(gram), 1), 1)
    for start in range(0, len(labels) if moving else 0, step):
        rows = labels[start : start + step]
        told = np.array([_explained(gram, columns[place][first], rows) for place in moving])
        left = total - still - told.sum(axis=0)
        for which, place in enumerate(moving):  # F against F without dividing by a residual that may be zero
            counts[which] += np.count_nonzero(told[which] * residual - squares[place] * left >= -TIE * total**2)
    return counts.tolist()


def _explained(gram: Matrix, cell_rows: Matrix, labels: Labels) -> Matrix:
    """Sum of squares of a term for each row of labels, from the row of its columns that each label has."""
    told = np.zeros(len(labels))
    for column in cell_rows.T:
        placed = column[labels]
        told += np.vecdot(placed @ gram, placed)
    return told


# ---- what is said of a term ------------------------------------------------------------------------------------------


def _described(
    name: str, freedom: int, left: int, explained: float, residual: float, *, total: float, levels: int | None = None
) -> Term:
    """A term before it is judged; `test` stays "not tested" where it cannot be."""
    if freedom < 1:
        note = EXPLAINED if levels is not None and levels > 1 else ONE_GROUP
    elif left < 1:
        note = NO_RESIDUAL
    else:
        note = _spread_note(residual, total)
    shared = freedom >= 1 and total > 0
    testable = note in ("", NO_SPREAD_WITHIN)
    return Term(
        name=name,
        degrees_of_freedom=max(freedom, 0),
        residual_degrees_of_freedom=max(left, 0),
        sum_of_squares=explained if freedom >= 1 else float("nan"),
        pseudo_f=float("nan") if note else explained / freedom / (residual / left),
        r_squared=explained / total if shared else float("nan"),
        p_value=float("nan"),
        p_floor=float("nan"),
        p_count=None,
        p_total=None,
        test="" if testable else NOT_TESTED,
        note=note,
    )


def _spread_note(residual: float, total: float) -> str:
    """Why there is no pseudo-F, if there is none."""
    if total <= 0:
        return NO_SPREAD
    if residual < -TOO_FEW * total:
        return NOT_EUCLIDEAN
    return NO_SPREAD_WITHIN if residual <= TOO_FEW * total else ""


def _judged(term: Term, count: int, tried: Relabelled) -> Term:
    ways = len(tried.labels)
    total = ways if tried.exact else ways + 1
    at_least = count if tried.exact else count + 1
    return replace(
        term,
        p_value=at_least / total,
        p_floor=tried.floor,
        p_count=at_least,
        p_total=total,
        test="exact permutation" if tried.exact else f"{ways} random permutations",
    )


def _fixed(term: Term) -> Term:
    return replace(term, test=NOT_TESTED, note=FIXED)


def _summary(terms: list[Term], gram: Matrix) -> Permanova:
    total = float(gram.trace())
    known = [term for term in terms if term.degrees_of_freedom]
    return Permanova(
        n=len(gram),
        terms=tuple(terms),
        residual_degrees_of_freedom=max(len(gram) - 1 - sum(term.degrees_of_freedom for term in known), 0),
        residual_sum_of_squares=total - sum(term.sum_of_squares for term in known),
        total_sum_of_squares=total,
    )


def _moves(column: Matrix | Codes, strata: Codes) -> bool:
    """Whether any two samples of one stratum differ in the column (or columns)."""
    rows = np.asarray(column, dtype=np.float64)
    return any(bool(np.ptp(rows[strata == stratum], axis=0).max() > 1e-9) for stratum in np.unique(strata))


def _swaps(factors: Sequence[Codes], strata: Codes, which: int) -> int:
    """In how many ways groups of a factor can swap names so that each stratum keeps the labels it has."""
    others = row_codes([strata, *(codes for place, codes in enumerate(factors) if place != which)], len(strata))
    own = as_codes(factors[which])
    table = np.zeros((own.max(initial=-1) + 1, others.max(initial=-1) + 1), dtype=np.int64)
    np.add.at(table, (own, others), 1)
    alike = np.unique(table, axis=0, return_counts=True)[1] if table.size else np.ones(1, dtype=np.int64)
    return prod(factorial(int(count)) for count in alike)
