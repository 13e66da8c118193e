"""Several libraries of one sample: which are added to which, and their sum."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from rabiomarkers.files import Info, read_table, write_table

PLACE = ["patient_id", "timepoint", "compartment", "assay"]
ADDED = ("rna_counts", "rna_tpm")
"""Assays whose libraries may be added: counts are summed, TPM averaged."""


def usable_samples(samples: pd.DataFrame) -> pd.DataFrame:
    """The samples that are neither taken out nor second libraries: one per patient x timepoint x compartment x assay.

    Parameters
    ----------
    samples
        SAMPLES.

    Returns
    -------
    SAMPLES, sorted by sample and assay.
    """
    included = samples[samples["exclude"].isna()]
    first = included.groupby(PLACE)["replicate"].transform("min")
    return included[included["replicate"] == first].sort_values(["sample_id", "assay"], ignore_index=True)


def summed_libraries(samples: pd.DataFrame) -> dict[tuple[str, str], tuple[str, ...]]:
    """By (first library, assay) the further libraries of that sample in the same batch, in the order of `replicate`.

    Libraries of other batches are not among them: adding them would mix what two runs did to the sample.
    """
    usable = usable_samples(samples)[[*PLACE, "sample_id", "batch"]]
    first = {tuple(row[:4]): tuple(map(str, row[4:])) for row in usable.to_numpy().tolist()}
    included = samples[samples["exclude"].isna() & samples["assay"].isin(ADDED)].sort_values(["replicate", "sample_id"])
    added: dict[tuple[str, str], tuple[str, ...]] = {}
    for row in included[[*PLACE, "sample_id", "batch"]].to_numpy().tolist():
        (*place, sample, batch) = map(str, row)
        own, own_batch = first[tuple(place)]
        if sample != own and batch == own_batch:
            key = (own, place[-1])
            added[key] = (*added.get(key, ()), sample)
    return added


def sum_libraries(pieces: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One piece of several libraries of a sample: counts summed, TPM averaged; genes of every library.

    A library of zeros has no part in an average: it measured nothing, and would halve what the other did.

    The passport is that of the first, with the number of `libraries`, the `total` of the sum, and how many genes were not in every
    library (`genes_not_in_every_library`): what one library did not look for cannot be added.
    """
    values = pd.concat([piece.set_index("gene")["value"] for piece in pieces], axis=1)
    whole = values.dropna()
    counted = pieces[0].attrs["passport"]["scale"] == "counts"
    measured = max(1, sum(bool((piece["value"] > 0).any()) for piece in pieces))
    added = whole.sum(axis=1) / (1 if counted else measured)
    table = added.rename("value").rename_axis("gene").sort_index().reset_index()
    table.attrs["passport"] = pieces[0].attrs["passport"] | {
        "libraries": len(pieces),
        "genes": len(table),
        "genes_not_in_every_library": len(values) - len(whole),
        "estimated": any(piece.attrs["passport"]["estimated"] for piece in pieces),
        "total": float(table["value"].sum()),
    }
    return table


def sum_step(inputs: Mapping[str, Path], out: Path, *, sample_id: str) -> Info:
    """The pieces `piece:<sample>` of a sample's libraries -> `<sample_id>.parquet`."""
    order = [f"piece:{sample_id}", *sorted(name for name in inputs if name != f"piece:{sample_id}")]
    table = sum_libraries([read_table(inputs[name]) for name in order])
    write_table(table, out / f"{sample_id}.parquet")
    return {"libraries": len(order), "genes": len(table)}
