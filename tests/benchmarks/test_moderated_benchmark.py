"""Moderated t of 20 000 genes x 300 pairs; target: under 5 s. Peers: limma where R has it, and scipy's plain t gene by gene."""

import shutil
import subprocess
import time
from functools import cache

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from rabiomarkers.stats.moderated import moderated_t_many
from rabiomarkers.stats.parametric import ancova_many, paired_t_many

pytestmark = pytest.mark.benchmark

GENES, PAIRS = 20_000, 300
LOOPED = 1_000  # genes of scipy's loop, whose time is scaled to all

LIMMA = """
changes <- matrix(readBin("changes.bin", "double", {genes} * {pairs}), {genes}, {pairs})
seconds <- system.time({{ fit <- limma::eBayes(limma::lmFit(changes, matrix(1, {pairs}, 1))) }})[["elapsed"]]
writeBin(c(seconds, fit$p.value), "told.bin")
"""


@cache
def changes():
    random = np.random.default_rng(1)
    return random.normal(0.02, 1.0, size=(GENES, PAIRS)) * np.sqrt(0.3 * 4 / random.chisquare(4, size=(GENES, 1)))


def limma(folder):
    """Seconds and p-values of limma, reading and writing not counted; nothing where R or limma is missing."""
    (folder / "changes.bin").write_bytes(changes().tobytes(order="F"))
    script = LIMMA.format(genes=GENES, pairs=PAIRS)
    run = subprocess.run(["Rscript", "-e", script], cwd=folder, capture_output=True, check=False)
    if run.returncode != 0:
        return None
    seconds, *p_values = np.fromfile(folder / "told.bin")
    return seconds, np.array(p_values)


def scipy_loop(rows):
    return np.array([ttest_1samp(row, 0.0).pvalue for row in rows])


def test_twenty_thousand_genes_of_three_hundred_pairs_take_less_than_five_seconds(benchmark, tmp_path):
    told = benchmark.pedantic(moderated_t_many, args=(changes(),), rounds=3, warmup_rounds=1)
    peer = limma(tmp_path) if shutil.which("Rscript") else None
    if peer is None:
        benchmark.extra_info["limma"] = "not installed"
    else:
        np.testing.assert_allclose(told["p_value"], peer[1], rtol=1e-8)
        benchmark.extra_info["limma, seconds"] = round(peer[0], 2)
        benchmark.extra_info["times faster"] = round(peer[0] / benchmark.stats.stats.mean, 1)
    assert benchmark.stats.stats.max < 5.0


@pytest.mark.parametrize("test", [paired_t_many, lambda rows: ancova_many(changes()[::-1], changes()[::-1] + rows)])
def test_paired_t_and_ancova_of_as_many_take_less_than_five_seconds(benchmark, test):
    told = benchmark.pedantic(test, args=(changes(),), rounds=3, warmup_rounds=1)
    start = time.perf_counter()
    p_values = scipy_loop(changes()[:LOOPED])
    seconds = (time.perf_counter() - start) * GENES / LOOPED
    if test is paired_t_many:
        np.testing.assert_allclose(told["p_value"][:LOOPED], p_values, rtol=1e-9)
    benchmark.extra_info[f"scipy's t test, seconds, scaled from {LOOPED} genes"] = round(seconds, 2)
    benchmark.extra_info["times faster"] = round(seconds / benchmark.stats.stats.mean, 1)
    assert benchmark.stats.stats.max < 5.0
