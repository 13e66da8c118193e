"""Taxa of one database under the names of another, by a table of the study: no other way puts two databases into one table."""

import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from rabiomarkers.ingest.delimited import Sheet, require_sheet
from rabiomarkers.ingest.findings import Findings, named
from rabiomarkers.ingest.lineage import lineage, split_lineage
from rabiomarkers.stats.taxa_databases import database_of

COLUMNS = ("database", "taxon", "mapped_database", "mapped_taxon")
LINEAGE = "mapped_lineage"


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """A table under the names of the other database."""

    mapped_from: str
    names: pd.DataFrame  # taxon, lineage
    values: pd.DataFrame  # taxa x samples, rows as in `names`; what the map does not know is gone
    database: str
    unmapped: "pd.Series[float]"  # share of the sample's taxa that the map does not know, 0..1; NaN where it holds none

    def told(self, sample: str) -> dict[str, object]:
        """What the passport of a sample says of it."""
        share = float(self.unmapped[sample])
        own: dict[str, object] = {"database": self.database, "mapped_from": self.mapped_from}
        return own | ({"unmapped": share} if math.isfinite(share) else {})


def read_taxa_map(path: Path, *, label: str | None = None) -> pd.DataFrame:
    """`database, taxon, mapped_database, mapped_taxon, mapped_lineage`; several taxa may become one, none several.

    Raises
    ------
    InputError
        Every problem of the table: an empty cell, a taxon that is mapped twice, a taxon with two lineages, a database that is
        mapped to itself, to two others, or to one that is mapped on.
    """
    findings = Findings(label or path.name)
    sheet = require_sheet(path, required=COLUMNS, optional=(LINEAGE,), findings=findings)
    table = sheet.frame[[*COLUMNS, LINEAGE]]
    _check_cells(sheet, findings)
    _check_databases(table, findings)
    findings.raise_if_any()
    lineages = [lineage(split_lineage(text)) for text in table[LINEAGE]]
    return table.assign(**{LINEAGE: lineages}).reset_index(drop=True)


def map_taxa(
    names: pd.DataFrame, values: pd.DataFrame, *, database: str, path: Path, findings: Findings
) -> Mapped | None:
    """The table under the names of the database that the map has for its own; None where the map has none.

    Several taxa that become one are added up. Shares stay shares of all that the profile holds: they are not scaled up for what
    the map does not know.

    Parameters
    ----------
    names
        `taxon` and `lineage` of each row.
    values
        Taxa x samples, rows as in `names`.
    database
        In which the taxa are named.
    path
        The map.
    findings
        Of the table of abundances.

    Raises
    ------
    InputError
        The map is wrong, knows none of the taxa, or names no lineages though the table does.
    """
    table = read_taxa_map(path)
    own = table[table["database"].map(database_of) == database_of(database)]
    if own.empty:
        return None
    new = names["taxon"].map(own.set_index("taxon")["mapped_taxon"])
    known = new.notna().to_numpy()
    if not known.any() and len(names):
        findings.fail(
            f"none of the {len(names):,} taxa is in {path.name} as one of {database}: {named(names['taxon'])}",
            f"taxa such as {named(own['taxon'])}",
            "write the taxa in the map as the table does",
        )
    bare = own.loc[(own[LINEAGE] == "") & own["taxon"].isin(names.loc[names["lineage"] != "", "taxon"]), "mapped_taxon"]
    if len(bare):
        Findings(path.name).fail(
            f"no {LINEAGE} for {len(bare):,} taxa whose lineage the table of abundances tells: {named(bare)}",
            "the lineage that the other database gives them",
            "fill it in: shares of families and higher ranks would come out too small without it",
        )
    summed = values[known].groupby(new[known].to_numpy()).sum()
    lineages = own.drop_duplicates("mapped_taxon").set_index("mapped_taxon")[LINEAGE]
    told = pd.DataFrame({"taxon": summed.index.astype("str"), "lineage": lineages.reindex(summed.index).to_numpy()})
    return Mapped(
        mapped_from=database,
        names=told.astype("str"),
        values=summed.reset_index(drop=True),
        database=str(own["mapped_database"].iloc[0]),
        unmapped=1.0 - summed.sum() / values.sum().where(lambda total: total > 0),
    )


def _check_cells(sheet: Sheet, findings: Findings) -> None:
    seen: dict[tuple[str, str], int] = {}
    lineages: dict[tuple[str, str], str] = {}
    for line, row in sheet.rows():
        for column in COLUMNS:
            if not row[column]:
                findings.add(
                    "an empty cell",
                    "a name",
                    "fill it in, or take the row out: an unknown taxon needs none",
                    row=line,
                    column=column,
                )
        taxon = (database_of(row["database"]), row["taxon"])
        if taxon in seen:
            found = f"{row['taxon']!r} of {row['database']} a second time (line {seen[taxon]})"
            findings.add(found, "each taxon once: it cannot be shared out", "remove one", row=line, column="taxon")
        seen.setdefault(taxon, line)
        target = (database_of(row["mapped_database"]), row["mapped_taxon"])
        if lineages.setdefault(target, row[LINEAGE]) != row[LINEAGE]:
            found = f"another lineage of {row['mapped_taxon']!r} than above"
            findings.add(found, "one lineage for a taxon", "correct one of them", row=line, column=LINEAGE)


def _check_databases(table: pd.DataFrame, findings: Findings) -> None:
    pairs = table[["database", "mapped_database"]].map(database_of).drop_duplicates()
    for database, targets in pairs.groupby("database")["mapped_database"]:
        if len(targets) > 1:
            findings.add(
                f"{database} mapped to {named(sorted(targets))}", "one database", "choose one", column="mapped_database"
            )
    for database in sorted(set(pairs["database"]) & set(pairs["mapped_database"])):
        found = f"{database}, which is mapped itself"
        findings.add(found, "a database that is not mapped on", "name the last one", column="mapped_database")
