"""Stool samples side by side: which can be compared, and one a patient and timepoint."""

from collections.abc import Mapping

import pandas as pd

PIECE = "piece:"


def stack_pieces(pieces: Mapping[str, pd.DataFrame], *, depth: int) -> tuple[pd.DataFrame, list[str]]:
    """Samples x taxa of the pieces that can be compared, and in words which could not.

    Counts and relative abundances, or profiles of two databases, name and weigh taxa differently: the commonest kind is kept.

    Parameters
    ----------
    pieces
        By sample_id: `taxon, value`, with ``attrs["passport"]`` saying `scale` and `database`.
    depth
        Least number of reads of a sample of counts.
    """
    kinds = {name: _kind(piece) for name, piece in pieces.items()}
    counted = pd.Series(kinds, dtype="str").value_counts(sort=False).sort_index()
    kept = str(counted.idxmax()) if len(counted) else ""
    totals = {name: float(piece["value"].sum()) for name, piece in pieces.items()}
    shallow = [name for name in pieces if kinds[name] == kept and totals[name] < (depth if "counts" in kept else 1e-12)]
    used = [name for name in sorted(pieces) if kinds[name] == kept and name not in shallow]
    notes = [f"{len(pieces) - counted[kept]} samples are not {kept} and are left out"] if len(counted) > 1 else []
    notes += [f"{len(shallow)} samples have too few reads and are left out"] if shallow else []
    columns = {name: pieces[name].groupby("taxon")["value"].sum() for name in used}
    table = pd.DataFrame(columns, dtype="float64").fillna(0.0).T.sort_index(axis="columns")
    return table.reindex(used), notes


def _kind(piece: pd.DataFrame) -> str:
    passport = piece.attrs.get("passport", {})
    return f"{passport.get('scale', 'undeclared')} ({passport.get('database', 'undeclared')} database)"


def one_a_timepoint(samples: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """One stool a patient and timepoint: a second library of a sample is not a second sample."""
    ordered = samples.sort_values(["patient_id", "timepoint", "replicate", "sample_id"])
    kept = ordered.drop_duplicates(["patient_id", "timepoint"])
    repeated = len(ordered) - len(kept)
    return kept.reset_index(drop=True), f"{repeated} repeated samples are left out" if repeated else ""
