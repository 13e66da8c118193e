"""Where a marker is cut: between two modes of its density, between two components of a mixture, or beyond a single negative mode.

Every rule looks at the values as a set: their order plays no part.

References
----------
Ashman, Bird & Zepf 1994 (separation D of two modes; above 2 they are two), doi:10.1086/117248
"""

import warnings
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

type Values = NDArray[np.float64]

FEWEST = 200  # events; with fewer a valley is an accident
BINS = 256
SMOOTH = 0.6  # of Silverman's bandwidth, which is too wide for two modes
DEPTH = 0.25  # a valley lies at least this share below the lower of its two modes ...
LOOKS = ((1.0, 4.0, 0.005), (1.5, 3.0, 0.05), (3.0, 4.0, 0.02))
"""One after another: widening of the bandwidth, by how many standard errors of the smoothed count a mode rises above its valleys,
and the smallest share of the events in a mode. Measured at 250, 1 000, 5 000 and 40 000 events: no draw of a normal, an
exponential, a logarithm of gamma or t with 4 degrees of freedom shows a second mode; of ion counts of one population, or negative
events with an exponential tail, at most 2 in 100 do."""
FLAT = 0.01  # of the height above the bottom: what still is the bottom
SEPARATION = 2.5  # Ashman's D of a mixture, which one skewed or zero-inflated mode of 1 000 events seldom reaches
SMALLEST_COMPONENT = 0.02
NEGATIVE_END = 0.05  # quantile of the events below zero: how far they reach
TAIL = 3.0  # a single negative mode ends so many of its left half's standard deviations above it
CONTROL_QUANTILE = 0.995
FEWEST_OF_CONTROL = 50
MIXTURE_EVENTS = 1_500  # evenly spaced quantiles of all, which lose nothing that decides


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A border on the transformed scale; NaN where none was found, the reason in `note`."""

    value: float
    method: str  # valley, mixture, tail, control, diagonal, none
    separation: float  # of the two modes in units of their spread (Ashman's D)
    low_mode: float
    high_mode: float
    events: int
    note: str = ""


def absent(events: int, note: str) -> Cut:
    """No border, and why."""
    return Cut(
        value=np.nan, method="none", separation=np.nan, low_mode=np.nan, high_mode=np.nan, events=events, note=note
    )


def two_modes(values: Values, *, lowest: bool = False, above: float = -np.inf) -> Cut:
    """The border between two modes: a clear valley of the density, else where two components of a mixture meet.

    Parameters
    ----------
    values
        On the transformed scale; NaN play no part.
    lowest
        Of several clear valleys the lowest (which ends what is negative) in place of the deepest.
    above
        Borders below this are none (`mirrored`).
    """
    known = np.sort(values[np.isfinite(values)])
    if len(known) < FEWEST:
        return absent(len(known), f"{len(known)} events, {FEWEST} are needed")
    low, high = np.quantile(known, [0.001, 0.999])
    if high <= low:
        return absent(len(known), "every event has the same value")
    cut = _valley(known, float(low), float(high), lowest=lowest, above=above) or _mixture(known)
    return cut if cut is not None and cut.value >= above else absent(len(known), "one mode only")


def mirrored(values: Values, zero: float) -> float:
    """How far negative events reach above zero, judged by how far they reach below: no border lies nearer to zero.

    A scale that is steep about zero can part one mode of negative events into two halves, one on either side.

    Parameters
    ----------
    values
        On a scale that is odd about `zero`.
    """
    below = values[values < zero]
    return 2 * zero - float(np.quantile(below, NEGATIVE_END)) if len(below) >= FEWEST else -np.inf


def beyond_negative(values: Values) -> Cut:
    """The upper end of a single mode of negative events: what lies beyond is positive, if anything."""
    known = np.sort(values[np.isfinite(values)])
    if len(known) < FEWEST:
        return absent(len(known), f"{len(known)} events, {FEWEST} are needed")
    if known[0] == known[-1]:
        return absent(len(known), "every event has the same value")
    mode = main_mode(known)
    left = known[known <= mode]
    spread = float(np.sqrt(np.mean((left - mode) ** 2)))
    return Cut(
        value=mode + TAIL * spread,
        method="tail",
        separation=np.nan,
        low_mode=mode,
        high_mode=np.nan,
        events=len(known),
        note="one mode, of negative events; what lies beyond its end is positive",
    )


def below_positive(values: Values) -> Cut:
    """The lower end of a single mode of positive events."""
    known = np.sort(values[np.isfinite(values)])
    if len(known) < FEWEST:
        return absent(len(known), f"{len(known)} events, {FEWEST} are needed")
    turned = beyond_negative(-known)
    if turned.method == "none":
        return turned
    return Cut(
        value=-turned.value,
        method="tail",
        separation=np.nan,
        low_mode=np.nan,
        high_mode=-turned.low_mode,
        events=len(known),
        note="one mode, far above zero: nearly all events are positive",
    )


def of_control(values: Values) -> Cut:
    """The border that a control leaves: 99.5 % of its events lie below."""
    known = values[np.isfinite(values)]
    if len(known) < FEWEST_OF_CONTROL:
        return absent(len(known), f"{len(known)} events of the control, {FEWEST_OF_CONTROL} are needed")
    return Cut(
        value=float(np.quantile(known, CONTROL_QUANTILE)),
        method="control",
        separation=np.nan,
        low_mode=main_mode(np.sort(known)),
        high_mode=np.nan,
        events=len(known),
    )


def main_mode(known: Values) -> float:
    """Where the density of the sorted values is highest."""
    low, high = np.quantile(known, [0.001, 0.999])
    if high <= low:
        return float(np.median(known))
    centres, smooth, _ = density(known, float(low), float(high))
    return float(centres[int(np.argmax(smooth))])


def density(
    known: Values, low: float, high: float, *, bins: int = BINS, widening: float = 1.0
) -> tuple[Values, Values, float]:
    """Centres of bins, smoothed counts and the bandwidth in bins."""
    counts, edges = np.histogram(known, bins=bins, range=(low, high))
    quarter, three = np.quantile(known, [0.25, 0.75])
    spread = min(float(known.std()), float(three - quarter) / 1.349) or float(known.std())
    width = SMOOTH * 0.9 * spread * len(known) ** -0.2 / (edges[1] - edges[0])
    width = float(max(width, 1.0)) * widening
    return (edges[:-1] + edges[1:]) / 2, gaussian_filter1d(counts.astype(np.float64), width, mode="constant"), width


def _valley(known: Values, low: float, high: float, *, lowest: bool, above: float) -> Cut | None:
    """The deepest or the lowest valley between two modes that are more than noise, on the finest scale on which there is one.

    What is wide enough for a small mode of few events would close the valley between two large ones.
    """
    for widening, noise, smallest in LOOKS:
        centres, smooth, width = density(known, low, high, widening=widening)
        modes, bottoms = _modes(smooth, width, noise=noise, smallest=smallest)
        possible = [at for at, bottom in enumerate(bottoms) if centres[bottom] >= above]
        if possible:
            break
    else:
        return None
    # the lower of the highest peaks of both sides: how deep a valley is does not depend on ripples beside it
    depths = [
        1 - smooth[bottom] / min(smooth[modes[: at + 1]].max(), smooth[modes[at + 1 :]].max())
        for at, bottom in enumerate(bottoms)
    ]
    at = possible[0] if lowest else max(possible, key=lambda each: depths[each])
    cut = float(centres[_middle_of_flat(smooth, modes[at], bottoms[at], modes[at + 1])])
    return Cut(
        value=cut,
        method="valley",
        separation=_separation(known[known < cut], known[known >= cut]),
        low_mode=float(centres[modes[: at + 1][int(np.argmax(smooth[modes[: at + 1]]))]]),
        high_mode=float(centres[modes[at + 1 :][int(np.argmax(smooth[modes[at + 1 :]]))]]),
        events=len(known),
    )


def _modes(smooth: Values, width: float, *, noise: float, smallest: float) -> tuple[list[int], list[int]]:
    """Bins of the peaks that are more than noise and hold enough events, and of the bottoms between them.

    Of all peaks the least certain one is taken away, its valley with it, until each that is left is sure. A few stray events in an
    empty stretch are no mode, and do not draw the border to their edge.
    """
    modes = [int(place) - 1 for place in find_peaks(np.concatenate([[0.0], smooth, [0.0]]))[0]]
    total = float(smooth.sum())
    while len(modes) > 1:
        bottoms = [left + int(np.argmin(smooth[left : right + 1])) for left, right in pairwise(modes)]
        edges = [0, *bottoms, len(smooth)]
        walls = np.array([0.0, *smooth[bottoms], 0.0])
        heights = smooth[modes]
        shares = np.array([smooth[begin:end].sum() for begin, end in pairwise(edges)]) / total
        drop = heights - np.maximum(walls[:-1], walls[1:])
        errors = np.sqrt(np.maximum(heights, 1.0) / (2 * np.sqrt(np.pi) * width))
        sureness = np.minimum.reduce([drop / heights / DEPTH, drop / (noise * errors), shares / smallest])
        least = int(np.argmin(sureness))
        if sureness[least] >= 1:
            return modes, bottoms
        modes.pop(least)
    return modes, []


def _middle_of_flat(smooth: Values, left: int, bottom: int, right: int) -> int:
    """The middle of the flat part of a valley: far modes leave a stretch without events, and its edge is no border."""
    heights = smooth[left : right + 1]
    rise = (
        min(heights[0], heights[-1]) - smooth[bottom]
    )  # to the lower mode: next to a large one the small is no bottom
    flat = np.flatnonzero(heights <= smooth[bottom] + FLAT * rise)
    return left + int(flat[len(flat) // 2])


def _separation(below: Values, above: Values) -> float:
    """Ashman's D of the two sides, by medians and their spreads."""
    spread = np.sqrt((_spread(below) ** 2 + _spread(above) ** 2) / 2)
    return float((np.median(above) - np.median(below)) / spread) if spread > 0 else np.nan


def _spread(values: Values) -> float:
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def _mixture(known: Values) -> Cut | None:
    """Two normal components, where they say more than one does and are two by Ashman's D."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture  # takes a second to load, and clear valleys need none

    thinned = known[np.linspace(0, len(known) - 1, min(len(known), MIXTURE_EVENTS)).round().astype(int)]
    inner = thinned[(thinned >= np.quantile(thinned, 0.002)) & (thinned <= np.quantile(thinned, 0.998))][:, None]
    if np.ptp(inner) <= 0:
        return None
    starts = np.quantile(inner, [0.25, 0.9])[:, None]
    starts[1] += 1e-9 + 1e-3 * float(np.ptp(inner)) * (starts[1] <= starts[0])
    # the usual tolerance stops long before a small component is found
    two = GaussianMixture(2, means_init=starts, random_state=0, reg_covar=1e-6, max_iter=1_000, tol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # then the criteria below decide all the same
        two.fit(inner)
    one = GaussianMixture(1, random_state=0, reg_covar=1e-6).fit(inner)
    order = np.argsort(two.means_.ravel())
    means, weights = two.means_.ravel()[order], two.weights_[order]
    spreads = np.sqrt(two.covariances_.ravel()[order])
    separation = float((means[1] - means[0]) / np.sqrt((spreads**2).mean()))
    if not (two.bic(inner) < one.bic(inner) and separation > SEPARATION and weights.min() >= SMALLEST_COMPONENT):
        return None
    line = np.linspace(means[0], means[1], 1_001)
    heights = weights[:, None] / spreads[:, None] * np.exp(-0.5 * ((line - means[:, None]) / spreads[:, None]) ** 2)
    cut = float(line[int(np.argmin(np.abs(heights[0] - heights[1])))])
    return Cut(
        value=cut,
        method="mixture",
        separation=separation,
        low_mode=float(means[0]),
        high_mode=float(means[1]),
        events=len(known),
    )
