"""The mechanism the trial rests on, step by step: how far each patient moved at each step, and which steps moved together."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd

from rabiomarkers.change.notes import cannot_reach, number_of_patients
from rabiomarkers.change.pairs import FEATURE
from rabiomarkers.errors import StatisticsError
from rabiomarkers.stats.multiplicity import holm
from rabiomarkers.stats.paired import NO_PAIR
from rabiomarkers.stats.rank_correlation import spearman
from rabiomarkers.tables.changes import CHAIN, LINKS

SIGNS: Mapping[str, float] = {"up": 1.0, "down": -1.0}
NO_UNIT = "unknown"
NOT_MEASURED = "nobody has a pair of it"


@dataclass(frozen=True, kw_only=True)
class ChainNode:
    """One step of the mechanism: a feature and which way it is expected to move under treatment."""

    name: str
    compartment: str
    feature: str
    expected: Literal["up", "down"] = "up"


DEFAULT_CHAIN = (
    ChainNode(name="RA target response", compartment="tumour", feature="RA_RESPONSE_DIRECT"),
    ChainNode(name="macrophage peroxidation", compartment="tumour", feature="MACROPHAGE_LIPID_PEROXIDATION"),
    ChainNode(name="CD8 infiltration", compartment="tumour", feature="TIS_AYERS_2017"),
    ChainNode(name="CD8 function", compartment="tumour", feature="CYT_ROONEY_2015"),
    ChainNode(name="microbes", compartment="faecal", feature="ra_metaboliser_balance"),
)
"""No gene is in two neighbouring steps: scores with a common gene correlate without any mechanism. The direct targets stand for the
response, as the core set holds genes that come with immune cells. TIS stands for infiltration: it has 18 genes and is scored as
long as 11 of them are measured; the CD8 sets have one or two (CD8B of MCP-counter; CD8A and CD8B of Danaher) and drop out with one
gene. It holds interferon genes too, so it tells of active cells. Microbes that make retinoic acid or its precursors are expected
up: they would add to the drug. What is known of them comes from mice and purified enzymes, so the last link is the weakest. Gene
lists, taxa and their sources: config/signatures, config/taxa."""


def read_chain(chain: Sequence[Mapping[str, str]]) -> tuple[ChainNode, ...]:
    """The nodes of a plan, each a mapping of `name, compartment, feature` and, where it is not "up", `expected`.

    Raises
    ------
    StatisticsError
        Two nodes share a name, or a node expects neither "up" nor "down".
    """
    nodes = tuple(ChainNode(**node) for node in chain)  # type: ignore[arg-type]
    names = [node.name for node in nodes]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise StatisticsError(
            f"The chain names {', '.join(map(repr, twice))} more than once; give each step its own name."
        )
    if wrong := [node for node in nodes if node.expected not in SIGNS]:
        raise StatisticsError(
            f"The chain's step {wrong[0].name!r} expects {wrong[0].expected!r}; choose 'up' or 'down'."
        )
    return nodes


def chain_table(deltas: pd.DataFrame, patients: Sequence[str], chain: Sequence[ChainNode]) -> pd.DataFrame:
    """Each patient's change at each node: the CHAIN table, by patient and in the chain's order.

    Parameters
    ----------
    deltas
        The DELTAS table.
    patients
        Every patient to have rows, also those without a pair.
    chain
        The nodes in their order.
    """
    changes, units = _changes(deltas)
    rows = []
    for patient in sorted(set(patients)):
        for place, node in enumerate(chain, start=1):
            key = (node.compartment, node.feature)
            change = changes.get(key, pd.Series(dtype=np.float64)).get(patient, np.nan)
            known = not np.isnan(change)
            note = "" if known else NO_PAIR if key in changes else NOT_MEASURED
            rows.append(
                {"patient_id": patient, "node": node.name, "place": place}
                | {"compartment": node.compartment, "feature": node.feature, "unit": units.get(key, NO_UNIT)}
                | {"expected": node.expected, "change": change, "note": note}
                | {"as_expected": bool(change * SIGNS[node.expected] > 0) if known else pd.NA}
            )
    return CHAIN.check(pd.DataFrame(rows, columns=list(CHAIN.columns)) if rows else CHAIN.empty())


def link_table(deltas: pd.DataFrame, chain: Sequence[ChainNode], *, seed: int = 1) -> pd.DataFrame:
    """Whether neighbouring nodes moved together over the patients: the LINKS table, one row a link.

    Spearman's rank correlation of both changes, each turned so that the expected direction is up, with its exact p (all orders up
    to 12 patients); q by Holm over the links that could be tested. No interval: see `stats.rank_correlation.spearman`.

    This is no proof of a mechanism. Two changes also go together where one cause moves both, above all how many immune cells a
    biopsy happened to hold. In CheckMate 038 (Riaz et al. 2017, 43 pairs), where nobody had retinoic acid, peroxidation and
    infiltration correlate by 0.53, infiltration and function by 0.89. A link that is absent speaks against the chain; one that is
    present does not prove it. And ten patients see little: rho must reach 0.65 for p <= 0.05, which is a strong correlation.

    Parameters
    ----------
    deltas
        The DELTAS table.
    chain
        The nodes in their order; fewer than two have no link.
    seed
        Of the random orders beyond 12 patients.

    References
    ----------
    Holm 1979, Scand. J. Stat. 6: 65-70; Riaz et al. 2017, doi:10.1016/j.cell.2017.09.028
    """
    changes, _ = _changes(deltas)
    rows = []
    for number, (source, target) in enumerate(pairwise(chain), start=1):
        sides = [_turned(changes, node) for node in (source, target)]
        told = asdict(spearman(*sides, seed=seed))
        both = (sides[0] > 0) & (sides[1] > 0)
        rows.append(
            {"link": number, "source": source.name, "target": target.name, "n_as_expected": int(both.sum())}
            | {("n_pairs" if name == "n" else name): value for name, value in told.items()}
            | {"note": _note(told["note"], told["p_floor"], told["n"], changes, (source, target))}
        )
    if not rows:
        return LINKS.empty()
    table = pd.DataFrame(rows)
    return LINKS.check(table.assign(q_value=holm(table["p_value"].astype(np.float64)))[list(LINKS.columns)])


def _changes(deltas: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Patients x (compartment, feature), and each feature's unit."""
    wide = deltas.pivot(index="patient_id", columns=FEATURE, values="change").sort_index()
    return wide, deltas.drop_duplicates(FEATURE).set_index(FEATURE)["unit"]


def _turned(changes: pd.DataFrame, node: ChainNode) -> pd.Series:
    """The node's changes by patient, up where they are as expected."""
    there = changes.get((node.compartment, node.feature), pd.Series(np.nan, index=changes.index))
    return there * SIGNS[node.expected]


def _note(note: str, floor: float, n: int, changes: pd.DataFrame, nodes: Sequence[ChainNode]) -> str:
    absent = [node.name for node in nodes if (node.compartment, node.feature) not in changes]
    if absent:
        return f"nobody has a pair of {' and '.join(absent)}"
    return cannot_reach(floor, f"these {number_of_patients(n)}") or note
