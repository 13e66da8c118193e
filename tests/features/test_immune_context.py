import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

from rabiomarkers.errors import InputError, SignatureError
from rabiomarkers.features import immune_context
from rabiomarkers.features.immune_context import (
    METHODS_OF_CONTEXT,
    NO_LEVEL,
    NOT_LINEAR,
    PER_READ,
    UNEXPLAINED,
    UNSETTLED,
    context_features,
    read_profile,
)
from rabiomarkers.features.scoring.expression import Expression
from rabiomarkers.features.signatures import signature_step
from rabiomarkers.files import read_table, write_table
from rabiomarkers.knowledge import load_markers, load_signatures
from rabiomarkers.schema import config_path

SIGNATURES = load_signatures(config_path("signatures/gene_signatures.csv"))
MARKERS = load_markers(config_path("markers/immune_markers.csv"))
TYPES = ("B", "T", "myeloid")
GENES = [f"G{place:03d}" for place in range(60)]
EPITHELIUM = ["CDH1", "EPCAM", "ESR1", "GATA3", "KRT18", "KRT19", "KRT7", "KRT8"]


def profile(seed=1) -> pd.DataFrame:
    """Three types in TPM, twenty genes of each an order above the others."""
    levels = np.random.default_rng(seed).gamma(2.0, 20.0, (60, 3))
    for place in range(3):
        levels[20 * place : 20 * place + 20, place] *= 30
    return pd.DataFrame(levels / levels.sum(axis=0) * 1e6, index=pd.Index(GENES, name="gene"), columns=list(TYPES))


def sample(values: pd.Series, scale="tpm") -> Expression:
    return Expression(
        values=values.to_numpy(np.float64)[None, :], samples=pd.Index(["S"]), genes=values.index, scale=scale
    )


def context(expression, **options) -> pd.DataFrame:
    return context_features(expression, signatures=SIGNATURES, markers=MARKERS, **options).set_index("feature")


def mixture(shares, levels) -> pd.Series:
    """Shares of RNA: a library of each type's RNA in that proportion."""
    return levels @ np.asarray(shares)


def everything(seed=2) -> pd.Series:
    """A whole transcriptome that holds every gene of the tables."""
    genes = sorted({*SIGNATURES["gene"], *MARKERS["hgnc"], *(f"X{place}" for place in range(2_000))} - {"-"})
    return pd.Series(np.random.default_rng(seed).gamma(0.7, 40, len(genes)), index=genes)


# --- marker means ---------------------------------------------------------------------------------------------------


def test_a_marker_mean_is_the_mean_of_the_log_levels_of_the_markers():
    values = everything()
    genes = SIGNATURES.loc[SIGNATURES["signature"] == "MCPCOUNTER_T_CELLS", "gene"]
    found = context(sample(values)).loc["mcp_T_CELLS"]
    assert found["value"] == pytest.approx(np.log2(values[genes] + 1).mean(), rel=1e-12)
    assert (found["unit"], found["method"], found["coverage"]) == ("log2 TPM", "marker mean", 1.0)


def test_all_ten_populations_are_there():
    found = context(sample(everything()))
    assert sum(name.startswith("mcp_") for name in found.index) == 10


def test_a_population_whose_markers_were_not_measured_is_absent_and_names_them():
    genes = SIGNATURES.loc[SIGNATURES["signature"] == "MCPCOUNTER_NK_CELLS", "gene"]
    found = context(sample(everything().drop(genes))).loc["mcp_NK_CELLS"]
    assert np.isnan(found["value"])
    assert found["note"].startswith("0 of 9 genes were measured, 60% are needed; absent: ")


# --- shares ---------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0.02, 1.0), min_size=3, max_size=3), st.floats(0.01, 100.0))
def test_a_mixture_gives_back_its_shares_whatever_its_depth(parts, depth):
    shares = np.array(parts) / sum(parts)
    found = context(sample(mixture(shares, profile()) * depth), profile=profile())
    assert found.loc[[f"nnls_{name}" for name in TYPES], "value"].to_numpy() == pytest.approx(shares, abs=1e-8)
    assert found.loc["nnls_residual", "value"] == pytest.approx(0, abs=1e-7)


def test_shares_equal_those_of_another_solver():
    rng = np.random.default_rng(5)
    levels = profile()
    mixed = mixture([0.7, 0.3, 0.0], levels) * rng.lognormal(0, 0.3, 60)
    weights = 1 / np.sqrt(levels.to_numpy().mean(axis=1) + 1)
    right = weights * mixed.to_numpy()
    other = lsq_linear(weights[:, None] * levels.to_numpy(), right, bounds=(0, np.inf), method="bvls")
    found = context(sample(mixed), profile=levels)
    assert found.loc[[f"nnls_{name}" for name in TYPES], "value"].to_numpy() == pytest.approx(
        other.x / other.x.sum(), abs=1e-9
    )
    assert found.loc["nnls_residual", "value"] == pytest.approx(
        np.sqrt(2 * other.cost) / np.linalg.norm(right), abs=1e-9
    )


def test_shares_sum_to_one_and_are_never_negative():
    found = context(sample(everything().iloc[:60].set_axis(GENES)), profile=profile())
    shares = found.loc[[f"nnls_{name}" for name in TYPES], "value"]
    assert shares.sum() == pytest.approx(1)
    assert (shares >= 0).all()


def test_the_order_of_genes_and_types_plays_no_part():
    mixed, levels = mixture([0.2, 0.5, 0.3], profile()), profile()
    turned = context(sample(mixed[::-1]), profile=levels.iloc[::-1, ::-1])
    pd.testing.assert_frame_equal(turned, context(sample(mixed), profile=levels))


def test_types_that_are_alike_are_refused_with_the_condition_number():
    levels = profile().assign(T_again=lambda frame: frame["T"] * 1.0001)
    found = context(sample(mixture([0.2, 0.5, 0.3], profile())), profile=levels)
    assert found.loc["nnls_T", "note"].startswith("the profile cannot tell its types apart (condition number ")
    assert found.loc[found.index.str.startswith("nnls"), "value"].isna().all()


def test_too_few_common_genes_are_refused():
    found = context(sample(mixture([0.2, 0.5, 0.3], profile()).iloc[:14]), profile=profile())
    assert found.loc["nnls_B", "note"] == "14 genes of the profile were measured, 15 are needed for 3 types"


def test_a_type_without_any_of_its_genes_is_named():
    levels = profile()
    levels["B"] = np.where(np.arange(60) < 30, levels["B"], 0.0)
    found = context(sample(mixture([0.2, 0.5, 0.3], profile()).iloc[30:]), profile=levels)
    assert found.loc["nnls_T", "note"] == "no measured gene of the profile is above 0 in B"


def test_a_sample_of_which_the_profile_explains_nothing_is_told():
    levels = profile()
    levels.loc[GENES[59]] = 0.0
    only = pd.Series(0.0, index=GENES)
    only[GENES[59]] = 100.0
    found = context(sample(only), profile=levels)
    assert found.loc["nnls_T", "note"] == UNEXPLAINED
    assert found.loc["nnls_residual", "value"] == pytest.approx(1)


def test_a_sample_without_any_gene_of_the_profile_is_not_told_to_be_empty():
    values = pd.concat([everything(), pd.Series(0.0, index=GENES)])
    found = context(sample(values, "counts"), profile=profile())
    assert found.loc["nnls_T", "note"] == NO_LEVEL
    assert found.loc["mcp_T_CELLS", "value"] > 0


def test_a_solver_that_comes_to_no_end_is_told(monkeypatch):
    def endless(*_):
        raise RuntimeError("Maximum number of iterations reached.")

    monkeypatch.setattr(immune_context, "nnls", endless)
    found = context(sample(mixture([0.2, 0.5, 0.3], profile())), profile=profile())
    assert (found.loc[found.index.str.startswith("nnls"), "note"] == UNSETTLED).all()


def test_the_residual_tells_the_condition_number_and_the_sum_before_it_was_brought_to_one():
    """A tumour that is one part in four of the profile's types, and for the rest of what has none of its genes."""
    levels = profile()
    strange = pd.Series(1e6 / 1_000, index=[f"X{place}" for place in range(1_000)])
    mixed = pd.concat([mixture([0.05, 0.125, 0.075], levels), 0.75 * strange])
    columns = levels.to_numpy() / np.sqrt(levels.to_numpy().mean(axis=1) + 1)[:, None]
    singular = np.linalg.svd(columns / np.sqrt((columns**2).sum(axis=0)), compute_uv=False)
    found = context(sample(mixed), profile=levels)
    assert found.loc["nnls_residual", "note"] == (
        f"condition number of the profile {singular[0] / singular[-1]:.3g}; the shares summed to 0.25 before"
    )
    assert found.loc["nnls_T", "value"] == pytest.approx(0.5)


@given(st.lists(st.floats(0.02, 1.0), min_size=3, max_size=3))
def test_a_profile_of_the_telling_genes_alone_gives_the_shares_of_all_rna(parts):
    """B spends a tenth of its RNA on these genes, T and myeloid cells all of it: so much smaller a share of these genes is B's."""
    shares = np.array(parts) / sum(parts)
    levels = profile() * [0.1, 1.0, 1.0]
    found = context(sample(mixture(shares, levels)), profile=levels)
    assert found.loc[[f"nnls_{name}" for name in TYPES], "value"].to_numpy() == pytest.approx(shares, abs=1e-8)


def test_shares_from_counts_say_that_the_profile_must_be_per_read_too():
    mixed = mixture([0.2, 0.5, 0.3], profile()).round()
    told = context(sample(mixed, "counts"), profile=profile()).loc["nnls_residual", "note"]
    assert told.endswith(PER_READ)
    assert PER_READ not in context(sample(mixed), profile=profile()).loc["nnls_residual", "note"]


@settings(max_examples=50)
@given(st.integers(0, 10_000))
def test_a_share_is_there_or_says_why_it_is_not(seed):
    rng = np.random.default_rng(seed)
    types = int(rng.integers(2, 8))
    levels = pd.DataFrame(rng.gamma(0.1, 100, (40, types)), index=GENES[:40], columns=[f"t{n}" for n in range(types)])
    found = context(sample(pd.Series(rng.gamma(0.05, 100, 40), index=GENES[:40])), profile=levels)
    shares = found[found.index.str.startswith("nnls_t")]
    assert (shares["value"].notna() | (shares["note"] != "")).all()
    assert shares["value"].isna().all() or shares["value"].sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda levels: levels.rename(columns={"B": "residual"}), "a type called 'residual'"),
        (lambda levels: levels.rename(columns={"B": "T"}), "a gene or a type twice"),
        (lambda levels: pd.concat([levels, levels.iloc[:1]]), "a gene or a type twice"),
        (lambda levels: -levels, "no number of 0 or more"),
        (lambda levels: levels.mask(levels > 100), "no number of 0 or more"),
    ],
)
def test_a_profile_that_was_not_read_and_cannot_be_meant_is_refused(change, told):
    with pytest.raises(SignatureError, match=told):
        context(sample(mixture([0.2, 0.5, 0.3], profile())), profile=change(profile()))


def test_the_residual_rises_with_what_the_profile_does_not_know():
    mixed = mixture([0.2, 0.5, 0.3], profile())
    strange = mixed.copy()
    strange.iloc[:5] += mixed.sum() / 5
    clean, odd = (context(sample(one), profile=profile()).loc["nnls_residual", "value"] for one in (mixed, strange))
    assert odd > 0.5 > 1e-6 > clean


# --- purity ---------------------------------------------------------------------------------------------------------


def test_purity_falls_with_immune_and_with_stromal_genes_and_no_gene_of_the_tumour_moves_it_much():
    values = everything()
    plain, inflamed, fibrous, epithelial = (
        context(sample(values.mask(values.index.isin(genes), 1e5))).loc["purity_proxy", "value"]
        for genes in ((), _genes("MCPCOUNTER_T_CELLS"), _genes("MCPCOUNTER_FIBROBLASTS"), EPITHELIUM)
    )
    assert inflamed < plain - 0.05
    assert fibrous < plain - 0.05
    assert epithelial == pytest.approx(plain, abs=0.002)  # eight of three thousand genes overtake the others


def test_purity_is_one_less_the_mean_rank_scores_of_immune_and_stroma():
    values = everything()
    ranks = values.rank() - 1

    def score(genes):
        """singscore by hand: the mean rank between the lowest and the highest possible."""
        low = (len(genes) - 1) / 2
        return (ranks[genes].mean() - low) / (len(values) - len(genes))

    immune = _genes("MCPCOUNTER_T_CELLS", "MCPCOUNTER_B_LINEAGE", "MCPCOUNTER_MONOCYTIC_LINEAGE", "DANAHER_CD45")
    stroma = _genes("MCPCOUNTER_FIBROBLASTS", "MCPCOUNTER_ENDOTHELIAL_CELLS")
    by_hand = 1 - (score(immune) + score(stroma)) / 2
    found = context(sample(values)).loc["purity_proxy"]
    assert found["value"] == pytest.approx(by_hand, abs=1e-12)
    assert (found["unit"], found["method"], found["coverage"]) == ("rank score", "purity proxy", 1.0)


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_purity_lies_between_0_and_1_and_hangs_on_ranks_alone(seed):
    values = everything(seed)
    told = context(sample(values)).loc["purity_proxy", "value"]
    assert 0 <= told <= 1
    assert context(sample(np.log2(values + 1), "log")).loc["purity_proxy", "value"] == pytest.approx(told, abs=1e-12)


def _genes(*names):
    return sorted(set(SIGNATURES.loc[SIGNATURES["signature"].isin(names), "gene"]))


def test_blood_has_neither_purity_nor_epithelium():
    found = context(sample(everything()), compartment="blood").index
    assert {"purity_proxy", "epithelial_markers"}.isdisjoint(found)
    assert "mcp_T_CELLS" in found


def test_purity_without_stromal_genes_is_absent_with_the_part_that_lacks():
    stroma = _genes("MCPCOUNTER_FIBROBLASTS", "MCPCOUNTER_ENDOTHELIAL_CELLS")
    found = context(sample(everything().drop(stroma))).loc["purity_proxy"]
    assert np.isnan(found["value"])
    assert found["note"].startswith("stroma: 0 of 41 genes were measured")
    without = SIGNATURES[~SIGNATURES["signature"].isin(["MCPCOUNTER_FIBROBLASTS", "MCPCOUNTER_ENDOTHELIAL_CELLS"])]
    table = context_features(sample(everything()), signatures=without, markers=MARKERS).set_index("feature")
    assert table.loc["purity_proxy", ["note", "coverage"]].tolist() == ["no gene set for stroma", 0.0]


def test_the_epithelial_markers_are_those_of_the_table_of_markers():
    values = everything()
    found = context(sample(values)).loc["epithelial_markers"]
    assert found["value"] == pytest.approx(np.log2(values[EPITHELIUM] + 1).mean(), rel=1e-12)
    fewer = context(sample(values.drop(EPITHELIUM[:5]))).loc["epithelial_markers"]
    assert np.isnan(fewer["value"])
    assert fewer["note"].startswith("3 of 8 genes were measured, 60% are needed")
    none = context_features(sample(values), signatures=SIGNATURES, markers=MARKERS.iloc[:0]).set_index("feature")
    assert none.loc["epithelial_markers", "note"] == "no markers of tumour_epithelial"


# --- scales ---------------------------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(st.integers(2, 1_000_000), st.integers(0, 1_000))
def test_a_library_of_another_depth_has_the_same_context(depth, seed):
    counts = pd.concat([everything(seed), profile(seed).sum(axis=1)]).round()
    once, more = (context(sample(counts * times, "counts"), profile=profile()) for times in (1, depth))
    assert more["value"].to_numpy() == pytest.approx(once["value"].to_numpy(), abs=1e-9)
    assert more["unit"].tolist() == once["unit"].tolist()


def test_of_logarithms_only_the_proxy_of_ranks_is_told():
    values = pd.concat([everything(), mixture([0.2, 0.5, 0.3], profile())])
    found = context(sample(np.log2(values + 1), "log"), profile=profile())
    assert found.index[found["value"].notna()].tolist() == ["purity_proxy"]
    assert (found["note"].drop("purity_proxy") == NOT_LINEAR).all()
    assert set(found.index) == set(context(sample(values), profile=profile()).index)


@pytest.mark.parametrize("number", [0, 2])
def test_the_context_of_several_samples_at_once_is_refused(number):
    values = pd.DataFrame([everything()] * number, columns=everything().index)
    several = Expression(
        values=values.to_numpy(np.float64), samples=pd.RangeIndex(number), genes=values.columns, scale="tpm"
    )
    with pytest.raises(SignatureError, match=f"that of one sample; there are {number}"):
        context(several)


@pytest.mark.parametrize("scale", ["counts", "tpm", "log"])
def test_a_sample_in_which_nothing_was_counted_has_no_context_but_reasons(scale):
    levels = pd.concat([profile().iloc[:, 0] * 0, everything() * 0])
    found = context(sample(levels, scale), profile=profile())
    assert found["value"].isna().all()
    assert (found["note"] != "").all()


def test_every_method_tells_its_licence():
    assert {"marker mean", "nnls", "purity proxy"} == set(METHODS_OF_CONTEXT)
    assert all(method.licence and method.source for method in METHODS_OF_CONTEXT.values())
    assert set(context(sample(everything()), profile=profile())["method"]) == set(METHODS_OF_CONTEXT)


# --- the profile's file ---------------------------------------------------------------------------------------------


def test_a_profile_is_read_as_it_was_written(tmp_path):
    profile().to_csv(tmp_path / "profile.csv")
    pd.testing.assert_frame_equal(read_profile(tmp_path / "profile.csv"), profile())


def test_every_problem_of_a_profile_is_told_at_once(tmp_path):
    path = tmp_path / "profile.csv"
    path.write_text("gene,T cell,B,none\nA,100,-1,0\nA,x,200,0\n,3,4,0\n")
    with pytest.raises(InputError) as told:
        read_profile(path)
    assert {(problem.row, problem.column, problem.found) for problem in told.value.problems} == {
        (3, "gene", "'A'"),
        (4, "gene", "''"),
        (1, None, "'T cell'"),
        (3, "T cell", "'x'"),
        (2, "B", "'-1'"),
        (None, "none", "0 in every gene"),
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("gene,T\nA,100\n", "1 columns of cell types"),
        ("symbol,T,B\nA,100,1\n", "no column gene"),
        ("gene,T,B\n", "no rows"),
        ("gene,T,B\nA,12.5,1\nB,3,9\n", "no value above 12.5, as logarithms are"),
        ("gene,T,T\nA,100,1\nB,3,400\n", "T: the column occurs more than once"),
        ("gene,T,Residual\nA,100,1\nB,3,400\n", "'Residual'"),
        ("gene,T,B\nA,1e308,1\nB,1e308,400\n", "'1e308'"),
        ("gene,T,B\nA,900000,1\nB,200000,400\n", "T: a sum of 1100000; levels that are parts of a million"),
        ("gene,T,B\nA,100,1\n A ,3,400\n", "'A'; each gene once"),
    ],
)
def test_a_file_that_is_no_profile_is_refused(tmp_path, text, found):
    path = tmp_path / "profile.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=found):
        read_profile(path)


def test_the_step_adds_the_context_where_it_is_given_markers(tmp_path):
    piece = everything().rename_axis("gene").rename("value").reset_index()
    piece.attrs["passport"] = {"scale": "tpm"}
    write_table(piece, tmp_path / "sample.parquet")
    genes = piece["gene"].iloc[:60]
    profile().set_axis(pd.Index(genes, name="gene"), axis=0).to_csv(tmp_path / "profile.csv")
    inputs = {"sample": tmp_path / "sample.parquet", "signatures": config_path("signatures/gene_signatures.csv")}
    options = {
        "names": ["CYT_ROONEY_2015"],
        "methods": ["rank"],
        "minimum_coverage": 0.6,
        "minimum_library_size": 0,
        "minimum_genes": 10,
    }
    beside = {"markers": config_path("markers/immune_markers.csv"), "profile": tmp_path / "profile.csv"}
    signature_step(inputs, tmp_path, **options)
    assert read_table(tmp_path / "features.parquet")["feature"].tolist() == ["CYT_ROONEY_2015"]
    signature_step(inputs | beside, tmp_path, **options)
    names = read_table(tmp_path / "features.parquet")["feature"].tolist()
    assert names == sorted(names)
    assert {"CYT_ROONEY_2015", "mcp_T_CELLS", "nnls_T", "nnls_residual", "purity_proxy"} <= set(names)
