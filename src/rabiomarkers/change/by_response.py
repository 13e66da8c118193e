"""How features moved in patients who responded and in those who did not."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.tables.changes import BY_RESPONSE
from rabiomarkers.tables.outcomes import known_responses

IDENTITY = ["compartment", "feature", "unit"]


def change_by_response(deltas: pd.DataFrame, outcomes: pd.DataFrame) -> pd.DataFrame:
    """Median change of each feature in responders and in non-responders, with their numbers; a description, not a test.

    Parameters
    ----------
    deltas, outcomes
        The DELTAS and OUTCOMES tables. Patients whose response is not known are counted and play no other part.

    Returns
    -------
    A BY_RESPONSE table; a median of nobody is NaN.
    """
    responder = deltas["patient_id"].map(known_responses(outcomes)).astype("boolean")
    groups = {"responders": responder.fillna(False), "non_responders": ~responder.fillna(True)}
    table = deltas[IDENTITY].drop_duplicates().sort_values(IDENTITY).set_index(IDENTITY)
    for name, chosen in groups.items():
        changes = deltas[chosen.to_numpy(dtype=bool)].groupby(IDENTITY)["change"]
        table[f"n_{name}"] = changes.size().reindex(table.index, fill_value=0)
        table[f"median_{name}"] = changes.median().reindex(table.index)
    unknown = deltas[responder.isna().to_numpy()].groupby(IDENTITY).size()
    return BY_RESPONSE.check(table.assign(n_unknown=unknown.reindex(table.index, fill_value=0)).reset_index())


def by_response_step(inputs: Mapping[str, Path], out: Path) -> Info:
    """Write `by_response.parquet` from `deltas` and `outcomes`."""
    table = change_by_response(read_table(inputs["deltas"]), read_table(inputs["outcomes"]))
    write_table(table, out / "by_response.parquet")
    return {"features": len(table)}
