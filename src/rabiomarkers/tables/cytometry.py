"""Tables about gated cells: where each marker is cut, how many cells each population has, and what a cut may have made up."""

from rabiomarkers.tables.table import COMPARTMENTS, Table, words

GATES = Table(
    name="gates",
    columns={
        "batch": "text",
        "assay": "text",
        "parent": "text",  # the population among whose events the cut was found
        "marker": "text",  # or two scatter channels, as "FSC-A/FSC-H"
        "level": "text",  # pos, high, low, dim, singlet: which border this is
        "cut": "number",  # on the transformed scale
        "method": "text",  # control, mixture, valley, frozen, diagonal
        "separation": "number",  # distance of the two modes in units of their spread
        "events": "integer",  # that the cut was found on
        "transform": "text",  # in words and numbers, so that it can be repeated
        "note": "text",
    },
    key=("batch", "assay", "parent", "marker", "level"),
    may_be_empty=words("cut separation note"),
)
"""Where the markers of a batch are cut. A border that was not found has no `cut` and its reason in `note`."""

POPULATIONS = Table(
    name="populations",
    columns={
        "population": "text",
        "parent": "text",
        "frequency_of": "text",  # the population whose events are the denominator of `fraction`
        "events": "integer",
        "parent_events": "integer",
        "fraction_of_parent": "number",
        "fraction": "number",
        "fraction_of_leukocytes": "number",
        "cells_per_ul": "number",  # with a blood count of the same tube's timepoint
        "note": "text",
    },
    key=("population",),
    may_be_empty=words("events parent_events fraction_of_parent fraction fraction_of_leukocytes cells_per_ul note"),
)
"""The populations of one sample. What the panel cannot tell apart has no numbers and its reason in `note`."""

SAMPLE_POPULATIONS = Table(
    name="populations",
    columns={"sample_id": "text", "assay": "text", **POPULATIONS.columns},
    key=("sample_id", "assay", "population"),
    may_be_empty=POPULATIONS.may_be_empty,
)

PARTS = Table(
    name="parts",
    columns={"part": "text", "events": "integer"},
    key=("part",),
)
"""The leukocytes of one sample, each in one part only: a composition. What is in no named part is in ``other``."""

VIEWS = Table(
    name="densities",
    columns={
        "parent": "text",
        "marker": "text",
        "position": "number",  # on the transformed scale
        "density": "number",  # of the sample's parent events, integrates to 1
    },
    key=("parent", "marker", "position"),
)
"""How one sample's events of a parent lie along each marker that is cut there."""

SAMPLE_VIEWS = Table(
    name="densities",
    columns={"sample_id": "text", "batch": "text", "assay": "text", **VIEWS.columns},
    key=("sample_id", "assay", "parent", "marker", "position"),
)

MARKER_POSITIONS = Table(
    name="marker positions",
    columns={
        "population": "text",
        "parent": "text",
        "marker": "text",  # positive in the population, and cut
        "cut": "number",
        "positive": "number",  # median of the population's events
        "positive_events": "integer",
        "background": "number",  # median of events of the parent that cannot be of the population
        "background_spread": "number",
        "background_above_cut": "number",  # share of them
        "background_events": "integer",
    },
    key=("population", "marker"),
    may_be_empty=words("positive background background_spread background_above_cut"),
)
"""Where one sample's events lie along the markers that define a population, on the transformed scale: its own, and others."""

SAMPLE_POSITIONS = Table(
    name="marker positions",
    columns={"sample_id": "text", "assay": "text", **MARKER_POSITIONS.columns},
    key=("sample_id", "assay", "population", "marker"),
    may_be_empty=MARKER_POSITIONS.may_be_empty,
)

GATE_CHECKS = Table(
    name="gate checks",
    columns={
        "assay": "text",
        "population": "text",
        "parent": "text",
        "marker": "text",
        "n_pairs": "integer",
        "fraction_change": "number",  # median over patients
        "position_change": "number",  # of the population's own events along the marker, transformed scale
        "background_change": "number",  # of events that cannot be of the population
        "background_spread": "number",
        "same_direction": "integer",  # pairs in which the marker moved as the fraction did
        "verdict": "text",
        "note": "text",
    },
    key=("assay", "population", "marker"),
    may_be_empty=words("fraction_change position_change background_change background_spread same_direction note"),
    allowed={"verdict": ("marker-driven", "not marker-driven", "not judged")},
)
"""Whether a population changed, or a marker that defines it."""

DETECTION = Table(
    name="detection",
    columns={
        "compartment": "text",
        "analyte": "text",
        "n_samples": "integer",
        "n_measured": "integer",
        "below_detection_share": "number",
        "above_quantification_share": "number",
        "warned_share": "number",
        "plates": "integer",
        "note": "text",
    },
    key=("compartment", "analyte"),
    may_be_empty=words("below_detection_share above_quantification_share warned_share note"),
    allowed={"compartment": COMPARTMENTS},
)
"""How far each protein could be measured, over all samples."""

OVERLAPS = Table(
    name="repertoire overlap",
    columns={
        "compartment": "text",
        "patient_id": "text",
        "locus": "text",
        "clones_before": "integer",
        "clones_after": "integer",
        "clones_shared": "integer",
        "reads_before": "integer",
        "reads_after": "integer",
        "morisita_horn": "number",
        "jaccard": "number",
        "n_tested": "integer",
        "n_expanded": "integer",
        "n_contracted": "integer",
        "note": "text",
    },
    key=("compartment", "patient_id", "locus"),
    may_be_empty=words("morisita_horn jaccard n_tested n_expanded n_contracted note"),
    allowed={"compartment": COMPARTMENTS},
)
"""The repertoires of one patient before and after."""

CLONES = Table(
    name="moved clones",
    columns={
        "compartment": "text",
        "patient_id": "text",
        "locus": "text",
        "clone": "text",
        "reads_before": "integer",
        "reads_after": "integer",
        "share_before": "number",
        "share_after": "number",
        "direction": "text",
        "p_value": "number",
        "q_value": "number",
        "test": "text",
    },
    key=("compartment", "patient_id", "locus", "clone"),
    may_be_empty=words("p_value q_value"),
    allowed={"compartment": COMPARTMENTS, "direction": ("expanded", "contracted", "unchanged")},
)
"""Clones that expanded or contracted, and the largest of those that did not."""

EMBEDDING = Table(
    name="embedding",
    columns={
        "sample_id": "text",
        "compartment": "text",
        "lineage": "text",
        "cell_type": "text",
        "cluster": "text",
        "x": "number",
        "y": "number",
    },
    allowed={"compartment": COMPARTMENTS},
)
"""Some cells of every sample side by side, for the eye only: no number of the report is computed from it."""
