"""Which models of response are fitted, and how they are judged."""

from typing import Literal, Self

from pydantic import Field, model_validator

from rabiomarkers.settings.base import Above, Draws, Name, Planned, Positive, Settings, wrong


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
    options: dict[Name, bool | int | float | str | tuple[float, ...]] = Field(default_factory=dict)
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
    permutations: Draws = 1_000
    """Relabellings drawn where there are too many to enumerate."""
    maximum_features: Positive = 5
    """Most features of one model; of values before treatment and of changes each so many."""
    bootstraps: Draws = 2_000
    """Draws of patients behind the intervals."""
    simulations: Draws = 200
    """Trials simulated for each number of patients of the learning curve."""

    @model_validator(mode="after")
    def _models_have_names_of_their_own(self) -> Self:
        names = [model.name for model in self.models]
        if len(set(names)) < len(names):
            raise wrong("each model named once", "give every model a name of its own")
        if self.primary not in names:
            raise wrong(f"one of the models {', '.join(names)}", "name one of them as primary, or add the model")
        return self
