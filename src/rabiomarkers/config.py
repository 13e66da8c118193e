"""The settings of a study: what `study.yaml` may say, each key with its default, and how that file is read."""

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from rabiomarkers.errors import InputError, Problem
from rabiomarkers.ingest.delimited import read_text
from rabiomarkers.ingest.findings import named, nearest

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"

type Share = Annotated[float, Field(ge=0, le=1)]
type Count = Annotated[int, Field(ge=0)]


def _feature_or_pattern(text: str) -> str:
    """The entry of a plan as it stands; one that names nothing would be planned as a feature without a name."""
    if not text.strip() or not text.rpartition(":")[2].strip():
        raise _wrong("a feature or a pattern, such as NLR, clr_* or blood:NLR", "name the feature or remove the entry")
    return text


def _possible_folder(path: Path) -> Path:
    if "\x00" in str(path):
        raise _wrong("the path of a folder", "correct the path")
    return path


type Planned = Annotated[str, AfterValidator(_feature_or_pattern)]
type Folder = Annotated[Path, AfterValidator(_possible_folder)]


class Settings(BaseModel):
    """Base of every settings model: fixed once read, and a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class TimepointSettings(Settings):
    """When samples are taken."""

    name: Annotated[str, Field(pattern=f"^{NAME}$")]
    """As in the column `timepoint` of the sample sheet."""
    day: int
    """Days from first dose."""


class ResponseSettings(Settings):
    """How response is judged."""

    rule_set: Literal["recist-1.1"] = "recist-1.1"
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


class ChangeSettings(Settings):
    """How the change from the first to the second timepoint of the contrast is tested."""

    test: Literal["signed_rank", "sign_flip"] = "signed_rank"
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Level of the intervals; the achieved one is in the table."""


class PredictionSettings(Settings):
    """How the models of response are fitted and judged."""

    penalty: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """Ridge penalty (lambda per patient)."""
    permutations: Annotated[int, Field(ge=1)] = 1_000
    """Relabellings drawn where there are too many to enumerate."""
    maximum_features: Annotated[int, Field(ge=1)] = 5
    """Most features of one model."""


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
    plan: PlanSettings = PlanSettings()
    signatures: tuple[str, ...] = ()
    """Names of the signatures that are scored; none named means all that ship."""
    expression: ExpressionSettings = ExpressionSettings()
    cells: CellSettings = CellSettings()
    stool: StoolSettings = StoolSettings()
    change: ChangeSettings = ChangeSettings()
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
            raise _wrong("each timepoint named once", "give every timepoint a name of its own")
        if days != sorted(set(days)):
            raise _wrong("timepoints in the order of their days", "list the earlier timepoint first")
        return timepoints

    @field_validator("contrast")
    @classmethod
    def _contrast_names_timepoints(cls, contrast: tuple[str, str], info: ValidationInfo) -> tuple[str, str]:
        if "timepoints" not in info.data:  # wrong themselves, and told so
            return contrast
        names = [timepoint.name for timepoint in info.data["timepoints"]]
        if any(name not in names for name in contrast) or names.index(contrast[0]) >= names.index(contrast[1]):
            raise _wrong(f"two of {', '.join(names)}, the earlier one first", "name two timepoints of this file")
        return contrast

    @property
    def timepoint_names(self) -> tuple[str, ...]:
        """The names of the timepoints in the order of time."""
        return tuple(timepoint.name for timepoint in self.timepoints)


def _wrong(expected: str, remedy: str) -> PydanticCustomError:
    return PydanticCustomError("study", "{expected}", {"expected": expected, "remedy": remedy})


class _Loader(yaml.SafeLoader):
    """YAML whose `on`, `off`, `yes`, `no` are words, as in YAML 1.2: `on` is a usual name of a timepoint. Dates are words too."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in ("bool", "timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def read_settings(path: Path) -> tuple[StudySettings | None, list[Problem]]:
    """What `study.yaml` says, or None and every problem of it with its line and key."""
    label = path.name
    try:
        loader = _Loader(read_text(path, label))
        node = loader.get_single_node()
        content = loader.construct_document(node) if node is not None else None
    except InputError as error:
        return None, list(error.problems)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a number of 5,000 digits; brackets in brackets
        return None, [_syntax_problem(label, error)]
    if not isinstance(content, dict):
        found = "no keys" if content is None else f"a {type(content).__name__}"
        return None, [
            Problem(file=label, found=found, expected="keys with values", remedy="write at least `name: my-study`")
        ]
    problems = [
        Problem(
            file=label,
            row=line,
            column=key,
            found="the key is given twice",
            expected="each key once",
            remedy="remove one of the two",
        )
        for line, key in _repeated_keys(node)
    ]
    try:
        settings = StudySettings.model_validate(content)
    except ValidationError as error:
        problems += [_problem(label, node, detail) for detail in _causes(error.errors(include_url=False))]
        return None, sorted(problems, key=lambda problem: (problem.row or 0, problem.column or ""))
    return (None, problems) if problems else (settings, [])


def _causes(details: Sequence[ErrorDetails]) -> Iterator[ErrorDetails]:
    """The mistakes without those that only follow from another: a key that is missing as it is misspelt, a list that is too
    short as its items are wrong."""
    misspelt = [detail["loc"] for detail in details if detail["type"] == "extra_forbidden"]
    for detail in details:
        place = detail["loc"]
        beside = [str(other[-1]) for other in misspelt if other[:-1] == place[:-1]]
        follows = detail["type"] == "missing" and nearest(str(place[-1]), beside, cutoff=0.6) is not None
        deeper = any(len(other["loc"]) > len(place) and other["loc"][: len(place)] == place for other in details)
        if not follows and not (detail["type"] == "too_short" and deeper):
            yield detail


def _syntax_problem(label: str, error: Exception) -> Problem:
    mark = getattr(error, "problem_mark", None)
    reason = " ".join(str(getattr(error, "problem", None) or error).split())
    return Problem(
        file=label,
        row=mark.line + 1 if mark else None,
        found=f"no valid YAML ({reason})",
        expected="`key: value` lines, indented by blanks",
        remedy="check colons, brackets, quotes and indentation at this line; tabs are not allowed",
    )


def _repeated_keys(node: yaml.Node | None, walked: set[int] | None = None) -> Iterator[tuple[int, str]]:
    """The line and name of each key that an earlier line of the same block has; a part with aliases is walked once."""
    walked = set() if walked is None else walked
    if id(node) in walked:
        return
    walked.add(id(node))
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.start_mark.line + 1, key.value
            seen.add(key.value)
            yield from _repeated_keys(value, walked)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated_keys(item, walked)


def _line(node: yaml.Node | None, location: Sequence[Hashable]) -> int:
    """The line of the key at this place, or of the innermost part of the place that the file has."""
    current = node
    line = 1 if node is None else int(node.start_mark.line) + 1
    for part in location:
        if isinstance(current, yaml.MappingNode):
            found = next(((key, value) for key, value in current.value if key.value == part), None)
            if found is None:
                break
            line, current = found[0].start_mark.line + 1, found[1]
        elif isinstance(current, yaml.SequenceNode) and isinstance(part, int) and part < len(current.value):
            current = current.value[part]
            line = current.start_mark.line + 1
    return line


def _problem(label: str, node: yaml.Node | None, detail: ErrorDetails) -> Problem:
    location = detail["loc"]
    found, expected, remedy = _words(detail)
    place = ".".join(str(part) for part in location)
    return Problem(
        file=label, row=_line(node, location), column=place or None, found=found, expected=expected, remedy=remedy
    )


IN_WORDS: Mapping[str, tuple[str, str]] = {
    "string_type": ("text", "put it in quotes"),
    "tuple_type": ("a list", "write [a, b], or one `- item` a line"),
    "model_type": ("keys with values below it", "write its keys on lines of their own, indented"),
    "recursion_loop": ("values without a loop", "write the values out instead of an alias"),
    "invalid_key": ("keys that are words", "put the key in quotes, or remove it"),
}
"""What was expected and what to do, by what pydantic calls the mistake."""


def _words(detail: ErrorDetails) -> tuple[str, str, str]:
    """What was found, what was expected, what to do."""
    key, value, context = str(detail["loc"][-1]), detail["input"], detail.get("ctx", {})
    if detail["type"] == "extra_forbidden":
        keys = _keys_beside(detail["loc"])
        meant = nearest(key, keys)
        remedy = f"write {meant!r} instead" if meant else "remove the key"
        return f"a key {key!r} that is not known", f"one of {named(keys, limit=20)}", remedy
    if detail["loc"][0] == "contrast" and detail["type"] != "study":
        return "no two names", "two timepoints of this file, the earlier one first", "write for example [pre, post]"
    if detail["type"] == "missing":
        return "the key is missing", f"a value for {key!r}", f"add `{key}: ...`"
    if key == "rule_set":
        known = "admiralonco and irecist are not in this version"
        return f"{value!r}", "'recist-1.1'", f"write recist-1.1; {known}"
    if detail["type"] == "string_pattern_mismatch":
        return f"{value!r}", "letters, digits, dot, hyphen, underscore, a letter or digit first", "choose such a name"
    found = ", ".join(map(str, value)) if key == "contrast" and isinstance(value, list) else repr(_plain(value))
    if detail["type"] == "study":
        return found, str(context["expected"]), str(context["remedy"])
    if detail["type"] in IN_WORDS:
        return (found, *IN_WORDS[detail["type"]])
    wanted = detail["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    return found, wanted[:1].lower() + wanted[1:], "correct the value"


def _plain(value: object) -> object:
    if isinstance(value, Settings):
        return value.model_dump()
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _keys_beside(location: Sequence[Hashable]) -> list[str]:
    """The keys that are allowed where this one stands."""
    model: Any = StudySettings
    for part in location[:-1]:
        if part in model.model_fields:
            annotation = model.model_fields[part].annotation
            model = TimepointSettings if part == "timepoints" else annotation
    return list(model.model_fields)
