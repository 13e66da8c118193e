"""What is told of stool samples beside features and changes: listed microbes, scores, taxa, contaminants, identity."""

from rabiomarkers.tables.table import COMPARTMENTS, Kind, Table, words

AKKERMANSIA_CLASSES = ("absent", "low", "high")
TOPOSCORE_CLASSES = ("SIG1", "Gray", "SIG2")
SCORE_VERDICTS = ("favourable", "unfavourable", "refused", "no score")
PREVALENCE_VERDICTS = ("appeared", "disappeared", "no shift", "cannot reach 0.05", "not tested")
TAXON_VERDICTS = ("agree", "methods disagree", "not shown", "rare", "not tested")
CONTAMINANT_VERDICTS = ("contaminant", "kept", "cannot be told")
STOOL_IDENTITY_VERDICTS = ("own nearest", "another is nearer", "likely swap", "cannot be told")

_WHICH: dict[str, Kind] = {"sample_id": "text", "patient_id": "text", "timepoint": "text"}

MICROBES = Table(
    name="listed microbes by sample",
    columns={
        "taxon": "text",
        "rank": "text",
        "role": "text",
        "evidence": "text",
        "context": "text",
        "source": "text",
        "verification": "text",
        "conflict": "flag",
        "named": "flag",
        "share": "number",
        "note": "text",
    },
    key=("taxon", "role", "evidence", "source"),
    may_be_empty=words("share note"),
)
"""One stool sample: each listed taxon and what it is listed for. `named`: whether the sample's table can report it at all; where it
cannot there is no share, as absent and unreportable look the same. `conflict`: sources disagree."""

MICROBE_SCORES = Table(
    name="scores of microbes by sample",
    columns={
        "score": "text",
        "value": "number",
        "unit": "text",
        "category": "text",
        "verdict": "text",
        "members": "integer",
        "reportable": "integer",
        "present": "integer",
        "coverage": "number",
        "database": "text",
        "method": "text",
        "note": "text",
    },
    key=("score",),
    may_be_empty=words("value category note"),
    allowed={"verdict": SCORE_VERDICTS},
)
"""One stool sample: TOPOSCORE and the class of Akkermansia. `members` of the published lists, `reportable` by this database,
`present` in the sample; `coverage` = the smaller share of the two lists that is reportable."""

TAXA_CHANGES = Table(
    name="taxa by rank",
    columns={
        "rank": "text",
        "taxon": "text",
        "lineage": "text",
        "n_pairs": "integer",
        "prevalence_before": "number",
        "prevalence_after": "number",
        "share_before": "number",
        "share_after": "number",
        "estimate": "number",
        "ci_low": "number",
        "ci_high": "number",
        "p_value": "number",
        "p_floor": "number",
        "q_value": "number",
        "appeared": "integer",
        "disappeared": "integer",
        "prevalence_p": "number",
        "prevalence_q": "number",
        "ancombc_log_fold": "number",
        "ancombc_p": "number",
        "ancombc_q": "number",
        "dirichlet_log_fold": "number",
        "dirichlet_low": "number",
        "dirichlet_high": "number",
        "in_counts": "flag",
        "verdict": "text",
        "note": "text",
    },
    key=("rank", "taxon"),
    may_be_empty=words(
        "lineage estimate ci_low ci_high p_value p_floor q_value appeared disappeared prevalence_p prevalence_q "
        "ancombc_log_fold ancombc_p ancombc_q dirichlet_log_fold dirichlet_low dirichlet_high "
        "share_before share_after note"
    ),
    allowed={"verdict": TAXON_VERDICTS},
)
"""`estimate`: median change of the centred log-ratio (natural log) with its exact interval, as in the composition engine. The
ANCOM-BC and Dirichlet columns are sensitivity analyses. Prevalence: patients in whom it appeared or disappeared, exact McNemar."""

CONTAMINANTS = Table(
    name="taxa of the blank controls",
    columns={
        "taxon": "text",
        "blanks": "integer",
        "in_blanks": "integer",
        "samples": "integer",
        "in_samples": "integer",
        "p_value": "number",
        "p_floor": "number",
        "largest_share": "number",
        "verdict": "text",
        "note": "text",
    },
    key=("taxon",),
    may_be_empty=words("p_value p_floor largest_share note"),
    allowed={"verdict": CONTAMINANT_VERDICTS},
)
"""Each taxon seen in a blank: whether blanks hold it more often than samples (Fisher, one-sided), and its largest share of a
sample."""

CONTAMINATED_SAMPLES = Table(
    name="contaminants by stool",
    columns={"sample_id": "text", "contaminants": "integer", "share": "number"},
    key=("sample_id",),
)
"""How many called contaminants a stool holds, and their share of it, 0..1."""

STOOL_IDENTITY = Table(
    name="whose stools these are",
    columns={
        "sample_id": "text",
        "patient_id": "text",
        "timepoint": "text",
        "own_distance": "number",
        "nearest_sample": "text",
        "nearest_patient": "text",
        "nearest_distance": "number",
        "rank_of_own": "integer",
        "metric": "text",
        "verdict": "text",
        "note": "text",
    },
    key=("sample_id",),
    may_be_empty=words("own_distance nearest_sample nearest_patient nearest_distance rank_of_own note"),
    allowed={"verdict": STOOL_IDENTITY_VERDICTS},
)
"""Each stool: how far the patient's other one is, and which sample of the other timepoint is nearest."""

PROCRUSTES = Table(
    name="compartments laid over one another",
    columns={
        "compartment_a": "text",
        "assay_a": "text",
        "compartment_b": "text",
        "assay_b": "text",
        "timepoint": "text",
        "n_patients": "integer",
        "correlation": "number",
        "sum_of_squares": "number",
        "p_value": "number",
        "p_floor": "number",
        "p_count": "integer",
        "p_total": "integer",
        "test": "text",
        "note": "text",
    },
    key=("compartment_a", "assay_a", "compartment_b", "assay_b", "timepoint"),
    may_be_empty=words("correlation sum_of_squares p_value p_floor p_count p_total note"),
    allowed={"compartment_a": COMPARTMENTS, "compartment_b": COMPARTMENTS},
)
"""Whether patients who are alike in one compartment are alike in another: symmetric Procrustes, whole patients permuted."""

RAREFACTION = Table(
    name="diversity by depth",
    columns={"depth": "integer", "observed_taxa": "number", "shannon": "number"},
    key=("depth",),
)
"""One stool sample: what is seen of it when fewer reads are drawn."""


def _of_samples(table: Table, name: str) -> Table:
    """The table of one sample with whose it is in front, as a results folder has it."""
    return Table(
        name=name,
        columns=_WHICH | dict(table.columns),
        key=("sample_id", *table.key),
        may_be_empty=table.may_be_empty,
        allowed=table.allowed,
    )


SAMPLE_MICROBES = _of_samples(MICROBES, "listed microbes")
SAMPLE_SCORES = _of_samples(MICROBE_SCORES, "scores of microbes")
SAMPLE_RAREFACTION = _of_samples(RAREFACTION, "diversity by depth and sample")
