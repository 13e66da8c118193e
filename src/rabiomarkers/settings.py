"""The settings of a study: what `study.yaml` may say, each key with its default."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"

type Share = Annotated[float, Field(ge=0, le=1)]
type Rate = Annotated[float, Field(gt=0, lt=1)]
type Count = Annotated[int, Field(ge=0)]
type Positive = Annotated[int, Field(ge=1)]
type Above = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _feature_or_pattern(text: str) -> str:
    """The entry of a plan as it stands; one that names nothing would be planned as a feature without a name."""
    if not text.strip() or not text.rpartition(":")[2].strip():
        raise wrong("a feature or a pattern, such as NLR, clr_* or blood:NLR", "name the feature or remove the entry")
    return text


def _possible_folder(path: Path) -> Path:
    if "\x00" in str(path):
        raise wrong("the path of a folder", "correct the path")
    return path


def wrong(expected: str, remedy: str) -> PydanticCustomError:
    """A mistake in the words of this project: what was expected and what to do."""
    return PydanticCustomError("study", "{expected}", {"expected": expected, "remedy": remedy})


type Name = Annotated[str, Field(pattern=f"^{NAME}$")]
type Planned = Annotated[str, AfterValidator(_feature_or_pattern)]
type Folder = Annotated[Path, AfterValidator(_possible_folder)]


type TestName = Literal[
    "signed_rank", "signed_rank_pratt", "sign_flip", "paired_t", "moderated_t", "ancova", "mixed_model"
]


class Settings(BaseModel):
    """Base of every settings model: fixed once read, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class TimepointSettings(Settings):
    """When samples are taken."""

    name: Annotated[str, Field(pattern=f"^{NAME}$")]
    """As in the column `timepoint` of the sample sheet."""
    day: int
    """Days from first dose."""


OF_THE_TRIAL = (
    "clinical_benefit_days",
    "maximum_gap_days",
    "responses_after_new_therapy_count",
    "prior",
    "design",
)
"""Settings of the response that are no rules of a rule set."""


class StageSettings(Settings):
    """A two-stage design in numbers: after `first_n` patients the trial stops with `first_stop` responders or fewer, and of all
    `n` patients `stop` responders or fewer are too few."""

    first_n: Positive
    first_stop: Count
    n: Positive
    stop: Count

    @model_validator(mode="after")
    def _second_stage_follows_the_first(self) -> Self:
        if not (self.first_n < self.n and self.first_stop < self.first_n and self.first_stop <= self.stop < self.n):
            raise wrong("first_stop < first_n < n and first_stop <= stop < n", "correct the numbers of the design")
        return self


class DesignSettings(Settings):
    """The two-stage design (Simon 1989) that the trial decides by."""

    null_rate: Rate
    """The response rate that is too low to be of interest."""
    target_rate: Rate
    """The response rate that is worth a further trial."""
    type_1_error: Rate = 0.05
    power: Rate = 0.8
    kind: Literal["optimal", "minimax"] = "optimal"
    """Fewest patients on average if the treatment does nothing, or fewest patients at most; searched for."""
    stages: StageSettings | None = None
    """The protocol's own numbers, where the design is not to be searched for."""

    @model_validator(mode="after")
    def _target_is_higher(self) -> Self:
        if self.null_rate >= self.target_rate:
            raise wrong("a target_rate above the null_rate", "correct the two rates")
        return self


class ResponseSettings(Settings):
    """How response is judged."""

    rule_set: Literal["recist-1.1", "admiralonco", "irecist"] = "recist-1.1"
    """The rule set of the outcomes; what the others would say stands beside it."""
    confirmation_required: bool = True
    """Whether CR and PR count only when a later visit confirms them."""
    confirmation_days: Count = 28
    """Smallest distance in days of the confirming visit."""
    stable_disease_minimum_days: Count = 42
    """Days from first dose from which SD counts as stable disease; earlier it is NE."""
    maximum_not_evaluable_between: Count = 1
    """How many NE may lie between a response and its confirmation."""
    accept_stable_disease_between: bool = False
    """Whether one SD may lie between a PR and its confirmation."""
    missing_as_not_evaluable: bool = True
    """Whether a patient without any assessment counts as NE, in the denominator, or is left out."""
    responses_after_progression_count: bool = False
    responses_after_new_therapy_count: bool = False
    """Whether visits after another anticancer therapy began (`new_therapy_day` of followup.csv) make a best response."""
    progression_confirmation_days: Count = 28
    """iRECIST: smallest distance in days between an unconfirmed progression and the visit that confirms it."""
    clinical_benefit_days: Count = 168
    """From which day on stable disease without progression is clinical benefit (24 weeks)."""
    maximum_gap_days: Positive | None = None
    """A progression or death more than this many days after the last evaluable visit is censored there; null: it never is."""
    prior: tuple[Above, Above] = (0.5, 0.5)
    """Beta prior of the response rate (Jeffreys)."""
    design: DesignSettings | None = None
    """The two-stage design of the trial, if it has one."""

    @property
    def rules(self) -> dict[str, Any]:
        """What decides a patient's best response, by the names of `ResponseRules`."""
        return self.model_dump(mode="json", exclude=set(OF_THE_TRIAL))

    @property
    def endpoints(self) -> dict[str, Any]:
        """What decides the trial's endpoints."""
        return self.model_dump(mode="json", include=set(OF_THE_TRIAL))


class SdtmSettings(Settings):
    """Clinical data as CDISC SDTM domains in place of lesions.csv, visits.csv, followup.csv and adverse_events.csv."""

    folder: Folder
    """Where TU, TR, RS, DM, AE, EX and DS lie, as CSV or XPT; relative to the study folder."""
    evaluator: Annotated[str, Field(min_length=1)]
    """Whose reading counts: a value of TUEVAL, TREVAL and RSEVAL, such as INVESTIGATOR."""
    evaluator_id: str | None = None
    """Which of several readers, a value of --EVALID, such as RADIOLOGIST 1."""


class ChainNodeSettings(Settings):
    """One step of the mechanism: a feature and which way it is expected to move."""

    name: Annotated[str, Field(min_length=1)]
    compartment: Literal["tumour", "blood", "faecal"]
    feature: Annotated[str, Field(min_length=1)]
    expected: Literal["up", "down"] = "up"


class PlanSettings(Settings):
    """The features named before the data were seen: names or patterns (`clr_*`), optionally `compartment:pattern`."""

    primary: tuple[Planned, ...] = ("RA_RESPONSE_CORE", "MACROPHAGE_LIPID_PEROXIDATION", "clr_CD8_TEM")
    secondary: tuple[Planned, ...] = (
        "RA_RESPONSE_DIRECT",
        "CYT_ROONEY_2015",
        "TIS_AYERS_2017",
        "NLR",
        "shannon",
        "ra_metaboliser_balance",
    )
    families: dict[Name, tuple[Planned, ...]] = {}
    """Further secondary features, by the name of the family they are corrected in; `secondary` is corrected by compartment."""
    secondary_correction: Literal["holm", "benjamini_hochberg"] = "holm"
    """Within each secondary family. Primary features are tested in their order (fixed sequence), exploratory ones by
    Benjamini-Hochberg."""
    chain: tuple[ChainNodeSettings, ...] = (
        ChainNodeSettings(name="RA target response", compartment="tumour", feature="RA_RESPONSE_DIRECT"),
        ChainNodeSettings(
            name="macrophage peroxidation", compartment="tumour", feature="MACROPHAGE_LIPID_PEROXIDATION"
        ),
        ChainNodeSettings(name="CD8 infiltration", compartment="tumour", feature="TIS_AYERS_2017"),
        ChainNodeSettings(name="CD8 function", compartment="tumour", feature="CYT_ROONEY_2015"),
        ChainNodeSettings(name="microbes", compartment="faecal", feature="ra_metaboliser_balance"),
    )
    """The mechanism in the order in which it is thought to work; each neighbouring pair is a link that is tested."""
    infiltration: Annotated[str, Field(min_length=1)] = "tumour:CYT_ROONEY_2015"
    """The feature (no pattern) that tells how far immune cells moved in; the response to retinoic acid is adjusted for it."""
    registered: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    """The plan's hash as it was registered before the data were seen (`rabiomarkers check` prints it). If the plan is another one
    now, every feature is stamped exploratory."""

    @field_validator("chain")
    @classmethod
    def _steps_have_names_of_their_own(cls, chain: tuple[ChainNodeSettings, ...]) -> tuple[ChainNodeSettings, ...]:
        if len({node.name for node in chain}) < len(chain):
            raise wrong("each step of the chain named once", "give every step a name of its own")
        return chain


class ExpressionSettings(Settings):
    """How gene signatures are scored and bulk RNA samples are judged."""

    methods: Annotated[tuple[Literal["rank", "mean"], ...], Field(min_length=1)] = ("rank",)
    minimum_coverage: Share = 0.6
    """Smallest share of a signature's genes that must be measured."""
    minimum_library_size: Count = 1_000_000
    """Fewest reads of a sample (counts only)."""
    minimum_genes: Count = 5_000
    """Fewest genes that a sample expresses."""


class CellSettings(Settings):
    """How single cells are judged and named."""

    minimum_cells: Count = 100
    """Fewest cells of a sample after quality control."""
    minimum_genes: Count = 200
    """Fewest genes that a cell expresses."""
    maximum_mitochondrial_percent: Annotated[float, Field(ge=0, le=100)] = 20.0
    """Largest share of a cell's reads from mitochondrial genes, percent."""
    minimum_score_margin: Share = 0.1
    """By how much the probability of a cell's best type must lead that of the second best; a cell below stays unassigned."""


class StoolSettings(Settings):
    """How stool samples are made comparable."""

    depth: Annotated[int, Field(ge=1)] = 10_000
    """Reads that every sample is drawn down to (counts only); a sample with fewer has no diversity."""


class BalanceSettings(Settings):
    """Two groups of parts of a composition, as names or patterns, whose log ratio is followed."""

    numerator: Annotated[tuple[str, ...], Field(min_length=1)]
    denominator: Annotated[tuple[str, ...], Field(min_length=1)]


class CompositionSettings(Settings):
    """How shares that sum to one (cell types, taxa) are compared."""

    minimum_prevalence: Share = 0.3
    """Share of the samples a part must be seen in to be tested."""
    draws: Positive = 200
    """Draws from the posterior of the counts in the sensitivity analysis."""
    balances: dict[Name, BalanceSettings] = {}


class ChangeSettings(Settings):
    """How the change from the first to the second timepoint of the contrast is tested."""

    test: TestName = "signed_rank"
    """Of the planned features. Exact: signed_rank (Wilcoxon's zeros), signed_rank_pratt, sign_flip. By the t distribution:
    paired_t, moderated_t, ancova, mixed_model (uses patients with one sample too)."""
    exploratory_test: TestName | None = None
    """Of all other features; null: the same. moderated_t has no floor, for hundreds of features at few pairs."""
    level: Rate = 0.95
    """Level of the intervals; the achieved one is in the table."""
    flips: Positive = 200
    """Swaps of before and after by which the rate of false positives is observed."""
    power: Annotated[float, Field(gt=0.05, lt=1)] = 0.8
    """Of the smallest detectable change; above 0.05, the level of the tests."""


class ModelSettings(Settings):
    """One model of response, named before the data are seen."""

    name: Name
    """Under which its results stand."""
    kind: Literal["intercept", "signature", "ridge", "ridge_nested", "elastic_net", "firth", "fusion", "boosting"] = (
        "ridge"
    )
    feature_set: Literal["none", "baseline", "change", "both"] = "baseline"
    """The values before treatment, how they changed, or both; none for the model that only knows how many respond."""
    features: tuple[Planned, ...] = ()
    """Names or patterns, as in the plan; none named: the plan's primary features."""
    compartment: Literal["tumour", "blood", "faecal"] | None = None
    """Only features of this one; null: of all."""
    options: dict[Name, bool | int | float | str | tuple[float, ...]] = {}
    """What the kind of model can be told, such as `penalty` of a ridge."""

    @model_validator(mode="after")
    def _knows_something(self) -> Self:
        if (self.kind == "intercept") != (self.feature_set == "none"):
            raise wrong(
                "feature_set none for the kind intercept, and for no other",
                "correct the feature_set of the model",
            )
        return self


class PredictionSettings(Settings):
    """How the models of response are fitted and judged."""

    models: tuple[ModelSettings, ...] = (
        ModelSettings(name="intercept", kind="intercept", feature_set="none"),
        ModelSettings(name="signature_baseline", kind="signature"),
        ModelSettings(name="ridge_baseline"),
        ModelSettings(name="ridge_change", feature_set="change"),
        ModelSettings(name="fusion_both", kind="fusion", feature_set="both"),
    )
    primary: Name = "ridge_baseline"
    """The model whose p counts by itself; those of the others are corrected for one another (Holm)."""
    penalty: Above = 1.0
    """Penalty of models that shrink (lambda per patient), where their options name no other."""
    permutations: Positive = 1_000
    """Relabellings drawn where there are too many to enumerate."""
    maximum_features: Positive = 5
    """Most features of one model; of values before treatment and of changes each so many."""
    bootstraps: Positive = 2_000
    """Draws of patients behind the intervals."""
    simulations: Positive = 200
    """Trials simulated for each number of patients of the learning curve."""

    @model_validator(mode="after")
    def _models_have_names_of_their_own(self) -> Self:
        names = [model.name for model in self.models]
        if len(set(names)) < len(names):
            raise wrong("each model named once", "give every model a name of its own")
        if self.primary not in names:
            raise wrong(f"one of the models {', '.join(names)}", "name one of them as primary, or add the model")
        return self


PLAN_SCHEMA = 2
"""Which settings the plan's hash covers: a new number whenever `PLANNED` changes, as every hash does then."""

PLANNED: Any = {
    "contrast": True,
    "timepoints": True,
    "plan": {"primary", "secondary", "families", "secondary_correction", "chain", "infiltration"},
    "change": {"test", "exploratory_test", "level"},
    "composition": {"minimum_prevalence", "balances"},
    "signatures": True,
    "expression": True,
    "cells": True,
    "stool": True,
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
    cells: CellSettings = CellSettings()
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
