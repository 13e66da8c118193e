"""The gating tree: each population is its parent and every condition listed on its markers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rabiomarkers.errors import InputError, Problem
from rabiomarkers.schema import config_path

TREE = "markers/gating_tree.yaml"
ROOT = "root"
LEVELS = ("pos", "neg", "high", "dim", "low", "not_neg", "singlet")
KINDS = ("type", "state")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*")
KEYS = frozenset({"parent", "gate", "frequency_of", "source", "note", "kind", "optional"})


@dataclass(frozen=True, kw_only=True)
class Population:
    """One node; `gate`: level by marker. `optional`: passed through where the panel lacks a channel of its gate."""

    name: str
    parent: str
    gate: Mapping[str, str]
    frequency_of: str
    kind: str
    optional: bool


@dataclass(frozen=True, kw_only=True)
class GatingTree:
    """Populations, parents before their children; `parts` in the order in which they claim an event."""

    populations: tuple[Population, ...]
    parts: tuple[str, ...]

    def __getitem__(self, name: str) -> Population:
        return next(population for population in self.populations if population.name == name)

    @property
    def markers(self) -> tuple[str, ...]:
        """Every channel that a gate needs, sorted; of a pair both."""
        return tuple(sorted({part for each in self.populations for marker in each.gate for part in marker.split("/")}))

    def path(self, name: str) -> tuple[str, ...]:
        """The population and what it lies in, nearest first, without the root."""
        path = [name]
        while (parent := self[path[-1]].parent) != ROOT:
            path.append(parent)
        return tuple(path)

    def only_excludes(self, marker: str) -> bool:
        """Whether every gate on the marker asks for its absence, as of a dye of dead cells."""
        return all(each.gate.get(marker, "neg") in ("neg", "low") for each in self.populations)

    def dims(self, parent: str, marker: str) -> bool:
        """Whether a child of `parent` is dim in the marker, so that its siblings' `pos` begins above dim."""
        return any(each.parent == parent and each.gate.get(marker) == "dim" for each in self.populations)


def load_gating_tree(path: Path | None = None) -> GatingTree:
    """The tree of a YAML file, or the one that ships.

    Raises
    ------
    InputError
        Every fault: no YAML, a population named twice, without parent or gate, below itself, with a level that there is none of.
    """
    path = path or config_path(TREE)
    faults = _Faults(path.name)
    told = _read(path, faults)
    populations: dict[str, Population] = {}
    for name, rule in told.get("populations", {}).items():
        if (population := _population(str(name), rule, faults)) is not None:
            populations[population.name] = population
    _check_ancestry(populations, told.get("populations", {}), faults)
    parts = _parts(told.get("parts", []), populations, faults)
    if not populations and not faults.problems:
        faults.add("populations", "no populations", "at least one population", "add one")
    if faults.problems:
        raise InputError(faults.problems)
    return GatingTree(populations=tuple(_in_order(populations)), parts=parts)


class _Faults:
    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def add(self, column: str | None, found: str, expected: str, remedy: str) -> None:
        self.problems.append(Problem(file=self.file, column=column, found=found, expected=expected, remedy=remedy))


def _read(path: Path, faults: _Faults) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        told = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        faults.add(None, f"no readable YAML ({' '.join(str(error).split())[:120]})", "a YAML file", "correct the file")
        return {}
    if not isinstance(told, dict) or not isinstance(told.get("populations"), dict):
        faults.add("populations", "no populations", "`populations` with a parent and a gate each", "add them")
        return {}
    for key, value in root.value if root is not None else ():
        if key.value == "populations":
            names = [name.value for name, _ in value.value]
            for name in sorted({name for name in names if names.count(name) > 1}):
                faults.add(f"populations.{name}", "the population twice", "each population once", "remove one")
            for name, rule in value.value:
                _check_gate(str(name.value), rule, faults)
    return told


def _check_gate(name: str, rule: yaml.Node, faults: _Faults) -> None:
    """A marker named twice in one gate, of which YAML keeps the last without a word."""
    if not isinstance(rule, yaml.MappingNode):
        return
    for key, gate in rule.value:
        if key.value == "gate" and isinstance(gate, yaml.MappingNode):
            markers = [str(marker.value) for marker, _ in gate.value]
            for marker in sorted({marker for marker in markers if markers.count(marker) > 1}):
                faults.add(f"populations.{name}.gate.{marker}", "the marker twice", "each marker once", "remove one")


def _population(name: str, rule: Any, faults: _Faults) -> Population | None:
    where = f"populations.{name}"
    before = len(faults.problems)
    if not NAME.fullmatch(name) or name == ROOT:
        faults.add(where, f"the name {name!r}", "letters, digits and . _ -, a letter first, and not root", "rename it")
    if not isinstance(rule, dict):
        faults.add(where, "no rule", "`parent` and `gate`", "write them")
        return None
    for key in sorted(set(map(str, rule)) - KEYS):
        faults.add(f"{where}.{key}", "an unknown key", f"one of {', '.join(sorted(KEYS))}", "correct it")
    if not isinstance(rule.get("parent"), str):
        faults.add(f"{where}.parent", "no parent", "a population, or root", "name it")
    gate = rule.get("gate")
    if not isinstance(gate, dict) or not gate:
        faults.add(f"{where}.gate", "no gate", "at least one marker with a level", "write `gate: {CD3: pos}`")
        gate = {}
    for marker, level in gate.items():
        if str(level) not in LEVELS:
            faults.add(f"{where}.gate.{marker}", f"the level {level!r}", f"one of {', '.join(LEVELS)}", "correct it")
        elif len(str(marker).split("/")) != (2 if level == "singlet" else 1):
            expected = "`singlet` of two scatter channels, written FSC-A/FSC-H"
            faults.add(f"{where}.gate.{marker}", f"{marker}: {level}", expected, "correct it")
    if not isinstance(rule.get("frequency_of", ""), str):
        faults.add(f"{where}.frequency_of", f"{rule['frequency_of']!r}", "the name of a population", "correct it")
    kind = rule.get("kind", "type")
    if kind not in KINDS:
        faults.add(f"{where}.kind", f"{kind!r}", f"one of {', '.join(KINDS)}", "correct it")
    if not isinstance(rule.get("optional", False), bool):
        faults.add(f"{where}.optional", f"{rule['optional']!r}", "true or false", "correct it")
    if len(faults.problems) > before:
        return None
    return Population(
        name=name,
        parent=rule["parent"],
        gate={str(marker): str(level) for marker, level in gate.items()},
        frequency_of=str(rule.get("frequency_of", rule["parent"])),
        kind=str(kind),
        optional=bool(rule.get("optional", False)),
    )


def _check_ancestry(populations: Mapping[str, Population], told: Mapping[str, Any], faults: _Faults) -> None:
    known = {str(name) for name in told}
    for name, rule in told.items():
        for key in ("parent", "frequency_of"):
            named = rule.get(key) if isinstance(rule, dict) else None
            if isinstance(named, str) and named != ROOT and named not in known:
                expected = "a population of this file, or root"
                faults.add(f"populations.{name}.{key}", f"{named!r}", expected, "correct it")
    for name, population in populations.items():
        seen = [name]
        while (parent := populations.get(seen[-1])) is not None and parent.parent != ROOT:
            if parent.parent in seen:
                faults.add(
                    f"populations.{name}.parent", "a population that lies in itself", "a tree", "correct a parent"
                )
                break
            seen.append(parent.parent)
        above = {*seen, ROOT}
        if population.frequency_of in known and population.frequency_of not in above:
            expected = "a population that it lies in"
            faults.add(f"populations.{name}.frequency_of", population.frequency_of, expected, "correct it")


def _parts(told: Any, populations: Mapping[str, Population], faults: _Faults) -> tuple[str, ...]:
    """The names of `parts`, which may be lists of names for the eye."""
    listed = told if isinstance(told, list) else [told]
    names = [str(name) for entry in listed for name in (entry if isinstance(entry, list) else [entry])]
    for name in names:
        if name not in populations:
            faults.add("parts", f"{name!r}", "a population of this file", "correct or remove it")
    for name in sorted({name for name in names if names.count(name) > 1}):
        faults.add("parts", f"{name!r} twice", "each part once", "remove one")
    return tuple(names)


def _in_order(populations: Mapping[str, Population]) -> list[Population]:
    """Parents before their children, else as in the file."""
    ordered: dict[str, Population] = {}
    waiting = dict(populations)
    while waiting:
        ready = [name for name, each in waiting.items() if each.parent == ROOT or each.parent in ordered]
        ordered |= {name: waiting.pop(name) for name in ready}
    return list(ordered.values())
