"""How features, compositions and communities changed from the first to the second timepoint of the contrast."""

from rabiomarkers.tables.table import COMPARTMENTS, TIERS, Kind, Table, words

CORRECTIONS = ("fixed sequence", "Holm", "Benjamini-Hochberg")
COMMUNITY_QUESTIONS = (
    "time",
    "response",
    "response x time",
    "dispersion",
    "own pairs against others",
)
COMPOSITION_VERDICTS = (
    "moved",
    "depends on the reference",
    "their ratio moved",
    "not shown",
    "cannot reach 0.05",
    "rare",
)
SENSITIVITY_KINDS = ("as planned", "leave one out", "other test", "flagged samples")

_TESTED: dict[str, Kind] = {
    "estimate": "number",
    "ci_low": "number",
    "ci_high": "number",
    "ci_level": "number",
    "p_value": "number",
    "p_floor": "number",
}
"""What one test says; estimate and interval belong to it, `ci_level` is the level reached. Each may be empty."""

CHANGES = Table(
    name="changes",
    columns={
        "compartment": "text",
        "feature": "text",
        "unit": "text",
        "n_pairs": "integer",
        **_TESTED,
        "q_value": "number",
        "effect_size": "number",
        "test": "text",
        "family": "text",
        "tier": "text",
        "note": "text",
        "correction": "text",
        "sequence": "integer",
        "passes": "flag",
        "p_count": "integer",
        "p_total": "integer",
        "effect_low": "number",
        "effect_high": "number",
        "hedges_g": "number",
        "hedges_g_low": "number",
        "hedges_g_high": "number",
        "median": "number",
        "minimum": "number",
        "maximum": "number",
        "n_single": "integer",
        "degrees_of_freedom": "number",
    },
    key=("compartment", "feature"),
    may_be_empty=frozenset(_TESTED)
    | words("q_value effect_size note sequence passes p_count p_total effect_low effect_high")
    | words("hedges_g hedges_g_low hedges_g_high median minimum maximum n_single degrees_of_freedom"),
    allowed={"tier": TIERS, "correction": CORRECTIONS},
)
"""`q_value` is the p adjusted within `family` by `correction`, `passes` whether it is at most 0.05; `sequence` is a primary
feature's place in the fixed sequence. `effect_size` is dz without small-sample bias, `hedges_g` the change over the mean spread
of both timepoints, each with its 95 % interval; `median`, `minimum` and `maximum` are those of the patients' changes. `n_single`
is how many patients with one sample the test used (only a mixed model does), `degrees_of_freedom` those of a t test."""

FAMILIES = Table(
    name="families of tests",
    columns={
        "family": "text",
        "tier": "text",
        "correction": "text",
        "n_features": "integer",
        "n_tests": "integer",
        "n_passed": "integer",
        "n_cannot_pass": "integer",
        "n_needed": "integer",
        "note": "text",
    },
    key=("family",),
    may_be_empty=words("n_needed note"),
    allowed={"tier": TIERS, "correction": CORRECTIONS},
)
"""How many tests each family holds and what its correction asks: `n_cannot_pass` of the tests could not pass whatever the data,
as their smallest possible p is too large even if all others were at theirs; `n_needed` is how many must be at their floor
together before any passes (empty where one may pass alone)."""

DELTAS = Table(
    name="deltas",
    columns={
        "patient_id": "text",
        "compartment": "text",
        "feature": "text",
        "unit": "text",
        "before": "number",
        "after": "number",
        "change": "number",
    },
    key=("patient_id", "compartment", "feature"),
)
"""One patient's change in one feature, on the scale the test used (`unit`); only complete pairs have a row."""

SINGLES = Table(
    name="patients with one sample",
    columns=dict(DELTAS.columns),
    key=DELTAS.key,
    may_be_empty=words("before after change"),
)
"""Patients with a value at one timepoint of the contrast only: a paired test has no use for them, a mixed model has."""

BY_RESPONSE = Table(
    name="changes by response",
    columns={
        "compartment": "text",
        "feature": "text",
        "unit": "text",
        "n_responders": "integer",
        "median_responders": "number",
        "n_non_responders": "integer",
        "median_non_responders": "number",
        "n_unknown": "integer",
        **_TESTED,
        "q_value": "number",
        "p_count": "integer",
        "p_total": "integer",
        "test": "text",
        "family": "text",
        "tier": "text",
        "note": "text",
    },
    key=("compartment", "feature"),
    may_be_empty=frozenset(_TESTED) | words("median_responders median_non_responders q_value p_count p_total note"),
    allowed={"tier": TIERS},
)
"""Whether a feature moved otherwise in responders than in the others (change x response): `estimate` is the Hodges-Lehmann shift,
responders minus non-responders. Medians of nobody are empty."""

COURSES = Table(
    name="courses over all timepoints",
    columns={
        "compartment": "text",
        "feature": "text",
        "unit": "text",
        "timepoint": "text",
        "reference": "text",
        "n_patients": "integer",
        "n_pairs": "integer",
        **_TESTED,
        "degrees_of_freedom": "number",
        "p_any": "number",
        "q_value": "number",
        "test": "text",
        "tier": "text",
        "note": "text",
    },
    key=("compartment", "feature", "timepoint"),
    may_be_empty=frozenset(_TESTED) | words("degrees_of_freedom p_any q_value note"),
    allowed={"tier": TIERS},
)
"""Each later timepoint against the first one, of a mixed model that uses every sample; `p_any` asks whether any differs.
`n_patients` have a sample at either timepoint, `n_pairs` at both."""

COMPOSITION = Table(
    name="changes of compositions",
    columns={
        "compartment": "text",
        "composition": "text",
        "part": "text",
        "coordinate": "text",
        "reference": "text",
        "unit": "text",
        "n_pairs": "integer",
        "prevalence": "number",
        **_TESTED,
        "q_value": "number",
        "test": "text",
        "p_sampled": "number",
        "share_significant": "number",
        "verdict": "text",
        "note": "text",
    },
    key=("compartment", "composition", "part", "coordinate"),
    may_be_empty=frozenset(_TESTED) | words("prevalence q_value p_sampled share_significant note"),
    allowed={
        "coordinate": ("clr", "median", "balance", "whole"),
        "compartment": COMPARTMENTS,
        "verdict": COMPOSITION_VERDICTS,
    },
)
"""Change of each part of a composition in log ratios (ln): against the geometric mean of all parts (`clr`), against the part that
moved like most (`median`), of named groups of parts (`balance`), and of the composition as a whole. `p_sampled` is the mean p over
draws from the Dirichlet-multinomial posterior of the counts, `share_significant` the share of draws with p <= 0.05."""

COMMUNITY = Table(
    name="tests of whole communities",
    columns={
        "compartment": "text",
        "question": "text",
        "metric": "text",
        "n_patients": "integer",
        "n_samples": "integer",
        "statistic": "number",
        "statistic_name": "text",
        "r_squared": "number",
        "p_value": "number",
        "p_floor": "number",
        "p_count": "integer",
        "p_total": "integer",
        "test": "text",
        "note": "text",
    },
    key=("compartment", "question", "metric"),
    may_be_empty=words("statistic r_squared p_value p_floor p_count p_total note"),
    allowed={"compartment": COMPARTMENTS, "question": COMMUNITY_QUESTIONS},
)

CHAIN = Table(
    name="retinoic-acid chain by patient",
    columns={
        "patient_id": "text",
        "node": "text",
        "place": "integer",
        "compartment": "text",
        "feature": "text",
        "unit": "text",
        "expected": "text",
        "change": "number",
        "as_expected": "flag",
        "note": "text",
    },
    key=("patient_id", "node"),
    may_be_empty=words("change as_expected note"),
    allowed={"expected": ("up", "down")},
)
"""Each patient's change at each node of the chain, in the chain's order (`place` from 1); empty with the reason where there is no
pair."""

LINKS = Table(
    name="links of the retinoic-acid chain",
    columns={
        "link": "integer",
        "source": "text",
        "target": "text",
        "n_pairs": "integer",
        "n_as_expected": "integer",
        **_TESTED,
        "p_count": "integer",
        "p_total": "integer",
        "q_value": "number",
        "test": "text",
        "note": "text",
    },
    key=("link",),
    may_be_empty=frozenset(_TESTED) | words("p_count p_total q_value note"),
)
"""Whether patients whose source moved further the expected way had a target that did so too: `estimate` is Spearman's rho of both
changes, each turned so that the expected direction is up. `n_pairs` patients have both; in `n_as_expected` of them both went as
expected."""

SENSITIVITY = Table(
    name="sensitivity of the primary results",
    columns={
        "compartment": "text",
        "feature": "text",
        "kind": "text",
        "analysis": "text",
        "unit": "text",
        "n_pairs": "integer",
        **_TESTED,
        "test": "text",
        "agrees": "flag",
        "note": "text",
    },
    key=("compartment", "feature", "kind", "analysis"),
    may_be_empty=frozenset(_TESTED) | words("agrees note"),
    allowed={"kind": SENSITIVITY_KINDS},
)
"""Each primary result again with one thing changed; `agrees` says whether direction and p <= 0.05 are those of the plan."""

SHADOW_NULL = Table(
    name="shadow null",
    columns={
        "family": "text",
        "test": "text",
        "n_tests": "integer",
        "n_flips": "integer",
        "nominal": "number",
        "observed": "number",
        "observed_any": "number",
        "note": "text",
    },
    key=("family", "test"),
    may_be_empty=words("observed observed_any note"),
)
"""Before and after of whole patients swapped at random: share of tests with p <= nominal, and of swaps in which any test of the
family passes its correction."""

POWER = Table(
    name="detectable changes",
    columns={
        "compartment": "text",
        "feature": "text",
        "unit": "text",
        "n_pairs": "integer",
        "test": "text",
        "alpha": "number",
        "power": "number",
        "spread": "number",
        "detectable_effect": "number",
        "detectable_change": "number",
        "note": "text",
    },
    key=("compartment", "feature"),
    may_be_empty=words("spread detectable_effect detectable_change note"),
)
"""The smallest change the planned test would find with this power at the pairs at hand: in standard deviations of the changes
(`detectable_effect`) and in the feature's unit, at the spread observed."""

DISTANCES = Table(
    name="distances",
    columns={
        "metric": "text",
        "patient_a": "text",
        "timepoint_a": "text",
        "patient_b": "text",
        "timepoint_b": "text",
        "same_patient": "flag",
        "distance": "number",
    },
)
"""Stool against stool: each unordered pair of samples once for each metric."""

ORDINATION = Table(
    name="ordination",
    columns={
        "metric": "text",
        "sample_id": "text",
        "patient_id": "text",
        "timepoint": "text",
        "axis_1": "number",
        "axis_2": "number",
    },
    key=("metric", "sample_id"),
)
