"""Gene families of the simulated stools: what the taxa of each carry, as HUMAnN would write it down.

A stool's families follow from the true shares of its taxa, so genes that only the planted taxa carry rise with them. The two
orthologues that are specific to retinoic acid are such genes; the others of the table of functions are spread over all taxa, as
they are in nature, and say little.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from rabiomarkers.knowledge import load_functions
from rabiomarkers.schema import config_path
from rabiomarkers.simulate.design import Design, Patient, shared_stream, stream
from rabiomarkers.simulate.stool import stool_model, stools

BACKGROUND = 600  # orthologues that the table of functions does not name
DEPTH = 400_000.0  # reads per kilobase of a sample, before what is not placed
UNMAPPED = (0.25, 0.4)  # share of the reads
UNGROUPED = 1.5  # families that are no orthologue, in parts of those that are


@cache
def gene_copies() -> pd.DataFrame:
    """Copies of each orthologue (rows) in each taxon of the simulated gut (columns); the same in every trial."""
    model, rng = stool_model(), shared_stream(0, "genes")
    functions = load_functions(config_path("taxa/microbial_functions.csv"))
    listed = functions[functions["use"] != "host"].drop_duplicates("ko").set_index("ko")["use"].sort_index()
    others = [name for number in range(2, 2000) if (name := f"K{number:05d}") not in set(functions["ko"])][:BACKGROUND]
    chance = pd.concat(
        [pd.Series(0.5, index=listed.index), pd.Series(rng.uniform(0.05, 0.95, BACKGROUND), index=others)]
    )
    carried = (rng.random((len(chance), len(model.taxa))) < chance.to_numpy()[:, None]).astype(np.int64)
    carried[np.flatnonzero(listed == "specific")] = model.shifted
    return pd.DataFrame(carried, index=chance.index, columns=model.taxa).sort_index()


def planted_families() -> list[str]:
    """Orthologues that only the planted taxa carry."""
    copies, shifted = gene_copies(), stool_model().shifted
    return [str(name) for name in copies.index[(copies.loc[:, ~shifted] == 0).all(axis="columns")]]


def gene_families(design: Design, *, patients: tuple[Patient, ...] | None = None) -> pd.DataFrame:
    """Reads per kilobase, gene families x samples, of the stools that were taken, ``UNMAPPED`` and ``UNGROUPED`` first.

    Parameters
    ----------
    design
        The trial.
    patients
        Those of the design to simulate; all where not given. A patient's values do not depend on it.
    """
    columns = {}
    for patient in design.patients if patients is None else patients:
        rng = stream(design.seed, patient.index, "genes")
        names = {sample.timepoint: sample.sample_id for sample in patient.of("genes")}
        for stool, share, _ in stools(design, patient):
            columns[f"{names[stool.timepoint]}_Abundance-RPKs"] = _column(share, rng)
    rows = pd.Index(["UNMAPPED", "UNGROUPED", *gene_copies().index], name="# Gene Family")
    return pd.DataFrame(columns, index=rows)


def _column(share: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    expected = gene_copies().to_numpy() @ share
    reads = rng.poisson(DEPTH * expected / expected.sum()).astype(np.float64)
    ungrouped = UNGROUPED * reads.sum()
    lost = rng.uniform(*UNMAPPED)
    unmapped = (reads.sum() + ungrouped) * lost / (1.0 - lost)
    return np.array([round(unmapped, 1), round(ungrouped, 1), *reads])
