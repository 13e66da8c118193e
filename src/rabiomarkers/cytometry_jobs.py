"""How gated samples are computed: the cuts of a batch first, from all of its samples, then each sample by them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rabiomarkers.assays import GATING_TREE, SYNONYMS, stained_tubes
from rabiomarkers.features.gating.batch import gate_step
from rabiomarkers.ingest.controls import Control, read_controls
from rabiomarkers.ingest.cytometry import split_cytometry
from rabiomarkers.sample_files import STRATEGIES, SampleFile
from rabiomarkers.schema import config_path
from rabiomarkers.store import Job
from rabiomarkers.study import Study


def tree_of(study: Study, file: SampleFile) -> Path | None:
    """The gating tree of a file: its own, the study's, or the one that ships; None where a strategy gates it."""
    own = file.companions.get("gating")
    if own is None:
        return study.named_files.get("tree", config_path(GATING_TREE))
    return None if own.suffix.lower() in STRATEGIES else own


def control_jobs(study: Study, batch: str, files: Sequence[SampleFile]) -> list[tuple[Control, Job]]:
    """Read the controls of this batch, with the panel and the compensation of its first file; each with its job."""
    if "controls" not in study.named_files or not files:
        return []
    first = files[0]
    beside = {name: first.companions[name] for name in ("panel", "compensation") if name in first.companions}
    path = study.named_files["controls"]
    return [
        (
            control,
            Job(
                name=f"read control {control.marker} of {batch}",
                step=split_cytometry,
                inputs={
                    "matrix": control.path,
                    "synonyms": config_path(SYNONYMS),
                    **beside,
                    **stained_tubes(beside),
                },
                parameters={"label": study.label(control.path), "sample_ids": ["control"], "assay": first.assay},
            ),
        )
        for control in read_controls(path, label=study.label(path))
        if control.batch == batch
    ]


def gate_jobs(
    study: Study,
    batch: str,
    files: Sequence[SampleFile],
    found: Mapping[tuple[str, str], Path],
    controls: Sequence[tuple[Control, Path]] = (),
) -> list[tuple[Path, Job]]:
    """Find the cuts of one assay's samples of a batch, those of each tree together; each with its tree.

    `found`: the pieces by (sample, assay); `controls`: with their pieces.
    """
    by_tree: dict[Path, list[SampleFile]] = {}
    for file in files:
        if (tree := tree_of(study, file)) is not None:
            by_tree.setdefault(tree, []).append(file)
    settings = study.settings.cytometry
    frozen = {"frozen": study.named_files["gates"]} if "gates" in study.named_files else {}
    jobs = []
    for tree, own in sorted(by_tree.items()):
        assay = own[0].assay
        samples = sorted(sample for file in own for sample in file.sample_ids)
        pieces = {f"piece:{sample}": found[sample, assay] for sample in samples}
        blanks = {f"control:{control.marker}:{control.kind}": path for control, path in controls}
        job = Job(
            name=f"find cuts {assay} {batch}",
            step=gate_step,
            inputs={"tree": tree, **pieces, **blanks, **frozen},
            parameters={
                "batch": batch,
                "assay": assay,
                "method": settings.transform,
                "cofactor": settings.cofactor,
            },
            sample_ids=tuple(samples),
        )
        jobs.append((tree, job))
    return jobs


def gate_inputs(study: Study, file: SampleFile, cuts: Mapping[Path, Path]) -> dict[str, Path]:
    """What gating one file needs beside its piece; `cuts`: the table of cuts by tree."""
    tree = tree_of(study, file)
    if tree is None:  # the strategy brings its own compensation and transforms, so it starts at the file itself
        return {"gating": file.companions["gating"], "matrix": file.path}
    return {"tree": tree, "gates": cuts[tree]}
