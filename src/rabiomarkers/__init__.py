"""Biomarkers of a trial of retinoic acid with anti-PD-1: from paired tumour, blood and stool samples to a response report.

In a notebook::

    import rabiomarkers as ra

    results = ra.open_results("results/demo")
    ra.plot.waterfall(results)

The one `__init__` of the project that is not empty: a scientist needs one name to import. The names below are looked up when they
are first used, so that importing the package (the command line does, too) loads no scientific library. They are spelt as text
because an import statement, even one for type checkers only, would tie every step's recorded source code to every module.
"""

import importlib
from typing import Any

_PUBLIC = {
    "Expression": "rabiomarkers.features.scoring.expression",
    "Known": "rabiomarkers.features.scoring.expression",
    "choose_signatures": "rabiomarkers.features.signatures",
    "distances_of": "rabiomarkers.change.metrics",
    "diversity": "rabiomarkers.features.diversity",
    "diversity_of_shares": "rabiomarkers.features.diversity",
    "find_gates": "rabiomarkers.features.gating.batch",
    "freeze_reference": "rabiomarkers.features.scoring.mean_scores",
    "gate_sample": "rabiomarkers.features.cytometry",
    "listed_microbes": "rabiomarkers.report.figures.microbes",
    "load_gating_tree": "rabiomarkers.features.gating.tree",
    "load_pairs": "rabiomarkers.knowledge",
    "load_rules": "rabiomarkers.knowledge",
    "load_signatures": "rabiomarkers.knowledge",
    "load_taxa": "rabiomarkers.knowledge",
    "open_results": "rabiomarkers.results",
    "open_study": "rabiomarkers.study",
    "population_table": "rabiomarkers.features.cytometry",
    "rarefaction_curve": "rabiomarkers.features.diversity",
    "read_abundance": "rabiomarkers.ingest.abundance",
    "read_cytometry": "rabiomarkers.ingest.cytometry",
    "read_repertoire": "rabiomarkers.ingest.repertoires",
    "read_tree": "rabiomarkers.stats.trees",
    "repertoire_features": "rabiomarkers.features.repertoires",
    "run_study": "rabiomarkers.pipeline",
    "score_file": "rabiomarkers.streaming",
    "score_samples": "rabiomarkers.features.scoring.registry",
    "score_signatures": "rabiomarkers.features.signatures",
    "score_table": "rabiomarkers.features.scoring.registry",
    "sensitivity": "rabiomarkers.change.sensitivity",
    "simulate_study": "rabiomarkers.simulate.study",
    "stool_scores": "rabiomarkers.features.toposcore",
    "stream_expression": "rabiomarkers.streaming",
}
_MODULES = {"plot": "rabiomarkers.report.plot"}

__all__ = ["__version__", *_PUBLIC, *_MODULES]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("rabiomarkers")
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'rabiomarkers' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
