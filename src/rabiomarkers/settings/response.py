"""How response is judged, and where clinical data come from."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from rabiomarkers.settings.base import Above, Count, Folder, Positive, Rate, Settings, wrong

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
