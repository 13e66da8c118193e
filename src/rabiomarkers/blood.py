"""What is asked of blood beyond its features: cuts and populations side by side, repertoires, proteins, a picture of the cells."""

from collections.abc import Sequence
from pathlib import Path

from rabiomarkers.assays import GATED
from rabiomarkers.change.gate_checks import gate_check_step
from rabiomarkers.change.repertoires import repertoire_step
from rabiomarkers.features.detection import detection_step
from rabiomarkers.features.embedding import embedding_step
from rabiomarkers.features.gated_samples import gated_step
from rabiomarkers.jobs import pieces_of
from rabiomarkers.steps import BatchFeatures, Steps
from rabiomarkers.store import StepResult
from rabiomarkers.study import Study

GATED_FILES = {
    "features": "features.parquet",
    "populations": "populations.parquet",
    "densities": "views.parquet",
    "positions": "positions.parquet",
}


def put_gated_together(study: Study, batches: Sequence[BatchFeatures], samples: Path, steps: Steps) -> StepResult:
    """Cuts and populations of all gated samples, and cells per microlitre where there are blood counts."""
    tables = {
        f"{kind}:{sample}:{assay}": scored.file(file)
        for batch in batches
        for (sample, assay), scored in batch.scored.items()
        if assay in GATED
        for kind, file in GATED_FILES.items()
    }
    cuts = [result.file("gates.parquet") for batch in batches for result in batch.cuts]
    counts = pieces_of(batches, "cell_counts", prefix="counts") if tables else {}
    return steps.run(
        "put gated samples together",
        gated_step,
        {"samples": samples, **{f"gates:{number:03d}": path for number, path in enumerate(cuts)}, **tables, **counts},
        material=study.settings.cytometry.material,
    )


def absolute_files(gated: StepResult) -> dict[str, Path]:
    """The further features of gated samples, as joining features takes them in."""
    names = {name: name.removeprefix("absolute.").removesuffix(".parquet").rpartition(".") for name in gated.digests}
    return {
        f"more:{sample}:{assay}": gated.file(name)
        for name, (sample, _, assay) in names.items()
        if name.startswith("absolute.")
    }


def look_at_blood(
    study: Study,
    batches: Sequence[BatchFeatures],
    samples: Path,
    failed: Path,
    gated: StepResult,
    steps: Steps,
) -> tuple[StepResult, ...]:
    """Changes that a marker may have made, repertoires before and after, how far proteins were measured, cells for the eye."""
    settings = study.settings
    contrast = list(settings.contrast)
    judged = {"samples": samples, "failed": failed}
    checks = steps.run(
        "check cuts",
        gate_check_step,
        {**judged, "populations": gated.file("populations.parquet"), "positions": gated.file("positions.parquet")},
        contrast=contrast,
    )
    repertoires = steps.run(
        "compare repertoires",
        repertoire_step,
        {**judged, **pieces_of(batches, "tcr")},
        contrast=contrast,
        depth=settings.tcr.depth,
        seed=settings.seed,
    )
    detection = steps.run("look for proteins", detection_step, {"samples": samples, **pieces_of(batches, "proteins")})
    called = {
        f"cells:{sample}": scored.file("cells.parquet")
        for batch in batches
        for (sample, assay), scored in batch.scored.items()
        if assay == "sc_counts"
    }
    embedding = steps.run(
        "draw cells",
        embedding_step,
        {**judged, **pieces_of(batches, "sc_counts"), **called},
        seed=settings.seed,
        **settings.cells.embedding.model_dump(mode="json"),
    )
    return checks, repertoires, detection, embedding
