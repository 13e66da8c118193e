"""The settings of a study: what `study.yaml` may say, each key with its default."""

import hashlib
import json
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from rabiomarkers.settings.base import NAME, Count, Folder, Settings, wrong
from rabiomarkers.settings.measures import (
    CellSettings,
    CytometrySettings,
    ExpressionSettings,
    GeneSettings,
    ProteinSettings,
    RepertoireSettings,
    StoolSettings,
)
from rabiomarkers.settings.plan import ChangeSettings, CompositionSettings, PlanSettings
from rabiomarkers.settings.prediction import PredictionSettings
from rabiomarkers.settings.response import ResponseSettings, SdtmSettings


class TimepointSettings(Settings):
    """When samples are taken."""

    name: Annotated[str, Field(pattern=f"^{NAME}$")]
    """As in the column `timepoint` of the sample sheet."""
    day: int
    """Days from first dose."""


PLAN_SCHEMA = 5
"""Which settings the plan's hash covers: a new number whenever `PLANNED` changes, as every hash does then."""

PLANNED: Any = {
    "contrast": True,
    "timepoints": True,
    "plan": {"primary", "secondary", "families", "secondary_correction", "chain", "infiltration"},
    "change": {"test", "exploratory_test", "level"},
    "composition": {"minimum_prevalence", "balances"},
    "signatures": True,
    "expression": {
        "methods",
        "minimum_coverage",
        "minimum_library_size",
        "minimum_genes",
        "tpm_files",
        "replicates",
    },
    "genes": {"test", "minimum_count"},
    "cells": {
        "minimum_cells",
        "minimum_genes",
        "maximum_mitochondrial_percent",
        "minimum_score_margin",
        "minimum_cells_per_type",
        "pseudobulk",
        "quality_limits",
        "mads",
        "ambient",
    },
    "cytometry": {
        "material",
        "transform",
        "cofactor",
        "minimum_events",
        "minimum_parent_events",
        "minimum_viability",
        "state_markers",
    },
    "proteins": True,
    "tcr": True,
    "stool": {"depth", "draws", "metrics", "ranks", "minimum_prevalence", "minimum_coverage"},
    "sdtm": {"evaluator", "evaluator_id"},
    "response": True,
    "prediction": {"models", "primary", "penalty", "maximum_features"},
}
"""What decides a value, a test, a response or a model; not what only tells more of them (draws, flips), nor where files lie."""


class StudySettings(Settings):
    """What `study.yaml` says; only `name` has no default."""

    name: Annotated[str, Field(pattern=f"^{NAME}$")]
    """Letters, digits, dot, hyphen and underscore; the study's name in the report."""
    timepoints: Annotated[tuple[TimepointSettings, ...], Field(min_length=2)] = (
        TimepointSettings(name="pre", day=0),
        TimepointSettings(name="post", day=42),
    )
    """In the order of time."""
    contrast: tuple[str, str] = ("pre", "post")
    """The two timepoints a change is taken between: from, to."""
    data_root: Folder | None = None
    """A second folder where sample files may lie; relative to the study folder, or absolute."""
    seed: Count = 1
    response: ResponseSettings = ResponseSettings()
    sdtm: SdtmSettings | None = None
    plan: PlanSettings = PlanSettings()
    signatures: tuple[str, ...] = ()
    """Names of the signatures that are scored; none named means all that ship."""
    expression: ExpressionSettings = ExpressionSettings()
    genes: GeneSettings = GeneSettings()
    cells: CellSettings = CellSettings()
    cytometry: CytometrySettings = CytometrySettings()
    proteins: ProteinSettings = ProteinSettings()
    tcr: RepertoireSettings = RepertoireSettings()
    stool: StoolSettings = StoolSettings()
    change: ChangeSettings = ChangeSettings()
    composition: CompositionSettings = CompositionSettings()
    prediction: PredictionSettings = PredictionSettings()
    annotation: str = "undeclared"
    """Which gene annotation the expression matrices were made with, in words."""
    taxa_database: str = "undeclared"
    """Which taxonomic database the abundance tables were made with, in words; a file that says it itself is believed."""

    @field_validator("timepoints")
    @classmethod
    def _timepoints_are_ordered(cls, timepoints: tuple[TimepointSettings, ...]) -> tuple[TimepointSettings, ...]:
        names = [timepoint.name for timepoint in timepoints]
        days = [timepoint.day for timepoint in timepoints]
        if len(set(names)) < len(names):
            raise wrong("each timepoint named once", "give every timepoint a name of its own")
        if days != sorted(set(days)):
            raise wrong("timepoints in the order of their days", "list the earlier timepoint first")
        return timepoints

    @field_validator("contrast")
    @classmethod
    def _contrast_names_timepoints(cls, contrast: tuple[str, str], info: ValidationInfo) -> tuple[str, str]:
        if "timepoints" not in info.data:  # wrong themselves, and told so
            return contrast
        names = [timepoint.name for timepoint in info.data["timepoints"]]
        if any(name not in names for name in contrast) or names.index(contrast[0]) >= names.index(contrast[1]):
            raise wrong(f"two of {', '.join(names)}, the earlier one first", "name two timepoints of this file")
        return contrast

    @property
    def plan_hash(self) -> str:
        """sha256 of all settings that must be fixed before the data are seen: those of `PLANNED`.

        It covers what `study.yaml` says, not what the files of `config/` (signatures, taxa) hold.
        """
        told = {"schema": PLAN_SCHEMA, **self.model_dump(mode="json", include=PLANNED)}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    @property
    def registration(self) -> bool | None:
        """Whether this is the registered plan; None where none was registered."""
        return None if self.plan.registered is None else self.plan.registered == self.plan_hash

    @property
    def timepoint_names(self) -> tuple[str, ...]:
        """The names of the timepoints in the order of time."""
        return tuple(timepoint.name for timepoint in self.timepoints)
