"""Whose samples these are: what speaks against a sample being its patient's."""

import pandas as pd

from rabiomarkers.report.blocks import Block, Grid, Prose, Section
from rabiomarkers.report.data import ReportData
from rabiomarkers.report.words import DASH, in_natural_order, number, p_with_floor, plural, present, text

CHECKS = {
    "pair": "is it most like the patient's own other sample?",
    "sex": "do XIST and the genes of the Y chromosome fit?",
}
COLUMNS = ("sample", "patient", "timepoint", "question", "expected", "found", "would fit", "remark")
NOTE = (
    "A finding takes no sample out: somebody must look at the tubes, the sheet and the sequencer's list, and then "
    "exclude the sample in samples.csv with the reason, or correct the sheet. RNA is no genotype: tumours of one "
    "patient may differ more than those of two."
)


def identity_section(data: ReportData) -> Section | None:
    """The findings first, then everything that was looked at; None where there is no bulk RNA."""
    identity = data.identity
    if identity.empty:
        return None
    found = identity[identity["finding"].fillna(False).astype(bool)]
    blocks: list[Block] = [Prose(text=sentence_of_identity(identity))]
    if len(found):
        blocks.append(_table(found, f"Samples somebody must look at: {found['sample_id'].nunique()}", collapsed=False))
    blocks.append(_table(identity, "Every check", collapsed=True))
    return Section(name="identity", title="Whose samples these are", blocks=blocks)


def sentence_of_identity(identity: pd.DataFrame) -> str:
    """How many samples were looked at, how many do not fit, and how well the sheet's pairs hold together."""
    found = identity[identity["finding"].fillna(False).astype(bool)]
    looked = plural(identity["sample_id"].nunique(), "sample")
    if found.empty:
        told = f"{looked} of bulk RNA looked at; nothing speaks against any being its patient's."
    else:
        names = ", ".join(sorted(map(str, found["sample_id"].unique())))
        told = f"{plural(found['sample_id'].nunique(), 'sample')} of {looked} of bulk RNA may not be the patient's: {names}."
    pairs = identity[(identity["check"] == "pair") & identity["p_value"].notna()]
    tested = pairs.drop_duplicates(["compartment", "assay"])
    together = "; ".join(
        f"{row['compartment']} p = {p_with_floor(row['p_value'], row['p_floor'])}" for _, row in tested.iterrows()
    )
    return (
        f"{told} Are the sheet's pairs more alike than pairs of different patients? {together}." if together else told
    )


def _table(rows: pd.DataFrame, caption: str, *, collapsed: bool) -> Grid:
    ordered = in_natural_order(rows, "patient_id", "timepoint", "check")
    return Grid(
        caption=caption,
        columns=COLUMNS,
        rows=[
            (
                text(row["sample_id"]),
                text(row["patient_id"]),
                text(row["timepoint"]),
                CHECKS.get(str(row["check"]), text(row["check"])),
                text(row["expected"], DASH),
                text(row["found"], DASH)
                + (f" ({number(row['value'])} {row['unit']})" if present(row["value"]) else ""),
                text(row["fits"], DASH),
                text(row["note"], DASH),
            )
            for _, row in ordered.iterrows()
        ],
        note=NOTE if not collapsed else "",
        collapsed=collapsed,
    )
