"""Stool samples side by side: which can be compared, and one a patient and timepoint."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pandas as pd

from rabiomarkers.stats.taxa_databases import database_of

PIECE = "piece:"

_NOTHING = 1e-12  # what the shares of a sample without any taxon may still sum to
_NAMED = 10  # samples that a note names


def stack_pieces(pieces: Mapping[str, pd.DataFrame], *, depth: int) -> tuple[pd.DataFrame, list[str]]:
    """Samples x taxa of the pieces that can be compared, and in words which could not and why.

    Counts and relative abundances, or profiles of two databases, name and weigh taxa differently and never meet in one table: the
    commonest kind is kept (of two equally common ones the first by name).

    Parameters
    ----------
    pieces
        By sample_id: `taxon, value`, with ``attrs["passport"]`` saying `scale` and `database`.
    depth
        Least number of reads of a sample of counts.
    """
    kinds = {name: _kind(piece) for name, piece in sorted(pieces.items())}
    counted = Counter(kinds.values())
    kept = min(counted, key=lambda kind: (-counted[kind], kind), default=("", ""))
    totals = {name: float(pieces[name]["value"].sum()) for name, kind in kinds.items() if kind == kept}
    least = depth if kept[0] == "counts" else _NOTHING
    used = [name for name, total in totals.items() if total >= least]
    words = {name: _words(pieces[name]) for name in kinds}
    others = [f"{name} is {words[name]}" for name, kind in kinds.items() if kind != kept]
    short = [name for name in totals if name not in used]
    why = "have too few reads" if kept[0] == "counts" else "hold no taxon"
    notes = (
        [f"{len(others)} samples are not {words[next(iter(totals))]} and are left out: {_some(others)}"]
        if others
        else []
    )
    notes += [f"{len(short)} samples {why} and are left out: {_some(short)}"] if short else []
    columns = {name: pieces[name].groupby("taxon")["value"].sum() for name in used}
    table = pd.DataFrame(columns, dtype="float64").fillna(0.0).T.sort_index(axis="columns")
    return table.reindex(used), notes


def one_a_timepoint(samples: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """One stool a patient and timepoint: a second library of a sample is not a second sample."""
    ordered = samples.sort_values(["patient_id", "timepoint", "replicate", "sample_id"])
    kept = ordered.drop_duplicates(["patient_id", "timepoint"])
    repeated = len(ordered) - len(kept)
    return kept.reset_index(drop=True), f"{repeated} repeated samples are left out" if repeated else ""


def _kind(piece: pd.DataFrame) -> tuple[str, str]:
    """Scale and database; how a database's name is written makes no other one."""
    scale, database = _passport(piece)
    return scale, database_of(database)


def _words(piece: pd.DataFrame) -> str:
    scale, database = _passport(piece)
    return f"{scale} ({database} database)"


def _passport(piece: pd.DataFrame) -> tuple[str, str]:
    passport = piece.attrs.get("passport", {})
    return str(passport.get("scale") or "undeclared"), str(passport.get("database") or "undeclared")


def _some(names: Sequence[str]) -> str:
    more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
    return ", ".join([*names[:_NAMED], *more])
