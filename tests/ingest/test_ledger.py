"""The pairing ledger: nobody disappears, and each absence has its reason."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.files import read_table, write_table
from rabiomarkers.ingest.ledger import ledger_step, pairing_ledger
from rabiomarkers.ingest.libraries import usable_samples
from rabiomarkers.tables.samples import SAMPLES

NONE_FAILED = pd.DataFrame({"sample_id": [], "assay": [], "reason": []}, dtype=str)


def sheet(*rows: tuple) -> pd.DataFrame:
    """Rows of sample, patient, timepoint, replicate, exclude."""
    frame = pd.DataFrame(rows, columns=["sample_id", "patient_id", "timepoint", "replicate", "exclude"])
    columns = {name: None for name in SAMPLES.columns if name not in frame}
    constant = {"compartment": "tumour", "assay": "rna_counts", "path": "x", "batch": "all"}
    return SAMPLES.check(frame.assign(**(columns | constant)))


@pytest.fixture
def samples():
    return sheet(
        ("A1", "A", "pre", 1, None),
        ("A1b", "A", "pre", 2, None),
        ("A2", "A", "post", 1, "disputed identity"),
        ("B1", "B", "pre", 1, None),
        ("C2", "C", "post", 2, None),
    )


PATIENTS = pd.DataFrame({"patient_id": ["D", "C", "B", "A"]})


def test_each_cell_of_the_trial_has_a_status_and_its_reason(samples):
    failed = pd.DataFrame(
        {"sample_id": ["B1"], "assay": ["rna_counts"], "reason": ["library_size 10, needs >= 1000000"]}
    )
    ledger = pairing_ledger(samples, PATIENTS, timepoints=["pre", "post"], failed=failed)
    told = ledger[["patient_id", "timepoint", "sample_id", "status", "reason"]].fillna("").to_numpy().tolist()
    assert told == [
        ["A", "pre", "A1", "used", ""],
        ["A", "pre", "A1b", "excluded", "second library of A1"],
        ["A", "post", "A2", "excluded", "disputed identity"],
        ["B", "pre", "B1", "failed_qc", "library_size 10, needs >= 1000000"],
        ["B", "post", "", "missing", "no sample of timepoint post in the sheet"],
        ["C", "pre", "", "missing", "no sample of timepoint pre in the sheet"],
        ["C", "post", "C2", "used", ""],
        ["D", "pre", "", "missing", "no tumour rna_counts sample in the sheet"],
        ["D", "post", "", "missing", "no tumour rna_counts sample in the sheet"],
    ]


def test_usable_is_one_library_of_each_place(samples):
    assert usable_samples(samples)["sample_id"].to_list() == ["A1", "B1", "C2"]


def test_a_second_library_stands_in_for_an_excluded_first():
    samples = sheet(("A1", "A", "pre", 1, "failed twice"), ("A1b", "A", "pre", 2, None))
    assert usable_samples(samples)["sample_id"].to_list() == ["A1b"]


def test_a_sheet_without_samples_gives_an_empty_ledger():
    assert pairing_ledger(SAMPLES.empty(), PATIENTS, timepoints=["pre"], failed=NONE_FAILED).empty


@settings(deadline=None, max_examples=12)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from("ABCD"), st.sampled_from(["pre", "post"]), st.booleans()), min_size=1, max_size=8
    ),
    order=st.randoms(use_true_random=False),
)
def test_no_patient_is_dropped_and_row_order_does_not_matter(rows, order):
    counted: dict[tuple, int] = {}
    table = []
    for at, (patient, timepoint, excluded) in enumerate(rows):
        counted[patient, timepoint] = counted.get((patient, timepoint), 0) + 1
        table.append((f"S{at}", patient, timepoint, counted[patient, timepoint], "why" if excluded else None))
    shuffled = list(table)
    order.shuffle(shuffled)
    ledgers = [
        pairing_ledger(sheet(*each), PATIENTS, timepoints=["pre", "post"], failed=NONE_FAILED)
        for each in (table, shuffled)
    ]
    assert ledgers[0].equals(ledgers[1])
    cells = set(ledgers[0][["patient_id", "timepoint"]].itertuples(index=False, name=None))
    assert cells == {(patient, timepoint) for patient in "ABCD" for timepoint in ("pre", "post")}
    used = ledgers[0][ledgers[0]["status"] == "used"]
    assert not used.duplicated(["patient_id", "timepoint"]).any()
    assert ledgers[0]["reason"].notna().to_list() == (ledgers[0]["status"] != "used").to_list()


def test_the_step_writes_the_ledger_and_counts_each_status(samples, tmp_path):
    inputs = {}
    for name, frame in {"samples": samples, "patients": PATIENTS, "failed": NONE_FAILED}.items():
        inputs[name] = tmp_path / f"{name}.parquet"
        write_table(frame, inputs[name])
    assert ledger_step(inputs, tmp_path, timepoints=["pre", "post"]) == {
        "used": 3,
        "missing": 4,
        "excluded": 2,
        "failed_qc": 0,
    }
    assert len(read_table(tmp_path / "ledger.parquet")) == 9


def test_libraries_that_are_added_say_so_and_others_why_not(samples):
    more = sheet(("A1b", "A", "pre", 2, None), ("A1", "A", "pre", 1, None), ("A1c", "A", "pre", 3, None))
    more["batch"] = ["all", "all", "later"]
    ledger = pairing_ledger(more, PATIENTS[3:], timepoints=["pre"], failed=NONE_FAILED, replicates="sum")
    assert ledger[["sample_id", "status", "reason"]].fillna("").to_numpy().tolist() == [
        ["A1", "used", ""],
        ["A1b", "excluded", "second library of A1; put together with A1"],
        ["A1c", "excluded", "second library of A1; of another batch or assay, so left apart"],
    ]
