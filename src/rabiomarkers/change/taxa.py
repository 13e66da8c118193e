"""Which taxa changed, rank by rank: abundance and presence, with two other methods beside.

The answer is that of the composition engine: each patient's change of the centred log-ratio, signed-rank, exact. ANCOM-BC and the
Dirichlet-multinomial mixed model (scikit-bio) look at the same samples under other assumptions. They can take a call back and never
make one: with few pairs the errors of both are too small.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from rabiomarkers.change.composition import MOVED, TOGETHER, composition_table
from rabiomarkers.change.pieces import PIECE, one_a_timepoint, stack_pieces
from rabiomarkers.change.taxa_sensitivity import sensitivity_by_taxon
from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.stats.composition import Scale
from rabiomarkers.stats.multiplicity import ALPHA, benjamini_hochberg
from rabiomarkers.tables.samples import SAMPLES
from rabiomarkers.tables.stool import TAXA_CHANGES

RANKS: Mapping[str, str] = {
    "phylum": "p",
    "class": "c",
    "order": "o",
    "family": "f",
    "genus": "g",
    "species": "s",
}
"""Rank -> its letter in a lineage."""
type OtherMethods = Literal["all", "called"]

MINIMUM_PREVALENCE = 0.25
LEAST_SAMPLES = 3
"""A taxon that is called must have been seen in so many samples: not only in sums and imputed values."""
UNPLACED = "(unclassified)"
UNDRAWN = "no counts to draw from"  # the engine's remark where it was not asked for draws


def at_rank(abundances: pd.DataFrame, lineages: "pd.Series[str]", rank: str) -> tuple[pd.DataFrame, "pd.Series[str]"]:
    """Samples x taxa of one rank, and the lineage down to it.

    What a lineage does not place at the rank is told under the last name it has: ``Lachnospiraceae (unclassified)``. A taxon
    without any lineage stays what it is at the rank of species and is ``(unclassified)`` above.

    Parameters
    ----------
    abundances
        Samples x taxa as they were read.
    lineages
        By taxon: ``k__..;p__..;..``; may be empty.
    rank
        One of `RANKS`.
    """
    named = {taxon: _name_at(str(taxon), str(lineages.get(taxon, "") or ""), rank) for taxon in abundances.columns}
    names = pd.Series({taxon: name for taxon, (name, _) in named.items()}, dtype="str")
    summed = abundances.T.groupby(names.reindex(abundances.columns).to_numpy()).sum().T.sort_index(axis="columns")
    path = dict(named.values())
    return summed.reindex(abundances.index), pd.Series(path, dtype="str").reindex(summed.columns)


def _name_at(taxon: str, lineage: str, rank: str) -> tuple[str, str]:
    """The name of a taxon at the rank, and its lineage down to there."""
    parts = [part for part in lineage.split(";") if part[3:]]
    placed = [at for at, part in enumerate(parts) if part.startswith(f"{RANKS[rank]}__")]
    if placed:
        return parts[placed[0]][3:], ";".join(parts[: placed[0] + 1])
    if rank == "species" and (not parts or parts[-1][0] not in "st"):
        return taxon, lineage
    above = [part for part in parts if part[0] in "kd" or _is_above(part[0], rank)]
    return (f"{above[-1][3:]} {UNPLACED}" if above else UNPLACED), ";".join(above)


def _is_above(letter: str, rank: str) -> bool:
    letters = list(RANKS.values())
    return letter in letters and letters.index(letter) < letters.index(RANKS[rank])


def taxa_table(
    abundances: pd.DataFrame,
    lineages: "pd.Series[str]",
    samples: pd.DataFrame,
    *,
    contrast: Sequence[str],
    ranks: Sequence[str] = tuple(RANKS),
    scale: Scale = "counts",
    minimum_prevalence: float = MINIMUM_PREVALENCE,
    level: float = 0.95,
    other_methods: OtherMethods = "all",
    seed: int = 1,
) -> pd.DataFrame:
    """Every taxon of each rank: whether its share of the community changed, and whether it came or went.

    Parameters
    ----------
    abundances
        Samples x taxa, counts or relative abundances.
    lineages
        By taxon.
    samples
        `sample_id, patient_id, timepoint`, one sample a patient and timepoint.
    contrast
        Timepoint before, timepoint after.
    ranks, minimum_prevalence, level, seed
        See `settings.measures.StoolSettings`; taxa seen in a smaller share of the samples of the pairs are not tested (`rare`).
    other_methods
        Whether ANCOM-BC and the Dirichlet-multinomial model are asked at all ranks, or only at those where something is called.

    Returns
    -------
    A TAXA_CHANGES table. `q_value` is Benjamini and Hochberg's within the rank. `verdict`, of what the signed-rank test calls:
    ``agree`` where the composition engine finds it moved by both references and every other method that could be asked calls it
    in the same direction, ``methods disagree`` where one does not.
    """
    tables = [
        _rank_table(
            *at_rank(abundances, lineages, rank),
            rank,
            samples,
            contrast=contrast,
            scale=scale,
            minimum_prevalence=minimum_prevalence,
            level=level,
            other_methods=other_methods,
            seed=seed,
        )
        for rank in ranks
    ]
    told = [table for table in tables if len(table)]
    return TAXA_CHANGES.check(pd.concat(told, ignore_index=True)) if told else TAXA_CHANGES.empty()


def taxa_step(
    inputs: Mapping[str, Path],
    out: Path,
    *,
    contrast: Sequence[str],
    depth: int,
    ranks: Sequence[str],
    minimum_prevalence: float,
    level: float,
    other_methods: OtherMethods,
    seed: int,
) -> Info:
    """Write `taxa.parquet` from the sheet (`samples`) and ``piece:<sample_id>`` of each stool; options as in `taxa_table`.

    `depth`: samples of read counts below it are left out, as they are of diversity.
    """
    pieces = {
        name.removeprefix(PIECE): read_table(path) for name, path in sorted(inputs.items()) if name.startswith(PIECE)
    }
    abundances, _ = stack_pieces(pieces, depth=depth)
    sheet = SAMPLES.check(read_table(inputs["samples"]))
    samples, _ = one_a_timepoint(sheet[sheet["sample_id"].isin(abundances.index)])
    used = {name: pieces[name] for name in samples["sample_id"]}
    lineages = (
        pd.concat([piece.set_index("taxon")["lineage"] for piece in used.values()]) if used else pd.Series(dtype="str")
    )
    scale: Scale = "counts" if used and next(iter(used.values())).attrs["passport"]["scale"] == "counts" else "relative"
    table = taxa_table(
        abundances.loc[samples["sample_id"]],
        _first_known(lineages),
        samples,
        contrast=contrast,
        ranks=ranks,
        scale=scale,
        minimum_prevalence=minimum_prevalence,
        level=level,
        other_methods=other_methods,
        seed=seed,
    )
    write_table(table, out / "taxa.parquet")
    return {"taxa": len(table), "called": int((table["q_value"] <= ALPHA).sum())}


# ---- one rank --------------------------------------------------------------------------------------------------------


def _rank_table(
    counts: pd.DataFrame,
    lineages: "pd.Series[str]",
    rank: str,
    samples: pd.DataFrame,
    *,
    contrast: Sequence[str],
    scale: Scale,
    minimum_prevalence: float,
    level: float,
    other_methods: OtherMethods,
    seed: int,
) -> pd.DataFrame:
    before, after = _pairs(counts, samples, contrast)
    seen = [taxon for taxon in counts.columns if (before[taxon] > 0).any() or (after[taxon] > 0).any()]
    if not len(before) or not seen:
        return TAXA_CHANGES.empty()
    engine = composition_table(
        counts,
        samples,
        contrast=contrast,
        compartment="faecal",
        composition=rank,
        scale=scale,
        minimum_prevalence=minimum_prevalence,
        draws=0,
        level=level,
        seed=seed,
    )
    own = engine[(engine["coordinate"] == "clr") & (engine["part"] != TOGETHER)].set_index("part").reindex(seen)
    shares = [side[seen].div(side.sum(axis="columns"), axis="index") for side in (before, after)]
    tested = own["p_value"].notna().to_numpy()
    prevalence = _prevalence(before[seen], after[seen], tested)
    asked = tested if other_methods == "all" or (own["q_value"] <= ALPHA).any() else np.zeros_like(tested)
    others = sensitivity_by_taxon(before[seen], after[seen], asked, scale=scale, seed=seed)
    in_counts = (pd.concat([before[seen], after[seen]]) > 0).sum() >= LEAST_SAMPLES
    told = pd.DataFrame(
        {
            "rank": rank,
            "taxon": seen,
            "lineage": lineages.reindex(seen).to_numpy(),
            "n_pairs": len(before),
            "prevalence_before": (before[seen] > 0).mean().to_numpy(),
            "prevalence_after": (after[seen] > 0).mean().to_numpy(),
            "share_before": shares[0].mean().to_numpy(),
            "share_after": shares[1].mean().to_numpy(),
            **{
                name: own[name].to_numpy()
                for name in ("estimate", "ci_low", "ci_high", "p_value", "p_floor", "q_value")
            },
            **{name: prevalence[name].to_numpy() for name in prevalence.columns},
            **{name: others[name].to_numpy() for name in others.columns if name != "note"},
            "in_counts": in_counts.to_numpy(),
        }
    )
    told["verdict"] = _verdicts(told, own["verdict"].fillna("").to_numpy())
    said = own["note"].fillna("").str.replace(UNDRAWN, "", regex=False).str.strip("; ")
    told["note"] = [_joined(*notes) for notes in zip(said, others["note"], strict=True)]
    return TAXA_CHANGES.check(told.sort_values(["p_value", "taxon"], kind="stable", ignore_index=True))


def _pairs(counts: pd.DataFrame, samples: pd.DataFrame, contrast: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both samples of each patient who has both and something in each, patients x taxa."""
    ids = samples[samples["timepoint"].isin(list(contrast))].pivot(
        index="patient_id", columns="timepoint", values="sample_id"
    )
    complete = ids.reindex(columns=list(contrast)).dropna().sort_index()
    filled = counts.sum(axis="columns") > 0
    complete = complete[filled.reindex(complete.to_numpy().ravel()).to_numpy().reshape(complete.shape).all(axis=1)]
    first, second = (counts.loc[complete[time]].set_axis(complete.index) for time in contrast)
    return first, second


def _prevalence(before: pd.DataFrame, after: pd.DataFrame, tested: "np.typing.NDArray[np.bool_]") -> pd.DataFrame:
    """In how many patients each taxon came and went, with McNemar's exact test (binomial of the patients that differ)."""
    came = ((before <= 0) & (after > 0)).sum()
    went = ((before > 0) & (after <= 0)).sum()
    p_values = [
        binomtest(int(up), int(up + down)).pvalue if wanted and up + down else np.nan
        for up, down, wanted in zip(came, went, tested, strict=True)
    ]
    p = pd.Series(p_values, index=came.index, dtype="float64")
    return pd.DataFrame(
        {"appeared": came, "disappeared": went, "prevalence_p": p, "prevalence_q": benjamini_hochberg(p)}
    )


def _verdicts(told: pd.DataFrame, engine: "np.typing.NDArray[np.object_]") -> list[str]:
    verdicts = []
    for row, found in zip(told.to_dict("records"), engine, strict=True):
        if found == "rare" or not row["p_value"] >= 0:
            verdicts.append("rare" if found == "rare" else "not tested")
            continue
        if not row["q_value"] <= ALPHA:
            verdicts.append("not shown")
            continue
        sign = np.sign(row["estimate"])
        against = [
            found != MOVED,  # against the other reference, or once stronger movers are taken out, nothing is left
            row["ancombc_q"] > ALPHA or row["ancombc_log_fold"] * sign < 0,
            row["dirichlet_low"] * sign <= 0 or row["dirichlet_high"] * sign <= 0,
            not row["in_counts"],
        ]
        verdicts.append("methods disagree" if any(against) else "agree")
    return verdicts


def _joined(*parts: object) -> str | None:
    return "; ".join(str(part) for part in parts if part) or None


def _first_known(lineages: "pd.Series[str]") -> "pd.Series[str]":
    """One lineage by taxon; a sample that tells none hides no other's."""
    known = lineages[lineages.fillna("") != ""]
    return known[~known.index.duplicated()]
