"""Labels handed out anew within strata: every way there is, or ways drawn at random that are exactly uniform."""

from collections import Counter
from functools import lru_cache
from itertools import combinations
from math import factorial, prod, sqrt

import numpy as np
from numpy.typing import NDArray

type Codes = NDArray[np.int64]
type Labels = NDArray[np.unsignedinteger]

FRACTION_BITS = 12  # of the chance of a random bit; what it misses is put right afterwards
FEW_POSITIONS = 32  # below, shuffling is as fast as anything
MOST_LABELS = 64  # above, shuffling is as fast as well


def as_codes(labels: NDArray[np.generic]) -> Codes:
    """0, 1, .. in the order of the sorted labels."""
    codes: Codes = np.unique(labels, return_inverse=True)[1].ravel().astype(np.int64)
    return codes


def count_relabellings(codes: Codes, strata: Codes) -> int:
    """In how many distinct ways the labels `codes` (length n) can be handed out anew inside each of `strata` (length n)."""
    return prod(_ways(np.bincount(codes[strata == stratum])) for stratum in np.unique(strata))


def all_relabellings(codes: Codes, strata: Codes) -> Labels:
    """Each distinct way once, as ways x n; the labels as they are among them. `count_relabellings` says how many to expect."""
    rows = np.zeros((1, len(codes)), dtype=label_type(codes))
    for stratum in np.unique(strata):
        places = np.flatnonzero(strata == stratum)
        orders = _orders(tuple(codes[places].tolist())).astype(rows.dtype)
        rows = np.repeat(rows, len(orders), axis=0)
        rows[:, places] = np.tile(orders, (len(rows) // len(orders), 1))
    return rows


def random_relabellings(codes: Codes, strata: Codes, *, size: int, random: np.random.Generator) -> Labels:
    """`size` independent ways (size x n), each as likely as any other."""
    rows = np.empty((size, len(codes)), dtype=label_type(codes))
    for stratum in np.unique(strata):
        places = np.flatnonzero(strata == stratum)
        present, counts = np.unique(codes[places], return_counts=True)
        if len(present) > MOST_LABELS:
            rows[:, places] = random.permuted(np.tile(codes[places].astype(rows.dtype), (size, 1)), axis=1)
            continue
        drawn = _drawn(tuple(counts.tolist()), size, random)
        if len(places) == len(codes) and present[-1] + 1 == len(present):
            return drawn
        rows[:, places] = present.astype(rows.dtype)[drawn]
    return rows


def label_type(codes: Codes) -> type[np.unsignedinteger]:
    """The smallest unsigned integer that holds the codes."""
    return np.uint8 if codes.max(initial=0) < 256 else np.uint32


def _ways(counts: Codes) -> int:
    return factorial(int(counts.sum())) // prod(factorial(int(count)) for count in counts)


@lru_cache(maxsize=64)
def _orders(labels: tuple[int, ...]) -> Codes:
    """The distinct orders of the labels (length m), as orders x m."""
    taken = [(np.full(len(labels), -1, dtype=np.int64), np.arange(len(labels)))]
    for label, count in sorted(Counter(labels).items()):
        following = []
        for row, free in taken:
            for chosen in combinations(range(len(free)), count):
                filled, left = row.copy(), np.ones(len(free), dtype=bool)
                filled[free[list(chosen)]] = label
                left[list(chosen)] = False
                following.append((filled, free[left]))
        taken = following
    return np.array([row for row, _ in taken])


# ---- random ways -----------------------------------------------------------------------------------------------------


def _drawn(target: tuple[int, ...], size: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """`size` uniform orders of the labels 0, 1, .. (target[label] of each), as size x m; at most 256 labels.

    Shuffling row by row would cost more than all the algebra that follows. Of several labels, who has one of the first half of
    them is drawn, then who has which on either side.
    """
    if sum(target) < FEW_POSITIONS or len(target) == 1:
        codes = np.repeat(np.arange(len(target), dtype=np.uint8), target)
        return random.permuted(np.tile(codes, (size, 1)), axis=1)
    if len(target) == 2:
        return _two_labels(sum(target), target[1], size, random)
    half = len(target) // 2
    rows = _two_labels(sum(target), sum(target[half:]), size, random)
    second = rows.view(np.bool_)
    first = ~second
    late = _drawn(target[half:], size, random).ravel() + np.uint8(half)
    rows[first] = _drawn(target[:half], size, random).ravel()
    rows[~first] = late
    return rows


def _two_labels(n: int, ones: int, size: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """`size` uniform rows of n labels, `ones` of them 1 and the others 0.

    Random bits do not have the right count, but every set of positions is as likely as any other of its size. Rows far from
    the count are drawn again, and what is in excess in the others is taken away at random positions: both keep that so.
    """
    if min(ones, n - ones) <= FEW_POSITIONS:  # so few that they are better placed one by one
        rows = np.full((size, n), int(2 * ones > n), dtype=np.uint8)
    else:
        tolerance = max(2.0, sqrt(ones * (1 - ones / n)) / 4)  # about one row in five is close
        kept: list[NDArray[np.uint64]] = []
        missing = size
        while missing > 0:
            words = _random_bits(5 * missing + 8, n, round(2**FRACTION_BITS * ones / n), random)
            close = np.abs(np.bitwise_count(words).sum(axis=1, dtype=np.int64) - ones) <= tolerance
            kept.append(words[close][:missing])
            missing -= len(kept[-1])
        words = np.concatenate(kept).astype("<u8", copy=False)
        rows = np.unpackbits(words.view(np.uint8), axis=1, count=n, bitorder="little")
    _put_counts_right(rows, ones, random)
    return rows


def _random_bits(size: int, n: int, chance: int, random: np.random.Generator) -> NDArray[np.uint64]:
    """Rows of n bits in 64-bit words, each 1 with chance / 2**FRACTION_BITS; the bits behind the n-th are 0."""
    shape = (size, -(-n // 64))
    bits = np.zeros(shape, dtype=np.uint64)
    lowest = (chance & -chance).bit_length() - 1
    for place in range(lowest, FRACTION_BITS):
        coins = np.frombuffer(random.bytes(8 * shape[0] * shape[1]), dtype=np.uint64).reshape(shape)
        bits = bits | coins if chance >> place & 1 else bits & coins
    if n % 64:
        bits[:, -1] &= np.uint64((1 << n % 64) - 1)
    return bits


def _put_counts_right(rows: NDArray[np.uint8], ones: int, random: np.random.Generator) -> None:
    """Turn labels in excess, at random positions, until each row has its count of ones; in place."""
    n = rows.shape[1]
    counts = np.bitwise_count(np.packbits(rows, axis=1)).sum(axis=1, dtype=np.int64)
    wrong = np.flatnonzero(counts != ones)
    excess = counts[wrong] - ones
    flat = rows.reshape(-1)
    while len(wrong):
        places = wrong * n + random.integers(n, size=len(wrong))
        in_excess = excess > 0
        hit = flat[places] == in_excess
        flat[places[hit]] ^= 1
        excess -= np.where(in_excess, 1, -1) * hit
        still = excess != 0
        wrong, excess = wrong[still], excess[still]
