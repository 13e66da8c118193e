"""What the flow that counts reads is asked to do, and its way through Prefect or without it."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from flows.embedded import told_in_full, use_server
from flows.study_request import workspace
from rabiomarkers.counting import Counting, count_reads
from rabiomarkers.progress import Progress
from rabiomarkers.store import StepResult, Store


class CountRequest(BaseModel):
    """What is counted, with what, and where the counts go: paths and numbers, as Prefect stores every parameter word for word."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    sheet: Path
    """CSV: sample_id, read1, read2; a row a lane."""
    index: Path
    """The index of kallisto."""
    transcripts: Path
    """Which gene each transcript is of."""
    out: Path
    """The folder for the counts."""
    technology: Literal["bulk", "10xv2", "10xv3"] = "bulk"
    """Bulk RNA, or the chemistry of 10x cells."""
    reads: Path | None = None
    """A second folder for FASTQ files."""
    barcodes: Path | None = None
    """The list of barcodes of the 10x chemistry."""
    strand: Literal["unstranded", "forward", "reverse"] = "unstranded"
    """Which strand bulk reads are of."""
    fragment_length: Annotated[float, Field(gt=0)] = 200.0
    """Mean length of the fragments of bulk reads without mates."""
    fragment_sd: Annotated[float, Field(gt=0)] = 30.0
    """Its standard deviation."""
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    """Threads of the counting program."""

    @property
    def folder(self) -> Path:
        """Where the counts go, absolute."""
        return self.out.resolve()

    def counting(self) -> Counting:
        """The same, as the library takes it."""
        return Counting(**self.model_dump(exclude={"out"}))

    def store(self) -> Store:
        """What was counted before into folders beside this one."""
        return Store(workspace(self.folder) / "store")


def run_counting(
    request: CountRequest, progress: Progress, *, direct: bool, tell: Callable[[str], None]
) -> tuple[StepResult, ...]:
    """Count, through Prefect or without it.

    Raises
    ------
    RabiomarkersError
        What is wrong with the input, or why counting stopped.
    """
    if direct:
        return count_reads(request.counting(), request.store(), request.folder, progress=progress)
    use_server(workspace(request.folder) / "prefect", tell=tell)

    from flows.count_reads import count_reads_flow  # Prefect reads its settings when it is imported

    counted: tuple[StepResult, ...] = told_in_full(count_reads_flow, request, progress)
    return counted
