"""Stool taxon counts with a strong personal signature, a lineage table and a tree.

Reads are multinomial around a composition that is mostly the patient's own; where effects are planted, the taxa known to make
or use retinoic acid rise in everybody under treatment.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from rabiomarkers.knowledge import load_taxa
from rabiomarkers.schema import config_path
from rabiomarkers.simulate.design import Design, Patient, shared_stream, stream

type Numbers = npt.NDArray[np.float64]

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
SHIFTED_ROLES = ("ra_producer", "vitamin_a_metaboliser")
SHIFT = 1.5
"""Planted change of the taxa of these roles, natural log."""

DEPTHS = (20_000, 80_000)
PATIENT_SD = 1.7  # natural log of a taxon, between patients
SAMPLE_SD = 0.8  # the same, between two samples of one patient
SHIFTED_SDS = (0.7, 0.4)  # both, of the planted taxa, which everybody has
# Length of the branch that leads to a taxon of each rank: what separates phyla is older than what separates species.
_BRANCH: Mapping[str, float] = {
    "kingdom": 0.6,
    "phylum": 0.35,
    "class": 0.2,
    "order": 0.15,
    "family": 0.12,
    "genus": 0.1,
    "species": 0.06,
}


@dataclass(frozen=True, kw_only=True)
class StoolModel:
    """What every stool shares: taxa, the chance that a person carries each, its typical share, whether it is planted."""

    taxa: pd.Index
    log_share: Numbers
    prevalence: Numbers
    shifted: npt.NDArray[np.bool_]


@cache
def species_table() -> pd.DataFrame:
    """Species of a human gut, one row each: the ranks, and `typical_percent` in those who carry it."""
    table = pd.read_csv(Path(__file__).with_name("stool_species.csv"))
    return table.sort_values("species", ignore_index=True)


def stool_model() -> StoolModel:
    """The simulated gut; which taxa are planted follows from their roles in the table of taxa."""
    species = species_table()
    known = load_taxa(config_path("taxa/microbes.csv"))
    members = set(known.loc[known["role"].isin(SHIFTED_ROLES), "taxon"])
    shifted = species[list(RANKS)].isin(members).any(axis="columns").to_numpy()
    percent = species["typical_percent"].to_numpy(float)
    return StoolModel(
        taxa=pd.Index(species["species"], name="taxon"),
        log_share=np.log(percent / percent.sum()),
        prevalence=np.where(shifted, 1.0, percent / (percent + 0.08)),
        shifted=shifted,
    )


def stool_counts(design: Design, *, patients: tuple[Patient, ...] | None = None) -> pd.DataFrame:
    """Read counts, taxa x samples, of the stools that were taken; all taxa are rows, zeros included.

    Parameters
    ----------
    design
        The trial.
    patients
        Those of the design to simulate; all where not given. A patient's counts do not depend on it.
    """
    model = stool_model()
    columns: dict[str, npt.NDArray[np.int64]] = {}
    for patient in design.patients if patients is None else patients:
        columns |= _stools(design, model, patient)
    return pd.DataFrame(columns, index=model.taxa)


def _stools(design: Design, model: StoolModel, patient: Patient) -> dict[str, npt.NDArray[np.int64]]:
    rng = stream(design.seed, patient.index, "stool")
    spread, drift = (
        np.where(model.shifted, shifted, usual)
        for shifted, usual in zip(SHIFTED_SDS, (PATIENT_SD, SAMPLE_SD), strict=True)
    )
    carried = rng.random(len(model.taxa)) < model.prevalence
    own = model.log_share + spread * rng.normal(0.0, 1.0, len(model.taxa))
    drawn: dict[str, npt.NDArray[np.int64]] = {}
    for sample in patient.of("stool"):
        level = own + drift * rng.normal(0.0, 1.0, len(model.taxa))
        if design.planted and sample.timepoint == "post":
            level = level + SHIFT * model.shifted
        share = np.where(carried, np.exp(level), 0.0)
        low, high = DEPTHS
        reads = int(np.exp(rng.uniform(np.log(low), np.log(high))))
        counts = rng.multinomial(reads, share / share.sum())
        if not sample.missing:
            drawn[sample.sample_id] = counts
    return drawn


def lineages() -> pd.DataFrame:
    """`taxon, lineage` of every species (``k__Bacteria;p__Bacillota;...;s__...``)."""
    species = species_table()
    names = species[list(RANKS)].itertuples(index=False)
    lineage = [";".join(f"{rank[0]}__{name}" for rank, name in zip(RANKS, row, strict=True)) for row in names]
    return pd.DataFrame({"taxon": species["species"], "lineage": lineage})


def newick() -> str:
    """A rooted tree of every species that agrees with the lineages; the same in every simulated trial."""
    rng = shared_stream(0, "stool")
    branches = [_subtree(group, 0, rng) for _, group in species_table().groupby(RANKS[0], sort=True)]
    return f"({','.join(branches)});"


def _subtree(group: pd.DataFrame, rank: int, rng: np.random.Generator) -> str:
    """Newick of the one taxon of this rank that `group` is; ranks with a single child lengthen the branch instead."""
    length = _BRANCH[RANKS[rank]] * rng.uniform(0.7, 1.3)
    while rank + 1 < len(RANKS) and group[RANKS[rank + 1]].nunique() == 1:
        rank += 1
        length += _BRANCH[RANKS[rank]] * rng.uniform(0.7, 1.3)
    if rank + 1 == len(RANKS):
        return f"'{group['species'].iloc[0]}':{length:.5f}"
    children = [_subtree(part, rank + 1, rng) for _, part in group.groupby(RANKS[rank + 1], sort=True)]
    return f"({','.join(children)}):{length:.5f}"
