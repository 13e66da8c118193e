"""A complete study folder with a known truth: what `rabiomarkers simulate` writes."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import yaml

from rabiomarkers.errors import RabiomarkersError
from rabiomarkers.files import replace_folder, write_csv, write_json, write_table
from rabiomarkers.simulate.blood_counts import blood_counts
from rabiomarkers.simulate.cells import blood_samples, cell_model
from rabiomarkers.simulate.clinical import clinical_tables
from rabiomarkers.simulate.cytometry import flow_samples, panel_table
from rabiomarkers.simulate.design import TIMEPOINTS, Design, Effect, Part, Patient, Sample, design_trial
from rabiomarkers.simulate.proteins import proteins
from rabiomarkers.simulate.repertoires import repertoires
from rabiomarkers.simulate.stool import blank_counts, lineages, newick, stool_counts
from rabiomarkers.simulate.stool_genes import gene_families
from rabiomarkers.simulate.truth import PLAN, Truth
from rabiomarkers.simulate.tumour import tumour_counts

if TYPE_CHECKING:
    from anndata import AnnData

STUDY_NAME = "simulated-trial"
SMALLEST_SAMPLE = 50  # cells; fewer hold no rare type

_KINDS: dict[Part, tuple[str, str]] = {
    "tumour": ("tumour", "rna_counts"),
    "pbmc": ("blood", "sc_counts"),
    "cbc": ("blood", "cell_counts"),
    "stool": ("faecal", "taxa_counts"),
    "genes": ("faecal", "gene_families"),
    "flow": ("blood", "flow"),
    "tcr": ("blood", "tcr"),
    "proteins": ("blood", "proteins"),
}
_TREE, _TAXONOMY = "stool/tree.nwk", "stool/taxonomy.csv"
_BLANKS = "stool/blanks.csv"
_PANEL = "blood/panel.csv"
EVENTS_PER_CELL = 4  # a cytometer counts more cells than are sequenced


def simulate_study(
    folder: Path, *, patients: int = 10, effect: Effect = "planted", seed: int = 1, cells: int = 2000
) -> Truth:
    """Simulate a trial and write it as a study folder; the same arguments give the same bytes.

    Tumour, stool and blood-count files hold one batch of five patients each and every blood sample has a file of its own, so a
    trial with more patients of the same seed differs from this one by what the added patients bring.

    Parameters
    ----------
    folder
        Where to write; it must not be there yet, or be empty. It appears complete or not at all.
    patients
        1 or more.
    effect
        ``planted``: treatment moves what `truth.json` says. ``none``: the same trial in which treatment moves nothing.
    cells
        Blood cells a sample that are sequenced, 50 or more; the cytometer counts four times as many.

    Raises
    ------
    RabiomarkersError
        The folder holds something, or an argument is out of range; nothing is written.
    """
    design = design_trial(patients=patients, effect=effect, seed=seed)
    if cells < SMALLEST_SAMPLE:
        raise RabiomarkersError(f"{cells} cells a sample are too few to hold the cell types; ask for 50 or more.")
    folder = folder.absolute()
    _refuse_occupied(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # beside the target, as only a rename within one file system is atomic
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        truth = _write(design, draft, cells)
        draft.chmod(0o777 & ~_umask())  # mkdtemp makes it private
        _refuse_occupied(folder)
        replace_folder(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)  # there only if something failed
    return truth


def _refuse_occupied(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise RabiomarkersError(f"{folder.name} is a file; a simulated study needs a folder of its own.")
    if folder.is_dir() and any(folder.iterdir()):
        raise RabiomarkersError(
            f"The folder {folder.name} already holds something, and nothing of it is overwritten. "
            "Name a folder that does not exist yet, or an empty one."
        )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _write(design: Design, folder: Path, cells: int) -> Truth:
    for part in ("tumour", "blood", "stool"):
        (folder / part).mkdir()
    _write_settings(design, folder / "study.yaml")
    write_csv(sample_sheet(design), folder / "samples.csv")
    clinical = clinical_tables(design)
    for name in ("patients", "lesions", "visits", "followup", "adverse_events"):
        write_csv(getattr(clinical, name), folder / f"{name}.csv")
    _write_batches(design, folder)
    populations = _write_events(design, folder, EVENTS_PER_CELL * cells)
    truth = Truth(design=design, cells=cells, fractions=_write_cells(design, folder, cells), populations=populations)
    write_json(truth.as_json(), folder / "truth.json")
    return truth


def _write_settings(design: Design, path: Path) -> None:
    settings = {
        "name": STUDY_NAME,
        "timepoints": [{"name": name, "day": day} for name, day in TIMEPOINTS.items()],
        "contrast": list(TIMEPOINTS),
        "seed": design.seed,
        "plan": {tier: list(features) for tier, features in PLAN.items()},
        "annotation": "simulated, HGNC symbols",
        "taxa_database": "simulated, NCBI names",
        "stool": {"blanks": _BLANKS},
    }
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8", newline="\n")


def sample_sheet(design: Design) -> pd.DataFrame:
    """`samples.csv`: one row a sample that was taken, patients in the order of their arrival."""
    return pd.DataFrame(
        [_sheet_row(patient, sample) for patient in design.patients for sample in patient.samples if not sample.missing]
    )


def _sheet_row(patient: Patient, sample: Sample) -> dict[str, object]:
    compartment, assay = _KINDS[sample.part]
    stool = sample.part == "stool"
    return {
        "sample_id": sample.sample_id,
        "patient_id": patient.patient_id,
        "timepoint": sample.timepoint,
        "compartment": compartment,
        "assay": assay,
        "path": _path(patient, sample),
        "batch": patient.batch,
        "collected_day": sample.day,
        "tree": _TREE if stool else "",
        "taxonomy": _TAXONOMY if stool else "",
        "panel": _PANEL if sample.part == "flow" else "",
    }


def _path(patient: Patient, sample: Sample) -> str:
    match sample.part:
        case "tumour":
            return f"tumour/counts_{patient.batch}.csv.gz"
        case "pbmc":
            return f"blood/{sample.sample_id}.h5ad"
        case "cbc":
            return f"blood/cbc_{patient.batch}.csv"
        case "stool":
            return f"stool/counts_{patient.batch}.csv"
        case "genes":
            return f"stool/gene_families_{patient.batch}.tsv"
        case "flow":
            return f"blood/{sample.sample_id}.fcs"
        case "tcr":
            return f"blood/tcr_{patient.batch}.tsv"
        case "proteins":
            return f"blood/proteins_{patient.batch}.csv"


def _write_batches(design: Design, folder: Path) -> None:
    (folder / _TREE).write_text(newick() + "\n", encoding="utf-8", newline="\n")
    write_csv(lineages(), folder / _TAXONOMY)
    write_csv(blank_counts(design).reset_index(), folder / _BLANKS)
    for batch, patients in design.batches():
        write_csv(blood_counts(design, patients=patients), folder / f"blood/cbc_{batch}.csv")
        write_csv(stool_counts(design, patients=patients).reset_index(), folder / f"stool/counts_{batch}.csv")
        write_csv(proteins(design, patients=patients), folder / f"blood/proteins_{batch}.csv")
        _write_tsv(repertoires(design, patients=patients), folder / f"blood/tcr_{batch}.tsv")
        _write_tsv(gene_families(design, patients=patients).reset_index(), folder / f"stool/gene_families_{batch}.tsv")
        tumour_counts(design, patients=patients).to_csv(
            folder / f"tumour/counts_{batch}.csv.gz",
            lineterminator="\n",
            compression={"method": "gzip", "compresslevel": 6, "mtime": 0},  # a time stamp would differ in every run
        )


def _write_tsv(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, sep="\t", index=False, lineterminator="\n")


def _write_cells(design: Design, folder: Path, cells: int) -> dict[str, dict[str, float]]:
    """The blood samples, and beside them what each cell truly is; the true fractions by sample."""
    model = cell_model(design.seed)
    fractions: dict[str, dict[str, float]] = {}
    truths = []
    for patient in design.patients:
        for sample, blood in blood_samples(design, patient, cells=cells, model=model):
            _write_h5ad(blood.cells, folder / _path(patient, sample))
            fractions[sample.sample_id] = blood.fractions()
            truths.append(blood.truth.assign(sample_id=sample.sample_id))
    everything = pd.concat(truths, ignore_index=True)
    write_table(everything[["sample_id", "barcode", "true_type", "doublet", "broken"]], folder / "truth_cells.parquet")
    return fractions


def _write_events(design: Design, folder: Path, events: int) -> dict[str, dict[str, float]]:
    """The tubes of the cytometer and their panel; the true shares by sample."""
    write_csv(panel_table(), folder / _PANEL)
    populations = {}
    for patient in design.patients:
        for sample, tube in flow_samples(design, patient, events=events):
            (folder / _path(patient, sample)).write_bytes(tube.fcs())
            populations[sample.sample_id] = tube.fractions()
    return populations


def _write_h5ad(cells: "AnnData", path: Path) -> None:
    """Fast compression: stronger levels save a tenth of the size for half as much time again."""
    cells.write_h5ad(path, compression="gzip", compression_opts=1)
