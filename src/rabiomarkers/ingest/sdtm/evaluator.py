"""Whose reading counts: the records of TU, TR and RS of one evaluator, chosen by name and never mixed with another's."""

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from rabiomarkers.ingest.findings import named
from rabiomarkers.ingest.sdtm.domains import Domain
from rabiomarkers.ingest.sdtm.notes import Notes
from rabiomarkers.ingest.sdtm.subjects import letters

ASSESSED = ("TU", "TR", "RS")
NOBODY = "(none)"
SETTINGS = "study.yaml"  # where the evaluator is named


class _Choice(NamedTuple):
    evaluator: str
    evaluator_id: str | None
    domains: dict[str, Domain]  # the evaluator's records, whichever id they bear


def choose(
    domains: Mapping[str, Domain], *, evaluator: str, evaluator_id: str | None, notes: Notes
) -> dict[str, Domain]:
    """TU, TR and RS with the records of this evaluator (and id) only; a domain without any is left out.

    Case and blanks of the names play no part. Where the evaluator has several ids and none was named, the one whose records are
    flagged as accepted (--ACPTFL) counts, subject by subject; where the flags do not single out one, that is a problem.
    """
    present = {name: domains[name] for name in ASSESSED if name in domains}
    wanted = letters(evaluator)
    of_evaluator = {
        name: domain.of((domain.texts("EVAL").map(letters) == wanted) & (domain.texts("EVAL") != ""))
        for name, domain in present.items()
    }
    if present and not any(len(domain.frame) for domain in of_evaluator.values()):
        found = pd.concat([domain.texts("EVAL") for domain in present.values()])
        if not len(found):
            empty = named(domain.file for domain in present.values())
            told, remedy = f"no record of any evaluator ({empty}: no rows)", "export the domains again"
            notes.wrong(SETTINGS, told, "lesions or responses", remedy, column="sdtm.evaluator")
            return {}
        told = f"no record of the evaluator {evaluator!r}"
        expected = f"one of those there are: {_counts(found)}"
        notes.wrong(SETTINGS, told, expected, "name one of them", column="sdtm.evaluator")
        return {}
    missing = [name for name, domain in of_evaluator.items() if not len(domain.frame)]
    for name in missing:
        others = present[name].texts("EVAL")
        told = f"{name} has no record of the evaluator {evaluator}, but of {_counts(others)}"
        told = told if len(others) else f"{name} has no rows"
        notes.remark(None, None, present[name].file, told, f"nothing is read from {name}")
    choice = _Choice(
        evaluator, evaluator_id, {name: domain for name, domain in of_evaluator.items() if name not in missing}
    )
    return _by_id(choice, notes)


def _by_id(choice: _Choice, notes: Notes) -> dict[str, Domain]:
    if not choice.domains:
        return {}
    ids = pd.concat([domain.texts("EVALID") for domain in choice.domains.values()])
    if choice.evaluator_id is not None:
        wanted = letters(choice.evaluator_id)
        chosen = {name: each.of(each.texts("EVALID").map(letters) == wanted) for name, each in choice.domains.items()}
        if not any(len(each.frame) for each in chosen.values()):
            told = f"no record of {choice.evaluator} with the id {choice.evaluator_id!r}"
            expected = f"one of those there are: {_counts(ids)}"
            notes.wrong(SETTINGS, told, expected, "name one of them", column="sdtm.evaluator_id")
            return {}
        for name in sorted(name for name, each in chosen.items() if not len(each.frame)):
            told = f"{name} has no record of {choice.evaluator} with the id {choice.evaluator_id}"
            notes.remark(None, None, choice.domains[name].file, told, f"nothing is read from {name}")
        return {name: each for name, each in chosen.items() if len(each.frame)}
    if ids.map(letters).nunique() <= 1:
        return choice.domains
    accepted = _accepted(choice, ids, notes)
    if accepted is None:
        return {}
    return {
        name: domain.of(domain.texts("EVALID") == domain.texts("USUBJID").map(accepted))
        for name, domain in choice.domains.items()
    }


def _accepted(choice: _Choice, ids: "pd.Series[str]", notes: Notes) -> dict[str, str] | None:
    """The accepted id of each subject; None where some subject has none, or several."""
    flagged: dict[str, set[str]] = {}
    for domain in choice.domains.values():
        for patient, name, flag in zip(*(domain.texts(each) for each in ("USUBJID", "EVALID", "ACPTFL")), strict=True):
            flagged.setdefault(patient, set()).update({name} if letters(flag) == "Y" else set())
    unclear = sorted(patient for patient, names in flagged.items() if len(names) != 1)
    if unclear:
        told = f"{choice.evaluator} has several ids, and none was chosen: {_counts(ids)}"
        expected = f"one id (records flagged as accepted do not single out one for {named(unclear, limit=3)})"
        notes.wrong(SETTINGS, told, expected, "name one of them", column="sdtm.evaluator_id")
        return None
    accepted = {patient: next(iter(names)) for patient, names in flagged.items()}
    source = ", ".join(domain.file for domain in choice.domains.values())
    for name, count in pd.Series(accepted).value_counts().sort_index().items():
        told = f"{choice.evaluator} has several ids; for {count} subjects the records of {name or NOBODY} are the accepted ones"
        notes.remark(None, None, source, told, "the accepted records count for them, no others")
    return accepted


def _counts(names: "pd.Series[str]") -> str:
    counts = names.replace("", NOBODY).value_counts()
    return named((f"{name} ({count:,} records)" for name, count in sorted(counts.items())), limit=20)
