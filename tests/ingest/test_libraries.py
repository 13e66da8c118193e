"""Several libraries of one sample: which are added up, and what their sum is."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.files import read_table, write_table
from rabiomarkers.ingest.libraries import sum_libraries, sum_step, summed_libraries
from rabiomarkers.tables.samples import SAMPLES


def piece(values: dict[str, float], scale="counts") -> pd.DataFrame:
    table = pd.DataFrame({"gene": sorted(values), "value": [float(values[gene]) for gene in sorted(values)]})
    table.attrs["passport"] = {"scale": scale, "estimated": False, "genes": len(table), "total": table["value"].sum()}
    return table


def by_gene(table):
    return dict(zip(table["gene"], table["value"], strict=True))


def sheet(*rows):
    """Rows of sample, patient, assay, replicate, batch, exclude; all of tumour before treatment."""
    names = ["sample_id", "patient_id", "assay", "replicate", "batch", "exclude"]
    frame = pd.DataFrame(rows, columns=names)
    constant = {"timepoint": "pre", "compartment": "tumour", "path": "x"}
    empty = {name: None for name in SAMPLES.columns if name not in frame and name not in constant}
    return SAMPLES.check(frame.assign(**(empty | constant)))


def test_counts_are_summed_and_tpm_averaged():
    one, two = {"CD8A": 3, "GZMB": 5}, {"CD8A": 4, "GZMB": 1}
    assert by_gene(sum_libraries([piece(one), piece(two)])) == {"CD8A": 7, "GZMB": 6}
    assert by_gene(sum_libraries([piece(one, "tpm"), piece(two, "tpm")])) == {"CD8A": 3.5, "GZMB": 3}


def test_a_gene_that_one_library_did_not_look_for_cannot_be_added_and_is_counted():
    table = sum_libraries([piece({"CD8A": 3, "GZMB": 5}), piece({"CD8A": 4, "XIST": 1})])
    assert by_gene(table) == {"CD8A": 7}
    passport = table.attrs["passport"]
    assert (passport["libraries"], passport["genes_not_in_every_library"], passport["total"]) == (2, 2, 7)


@given(st.lists(st.lists(st.integers(0, 1_000), min_size=3, max_size=3), min_size=1, max_size=4))
def test_the_sum_of_the_libraries_is_that_of_their_reads_whatever_their_order(counts):
    pieces = [piece(dict(zip("ABC", row, strict=True))) for row in counts]
    found = by_gene(sum_libraries(pieces))
    assert list(found.values()) == np.sum(counts, axis=0).tolist()
    assert found == by_gene(sum_libraries(pieces[::-1]))


def test_only_libraries_of_the_same_batch_and_assay_are_added_in_their_order():
    samples = sheet(
        ("A3", "A", "rna_counts", 3, "one", None),
        ("A2", "A", "rna_counts", 2, "one", None),
        ("A1", "A", "rna_counts", 1, "one", None),
        ("A4", "A", "rna_counts", 4, "two", None),
        ("A5", "A", "rna_counts", 5, "one", "contaminated"),
        ("A6", "A", "rna_tpm", 1, "one", None),
        ("B1", "B", "rna_counts", 1, "one", None),
        ("C1", "C", "cell_counts", 1, "one", None),
        ("C2", "C", "cell_counts", 2, "one", None),
    )
    assert summed_libraries(samples) == {("A1", "rna_counts"): ("A2", "A3")}


def test_where_the_first_library_is_excluded_the_next_takes_its_place():
    samples = sheet(
        ("A1", "A", "rna_counts", 1, "one", "failed"),
        ("A2", "A", "rna_counts", 2, "one", None),
        ("A3", "A", "rna_counts", 3, "one", None),
    )
    assert summed_libraries(samples) == {("A2", "rna_counts"): ("A3",)}


def test_the_step_writes_the_sum_under_the_first_library(tmp_path):
    for name, values in {"A1": {"CD8A": 3}, "A2": {"CD8A": 4}}.items():
        write_table(piece(values), tmp_path / f"in-{name}.parquet")
    inputs = {f"piece:{name}": tmp_path / f"in-{name}.parquet" for name in ("A1", "A2")}
    assert sum_step(inputs, tmp_path, sample_id="A1") == {"libraries": 2, "genes": 1}
    table = read_table(tmp_path / "A1.parquet")
    assert table["value"].tolist() == [7]
    assert table.attrs["passport"]["libraries"] == 2


def test_one_library_is_its_own_sum():
    one = piece({"CD8A": 3, "GZMB": 5})
    pd.testing.assert_frame_equal(sum_libraries([one]), one)


@pytest.mark.parametrize("estimated", [True, False])
def test_a_sum_of_estimated_counts_is_estimated(estimated):
    other = piece({"CD8A": 4})
    other.attrs["passport"]["estimated"] = estimated
    assert sum_libraries([piece({"CD8A": 3}), other]).attrs["passport"]["estimated"] is estimated


def test_a_library_of_zeros_does_not_halve_the_average_of_the_others():
    one, nothing = {"CD8A": 3, "GZMB": 5}, {"CD8A": 0, "GZMB": 0}
    assert by_gene(sum_libraries([piece(one, "tpm"), piece(nothing, "tpm")])) == one
    assert by_gene(sum_libraries([piece(nothing, "tpm"), piece(one, "tpm"), piece(one, "tpm")])) == one
    assert by_gene(sum_libraries([piece(nothing, "tpm"), piece(nothing, "tpm")])) == nothing
