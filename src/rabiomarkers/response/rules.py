"""Under which rules visits become a best overall response, and what comes out."""

from dataclasses import dataclass

from rabiomarkers.errors import ResponseError

RULE_SETS = ("recist-1.1", "admiralonco", "irecist")

type Visit = tuple[float, str]
"""Day from first dose, response."""


@dataclass(frozen=True, kw_only=True)
class ResponseRules:
    """How visits become a best overall response; the names are those of `study.yaml`.

    Raises
    ------
    ResponseError
        The rule set is not known, or a number of days or visits is negative.
    """

    rule_set: str = "recist-1.1"
    confirmation_required: bool = True
    """Whether CR and PR count only when a later visit confirms them."""
    confirmation_days: int = 28
    """Least number of days between a response and the visit that confirms it."""
    stable_disease_minimum_days: int = 42
    """Stable disease counts from this day after first dose."""
    maximum_not_evaluable_between: int = 1
    """How many NE may lie between a response and its confirmation."""
    accept_stable_disease_between: bool = False
    """Whether one stable visit may lie between a partial response and its confirmation."""
    missing_as_not_evaluable: bool = True
    """Whether a patient without any assessment is NE, in the intention-to-treat denominator; else nothing is said of them."""
    responses_after_progression_count: bool = False
    progression_confirmation_days: int = 28
    """Least number of days between an unconfirmed progression of iRECIST and the visit that confirms it."""

    def __post_init__(self) -> None:
        """Refuse what no visit could be judged by."""
        if self.rule_set not in RULE_SETS:
            raise ResponseError(f"Rule set {self.rule_set!r} is not known; it is one of {', '.join(RULE_SETS)}.")
        counts = (
            "confirmation_days",
            "stable_disease_minimum_days",
            "maximum_not_evaluable_between",
            "progression_confirmation_days",
        )
        negative = [name for name in counts if getattr(self, name) < 0]
        if negative:
            raise ResponseError(f"{', '.join(negative)} must not be negative.")


@dataclass(frozen=True, kw_only=True)
class BestResponse:
    """A patient's best overall response, why it is that, and the days that durations are counted from."""

    response: str
    """CR, PR, SD, PD or NE; NON-CR/NON-PD, ND or MISSING under `admiralonco`; iCR, iPR, iSD, NON-iCR/NON-iUPD, iUPD, iCPD or NE
    under `irecist`."""
    confirmed: bool | None
    """None unless the response is complete or partial."""
    note: str
    """The reason in words."""
    day: float | None = None
    """The visit that the response was first seen at; None where no visit is."""
    progression_day: float | None = None
    """First progression by the rule set; under `irecist` the first iUPD that was confirmed, or that nothing better followed."""
    last_evaluable_day: float | None = None
    """Last visit with a response other than NE, up to the progression."""
