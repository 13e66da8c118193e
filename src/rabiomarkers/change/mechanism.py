"""Did the tumour respond to retinoic acid, and did the steps of the mechanism follow one another."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from rabiomarkers.change.chain import chain_table, link_table, read_chain
from rabiomarkers.change.immune import TUMOUR, adjusted_table, placed
from rabiomarkers.files import Info, read_table, write_json, write_table
from rabiomarkers.stats.multiplicity import ALPHA

CORE = "RA_RESPONSE_CORE"
DIRECT = "RA_RESPONSE_DIRECT"
INFILTRATION = "CYT_ROONEY_2015"
OTHER_INFILTRATION = ("MCPCOUNTER_T_CELLS", "TIS_AYERS_2017")
"""Told beside the planned measure where they were scored; they share no gene with either set of targets and decide nothing."""
ROSE, STILL, UNKNOWN = "rose", "not risen", "unknown"


def retinoic_acid_call(changes: pd.DataFrame, adjusted: pd.DataFrame) -> dict[str, Any]:
    """Whether retinoic acid reached the tumour's genes: core score, direct targets, and the latter beyond infiltration, must rise.

    Some published target genes (TGM2, PLAAT4 = RARRES3, CD38) also rise when immune cells move in. In the CheckMate 038
    biopsies (Riaz et al. 2017, 43 pairs, nivolumab, nobody had retinoic acid) PLAAT4 rose by 0.71 log2 CPM (p = 4e-4), TGM2 by
    0.52 (p = 5e-4), CD38 by 0.43 (p = 0.02), together with the cytolytic score (+0.83, p = 1.5e-4), while CYP26A1 (-0.12,
    p = 0.55), RARB (-0.07, p = 0.47) and STRA6 (+0.03, p = 0.68) stood still. A set built on the first group would call a response
    to a drug nobody took. None of them is among the direct targets, and those must rise twice: by themselves, and at no change of
    infiltration (`change.immune`), as immune cells bring some direct targets along too (DHRS3 rose by 0.44). Each p may be at most
    0.05; all three are required, so no correction is due between them.

    Parameters
    ----------
    changes
        The CHANGES table.
    adjusted
        From `adjusted_table`; the first row of the direct targets decides, others are told only.

    Returns
    -------
    `call` ("response", "no response", "not estimable"), `sentence`, and `why`, the sentence's last part where there is something to
    explain; `verdicts` of the three ("rose", "not risen", "unknown").
    """
    here = changes[changes["compartment"] == TUMOUR].set_index("feature")
    scores = {name: here.loc[name].to_dict() if name in here.index else None for name in (CORE, DIRECT)}
    own = adjusted[adjusted["feature"] == DIRECT]
    first = own.iloc[0].to_dict() if len(own) else None
    verdicts = {name: _verdict(row) for name, row in scores.items()} | {"adjusted": _adjusted(first)}
    told = "; ".join([*(f"{name} {_told(row)}" for name, row in scores.items()), _adjusted_told(first)])
    call, start = _call(list(verdicts.values()))
    why = _why(verdicts, first) if call != "response" else ""
    return {"call": call, "sentence": f"{start}: {told}.{why and ' '}{why}", "why": why, "verdicts": verdicts}


def mechanism_step(
    inputs: Mapping[str, Path],
    out: Path,
    *,
    chain: Sequence[Mapping[str, str]],
    infiltration: str = INFILTRATION,
    level: float = 0.95,
    seed: int = 1,
) -> Info:
    """Write `chain` and `links.parquet` and `retinoic_acid.json` from the files `deltas` and `changes`.

    Parameters
    ----------
    chain
        The nodes in their order, each `name, compartment, feature, expected`.
    infiltration
        ``feature`` or ``compartment:feature`` by which the response to retinoic acid is adjusted.
    level, seed
        Of the intervals; of the random orders beyond 12 patients.
    """
    deltas, changes = read_table(inputs["deltas"]), read_table(inputs["changes"])
    nodes = read_chain(chain)
    steps = chain_table(deltas, sorted(set(deltas["patient_id"])), nodes)
    links = link_table(deltas, nodes, seed=seed)
    adjusted = adjusted_table(
        deltas, features=(DIRECT, CORE), infiltration=_measures(deltas, infiltration), level=level
    )
    called = retinoic_acid_call(changes, adjusted)
    write_table(steps, out / "chain.parquet")
    write_table(links, out / "links.parquet")
    write_json({**called, "adjusted": adjusted.to_dict("records")}, out / "retinoic_acid.json")
    return {"call": called["call"], "links": len(links), "links_tested": int(links["p_value"].notna().sum())}


def _measures(deltas: pd.DataFrame, planned: str) -> list[str]:
    """The planned measure of infiltration, and the others that were scored."""
    scored = set(deltas.loc[deltas["compartment"] == TUMOUR, "feature"])
    others = [name for name in OTHER_INFILTRATION if name in scored and (TUMOUR, name) != placed(planned)]
    return [planned, *others]


def _call(verdicts: Sequence[str]) -> tuple[str, str]:
    if all(verdict == ROSE for verdict in verdicts):
        return "response", "The tumour responded to retinoic acid"
    if STILL in verdicts:  # all are required, so one that stood still decides
        return "no response", "No response to retinoic acid is shown in the tumour"
    return "not estimable", "Whether the tumour responded to retinoic acid is not estimable"


def _verdict(row: Mapping[Any, Any] | None) -> str:
    if row is None or pd.isna(row["p_value"]) or row["p_floor"] > ALPHA:
        return UNKNOWN
    return ROSE if row["p_value"] <= ALPHA and row["estimate"] > 0 else STILL


def _adjusted(row: Mapping[Any, Any] | None) -> str:
    """As `_verdict`; an adjusted change far from what was observed rests on the line being straight, and decides nothing."""
    if row is None or pd.isna(row["p_value"]) or row["extrapolated"]:
        return UNKNOWN
    return ROSE if row["p_value"] <= ALPHA and row["estimate"] > 0 else STILL


def _why(verdicts: Mapping[str, str], adjusted: Mapping[Any, Any] | None) -> str:
    if verdicts[CORE] == ROSE and verdicts[DIRECT] == STILL:
        return "The core score rose without the direct targets, as it does when immune cells move in."
    if verdicts[DIRECT] == ROSE and verdicts["adjusted"] == STILL:
        return "The direct targets are not shown to have risen further than goes with immune cells moving in."
    if verdicts["adjusted"] == UNKNOWN and verdicts[CORE] == verdicts[DIRECT] == ROSE:
        reason = adjusted["note"] if adjusted is not None else "infiltration was not measured"
        return f"Both scores rose, but what of it is due to immune cells moving in cannot be told ({reason})."
    return ""


def _told(row: Mapping[Any, Any] | None) -> str:
    if row is None:
        return "was not measured"
    if pd.isna(row["p_value"]):
        return f"could not be tested ({row['note']})"
    if row["p_floor"] > ALPHA:
        return f"cannot be judged with {row['n_pairs']} pairs (no p is below {row['p_floor']:.3g})"
    floor = "" if pd.isna(row["p_floor"]) else f", floor {row['p_floor']:.3g}"
    moved = f"changed by {row['estimate']:+.3g} {row['unit']} in {row['n_pairs']} pairs"
    return f"{moved} (p = {row['p_value']:.3g}{floor})"


def _adjusted_told(row: Mapping[Any, Any] | None) -> str:
    if row is None:
        return f"{DIRECT} was not adjusted for infiltration"
    if pd.isna(row["p_value"]):
        return f"{DIRECT} could not be adjusted for {row['infiltration']} ({row['note']})"
    how = ", extrapolated" if row["extrapolated"] else ""
    moved = f"changed by {row['estimate']:+.3g} {row['unit']} in {row['n_pairs']} pairs"
    return f"{DIRECT} at no change of {row['infiltration']} {moved} (p = {row['p_value']:.3g}{how})"
