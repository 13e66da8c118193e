"""What a result was made from: inputs, settings, versions, seed, plan."""

import importlib.metadata
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rabiomarkers.files import Info, write_json
from rabiomarkers.study import Study

LIBRARIES = (
    "anndata",
    "jinja2",
    "lifelines",
    "mudata",
    "numpy",
    "pandas",
    "plotly",
    "scanpy",
    "scikit-bio",
    "scikit-learn",
    "scipy",
    "statsmodels",
)


def run_record(study: Study, inputs: Mapping[str, str]) -> dict[str, Any]:
    """Everything that determines the tables: sha256 by input file, settings, seed, versions and the plan's hash.

    The plan's hash is fixed before any result is seen, so that an analysis added later can be told from a planned one.
    """
    # where the data lie on this machine determines nothing
    settings = study.settings.model_dump(mode="json", exclude={"data_root": True, "sdtm": {"folder"}})
    return {
        "study": study.settings.name,
        "inputs": dict(inputs),
        "settings": settings,
        "seed": study.settings.seed,
        "plan_registered": study.settings.registration,
        "plan_hash": study.settings.plan_hash,
        "versions": {
            "rabiomarkers": importlib.metadata.version("rabiomarkers"),
            "python": platform.python_version(),
            **{library: importlib.metadata.version(library) for library in LIBRARIES},
        },
    }


def provenance_step(inputs: Mapping[str, Path], out: Path, *, record: Mapping[str, Any]) -> Info:
    """`provenance.json`: the record as the report and `run.json` show it."""
    write_json(record, out / "provenance.json")
    return {}
