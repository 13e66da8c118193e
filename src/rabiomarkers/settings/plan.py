"""The features named before the data were seen, and how their change is tested."""

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from rabiomarkers.settings.base import Draws, Name, Planned, Rate, Settings, Share, wrong

type TestName = Literal[
    "signed_rank", "signed_rank_pratt", "sign_flip", "paired_t", "moderated_t", "ancova", "mixed_model"
]


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
    families: dict[Name, tuple[Planned, ...]] = Field(default_factory=dict)
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

    @field_validator("infiltration")
    @classmethod
    def _infiltration_is_one_feature(cls, infiltration: str) -> str:
        if not infiltration.strip() or any(sign in infiltration for sign in "*?["):
            raise wrong("one feature, such as tumour:CYT_ROONEY_2015", "name the feature, without a pattern")
        return infiltration

    @field_validator("secondary")
    @classmethod
    def _no_feature_is_planned_twice(cls, secondary: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        both = sorted(set(secondary) & set(info.data.get("primary", ())))
        if both:
            raise wrong(f"{', '.join(both)} as primary or as secondary", "keep it in one of the two lists")
        return secondary

    @field_validator("chain")
    @classmethod
    def _steps_have_names_of_their_own(cls, chain: tuple[ChainNodeSettings, ...]) -> tuple[ChainNodeSettings, ...]:
        if len({node.name for node in chain}) < len(chain):
            raise wrong("each step of the chain named once", "give every step a name of its own")
        if len({(node.compartment, node.feature) for node in chain}) < len(chain):
            raise wrong("each feature once in the chain", "remove the step that repeats another")
        return chain


class BalanceSettings(Settings):
    """Two groups of parts of a composition, as names or patterns, whose log ratio is followed."""

    numerator: Annotated[tuple[Planned, ...], Field(min_length=1)]
    denominator: Annotated[tuple[Planned, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _sides_differ(self) -> Self:
        both = sorted(set(self.numerator) & set(self.denominator))
        if both:
            raise wrong(f"{', '.join(both)} on one side of the balance", "keep it in numerator or denominator")
        return self


class CompositionSettings(Settings):
    """How shares that sum to one (cell types, taxa) are compared."""

    minimum_prevalence: Share = 0.3
    """Share of the samples a part must be seen in to be tested."""
    draws: Draws = 200
    """Draws from the posterior of the counts in the sensitivity analysis."""
    balances: dict[Name, BalanceSettings] = Field(default_factory=dict)


class ChangeSettings(Settings):
    """How the change from the first to the second timepoint of the contrast is tested."""

    test: TestName = "signed_rank"
    """Of the planned features. Exact: signed_rank (Wilcoxon's zeros), signed_rank_pratt, sign_flip. By the t distribution:
    paired_t, moderated_t, ancova, mixed_model (uses patients with one sample too)."""
    exploratory_test: TestName | None = None
    """Of all other features; null: the same. moderated_t has no floor, for hundreds of features at few pairs."""
    level: Rate = 0.95
    """Level of the intervals; the achieved one is in the table."""
    flips: Draws = 200
    """Swaps of before and after by which the rate of false positives is observed."""
    power: Annotated[float, Field(gt=0.05, lt=1)] = 0.8
    """Of the smallest detectable change; above 0.05, the level of the tests."""
