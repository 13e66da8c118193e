"""What the flow that profiles reads is asked to do, and its way through Prefect or without it."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from flows.embedded import told_in_full, use_server
from flows.study_request import workspace
from rabiomarkers.metagenome import Profiling, profile_reads
from rabiomarkers.progress import Progress
from rabiomarkers.store import StepResult, Store


class ProfileRequest(BaseModel):
    """What is profiled, against what, and where it goes: paths and numbers, as Prefect stores every parameter word for word."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    sheet: Path
    """CSV: sample_id, read1, read2; a row a lane."""
    database: Path
    """sourmash's database, or a folder of genomes."""
    out: Path
    """The folder for the profile."""
    lineages: Path | None = None
    """CSV: the lineage of each genome."""
    reads: Path | None = None
    """A second folder for FASTQ files."""
    ksize: Annotated[int, Field(ge=15, le=63)] = 31
    """Bases of a k-mer."""
    scaled: Annotated[int, Field(ge=1, le=1_000_000)] = 1000
    """One k-mer in so many is kept."""
    threshold_bp: Annotated[int, Field(ge=0)] = 50_000
    """A genome of which fewer bases are found is not called."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """How many processes profile samples at once."""

    @property
    def folder(self) -> Path:
        """Where the profile goes, absolute."""
        return self.out.resolve()

    def profiling(self) -> Profiling:
        """The same, as the library takes it."""
        return Profiling(**self.model_dump(exclude={"out", "workers"}))

    def store(self) -> Store:
        """What was computed before for folders beside this one."""
        return Store(workspace(self.folder) / "store", workers=self.workers)


def run_profiling(
    request: ProfileRequest, progress: Progress, *, direct: bool, tell: Callable[[str], None]
) -> tuple[StepResult, ...]:
    """Profile, through Prefect or without it.

    Raises
    ------
    RabiomarkersError
        What is wrong with the input, or why profiling stopped.
    """
    if direct:
        with closing(request.store()) as store:
            return profile_reads(request.profiling(), store, request.folder, progress=progress)
    use_server(workspace(request.folder) / "prefect", tell=tell)

    from flows.profile_reads import profile_reads_flow  # Prefect reads its settings when it is imported

    profiled: tuple[StepResult, ...] = told_in_full(profile_reads_flow, request, progress)
    return profiled
