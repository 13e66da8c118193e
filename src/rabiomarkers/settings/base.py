"""What every part of the settings is made of: fixed once read, a misspelt key is an error, mistakes are told in words."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"

type Share = Annotated[float, Field(ge=0, le=1)]
type Rate = Annotated[float, Field(gt=0, lt=1)]
type Count = Annotated[int, Field(ge=0)]
type Positive = Annotated[int, Field(ge=1)]
type Draws = Annotated[int, Field(ge=1, le=1_000_000)]
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


class Settings(BaseModel):
    """Base of every settings model: fixed once read, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
