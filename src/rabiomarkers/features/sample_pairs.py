"""Whether the two samples of each patient belong together, and who would fit where they do not.

A swap changes two patients at once, so it is only told where all of it fits: every later sample that is given away must fit the
patient it goes to, and clearly better than it fits its own. That another patient's biopsy lies nearer than one's own is no finding
by itself: in CheckMate 038 it is so for one correct sample in ten.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from rabiomarkers.features.likeness import Likeness
from rabiomarkers.stats.matching import matching_test

type Matrix = NDArray[np.float64]

LEAST_PATIENTS = 4
"""With fewer pairs there is no telling what unrelated samples share."""
FITS = 0.35
"""A sample fits where it is given if its likeness is at least this share of the median of all own pairs, ..."""
FITS_LEAST = 2.5
"""... and at least so many robust SDs of unrelated pairs."""
FITS_ALONE = 0.8
"""The same share where only one sample moves, to a patient without a later (earlier) one: one fit has no other beside it."""
MOST_MATCHED = 20_000_000  # re-matched pairs held at once
UNIT = "robust SD of unrelated pairs"


@dataclass(frozen=True, kw_only=True)
class Misplaced:
    """A sample that fits another patient better: `patient` is whose, `partner` their sample that it fits."""

    patient: str
    partner: str
    exchange: bool  # False: it moves alone


def first_libraries(samples: pd.DataFrame, contrast: tuple[str, str]) -> tuple[pd.Series, pd.Series]:
    """Sample of each patient at the earlier and the later timepoint (index: patients), the first library of each."""
    ordered = samples.sort_values(["patient_id", "replicate", "sample_id"])
    first = ordered.drop_duplicates(["patient_id", "timepoint"]).set_index("patient_id")
    earlier, later = (first.loc[first["timepoint"] == timepoint, "sample_id"] for timepoint in contrast)
    return earlier, later


def misplaced(alike: Likeness, earlier: pd.Series, later: pd.Series) -> Mapping[str, Misplaced]:
    """The samples that fit another patient, by sample_id; empty where the sheet's pairing stands.

    The best one-to-one assignment of later to earlier samples is sought (Kuhn 1955, doi:10.1002/nav.3800020109) among those that do
    not lie nearest to their own. Whatever differs from the sheet is a ring of patients who pass their samples on, or a line that
    ends at a patient without a sample: it is told if every sample in it fits where it goes.

    Parameters
    ----------
    alike
        Of all samples of one compartment and assay.
    earlier, later
        Sample by patient, as `first_libraries` gives them.
    """
    table = _likeness_table(alike, earlier, later)
    both = table.index.intersection(table.columns)
    own = pd.Series(np.diag(table.loc[both, both]), index=both)
    fits = max(FITS_LEAST, FITS * float(own.median()))
    settled = own.index[(own >= table.max(axis="columns")[both]) & (own >= table.max()[both])]
    open_table = table.drop(index=settled, columns=settled)
    receiver = _assigned(open_table, fits)
    told: dict[str, Misplaced] = {}
    for chain in _chains(receiver, own):
        exchange = receiver.get(chain[-1]) == chain[0]
        given = [(giver, receiver[giver]) for giver in chain if giver in receiver]
        gained = np.array([table.loc[taker, giver] for giver, taker in given])
        lost = np.array([own[giver] for giver in chain if giver in own.index])
        needed = fits if exchange else max(fits, FITS_ALONE * float(own.median()))
        if len(lost) and gained.min() >= needed and gained.mean() - lost.mean() >= fits:
            told |= _both_ways(given, earlier, later, exchange=exchange)
    return told


def pair_rows(alike: Likeness, samples: pd.DataFrame, contrast: tuple[str, str], *, seed: int) -> pd.DataFrame:
    """A row of the check "pair" for every sample that has another one of its patient.

    Parameters
    ----------
    alike, samples
        One compartment and assay; `samples` as SAMPLES, at least `LEAST_PATIENTS` patients with both timepoints.
    contrast
        Earlier and later timepoint.
    seed
        Of the re-matched pairings.

    Returns
    -------
    `sample_id`; `value`, the likeness to one's own partner; `expected`, that partner; `found`, the nearest of all; `finding`,
    whether the sheet must be wrong; `fits`, `note`; `p_value, p_floor` of the sheet's pairing as a whole against re-matched ones.
    """
    earlier, later = first_libraries(samples, contrast)
    wrong = misplaced(alike, earlier, later)
    both = earlier.index.intersection(later.index)
    own_table = _likeness_table(alike, earlier[both], later[both]).to_numpy()
    test = matching_test(-own_table, matchings=min(9999, MOST_MATCHED // len(both)), seed=seed)
    place = pd.Series(np.arange(len(alike.samples)), index=alike.samples)
    partner = _partners(samples, earlier, later)
    values = alike.between(place[partner.index].to_numpy(), place[partner].to_numpy())
    nearest = alike.samples[alike.nearest()[place[partner.index]]]
    sheet = samples.set_index("sample_id")
    whose, whose_time = sheet["patient_id"], sheet["timepoint"]
    own = (whose[partner.index].to_numpy() == whose[nearest].to_numpy()).tolist()
    second = (whose_time[partner.index].to_numpy() == whose_time[partner].to_numpy()).tolist()
    told = [_told(*row, wrong) for row in zip(partner.index, nearest, own, second, strict=True)]
    return pd.DataFrame(
        {
            "sample_id": partner.index,
            "value": values,
            "expected": partner.to_numpy(),
            "found": nearest,
            "finding": [fits is not None for fits, _ in told],
            "fits": [fits for fits, _ in told],
            "note": [note for _, note in told],
            "p_value": test.p_value,
            "p_floor": test.p_floor,
        }
    )


def _likeness_table(alike: Likeness, earlier: pd.Series, later: pd.Series) -> pd.DataFrame:
    """Patients x patients: earlier sample of the row's to later sample of the column's."""
    place = pd.Series(np.arange(len(alike.samples)), index=alike.samples)
    values = alike.table(place[earlier].to_numpy(), place[later].to_numpy())
    return pd.DataFrame(values, index=earlier.index, columns=later.index)


def _assigned(table: pd.DataFrame, least: float) -> dict[str, str]:
    """Patient who gives a later sample -> patient who gets it; a sample below `least` everywhere goes to nobody."""
    rows, columns = table.shape
    if not rows or not columns:
        return {}
    padded = np.full((rows + columns, rows + columns), least)
    padded[:rows, :columns] = table.to_numpy()
    taken, given = linear_sum_assignment(padded, maximize=True)
    real = (taken < rows) & (given < columns)
    return dict(zip(table.columns[given[real]], table.index[taken[real]], strict=True))


def _chains(receiver: Mapping[str, str], own: pd.Series) -> list[list[str]]:
    """Rings and lines of patients who pass their later sample on, each patient once; lines only if nothing is left over.

    A line begins with a patient who gives and gets nothing and ends with one who gets and had no later sample to give.
    """
    moves = {giver: taker for giver, taker in receiver.items() if giver != taker}
    takers = set(moves.values())
    starts = [giver for giver in sorted(moves) if giver not in takers and giver in own.index]
    chains, seen = [], set[str]()
    for start in [*starts, *sorted(takers & set(moves))]:
        chain, patient = [], start
        while patient not in seen and patient in moves:
            seen.add(patient)
            chain.append(patient)
            patient = moves[patient]
        complete = patient == start or patient not in own.index
        if chain and complete:
            chains.append(chain)
    return chains


def _both_ways(
    given: list[tuple[str, str]], earlier: pd.Series, later: pd.Series, *, exchange: bool
) -> dict[str, Misplaced]:
    """The later samples that move and, in an exchange, the earlier ones they leave: which of them was swapped nobody can tell."""
    told = {}
    for giver, taker in given:
        told[later[giver]] = Misplaced(patient=taker, partner=earlier[taker], exchange=exchange)
        if exchange:
            told[earlier[taker]] = Misplaced(patient=giver, partner=later[giver], exchange=True)
    return told


def _partners(samples: pd.DataFrame, earlier: pd.Series, later: pd.Series) -> "pd.Series[str]":
    """By sample_id, the sample it is compared with: the other timepoint's; for a second library, the first one of its biopsy."""
    both = earlier.index.intersection(later.index)
    pairs = pd.concat(
        [pd.Series(later[both].to_numpy(), index=earlier[both]), pd.Series(earlier[both].to_numpy(), index=later[both])]
    )
    ordered = samples.sort_values(["patient_id", "replicate", "sample_id"])
    first = ordered.groupby(["patient_id", "timepoint"])["sample_id"].transform("first")
    second = (ordered["sample_id"] != first).to_numpy()
    libraries = pd.Series(first[second].to_numpy(), index=ordered.loc[second, "sample_id"])
    told: pd.Series[str] = pd.concat([pairs, libraries]).sort_index()
    return told


def _told(
    sample: str, nearest: str, own: bool, second: bool, wrong: Mapping[str, Misplaced]
) -> tuple[str | None, str | None]:
    """What would fit, and words; nothing where a sample is nearest to one of its own patient."""
    found = wrong.get(sample)
    if found and found.exchange:
        where = f"{sample} fits {found.partner} of patient {found.patient}"
        return found.partner, f"likely swap: {where}, and what is there now fits elsewhere"
    if found:
        where = f"{sample} fits {found.partner} of patient {found.patient}"
        return found.partner, f"likely mislabelled: {where}, who has no other sample to go with it"
    if own:
        return None, None
    if second:
        return nearest, "a second library lies nearest to the first one of its biopsy; this one does not"
    return None, "another patient's sample is nearer, but no exchange fits: so are one in ten correct ones"
