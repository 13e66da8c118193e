"""What a flow is asked to do: ids and paths, as Prefect stores every parameter word for word.

Not named after what it holds, `requests`: a worker that loads a flow by its file puts this folder first on the module path, and a
library that imports the `requests` package would get this module.
"""

import os
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from rabiomarkers.store import Store
from rabiomarkers.study import Study, open_study

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class StudyRequest(BaseModel):
    """A study folder and where its results go."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    study: Path
    """The folder that holds study.yaml and samples.csv."""
    out: Path | None = None
    """The results folder; where nothing is said, one named after the study folder, below results/ or RABIOMARKERS_RESULTS."""
    batch: Identifier | None = None
    """Only the samples of this batch; the others are listed as excluded."""
    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """How many processes score samples at once."""

    @property
    def results(self) -> Path:
        """The results folder, absolute; where a link leads, as the link itself must stay."""
        below = Path(os.environ.get("RABIOMARKERS_RESULTS", "results"))
        return (self.out or below / self.study.resolve().name).resolve()

    @property
    def failure_log(self) -> Path:
        """Where the whole story of a failed stage is kept, as Prefect must not have it."""
        return workspace(self.results) / "failures.log"

    def open(self) -> Study:
        """The study, restricted to the batch if one is named.

        Raises
        ------
        InputError
            The sheet or a clinical table cannot be used.
        """
        study = open_study(self.study)
        return study.restricted_to(self.batch) if self.batch else study

    def store(self) -> Store:
        """The steps computed before for any study with results beside these."""
        return _store(workspace(self.results) / "store", self.workers)


class BatchRequest(StudyRequest):
    """One batch of a study."""

    batch: Identifier
    """The batch whose samples are processed."""


@cache
def _store(root: Path, workers: int) -> Store:
    """One a process, so that its flows share the worker processes."""
    return Store(root, workers=workers)


def workspace(results: Path) -> Path:
    """Where computed steps and Prefect's own files lie: beside the results, so that they are found again and easy to delete."""
    return results.parent / ".rabiomarkers"
