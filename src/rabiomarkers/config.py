"""How `study.yaml` is read: the settings, or every mistake with its line and key."""

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, get_args

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from rabiomarkers.errors import InputError, Problem
from rabiomarkers.ingest.delimited import read_text
from rabiomarkers.ingest.findings import named, nearest
from rabiomarkers.settings.base import Settings
from rabiomarkers.settings.study import StudySettings, TimepointSettings


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
            inner = get_args(annotation)[0] if isinstance(annotation, UnionType) else annotation
            model = TimepointSettings if part == "timepoints" else inner
    return list(model.model_fields)
