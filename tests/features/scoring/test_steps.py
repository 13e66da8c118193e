"""The steps that see all samples of a study: scores that compare samples, and which genes were measured."""

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.errors import ScaleError
from rabiomarkers.features.scoring.cohort import FAILED, cohort_step
from rabiomarkers.features.scoring.coverage import coverage_step
from rabiomarkers.features.scoring.expression import Expression, Known
from rabiomarkers.features.scoring.registry import score_table
from rabiomarkers.files import read_table, write_table
from rabiomarkers.knowledge import load_pairs, load_rules, load_signatures
from rabiomarkers.schema import config_path
from rabiomarkers.tables.genes import GENE_COVERAGE
from rabiomarkers.tables.samples import SAMPLE_FEATURES, SAMPLE_QC, SAMPLES

CONFIG = {
    "signatures": config_path("signatures/gene_signatures.csv"),
    "pairs": config_path("signatures/gene_pairs.csv"),
    "rules": config_path("signatures/scoring_rules.yaml"),
}
OPTIONS = {
    "names": ["CYT_ROONEY_2015", "TLS12_CHEMOKINE"],
    "methods": ["gsva", "authors_cohort"],
    "minimum_coverage": 0.6,
}
TLS12 = ["CCL2", "CCL3", "CCL4", "CCL5", "CCL8", "CCL18", "CCL19", "CCL21", "CXCL9", "CXCL10", "CXCL11", "CXCL13"]
GENES = ["GZMA", "PRF1", *TLS12, *(f"X{place}" for place in range(60))]


def write_pieces(folder, samples, *, failed=(), lacking=None, scales=None):
    inputs = dict(CONFIG)
    for place, sample in enumerate(samples):
        values = np.random.default_rng(place).poisson(40, len(GENES)).astype(float)
        piece = pd.DataFrame({"gene": GENES, "value": values}).sort_values("gene", ignore_index=True)
        piece = piece[~piece["gene"].isin((lacking or {}).get(sample, ()))].reset_index(drop=True)
        piece.attrs["passport"] = {"scale": (scales or {}).get(sample, "counts")}
        quality = pd.DataFrame(
            [("library_size", 9.0, "reads", ">= 1", sample not in failed)], columns=list(SAMPLE_QC.columns)
        )
        for kind, table in (("piece", piece), ("qc", SAMPLE_QC.check(quality))):
            inputs[f"{kind}:{sample}"] = folder / f"{kind}-{sample}.parquet"
            write_table(table, inputs[f"{kind}:{sample}"])
    return inputs


def compared(tmp_path, samples, **options):
    inputs = write_pieces(tmp_path, samples, **options)
    info = cohort_step(inputs, tmp_path, **OPTIONS)
    return {name: SAMPLE_FEATURES.check(read_table(tmp_path / f"{name}.parquet")) for name in samples}, info


def test_every_sample_has_its_scores_marked_as_hanging_on_the_others(tmp_path):
    tables, info = compared(tmp_path, ["A", "B", "C", "D"])
    assert info == {"samples": 4, "failed": 0}
    for table in tables.values():
        assert table["feature"].tolist() == [
            "CYT_ROONEY_2015:gsva",
            "TLS12_CHEMOKINE:authors_cohort",
            "TLS12_CHEMOKINE:gsva",
        ]
        assert table["cohort_dependent"].all()
        assert table["value"].notna().all()


def test_a_sample_that_failed_moves_nobody_s_score_and_has_none(tmp_path):
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    with_failed, info = compared(tmp_path / "with", ["A", "B", "C", "D", "E"], failed=("E",))
    without, _ = compared(tmp_path / "without", ["A", "B", "C", "D"])
    assert info == {"samples": 4, "failed": 1}
    assert with_failed["E"]["value"].isna().all()
    assert set(with_failed["E"]["note"]) == {FAILED}
    for sample in without:
        pd.testing.assert_frame_equal(with_failed[sample], without[sample])


def test_where_every_sample_failed_there_is_nothing_to_compare(tmp_path):
    tables, info = compared(tmp_path, ["A", "B", "C"], failed=("A", "B", "C"))
    assert info == {"samples": 0, "failed": 3}
    assert all(table.empty for table in tables.values())


def test_the_step_writes_what_the_table_of_all_samples_holds(tmp_path):
    """Against the methods called on the matrix that the pieces were cut from; the order of the inputs plays no part."""
    samples = ["D", "A", "C", "B"]
    tables, _ = compared(tmp_path, samples)
    values = np.vstack([np.random.default_rng(place).poisson(40, len(GENES)) for place in range(4)]).astype(float)
    matrix = Expression(values=values, samples=pd.Index(samples), genes=pd.Index(GENES), scale="counts")
    signatures = load_signatures()
    known = Known(
        signatures=signatures[signatures["signature"].isin(OPTIONS["names"])], pairs=load_pairs(), rules=load_rules()
    )
    whole = score_table(matrix, known, OPTIONS["methods"])
    for sample in samples:
        theirs = whole[whole["sample_id"] == sample]["value"].to_numpy()
        assert tables[sample]["value"].to_numpy() == pytest.approx(theirs, rel=1e-9, abs=1e-12)
    assert len({tuple(table["value"]) for table in tables.values()}) == 4


def test_samples_of_two_scales_are_not_compared(tmp_path):
    with pytest.raises(ScaleError, match=r"Samples of counts and of tpm cannot be compared"):
        compared(tmp_path, ["A", "B", "C"], scales={"C": "tpm"})


def sheet(samples):
    rows = [
        {
            "sample_id": name,
            "patient_id": name,
            "timepoint": "pre",
            "compartment": "tumour",
            "assay": "rna_counts",
            "path": "x",
            "replicate": 1,
            "batch": "all",
        }
        for name in samples
    ]
    frame = pd.DataFrame(rows)
    return SAMPLES.check(frame.assign(**{name: None for name in SAMPLES.columns if name not in frame}))


def test_coverage_names_the_genes_that_all_or_some_samples_lack(tmp_path):
    lacking = {"A": ["GZMA", "CCL2"], "B": ["CCL2"], "C": ["CCL2"]}
    pieces = write_pieces(tmp_path, ["A", "B", "C"], lacking=lacking)
    inputs = {f"{name}:rna_counts": path for name, path in pieces.items() if name.startswith("piece:")}
    write_table(sheet(["A", "B", "C"]), tmp_path / "samples.parquet")
    inputs |= {"samples": tmp_path / "samples.parquet", "signatures": CONFIG["signatures"]}
    coverage_step(inputs, tmp_path, names=["CYT_ROONEY_2015", "TLS12_CHEMOKINE", "RA_RECEPTORS"])
    table = GENE_COVERAGE.check(read_table(tmp_path / "gene_coverage.parquet")).set_index("signature")
    assert table.loc["CYT_ROONEY_2015", ["n_genes", "n_measured", "coverage"]].tolist() == [2, 1, 0.5]
    assert table.loc["CYT_ROONEY_2015", "absent"] == "GZMA (in 1 of 3 samples)"
    assert table.loc["TLS12_CHEMOKINE", "absent"] == "CCL2"
    assert table.loc["RA_RECEPTORS", "n_measured"] == 0
    assert table.loc["TLS12_CHEMOKINE", "coverage"] == pytest.approx(11 / 12)


def test_coverage_is_told_by_compartment_and_names_for_all_what_nobody_measured(tmp_path):
    pieces = write_pieces(tmp_path, ["A", "B"], lacking={"A": ["CCL2", "CCL3"], "B": ["CCL3"]})
    inputs = {f"{name}:rna_counts": path for name, path in pieces.items() if name.startswith("piece:")}
    told = sheet(["A", "B"])
    told.loc[told["sample_id"] == "B", "compartment"] = "blood"
    write_table(SAMPLES.check(told), tmp_path / "samples.parquet")
    inputs |= {"samples": tmp_path / "samples.parquet", "signatures": CONFIG["signatures"]}
    info = coverage_step(inputs, tmp_path, names=["TLS12_CHEMOKINE", "CYT_ROONEY_2015"])
    table = read_table(tmp_path / "gene_coverage.parquet").set_index(["compartment", "signature"])
    assert table.loc[("tumour", "TLS12_CHEMOKINE"), "absent"] == "CCL2, CCL3"
    assert table.loc[("blood", "TLS12_CHEMOKINE"), "absent"] == "CCL3"
    assert pd.isna(table.loc[("blood", "CYT_ROONEY_2015"), "absent"])
    assert info == {"groups": 2, "unresolved_genes": ["CCL2", "CCL3"]}


def test_without_bulk_rna_there_is_no_coverage_to_tell(tmp_path):
    write_table(sheet(["A"]), tmp_path / "samples.parquet")
    info = coverage_step(
        {"samples": tmp_path / "samples.parquet", "signatures": CONFIG["signatures"]}, tmp_path, names=[]
    )
    assert info == {"groups": 0, "unresolved_genes": []}
    assert GENE_COVERAGE.check(read_table(tmp_path / "gene_coverage.parquet")).empty
