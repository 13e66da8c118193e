"""Stool taxon counts with a strong personal signature, a lineage table and a tree.

Reads are multinomial around a composition that is mostly the patient's own; where effects are planted, the taxa known to make
or use retinoic acid rise in everybody under treatment. Reagents bring a few reads of their own, which two blank controls a batch
show.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from rabiomarkers.knowledge import load_taxa
from rabiomarkers.schema import config_path
from rabiomarkers.simulate.design import Design, Patient, Sample, shared_stream, stream

type Numbers = npt.NDArray[np.float64]

RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
SHIFTED_ROLES = ("ra_producer", "vitamin_a_metaboliser")
SHIFT = 1.5
"""Planted change of the taxa of these roles, natural log."""

DEPTHS = (20_000, 80_000)
PATIENT_SD = 1.7  # natural log of a taxon, between patients
SAMPLE_SD = 0.8  # the same, between two samples of one patient
SHIFTED_SDS = (0.7, 0.4)  # both, of the planted taxa, which everybody has
BLANKS = 2  # a batch
BLANK_DEPTHS = (200, 1_000)
REAGENT_PREVALENCE = 0.15  # share of the stools that hold a given taxon of the reagents
REAGENT_READS = 8.0
STRAY_TAXA = 3  # of the gut, a read or two each: what strays into a blank from the stools beside it
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


@cache
def reagent_table() -> pd.DataFrame:
    """Species that reagents and skin bring, one row each: the ranks."""
    table = pd.read_csv(Path(__file__).with_name("stool_reagents.csv"))
    return table.sort_values("species", ignore_index=True)


@cache
def all_species() -> pd.DataFrame:
    """The ranks of everything that a stool table may hold, by species."""
    both = pd.concat([species_table(), reagent_table()])[list(RANKS)]
    return both.sort_values("species", ignore_index=True)


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
    columns = {}
    for patient in design.patients if patients is None else patients:
        reagents = _reagents_of(design, patient)
        for sample, _, counts in stools(design, patient):
            columns[sample.sample_id] = pd.concat([counts, reagents[sample.sample_id]])
    return pd.DataFrame(columns, index=pd.Index(all_species()["species"], name="taxon"))


def stools(design: Design, patient: Patient) -> Iterator[tuple[Sample, Numbers, "pd.Series[int]"]]:
    """Each stool of a patient that was taken: the true share of each taxon of the gut, and its reads."""
    model, rng = stool_model(), stream(design.seed, patient.index, "stool")
    spread, drift = (
        np.where(model.shifted, shifted, usual)
        for shifted, usual in zip(SHIFTED_SDS, (PATIENT_SD, SAMPLE_SD), strict=True)
    )
    carried = rng.random(len(model.taxa)) < model.prevalence
    own = model.log_share + spread * rng.normal(0.0, 1.0, len(model.taxa))
    for sample in patient.of("stool"):
        level = own + drift * rng.normal(0.0, 1.0, len(model.taxa))
        if design.planted and sample.timepoint == "post":
            level = level + SHIFT * model.shifted
        share = np.where(carried, np.exp(level), 0.0)
        share = share / share.sum()
        counts = rng.multinomial(_depth(rng, DEPTHS), share)
        if not sample.missing:
            yield sample, share, pd.Series(counts, index=model.taxa)


def _depth(rng: np.random.Generator, limits: tuple[int, int]) -> int:
    low, high = np.log(limits)
    return int(np.exp(rng.uniform(low, high)))


def _reagents_of(design: Design, patient: Patient) -> "Mapping[str, pd.Series[int]]":
    """Reads of the reagents' taxa in each stool of a patient."""
    rng, taxa = stream(design.seed, patient.index, "reagents"), reagent_table()["species"]
    reads = {}
    for sample in patient.of("stool"):
        there = rng.random(len(taxa)) < REAGENT_PREVALENCE
        reads[sample.sample_id] = pd.Series(there * rng.poisson(REAGENT_READS, len(taxa)), index=taxa)
    return reads


def blank_counts(design: Design) -> pd.DataFrame:
    """Read counts, taxa x blank controls, two a batch: the taxa of the reagents, and a read or two that strayed from the gut."""
    gut, reagents = stool_model(), reagent_table()["species"]
    taxa = pd.Index(all_species()["species"], name="taxon")
    columns = {}
    for batch, patients in design.batches():
        rng = stream(design.seed, patients[0].index, "blanks")
        for number in range(1, BLANKS + 1):
            reads = rng.multinomial(_depth(rng, BLANK_DEPTHS), rng.dirichlet(np.full(len(reagents), 4.0)))
            common = np.exp(gut.log_share) / np.exp(gut.log_share).sum()
            strayed = rng.choice(gut.taxa, size=STRAY_TAXA, replace=False, p=common)
            both = pd.concat(
                [pd.Series(reads, index=reagents), pd.Series(rng.integers(1, 3, STRAY_TAXA), index=strayed)]
            )
            columns[f"{batch}-blank-{number}"] = both.reindex(taxa, fill_value=0)
    return pd.DataFrame(columns, index=taxa)


def lineages() -> pd.DataFrame:
    """`taxon, lineage` of every species (``k__Bacteria;p__Bacillota;...;s__...``)."""
    species = all_species()
    names = species[list(RANKS)].itertuples(index=False)
    lineage = [";".join(f"{rank[0]}__{name}" for rank, name in zip(RANKS, row, strict=True)) for row in names]
    return pd.DataFrame({"taxon": species["species"], "lineage": lineage})


def newick() -> str:
    """A rooted tree of every species that agrees with the lineages; the same in every simulated trial."""
    rng = shared_stream(0, "stool")
    branches = [_subtree(group, 0, rng) for _, group in all_species().groupby(RANKS[0], sort=True)]
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
