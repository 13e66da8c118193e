"""Taxa that the reagents brought: seen in blank controls more often than in stools.

Stool holds so much that reagents rarely matter, but a low sample shows them. Presence is compared, not abundance: the share of a
contaminant in a blank says nothing of how much there is. Nothing is taken out of the samples: a taxon that is called here is
told, with its largest share of any sample, and the reader decides.

What presence cannot tell: a taxon that lives in every gut and in the reagents too; and reads that strayed from the stools beside a
blank on the plate, which are why a common gut taxon of a blank or two is kept. Two stools of one patient count as two samples, so
the p is that of a screen. Blanks of one run are held against the stools of all runs.

References
----------
Davis et al. 2018, doi:10.1186/s40168-018-0605-2 (decontam). Its prevalence method asks the same of the same table of presence, by a
chi-square where counts allow, and calls by a score of its own (0.1 or 0.5); here it is Fisher's exact test alone, called at 0.05,
and what so few blanks cannot show is said to be so.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import hypergeom

from rabiomarkers.change.pieces import PIECE
from rabiomarkers.files import Info, read_table, write_table
from rabiomarkers.stats.multiplicity import ALPHA
from rabiomarkers.tables.stool import CONTAMINANTS, CONTAMINATED_SAMPLES

SCREEN = f"a screen: p without correction, called at {ALPHA:g}"
OTHER_NAMES = "no taxon of the blanks is named in any stool: are they named alike?"
LEVEL = ALPHA * (1 + 1e-9)  # 1 of 20 is 0.05, whatever the float says


def contaminant_table(blanks: pd.DataFrame, samples: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Each taxon seen in a blank: whether blanks hold it more often than samples do.

    Parameters
    ----------
    blanks
        Taxa x blanks, reads. A blank without any read is a blank.
    samples
        Stool pieces by sample_id: `taxon`, `value`.

    Returns
    -------
    A CONTAMINANTS table. `p_value` is Fisher's, one-sided; `p_floor` the smallest that a taxon seen as often in all can reach.
    Where that is above 0.05 and the taxon is commoner in blanks, `verdict` says that it cannot be told.
    """
    reads = blanks.groupby(level=0).sum()
    seen = (reads > 0).sum(axis="columns")
    taxa = sorted(str(taxon) for taxon in seen.index[seen > 0])
    if not taxa or not samples:
        return CONTAMINANTS.empty()
    found = {name: piece.groupby("taxon")["value"].sum() for name, piece in sorted(samples.items())}
    shares = pd.DataFrame({name: _shares(values) for name, values in found.items()}).reindex(taxa)
    alike = bool(shares.notna().to_numpy().any())
    in_blanks, n_blanks = seen.loc[taxa].to_numpy(), reads.shape[1]
    in_samples, n_samples = (shares > 0).sum(axis="columns").to_numpy(), len(samples)
    everywhere = in_blanks + in_samples
    p_values = hypergeom.sf(in_blanks - 1, n_blanks + n_samples, everywhere, n_blanks)
    floors = hypergeom.pmf(np.minimum(everywhere, n_blanks), n_blanks + n_samples, everywhere, n_blanks)
    commoner = in_blanks * n_samples > in_samples * n_blanks
    verdicts = np.where(commoner & (floors > LEVEL), "cannot be told", "kept")
    verdicts = np.where(p_values <= LEVEL, "contaminant", verdicts) if alike else np.full(len(taxa), "cannot be told")
    counted = {"blanks": n_blanks, "in_blanks": in_blanks, "samples": n_samples, "in_samples": in_samples}
    tested = {"p_value": np.minimum(p_values, 1.0), "p_floor": np.minimum(floors, 1.0)}
    rest = {
        "largest_share": shares.fillna(0.0).max(axis="columns").to_numpy(),
        "verdict": verdicts,
        "note": [_note(*row, alike, n_blanks) for row in zip(verdicts, floors, strict=True)],
    }
    table = pd.DataFrame({"taxon": taxa} | counted | tested | rest)
    return CONTAMINANTS.check(table.sort_values(["p_value", "taxon"], kind="stable", ignore_index=True))


def contaminated_samples(table: pd.DataFrame, samples: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """What the contaminants are of each stool, a CONTAMINATED_SAMPLES table.

    Parameters
    ----------
    table
        A CONTAMINANTS table.
    samples
        As in `contaminant_table`.
    """
    called = sorted(table.loc[table["verdict"] == "contaminant", "taxon"])
    rows = []
    for name, piece in sorted(samples.items()):
        own = _shares(piece.groupby("taxon")["value"].sum()).reindex(called).fillna(0.0)
        rows.append((name, int((own > 0).sum()), float(own.sum())))
    columns = list(CONTAMINATED_SAMPLES.columns)
    return CONTAMINATED_SAMPLES.check(pd.DataFrame(rows, columns=columns)) if rows else CONTAMINATED_SAMPLES.empty()


def contaminant_step(inputs: Mapping[str, Path], out: Path) -> Info:
    """Write `contaminants.parquet` and `contaminated_samples.parquet`.

    Parameters
    ----------
    inputs
        ``piece:<sample_id>`` of each stool and, where there are any, the `blanks` (`taxon`, then a column for each blank).
    """
    samples: dict[str, pd.DataFrame] = {}
    table, blanks = CONTAMINANTS.empty(), 0
    if "blanks" in inputs:
        read = read_table(inputs["blanks"]).set_index("taxon")
        blanks = read.shape[1]
        samples = {
            name.removeprefix(PIECE): read_table(path) for name, path in inputs.items() if name.startswith(PIECE)
        }
        table = contaminant_table(read, samples)
    write_table(table, out / "contaminants.parquet")
    write_table(contaminated_samples(table, samples), out / "contaminated_samples.parquet")
    return {"blanks": blanks, "contaminants": int((table["verdict"] == "contaminant").sum())}


def _shares(values: "pd.Series[float]") -> "pd.Series[float]":
    total = float(values.sum())
    return values / total if total > 0 else values


def _note(verdict: str, floor: float, alike: bool, blanks: int) -> str:
    if not alike:
        return OTHER_NAMES
    if verdict == "cannot be told":
        return f"of {blanks} blanks too few, or of stools too many, hold it: p cannot be below {floor:.2g}"
    return SCREEN
