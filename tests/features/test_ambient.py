"""RNA of the liquid: how much of it is in the cells, and what is left without it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from rabiomarkers.features.ambient import Ambient, ambient_rna, without_ambient
from rabiomarkers.features.annotation import marker_tree
from rabiomarkers.features.cells import call_cells, cell_sample_quality, cell_step
from rabiomarkers.features.pseudobulk import pseudobulk_features
from rabiomarkers.files import read_table, write_cells
from rabiomarkers.schema import config_path
from rabiomarkers.simulate import cells as simulated
from rabiomarkers.simulate.design import design_trial

T_GENES, B_GENES = ("CD3D", "CD3E", "TRAC"), ("CD19", "MS4A1", "CD79A")
GENES = pd.Index([*T_GENES, *B_GENES, *(f"G{number:02d}" for number in range(30))])
PLAIN = np.array([40.0] * 3 + [0.0] * 3 + [30.0] * 30), np.array([0.0] * 3 + [40.0] * 3 + [30.0] * 30)


@pytest.fixture(scope="module")
def two():
    """A tree of two lineages whose markers are silent in the other."""
    rows = [("T_cell", gene) for gene in T_GENES] + [("B_cell", gene) for gene in B_GENES]
    table = pd.DataFrame(rows, columns=["cell_type", "hgnc"])
    return marker_tree(table.assign(parent="root", sign="+", kind="type", modality="rna", compartment="blood"))


def sample(share, *, cells=200, empty=0, liquid=None, seed=1):
    """Half T, half B cells of 1 140 molecules, `share` of which comes from the liquid; empty droplets hold 40 of it."""
    rng = np.random.default_rng(seed)
    profiles = [profile / profile.sum() for profile in PLAIN]
    liquid = (profiles[0] + profiles[1]) / 2 if liquid is None else liquid / liquid.sum()
    lineage = np.array(["T_cell", "B_cell"])[np.arange(cells) % 2]
    own = np.array([profiles[0] if name == "T_cell" else profiles[1] for name in lineage])
    counts = rng.poisson(1140 * ((1 - share) * own + share * liquid))
    droplets = rng.poisson(40 * liquid, size=(empty, len(GENES)))
    called = pd.DataFrame({"kept": True, "doublet": False, "lineage": lineage, "cell_type": lineage})
    nobody = pd.DataFrame({"kept": False, "doublet": False, "lineage": [None] * empty, "cell_type": [None] * empty})
    return csr_matrix(np.vstack([counts, droplets])), pd.concat([called, nobody], ignore_index=True).astype(
        {"kept": bool, "doublet": bool}
    )


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 0.3])
def test_the_planted_share_is_found_where_markers_are_silent_elsewhere(two, share):
    counts, called = sample(share)
    found = ambient_rna(counts, GENES, called, two)
    # 3 of 6 genes, each of 4 000 molecules if all were ambient: a share of 0.1 has a standard error of 0.003
    assert found.share == pytest.approx(share, abs=0.012)
    assert found.genes == 6
    assert found.source == "all molecules"


def test_the_share_by_hand(two):
    """20 cells of each lineage with 60 molecules, of which the others' genes have 1 in every second cell."""
    t, b = np.zeros((2, len(GENES)))
    t[:6], b[:6] = [20, 20, 20, 0, 0, 0], [0, 0, 0, 20, 20, 20]
    counts = np.vstack([t] * 20 + [b] * 20)
    counts[:10, 3:6] = 1
    counts[20:30, :3] = 1
    called = pd.DataFrame({"kept": True, "doublet": False, "lineage": ["T_cell"] * 20 + ["B_cell"] * 20})
    # each gene has 410 of 2 460 molecules, 1 in 6; the other lineage's cells have 1 230, of which 205 would be of this gene; 10 are
    assert ambient_rna(csr_matrix(counts), GENES, called, two).share == pytest.approx(10 / 205)


def test_empty_droplets_say_what_floats_in_the_liquid(two):
    liquid = np.array([120.0] * 3 + [10.0] * 3 + [1.0] * 30)  # of broken T cells
    counts, called = sample(0.1, empty=3000, liquid=liquid)
    found = ambient_rna(counts, GENES, called, two)
    assert found.source == "empty droplets"
    assert found.share == pytest.approx(0.1, abs=0.01)
    assert found.profile == pytest.approx(liquid / liquid.sum(), abs=0.005)


def test_one_lineage_alone_says_nothing(two):
    counts, called = sample(0.1)
    found = ambient_rna(counts, GENES, called.assign(lineage="T_cell"), two)
    assert np.isnan(found.share)
    assert found.genes == 0
    total = np.arange(len(GENES), dtype=float)
    assert (without_ambient(total, found) == total).all()
    quality = cell_sample_quality(called.assign(genes=9, mitochondrial_percent=1.0), ambient_share=found.share)
    row = quality.set_index("measure").loc["ambient_share"]
    assert np.isnan(row["value"])
    assert row["passed"]


def test_no_cell_says_nothing(two):
    counts, called = sample(0.1)
    assert np.isnan(ambient_rna(counts, GENES, called.assign(kept=False), two).share)
    assert np.isnan(ambient_rna(counts[:0], GENES, called[:0], two).share)


def test_what_is_left_by_hand():
    liquid = Ambient(share=0.1, profile=np.array([0.5, 0.3, 0.2]), genes=1, source="all molecules")
    # of 100 molecules 10 are ambient: 5, 3 and 2 of the genes
    assert without_ambient(np.array([60.0, 39.0, 1.0]), liquid).tolist() == [55.0, 36.0, 0.0]
    assert without_ambient(np.zeros(3), liquid).tolist() == [0.0, 0.0, 0.0]
    assert without_ambient(np.array([60.0, 39.0, 1.0]), replace(liquid, share=0.0)).tolist() == [60.0, 39.0, 1.0]


@settings(max_examples=20, deadline=None)
@given(share=st.floats(0, 1), total=st.lists(st.integers(0, 10_000), min_size=4, max_size=4), random=st.randoms())
def test_no_gene_gains_and_the_order_of_cells_plays_no_part(two, share, total, random):
    profile = np.array([0.4, 0.3, 0.2, 0.1])
    total = np.array(total, dtype=float)
    left = without_ambient(total, Ambient(share=share, profile=profile, genes=1, source=""))
    assert (left <= total).all()
    assert (left >= 0).all()
    counts, called = sample(0.1, cells=60)
    order = list(range(60))
    random.shuffle(order)
    mixed = ambient_rna(counts[order], GENES, called.iloc[order].reset_index(drop=True), two)
    assert mixed.share == ambient_rna(counts, GENES, called, two).share


def test_sums_within_a_type_are_without_the_liquid_where_that_is_asked_for(two):
    counts, called = sample(0.2)
    liquid = ambient_rna(counts, GENES, called, two)
    sets = pd.DataFrame({"signature": "B", "gene": B_GENES, "direction": 1, "weight": 1.0})
    plain, clean = (
        pseudobulk_features(counts, GENES, called, two, sets, {"T_cell": ["B"]}, ambient=taken)
        for taken in (None, liquid)
    )
    assert clean["value"].iloc[0] <= plain["value"].iloc[0]
    assert set(clean["method"]) == {"rank, pseudobulk, ambient RNA subtracted"}
    assert set(plain["method"]) == {"rank, pseudobulk"}
    total = np.asarray(counts[called["lineage"].eq("T_cell").to_numpy()].sum(axis=0)).ravel().astype(float)
    left = without_ambient(total, liquid)
    assert left[3:6].sum() < 0.1 * total[3:6].sum()  # of the genes of B cells in T cells hardly anything is left
    assert left[:3].sum() > 0.85 * total[:3].sum()


@pytest.mark.parametrize("planted", [0.0, 0.1, 0.2])
def test_the_simulated_trial_has_at_most_the_share_that_is_told(markers, monkeypatch, planted):
    monkeypatch.setattr(simulated, "AMBIENT_SHARE", planted)
    design = design_trial(patients=1, seed=11)
    _, blood = next(iter(simulated.blood_samples(design, design.patients[0], cells=1000)))
    cells = blood.cells[np.argsort(blood.cells.obs_names)]
    called = call_cells(cells, markers)
    genes = pd.Index(cells.var_names)
    order = np.argsort(genes)
    found = ambient_rna(csr_matrix(cells.X)[:, order], genes[order], called, marker_tree(markers))
    assert planted - 0.01 < found.share < planted + 0.08  # measured 0.05, 0.14, 0.25


def test_the_step_tells_the_share_and_takes_it_away_where_asked(make_cells, tmp_path):
    write_cells(make_cells(cells=200), tmp_path / "sample.h5ad")
    inputs = {
        "sample": tmp_path / "sample.h5ad",
        "markers": config_path("markers/immune_markers.csv"),
        "signatures": config_path("signatures/gene_signatures.csv"),
    }
    options = {
        "minimum_cells": 50,
        "minimum_genes": 50,
        "maximum_mitochondrial_percent": 20.0,
        "minimum_score_margin": 0.1,
        "pseudobulk": {"T_cell": ["TREG_CORE"]},
        "seed": 1,
    }
    told = {}
    for ambient in ("measure", "subtract"):
        cell_step(inputs, tmp_path, ambient=ambient, **options)
        told[ambient] = read_table(tmp_path / "features.parquet").set_index("feature")
        quality = read_table(tmp_path / "qc.parquet").set_index("measure")
        assert 0 < quality.loc["ambient_share", "value"] < 1
    methods = {name: table.loc["TREG_CORE~T_cell", "method"] for name, table in told.items()}
    assert methods == {"measure": "rank, pseudobulk", "subtract": "rank, pseudobulk, ambient RNA subtracted"}
    shares = [table.filter(like="fraction_", axis="index") for table in told.values()]
    pd.testing.assert_frame_equal(*shares)
