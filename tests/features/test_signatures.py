import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.errors import ScaleError, SignatureError
from rabiomarkers.features.expression_quality import expression_quality
from rabiomarkers.features.signatures import (
    choose_signatures,
    rank_score,
    score_signatures,
    signature_step,
)
from rabiomarkers.files import read_table, write_table
from rabiomarkers.knowledge import load_aliases, load_signatures
from rabiomarkers.schema import config_path
from rabiomarkers.stats.paired import signed_rank

GENES = [f"G{number}" for number in range(1, 11)]


@pytest.fixture
def ladder() -> pd.Series:
    """Ten genes of value 1 to 10: rank and value are the same."""
    return pd.Series(np.arange(1.0, 11.0), index=GENES)


def table(name: str, up: list[str], down: list[str] | None = None, weight: float = 1.0) -> pd.DataFrame:
    genes = [*up, *(down or [])]
    direction = [1] * len(up) + [-1] * len(down or [])
    return pd.DataFrame({"signature": name, "gene": genes, "direction": direction, "weight": weight})


def value(features: pd.DataFrame, feature: str) -> float:
    return features.set_index("feature").loc[feature, "value"]


def note(features: pd.DataFrame, feature: str) -> str:
    return features.set_index("feature").loc[feature, "note"]


# --- the rank score -------------------------------------------------------------------------------------------------


def test_the_rank_score_runs_from_0_to_1(ladder):
    assert rank_score(ladder, ["G8", "G9", "G10"]) == 1.0
    assert rank_score(ladder, ["G1", "G2", "G3"]) == 0.0
    assert rank_score(ladder, ["G5", "G6"]) == 0.5


def test_the_rank_score_by_hand(ladder):
    # mean rank (4 + 10) / 2 = 7; lowest (1 + 2) / 2 = 1.5, highest (9 + 10) / 2 = 9.5; (7 - 1.5) / 8
    assert rank_score(ladder, ["G4", "G10"]) == pytest.approx(0.6875, abs=1e-15)


def test_up_and_down_genes_by_hand_as_singscore_computes_them(ladder):
    # simpleScore of singscore: up (G4, G10) 0.6875 - 0.5; down (G2, G3) has reversed ranks 9 and 8, mean 8.5,
    # (8.5 - 1.5) / 8 = 0.875, less 0.5; total 0.1875 + 0.375
    assert rank_score(ladder, ["G4", "G10"], ["G2", "G3"]) == pytest.approx(0.5625, abs=1e-15)


def test_up_and_down_genes_run_from_minus_1_to_1(ladder):
    assert rank_score(ladder, ["G9", "G10"], ["G1", "G2"]) == 1.0
    assert rank_score(ladder, ["G1", "G2"], ["G9", "G10"]) == -1.0


def test_only_down_genes_score_the_reversed_ranks(ladder):
    assert rank_score(ladder, [], ["G1", "G2"]) == 1.0


def test_tied_genes_share_the_mean_of_their_ranks():
    expression = pd.Series({"A": 0.0, "B": 0.0, "C": 0.0, "D": 5.0})
    # A, B and C share rank 2; lowest for one gene 1, highest 4
    assert rank_score(expression, ["A"]) == pytest.approx((2 - 1) / 3)
    assert rank_score(expression, ["A"]) == pytest.approx(rank_score(expression, ["B"]))


@pytest.mark.parametrize(
    ("expression", "up"),
    [
        (pd.Series({"A": 0.0, "B": 0.0, "C": 0.0}), ["A"]),  # nothing is ordered
        (pd.Series({"A": 1.0, "B": 2.0}), ["A", "B"]),  # no gene outside
        (pd.Series({"A": 1.0, "B": 2.0}), ["Z"]),  # not measured
        (pd.Series({"A": 1.0, "B": 2.0}), []),
        (pd.Series([], dtype=float), ["A"]),
    ],
)
def test_a_rank_score_that_is_not_defined_is_nan(expression, up):
    assert np.isnan(rank_score(expression, up))


@pytest.mark.parametrize(("up", "down"), [(["G1", "G1"], []), (["G1"], ["G1"])])
def test_a_gene_that_is_given_twice_has_no_rank_score(ladder, up, down):
    with pytest.raises(SignatureError, match="list a gene twice: the genes given"):
        rank_score(ladder, up, down)


expressions = st.lists(st.integers(0, 1000), min_size=6, max_size=30).map(
    lambda values: pd.Series(values, index=[f"G{place}" for place in range(len(values))], dtype=float)
)


@settings(deadline=None)
@given(expressions, st.floats(0.5, 1000))
def test_the_rank_score_is_unchanged_by_a_factor_and_by_a_logarithm(expression, factor):
    up, down = ["G0", "G3"], ["G1"]
    score = rank_score(expression, up, down)
    for changed in (expression * factor, np.log2(expression + 1), expression**3):
        assert rank_score(changed, up, down) == pytest.approx(score, abs=1e-12, nan_ok=True)


@settings(deadline=None)
@given(expressions, st.randoms(use_true_random=False))
def test_the_order_of_the_genes_plays_no_part(expression, random):
    shuffled = list(expression.index)
    random.shuffle(shuffled)
    score = rank_score(expression, ["G0", "G3"], ["G1"])
    assert rank_score(expression[shuffled], ["G3", "G0"], ["G1"]) == pytest.approx(score, abs=1e-12, nan_ok=True)


@settings(deadline=None)
@given(expressions)
def test_swapping_up_and_down_changes_only_the_sign(expression):
    forth = rank_score(expression, ["G0", "G2"], ["G1", "G4"])
    back = rank_score(expression, ["G1", "G4"], ["G0", "G2"])
    assert forth == pytest.approx(-back, abs=1e-12, nan_ok=True)


# --- many signatures at once ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["rank", "mean", "ssgsea", "aucell"])
def test_every_scorer_orders_the_samples(method):
    feature = "S" if method == "rank" else f"S:{method}"
    high = pd.Series([900.0, 800.0, 10.0, 20.0], index=list("ABCD"))
    low = pd.Series([10.0, 20.0, 900.0, 800.0], index=list("ABCD"))
    scores = [
        value(score_signatures(sample, table("S", ["A", "B"]), scale="counts", methods=[method]), feature)
        for sample in (low, high)
    ]
    assert scores[0] < scores[1]


@pytest.mark.parametrize("method", ["rank", "mean", "ssgsea", "aucell"])
def test_every_scorer_is_independent_of_the_gene_order(method, ladder):
    signatures = table("S", ["G2", "G9"], ["G4"])
    straight = score_signatures(ladder, signatures, scale="counts", methods=[method])
    reversed_ = score_signatures(ladder[::-1], signatures[::-1], scale="counts", methods=[method])
    assert reversed_["value"].to_numpy() == pytest.approx(straight["value"].to_numpy(), abs=1e-12)


def test_the_table_agrees_with_the_single_score(ladder):
    signatures = pd.concat([table("B", ["G4", "G10"], ["G2", "G3"]), table("A", ["G5"])])
    features = score_signatures(ladder, signatures, scale="tpm")
    assert features["feature"].tolist() == ["A", "B"]
    assert value(features, "B") == pytest.approx(0.5625)
    assert value(features, "A") == pytest.approx(rank_score(ladder, ["G5"]))
    assert (features["unit"] == "rank score").all()
    assert not features["cohort_dependent"].any()


def test_the_mean_is_of_signed_weighted_log2_cpm():
    expression = pd.Series({"A": 3.0, "B": 1.0, "C": 999_996.0})  # one million reads: CPM equal counts
    signatures = table("S", ["A"], ["B"], weight=0.5)
    features = score_signatures(expression, signatures, scale="counts", methods=["mean"])
    # (0.5 * log2(3 + 1) - 0.5 * log2(1 + 1)) / 2
    assert value(features, "S:mean") == pytest.approx(0.25)
    assert features["unit"].tolist() == ["log2 CPM"]


def test_the_mean_of_tpm_is_not_rescaled():
    expression = pd.Series({"A": 7.0, "B": 1.0})
    features = score_signatures(expression, table("S", ["A"]), scale="tpm", methods=["mean"])
    assert value(features, "S:mean") == 3.0
    assert features["unit"].tolist() == ["log2 TPM"]


def test_log_values_are_refused_by_the_mean_and_taken_by_the_rank(ladder):
    assert value(score_signatures(ladder, table("S", ["G10"]), scale="log"), "S") == 1.0
    with pytest.raises(ScaleError, match="it needs counts or TPM, not log values"):
        score_signatures(ladder, table("S", ["G10"]), scale="log", methods=["mean"])


def test_an_unknown_scale_or_method_is_refused(ladder):
    with pytest.raises(ScaleError, match="declared as 'relative'"):
        score_signatures(ladder, table("S", ["G10"]), scale="relative")
    with pytest.raises(SignatureError, match=r"No scoring method 'plage'; there are rank, mean, "):
        score_signatures(ladder, table("S", ["G10"]), scale="counts", methods=["plage"])
    with pytest.raises(SignatureError, match="gsva compares samples"):
        score_signatures(ladder, table("S", ["G10"]), scale="counts", methods=["gsva"])


def test_genes_that_were_not_measured_are_named(ladder):
    features = score_signatures(ladder, table("RA", ["G1", "CYP26A1", "STRA6"]), scale="counts")
    assert np.isnan(value(features, "RA"))
    assert features["coverage"].tolist() == pytest.approx([1 / 3])
    assert note(features, "RA") == "1 of 3 genes were measured, 60% are needed; absent: CYP26A1, STRA6"


def test_a_signature_of_which_one_direction_is_missing_has_no_score(ladder):
    features = score_signatures(ladder, table("S", ["ABSENT"], ["G1", "G2"]), scale="counts")
    assert features["coverage"].tolist() == pytest.approx([2 / 3])
    assert np.isnan(value(features, "S"))
    assert note(features, "S") == "no gene of one direction was measured"


def test_a_sample_without_any_read_has_no_score_and_says_why():
    empty = pd.Series(0.0, index=GENES)
    features = score_signatures(empty, table("S", ["G1"]), scale="counts", methods=["rank", "mean"])
    assert features["value"].isna().all()
    assert "no" in note(features, "S")
    assert note(features, "S:mean") == "nothing was counted in this sample"


def test_a_gene_that_occurs_twice_is_refused(ladder):
    with pytest.raises(SignatureError, match="1 genes occur more than once: G1"):
        score_signatures(pd.concat([ladder, ladder[["G1"]]]), table("S", ["G1"]), scale="counts")
    with pytest.raises(SignatureError, match="list a gene twice: S"):
        score_signatures(ladder, table("S", ["G1", "G1"]), scale="counts")


def test_the_shipped_signatures_all_score_where_their_genes_are_measured():
    signatures = load_signatures(config_path("signatures/gene_signatures.csv"))
    genes = sorted(signatures["gene"].unique())
    genes += [f"GENE{number:05d}" for number in range(20_000 - len(genes))]
    expression = pd.Series(np.random.default_rng(1).negative_binomial(1, 0.01, len(genes)), index=genes)
    features = score_signatures(expression, signatures, scale="counts")
    assert features["feature"].is_unique
    assert features["value"].notna().all()


def test_signatures_are_chosen_by_name_and_a_misspelt_one_is_told(ladder):
    signatures = pd.concat([table("RA_RESPONSE_CORE", ["G1"]), table("OTHER", ["G2"])])
    assert choose_signatures(signatures, [])["signature"].nunique() == 2
    assert choose_signatures(signatures, ["OTHER"])["signature"].unique().tolist() == ["OTHER"]
    with pytest.raises(SignatureError, match=r"'RA_RESPONSE_COR' \(did you mean RA_RESPONSE_CORE"):
        choose_signatures(signatures, ["RA_RESPONSE_COR"])


def test_the_shipped_direct_signature_leaves_out_what_infiltration_alone_raises():
    signatures = load_signatures(config_path("signatures/gene_signatures.csv"))
    core, direct = (
        set(choose_signatures(signatures, [name])["gene"]) for name in ("RA_RESPONSE_CORE", "RA_RESPONSE_DIRECT")
    )
    assert core - direct == {"TGM2", "PLAAT4", "CD38", "ASB2"}
    assert direct < core


# --- quality and the step -------------------------------------------------------------------------------------------


def test_quality_of_counts_has_limits_on_reads_and_genes():
    expression = pd.Series({"A": 600.0, "B": 400.0, "C": 0.0, "DDX3Y": 0.0})
    quality = expression_quality(expression, scale="counts", minimum_library_size=1001, minimum_genes=2)
    assert quality[["measure", "value", "limit", "passed"]].to_numpy().tolist() == [
        ["library_size", 1000.0, ">= 1001", False],
        ["genes_detected", 2.0, ">= 2", True],
        ["y_chromosome_log2cpm", 0.0, "", True],
    ]


def test_quality_of_tpm_shows_the_sum_without_a_limit():
    quality = expression_quality(pd.Series({"A": 3.0, "B": 0.0}), scale="tpm", minimum_genes=2).set_index("measure")
    assert quality.loc["total_tpm", "limit"] == ""
    assert not quality.loc["genes_detected", "passed"]
    assert np.isnan(quality.loc["y_chromosome_log2tpm", "value"])  # not measured is not 0


def test_the_step_writes_the_same_bytes_twice(tmp_path):
    genes = [*GENES, "CYP26A1"]
    piece = pd.DataFrame({"gene": sorted(genes), "value": np.arange(11.0)})
    piece.attrs["passport"] = {"scale": "counts"}
    write_table(piece, tmp_path / "S1.parquet")
    inputs = {"sample": tmp_path / "S1.parquet", "signatures": config_path("signatures/gene_signatures.csv")}
    options = {"methods": ["rank", "mean"], "minimum_coverage": 0.01, "minimum_library_size": 1, "minimum_genes": 1}
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        info = signature_step(inputs, tmp_path / folder, names=["RA_RESPONSE_CORE", "RA_DEGRADATION"], **options)
        assert info["signatures"] == 2
    for name in ("features.parquet", "qc.parquet"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    features = read_table(tmp_path / "one" / "features.parquet")
    assert features["feature"].tolist() == [
        "RA_DEGRADATION",
        "RA_DEGRADATION:mean",
        "RA_RESPONSE_CORE",
        "RA_RESPONSE_CORE:mean",
    ]
    # CYP26A1 is the first gene of the alphabet and has the lowest value
    assert value(features, "RA_RESPONSE_CORE") == 0.0


def step_on(tmp_path, scale, values, **inputs):
    piece = values.rename_axis("gene").rename("value").reset_index()
    piece.attrs["passport"] = {"scale": scale}
    write_table(piece, tmp_path / "sample.parquet")
    info = signature_step(
        {"sample": tmp_path / "sample.parquet", "signatures": config_path("signatures/gene_signatures.csv"), **inputs},
        tmp_path,
        names=["RA_DEGRADATION"],
        methods=["rank"],
        minimum_coverage=0.6,
        minimum_library_size=1,
        minimum_genes=1,
    )
    return info, read_table(tmp_path / "features.parquet").set_index("feature")


def test_the_context_stands_beside_the_signatures_and_changes_none_of_them(tmp_path):
    signatures = load_signatures(config_path("signatures/gene_signatures.csv"))
    genes = sorted(signatures["gene"].unique())
    values = pd.Series(np.random.default_rng(3).integers(0, 500, len(genes)).astype(float), index=genes)
    _, alone = step_on(tmp_path, "counts", values)
    _, both = step_on(tmp_path, "counts", values, markers=config_path("markers/immune_markers.csv"))
    assert alone.index.tolist() == ["RA_DEGRADATION"]
    assert set(both.index) - {"RA_DEGRADATION"} >= {"mcp_T_CELLS", "purity_proxy"}
    pd.testing.assert_frame_equal(both.loc[["RA_DEGRADATION"]], alone)
    assert not both["cohort_dependent"].any()


# --- a real cohort in which nobody received retinoic acid -------------------------------------------------------------


def test_checkmate_038_has_no_ra_response_but_a_cytolytic_one(shared_data):
    folder = shared_data / "riaz_bms038"
    sheet = pd.read_csv(folder / "samples.csv")
    sheet = sheet[(sheet["replicate"] == 1) & (sheet["sample_id"] != "Pt68_On")]
    pairs = sheet.pivot_table(index="patient_id", columns="timepoint", values="sample_id", aggfunc="first").dropna()
    assert len(pairs) == 43
    aliases = load_aliases(config_path("signatures/gene_aliases.csv"))
    counts = pd.read_csv(folder / "counts.csv.gz", usecols=["symbol", *pairs.to_numpy().ravel()]).dropna(
        subset="symbol"
    )
    counts = counts.groupby(counts["symbol"].map(lambda symbol: aliases.get(symbol, symbol))).sum(numeric_only=True)
    names = ["RA_RESPONSE_CORE", "RA_RESPONSE_DIRECT", "CYT_ROONEY_2015"]
    signatures = choose_signatures(load_signatures(config_path("signatures/gene_signatures.csv")), names)
    scores = pd.DataFrame(
        {
            sample: score_signatures(counts[sample], signatures, scale="counts", methods=["rank", "mean"]).set_index(
                "feature"
            )["value"]
            for sample in counts.columns
        }
    )
    change = scores[pairs["on"]].to_numpy() - scores[pairs["pre"]].to_numpy()
    moved = dict(zip(scores.index, change, strict=True))
    assert signed_rank(moved["RA_RESPONSE_CORE"]).p_value == pytest.approx(0.165, abs=0.001)
    assert signed_rank(moved["RA_RESPONSE_DIRECT"]).p_value == pytest.approx(0.900, abs=0.001)
    # R, exactRankTests::wilcox.exact: 2.105919e-05; scipy takes the normal approximation where there are ties: 5.8e-5
    assert signed_rank(moved["CYT_ROONEY_2015"]).p_value == pytest.approx(2.105919e-05, rel=1e-6)
    # the data set's README: mean of GZMA and PRF1 as log2(CPM + 1) +0.83, p = 1.5e-4
    assert moved["CYT_ROONEY_2015:mean"].mean() == pytest.approx(0.83, abs=0.005)
    assert signed_rank(moved["CYT_ROONEY_2015:mean"]).p_value == pytest.approx(1.5e-4, rel=0.05)
