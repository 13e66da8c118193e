"""Gates that a person has drawn: GatingML 2.0 and FlowJo 10 workspaces, evaluated by FlowKit (extra `gating`).

A strategy brings its own compensation and scales, so it is given the events of the FCS file as they were written, not those that
were compensated here.

References
----------
Spidlen et al. 2015 (Gating-ML 2.0), doi:10.1002/cyto.a.22690
"""

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rabiomarkers.errors import InputError, Problem
from rabiomarkers.features.gating.apply import Mask, Membership
from rabiomarkers.features.gating.tree import ROOT, GatingTree, Population, load_gating_tree

GATING_ML, FLOWJO = ".xml", ".wsp"
LARGEST = 100 * 2**20  # bytes of a strategy
BETWEEN = "."  # between the names of a path, where a name alone means several gates

SPELLINGS: Mapping[str, str] = {
    "singlet": "singlets",
    "singlecell": "singlets",
    "livecell": "live",
    "viable": "live",
    "cd45+": "leukocyte",
    "cd45": "leukocyte",
    "lymph": "lymphocyte",
    "tcells": "T_cell",
    "cd3+": "T_cell",
    "cd3+t": "T_cell",
    "cd4+": "CD4_T",
    "cd4+t": "CD4_T",
    "cd8+": "CD8_T",
    "cd8+t": "CD8_T",
    "cd19+": "B_cell",
    "nkcell": "NK",
    "tregs": "Treg",
    "regulatoryt": "Treg",
    "cd14+": "monocyte",
    "mono": "monocyte",
    "classicalmonocyte": "mono_classical",
    "intermediatemonocyte": "mono_intermediate",
    "nonclassicalmonocyte": "mono_nonclassical",
}
"""How people call populations of the tree that ships, without blanks, hyphens, ``cells`` and a plural s."""


def strategy_membership(
    path: Path, fcs: Path, *, events: int | None = None, label: str | None = None
) -> tuple[Membership, GatingTree]:
    """The events of one sample in each gate of a strategy, and the tree that the gates make.

    Parameters
    ----------
    path
        GatingML 2.0 (``.xml``) or FlowJo 10 (``.wsp``).
    fcs
        The sample's file. A FlowJo workspace knows it by its name; if it does not, and holds one sample only, its gates are taken.
    events
        How many events the sample has; another number is refused.
    label
        How the strategy is called in problems.

    Returns
    -------
    Membership by population, and a tree whose populations have no rule of their own. A gate has its own name, or that of the
    population of our tree that it is plainly called; where several gates share a name, their paths tell them apart.

    Raises
    ------
    InputError
        The strategy cannot be read, or not be applied to this file; or the extra `gating` is not installed.
    """
    label = label or path.name
    check_strategy(path, label=label)
    with _quiet(label):
        gates = _gating_ml(path, fcs) if path.suffix.lower() == GATING_ML else _flowjo(path, fcs, label)
    if events is not None and any(len(mask) != events for mask in gates.values()):
        raise InputError([_problem(label, "gates of another number of events", "gates of this file's events")])
    return _named(gates)


def check_strategy(path: Path, *, label: str | None = None) -> None:
    """Raise where the file is no strategy that can be read safely.

    Raises
    ------
    InputError
        It is too large, no XML, declares entities (with which a file could read others), holds no gate, or FlowKit is absent.
    """
    label = label or path.name
    if path.stat().st_size > LARGEST:
        raise InputError([_problem(label, "a file of more than 100 MiB", "a gating strategy")])
    text = path.read_bytes()
    if re.search(rb"<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise InputError([_problem(label, "XML that declares a document type or entities", "plain XML")])
    try:
        import flowkit  # noqa: F401 - takes seconds, and only strategies need it
        from lxml import etree
    except ImportError:
        remedy = "install rabiomarkers[gating], or leave the column gating empty"
        raise InputError(
            [Problem(file=label, found="a gating strategy", expected="the extra gating", remedy=remedy)]
        ) from None
    try:
        root = etree.fromstring(text, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        raise InputError([_problem(label, "no XML, or not all of it", "GatingML 2.0 or a FlowJo workspace")]) from None
    tag = etree.QName(root).localname
    if tag != ("Gating-ML" if path.suffix.lower() == GATING_ML else "Workspace"):
        raise InputError([_problem(label, f"XML of the kind {tag}", "GatingML 2.0 (.xml) or FlowJo 10 (.wsp)")])


def _problem(label: str, found: str, expected: str) -> Problem:
    remedy = "export the gates again (FlowJo 10: save the workspace; others: Gating-ML 2.0)"
    return Problem(file=label, found=found, expected=expected, remedy=remedy)


@contextmanager
def _quiet(label: str) -> Iterator[None]:
    """FlowKit as it was written for pandas 2, and its faults in words.

    Raises
    ------
    InputError
        FlowKit could not apply the strategy.
    """
    import flowkit  # takes seconds

    try:
        # under pandas 3 a column of texts turns None into NaN, by which FlowKit tells gates from quadrants
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pd.option_context("future.infer_string", False):
                yield
    except (
        flowkit.exceptions.FlowKitException,
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        NotImplementedError,
    ) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise InputError(
            [_problem(label, f"gates that cannot be applied to this file ({reason})", "gates on channels of the file")]
        ) from None


type Gates = dict[tuple[str, ...], Mask]
"""Events by path, the root left out, the gate's own name last."""


def _gating_ml(path: Path, fcs: Path) -> Gates:
    import flowkit

    strategy = flowkit.parse_gating_xml(str(path))
    return _evaluate(strategy, flowkit.Sample(str(fcs)))


def _flowjo(path: Path, fcs: Path, label: str) -> Gates:
    import flowkit

    sample = flowkit.Sample(str(fcs), sample_id=fcs.name)
    workspace = flowkit.Workspace(str(path), fcs_samples=sample, load_missing_file_data=True)
    known = list(workspace.get_sample_ids(loaded_only=False))
    name = fcs.name if fcs.name in known else known[0] if len(known) == 1 else None
    if name is None:
        found = f"a workspace without the sample {fcs.name!r}"
        raise InputError([_problem(label, found, "the sample's file name as FlowJo knows it")])
    return _evaluate(workspace.get_gating_strategy(name), sample)


def _evaluate(strategy: Any, sample: Any) -> Gates:
    """Every gate and quadrant; a set of quadrants is no population and is left out of their paths."""
    results = strategy.gate_sample(sample)
    told = results.report
    sets = set(told["quadrant_parent"].dropna())
    gates: Gates = {}
    for name, path in zip(told["gate_name"], told["gate_path"], strict=True):
        above = tuple(part for part in path if part != ROOT and part not in sets)
        gates[*above, str(name)] = np.asarray(results.get_gate_membership(name, path), dtype=bool)
    return gates


def _named(gates: Gates) -> tuple[Membership, GatingTree]:
    """Populations with unique names; a gate plainly called as one of our tree bears its name, where only one does."""
    ours = load_gating_tree()
    spellings = dict(SPELLINGS) | {_plain(each.name): each.name for each in ours.populations}
    canonical = {path: spellings.get(_plain(path[-1])) for path in gates}
    taken = list(canonical.values())
    names: dict[tuple[str, ...], str] = {}
    for path in gates:
        own = canonical[path]
        alone = sum(other[-1] == path[-1] for other in gates) == 1
        if own is not None and taken.count(own) == 1:
            names[path] = own
        else:
            names[path] = _word(path[-1] if alone else BETWEEN.join(path))
    populations = tuple(
        Population(
            name=names[path],
            parent=_parent(path, names),
            gate={},
            frequency_of=_parent(path, names),
            kind="type",
            optional=False,
        )
        for path in sorted(gates, key=lambda path: (len(path), path))
    )
    known = {population.name for population in populations}
    tree = GatingTree(populations=populations, parts=tuple(part for part in ours.parts if part in known))
    members = {names[path]: mask for path, mask in gates.items()}
    return Membership(members=members, dropped={}, remarks={}), tree


def _parent(path: tuple[str, ...], names: Mapping[tuple[str, ...], str]) -> str:
    """The nearest gate above that is a population."""
    for length in range(len(path) - 1, 0, -1):
        if path[:length] in names:
            return names[path[:length]]
    return ROOT


def _plain(name: str) -> str:
    told = re.sub(r"[\s_\-/]+", "", name.strip().lower())
    told = re.sub(r"cells?$", "", told) or told
    return told.removesuffix("s") if len(told) > 4 else told


def _word(name: str) -> str:
    """The name without what a plan's pattern or a feature's name gives a meaning."""
    return re.sub(r"[^\w+.\-]+", "_", name.strip()).strip("_") or "gate"
