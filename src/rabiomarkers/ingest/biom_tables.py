"""BIOM 1 (JSON) and 2.1 (HDF5)."""

import io
import json
from collections.abc import Sequence
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


def read_biom(content: bytes, sample_ids: Sequence[str], findings: Findings) -> Abundances:
    """BIOM 1 (JSON) or 2.1 (HDF5); the lineage of its observations where it holds one."""
    from biom import Table  # takes half a second to load: only for this format
    from biom.exception import BiomException

    try:
        if content.startswith(HDF5):
            with h5py.File(io.BytesIO(content)) as file:
                refuse_links(file, findings)
                table = Table.from_hdf5(file)
        else:
            table = Table.from_json(json.loads(content))
    except (
        OSError,
        KeyError,
        ValueError,
        TypeError,
        IndexError,
        RuntimeError,
        BiomException,
    ):  # too deep: RecursionError
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


def _biom_lineage(entry: Any) -> str:
    """The lineage out of an observation's metadata, a list or a text."""
    told = (entry or {}).get("taxonomy") or ""
    return lineage(told if isinstance(told, list | tuple) else split_lineage(str(told)))
