"""Cells and stool samples as compositions: which samples, which parts, which scale."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from rabiomarkers.change.pieces import one_a_timepoint, stack_pieces
from rabiomarkers.stats.composition import Scale

CELL_TYPES, TAXA = "cell types", "taxa"
GATED: Mapping[str, str] = {"flow": "gated cells", "cytof": "gated cells (mass cytometry)"}
UNASSIGNED = "unassigned"  # the cell type of a cell that was given none


@dataclass(frozen=True, kw_only=True)
class Whole:
    """One composition of one compartment; samples x parts."""

    compartment: str
    composition: str
    scale: Scale
    counts: pd.DataFrame
    samples: pd.DataFrame
    remarks: tuple[str, ...]


def cell_wholes(cells: Mapping[str, pd.DataFrame], sheet: pd.DataFrame) -> list[Whole]:
    """Intact single cells of each type, a composition for each compartment; unassigned cells are no part of it."""
    single = {name: called.loc[~called["doublet"].astype(bool), "cell_type"].dropna() for name, called in cells.items()}
    wholes = []
    for compartment, rows in sheet[sheet["sample_id"].isin(list(single))].groupby("compartment"):
        samples, repeated = one_a_timepoint(rows.drop_duplicates("sample_id"))
        types = {name: single[name].value_counts() for name in samples["sample_id"]}
        table = pd.DataFrame(types, dtype="float64").fillna(0.0).T.sort_index(axis="columns")
        unassigned = table.get(UNASSIGNED, pd.Series(0.0, index=table.index)).sum() / max(table.to_numpy().sum(), 1.0)
        remarks = (repeated, f"unassigned cells left out ({100 * unassigned:.1f} %)" if unassigned else "")
        wholes.append(
            Whole(
                compartment=str(compartment),
                composition=CELL_TYPES,
                scale="counts",
                counts=table.drop(columns=UNASSIGNED, errors="ignore"),
                samples=samples,
                remarks=remarks,
            )
        )
    return wholes


def gated_wholes(parts: Mapping[tuple[str, str], pd.DataFrame], sheet: pd.DataFrame) -> list[Whole]:
    """The leukocytes of each gated sample, by (sample_id, assay), in parts that share none; a composition for each assay.

    A sample none of whose parts could be told (its panel lacks the markers) is left out and counted in the remarks.
    """
    wholes = []
    for assay in sorted({assay for _, assay in parts}):
        tables = {sample: table for (sample, own), table in parts.items() if own == assay and table["events"].sum() > 0}
        empty = sum(own == assay for _, own in parts) - len(tables)
        rows = sheet[sheet["sample_id"].isin(list(tables)) & (sheet["assay"] == assay)]
        for compartment, own in rows.groupby("compartment"):
            samples, repeated = one_a_timepoint(own)
            counts = {name: tables[name].set_index("part")["events"] for name in samples["sample_id"]}
            table = pd.DataFrame(counts, dtype="float64").fillna(0.0).T.sort_index(axis="columns")
            wholes.append(
                Whole(
                    compartment=str(compartment),
                    composition=GATED[assay],
                    scale="counts",
                    counts=table.reindex(samples["sample_id"]),
                    samples=samples,
                    remarks=(repeated, f"{empty} samples without a part are left out" if empty else ""),
                )
            )
    return wholes


def taxon_wholes(pieces: Mapping[str, pd.DataFrame], sheet: pd.DataFrame, *, depth: int) -> list[Whole]:
    """Taxa of stool by sample_id; pieces of counts with fewer than `depth` reads are left out and counted in the remarks."""
    if not pieces:
        return []
    table, notes = stack_pieces(pieces, depth=depth)
    rows = sheet[sheet["sample_id"].isin(table.index) & (sheet["compartment"] == "faecal")]
    samples, repeated = one_a_timepoint(rows.drop_duplicates("sample_id"))
    scales = {str(pieces[name].attrs.get("passport", {}).get("scale")) for name in table.index}
    return [
        Whole(
            compartment="faecal",
            composition=TAXA,
            scale="counts" if scales == {"counts"} else "relative",
            counts=table.loc[samples["sample_id"]],
            samples=samples,
            remarks=(*notes, repeated),
        )
    ]
