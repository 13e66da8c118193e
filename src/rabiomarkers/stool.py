"""What is asked of stool beyond its features: communities, taxa by rank, blanks, whose stools these are."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rabiomarkers.change.community import community_step
from rabiomarkers.change.contaminants import contaminant_step
from rabiomarkers.change.distances import distance_step
from rabiomarkers.change.procrustes import procrustes_step
from rabiomarkers.change.stool_identity import stool_identity_step
from rabiomarkers.change.taxa import taxa_step
from rabiomarkers.features.stool_samples import TABLES, stool_step
from rabiomarkers.ingest.blanks import blanks_step
from rabiomarkers.steps import BatchFeatures, Steps
from rabiomarkers.store import StepResult, path_digest
from rabiomarkers.study import Study

TAXA = ("taxa_counts", "taxa_relabund")


def look_at_stool(
    study: Study,
    batches: Sequence[BatchFeatures],
    tables: Mapping[str, Path],
    stools: Mapping[str, Path],
    steps: Steps,
) -> tuple[StepResult, ...]:
    """Stools side by side.

    Parameters
    ----------
    tables
        `samples`, `features` (all that passed) and `outcomes`.
    stools
        The piece of each stool that passed its quality check, by sample_id.
    """
    settings = study.settings
    chosen = settings.stool
    contrast = {"contrast": list(settings.contrast), "seed": settings.seed}
    pieces = {f"piece:{sample}": path for sample, path in stools.items()}
    together = steps.run("put stools together", stool_step, {"samples": tables["samples"], **_told(batches)})
    distances = steps.run(
        "compare stools",
        distance_step,
        {"samples": tables["samples"], **pieces, **_tree(study, stools)},
        depth=chosen.depth,
        draws=chosen.draws,
        metrics=list(chosen.metrics),
        **contrast,
    )
    communities = steps.run(
        "compare communities",
        community_step,
        {"distances": distances.file("distances.parquet"), "outcomes": tables["outcomes"]},
        **contrast,
    )
    taxa = steps.run(
        "compare taxa",
        taxa_step,
        {"samples": tables["samples"], **pieces},
        depth=chosen.depth,
        ranks=list(chosen.ranks),
        minimum_prevalence=chosen.minimum_prevalence,
        other_methods=chosen.other_methods,
        level=settings.change.level,
        **contrast,
    )
    identity = steps.run(
        "check whose stools these are",
        stool_identity_step,
        {
            "samples": tables["samples"],
            "distances": distances.file("distances.parquet"),
            "ordination": distances.file("ordination.parquet"),
        },
        **contrast,
    )
    overlaid = steps.run(
        "lay compartments over one another",
        procrustes_step,
        {"features": tables["features"], "distances": distances.file("distances.parquet")},
        **contrast,
    )
    return together, distances, communities, taxa, identity, overlaid, *_blanks(study, pieces, steps)


def _blanks(study: Study, pieces: Mapping[str, Path], steps: Steps) -> tuple[StepResult, ...]:
    """What the blank controls hold, where the study has any."""
    inputs = dict(pieces)
    if "blanks" in study.named_files:
        read = steps.run("read blanks", blanks_step, {"blanks": study.named_files["blanks"]})
        inputs["blanks"] = read.file("blanks.parquet")
    return (steps.run("look for contaminants", contaminant_step, inputs),)


def _told(batches: Sequence[BatchFeatures]) -> dict[str, Path]:
    return {
        f"{kind}:{sample}:{assay}": scored.file(f"{kind}.parquet")
        for batch in batches
        for (sample, assay), scored in batch.scored.items()
        if assay in TAXA
        for kind in TABLES
    }


def _tree(study: Study, stools: Mapping[str, Path]) -> dict[str, Path]:
    """The tree of the stools, if they have one and all the same."""
    sheet = study.samples[study.samples["sample_id"].isin(list(stools)) & study.samples["assay"].isin(TAXA)]
    paths = sorted({str(path) for path in sheet["tree"].dropna()})
    if not paths or sheet["tree"].isna().any() or len({path_digest(Path(path)) for path in paths}) > 1:
        return {}
    return {"tree": Path(paths[0])}
