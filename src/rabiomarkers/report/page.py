"""The report: one HTML file that needs nothing else, neither network nor server.

Every text that comes from the input is escaped, by the template engine on the page and by `label` in figures; beyond that the
page forbids itself, by its content security policy, to run any script but its own two and to load anything at all.
"""

import base64
import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from plotly.offline import get_plotlyjs

from rabiomarkers.files import Info
from rabiomarkers.report.blocks import Picture, Section, pictures
from rabiomarkers.report.data import ReportData, data_of_inputs, data_of_results
from rabiomarkers.report.methods import EXACT
from rabiomarkers.report.sections_axes import axes_section, context_section
from rabiomarkers.report.sections_blood import (
    cell_section,
    cytometry_section,
    protein_section,
    repertoire_section,
)
from rabiomarkers.report.sections_change import change_section, contrast_of, pairs_section
from rabiomarkers.report.sections_community import composition_section, likeness_section, stool_section
from rabiomarkers.report.sections_courses import courses_section
from rabiomarkers.report.sections_decision import decision_section, safety_section
from rabiomarkers.report.sections_genes import coverage_section, genes_section
from rabiomarkers.report.sections_identity import identity_section
from rabiomarkers.report.sections_mechanism import mechanism_section
from rabiomarkers.report.sections_models import model_section
from rabiomarkers.report.sections_response import course_section, response_section
from rabiomarkers.report.sections_samples import ledger_section, provenance_section, quality_section, trial_section
from rabiomarkers.report.sections_sensitivity import sensitivity_section
from rabiomarkers.report.sections_stool import diversity_section, stool_quality_section
from rabiomarkers.report.sections_taxa import microbe_section, taxa_section
from rabiomarkers.results import open_results

TEMPLATES = Path(__file__).parent / "templates"
SETTINGS_TOLD = (
    "response",
    "expression",
    "stool",
    "change",
    "plan",
    "composition",
    "genes",
    "cells",
    "cytometry",
    "proteins",
    "tcr",
)  # parts of the settings that the methods name
QUESTION = (
    "Does the treatment act on the tumour as retinoic acid does, move the immune system and shrink the disease, and can "
    "biomarkers tell who responds?"
)


def write_report(results_folder: str | Path, out_path: str | Path) -> Path:
    """The report of a results folder, from its tables; written whole or not at all.

    Raises
    ------
    ResultsError
        The folder is not a results folder, or lacks a table that every study has.
    """
    page = render(data_of_results(open_results(results_folder)))
    out = Path(out_path)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".report-") as folder:
        written = Path(folder) / out.name
        _write(page, written)
        written.replace(out)
    return out


def report_step(inputs: Mapping[str, Path], out: Path) -> Info:
    """`report.html` from the steps' files.

    Inputs: `features`, `changes`, `deltas`, `outcomes`, `ledger`, `qc`, `summary`; where the study has them the tables of
    `report.data.OPTIONAL` and `provenance`.
    """
    page = render(data_of_inputs(inputs))
    _write(page, out / "report.html")
    return {"bytes": len(page.encode())}


def render(data: ReportData) -> str:
    """The page as text; the same tables give the same bytes."""
    asked = [
        trial_section(data),
        ledger_section(data),
        response_section(data),
        course_section(data),
        decision_section(data),
        safety_section(data),
        change_section(data),
        pairs_section(data),
        mechanism_section(data),
        axes_section(data),
        genes_section(data),
        context_section(data),
        cytometry_section(data),
        repertoire_section(data),
        protein_section(data),
        cell_section(data),
        courses_section(data),
        stool_quality_section(data),
        diversity_section(data),
        stool_section(data),
        likeness_section(data),
        taxa_section(data),
        microbe_section(data),
        composition_section(data),
        sensitivity_section(data),
        model_section(data),
        quality_section(data),
        identity_section(data),
        coverage_section(data),
    ]
    sections = [section for section in asked if section is not None]
    plotly, ours = _plotly(), _asset("report.js")
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            study=str(data.summary.get("study") or "study without a name"),
            question=QUESTION,
            answer=[str(sentence) for sentence in data.summary.get("answer", [])],
            sections=sections,
            provenance=provenance_section(data),
            contrast=contrast_of(data),
            settings={part: {} for part in SETTINGS_TOLD} | (data.provenance.get("settings") or {}),
            exact=EXACT,
            figures=_figures(sections),
            style=_asset("report.css"),
            scripts=(plotly, ours),
            policy=_policy((plotly, ours)),
        )
    )


def _figures(sections: Sequence[Section]) -> list[tuple[str, str]]:
    """Name and JSON of every figure that is drawn."""
    return [(picture.name, _json(picture)) for picture in pictures(sections)]


def _json(picture: Picture) -> str:
    """The figure as JSON that cannot end the script element it stands in."""
    plain: dict[str, Any] = json.loads(picture.content.to_json(engine="json"))  # type: ignore[union-attr]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _policy(scripts: Sequence[str]) -> str:
    """Content security policy: nothing is loaded from anywhere, and only these scripts run."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


@cache
def _plotly() -> str:
    # browsers read \r\n as \n before they take a script's digest
    return str(get_plotlyjs()).replace("\r\n", "\n").replace("</script", "<\\/script")


def _asset(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["breakable"] = _breakable
    return environment


def _breakable(value: str) -> Markup:
    """Escaped text that may break after an underscore, as feature names are long; a second line is in small print."""
    first, _, second = value.partition("\n")
    shown = escape(first).replace("_", Markup("_<wbr>"))
    return shown + Markup("<small>{}</small>").format(second) if second else shown


def _write(page: str, path: Path) -> None:
    path.write_text(page, encoding="utf-8", newline="\n")
