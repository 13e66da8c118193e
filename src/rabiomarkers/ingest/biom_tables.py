"""BIOM 1 (JSON) and 2.1 (HDF5)."""

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import numpy as np
import pandas as pd

from rabiomarkers.ingest.abundances import ABUNDANCE, Abundances
from rabiomarkers.ingest.delimited import HDF5
from rabiomarkers.ingest.findings import Findings
from rabiomarkers.ingest.lineage import lineage, split_lineage
from rabiomarkers.ingest.matrix import check_not_negative, check_present
from rabiomarkers.ingest.places import refuse_links

MOST_CELLS = 250_000_000
"""Of one part of an HDF5 file, 2 GB; what was never written takes no place in the file and all of it in memory."""


def read_biom(content: bytes, sample_ids: Sequence[str], findings: Findings) -> Abundances:
    """BIOM 1 (JSON) or 2.1 (HDF5); the lineage of its observations where it holds one."""
    from biom import Table  # takes half a second to load: only for this format
    from biom.exception import BiomException

    try:
        if content.startswith(HDF5):
            with h5py.File(io.BytesIO(content)) as file:
                refuse_links(file, findings)
                _check_matrices(file)
                table = Table.from_hdf5(file)
        else:
            table = Table.from_json(json.loads(content))
    except (
        OSError,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        OverflowError,
        RuntimeError,
        SystemError,
        BiomException,
    ):  # too deep: RecursionError; damaged groups of HDF5: SystemError
        findings.fail("a damaged BIOM file", "a complete BIOM 1 or 2.1 table", "export or copy it again")
    if table.is_empty():
        findings.fail("a BIOM table without taxa or samples", "at least one of each", "export the table again")
    ids = [str(sample) for sample in table.ids()]
    check_present(sample_ids, ids, findings, where="sample")
    wanted = [sample for sample in sample_ids if sample in ids]
    columns = [ids.index(sample) for sample in wanted]
    dense = np.asarray(table.matrix_data.tocsc()[:, columns].todense(), dtype=np.float64)
    taxa = pd.Series([str(taxon) for taxon in table.ids("observation")], dtype=str)
    values = pd.DataFrame(dense, columns=wanted)
    infinite = [sample for sample in wanted if not np.isfinite(values[sample]).all()]
    for sample in infinite:
        findings.add("values that are not finite", "a number in every cell", "export the table again", column=sample)
    check_not_negative(values.set_axis(taxa, axis="index"), findings, what=ABUNDANCE)
    metadata = table.metadata(axis="observation") or [None] * len(taxa)
    return Abundances(
        values=values,
        taxa=taxa,
        lineages=pd.Series([_biom_lineage(entry) for entry in metadata], dtype=str),
    )


def _check_matrices(file: h5py.File) -> None:
    """Look at what the library hands on unseen: a place outside of the table would end the process, not raise an error.

    Raises
    ------
    ValueError
        The parts of a matrix do not fit together.
    KeyError, AttributeError, TypeError
        A part is not there, or no array.
    """
    for side, other in (("sample", "observation"), ("observation", "sample")):
        if any(file[f"{name}/ids"].size > MOST_CELLS for name in (side, other)):
            raise ValueError
        rows, columns = file[f"{side}/ids"].size, file[f"{other}/ids"].size
        data, indices, starts = (file[f"{side}/matrix/{name}"] for name in ("data", "indices", "indptr"))
        if data.size > MOST_CELLS or indices.shape != data.shape or starts.shape != (rows + 1,):
            raise ValueError
        places, bounds = indices[()], starts[()]
        fits = bounds[0] == 0 and bounds[-1] == data.size and (np.diff(bounds.astype(np.int64)) >= 0).all()
        if not fits or (places < 0).any() or (places >= columns).any():
            raise ValueError


def _biom_lineage(entry: Any) -> str:
    """The lineage out of an observation's metadata, a list or a text."""
    told = entry.get("taxonomy") if isinstance(entry, Mapping) else None
    if isinstance(told, list | tuple) and told and all(isinstance(part, int) for part in told):
        told = bytes(told).decode(errors="replace")  # a text in HDF5 that the library took apart
    if isinstance(told, list | tuple):
        return lineage(told)
    return lineage(split_lineage(str(told))) if isinstance(told, str | int) else ""
