"""The step that tests every feature's change."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rabiomarkers.change.families import family_table
from rabiomarkers.change.pairs import paired_deltas, pairing, single_values
from rabiomarkers.change.table import NOT_MEASURED, change_table
from rabiomarkers.files import Info, read_table, write_table


def change_step(
    inputs: Mapping[str, Path],
    out: Path,
    *,
    contrast: Sequence[str],
    primary: Sequence[str] = (),
    secondary: Sequence[str] = (),
    families: Mapping[str, Sequence[str]] | None = None,
    secondary_correction: str = "holm",
    test: str = "signed_rank",
    exploratory_test: str | None = None,
    registered: bool = True,
    level: float = 0.95,
    seed: int = 1,
) -> Info:
    """Write `deltas`, `singles`, `changes` and `families.parquet` from the file `inputs["features"]`; options as `change_table`."""
    features = read_table(inputs["features"])
    deltas = paired_deltas(features, contrast=contrast)
    singles = single_values(features, contrast=contrast)
    changes = change_table(
        deltas,
        pairing(features, contrast=contrast),
        singles=singles,
        primary=primary,
        secondary=secondary,
        families=families,
        secondary_correction=secondary_correction,
        test=test,
        exploratory_test=exploratory_test,
        registered=registered,
        level=level,
        seed=seed,
    )
    tables = {"deltas": deltas, "singles": singles, "changes": changes, "families": family_table(changes)}
    for name, table in tables.items():
        write_table(table, out / f"{name}.parquet")
    planned = changes["tier"] != "exploratory"
    unmatched = changes.loc[planned & changes["note"].fillna("").str.endswith(NOT_MEASURED), "feature"].tolist()
    return {"features": len(changes), "planned": int(planned.sum()), "not_measured": unmatched}
