import pandas as pd
import pytest

from rabiomarkers.errors import ResultsError, TableError
from rabiomarkers.files import read_table, write_json, write_table
from rabiomarkers.results import open_results
from rabiomarkers.tables.outcomes import OUTCOMES
from rabiomarkers.tables.published import TABLES
from tests.support.synthetic_results import Invented, make_results


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_results(tmp_path_factory.mktemp("results") / "demo")


@pytest.fixture(scope="module")
def results(folder):
    return open_results(folder)


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_the_columns_and_types_it_promises(results, name):
    frame, table = getattr(results, name), TABLES[name][1]
    assert len(frame) or name in ("courses", "calibration")  # of more than two timepoints, of many patients
    pd.testing.assert_frame_equal(frame[list(table.columns)], table.check(frame)[list(table.columns)])


def test_a_table_is_read_once(results):
    assert results.changes is results.changes


def test_opening_reads_no_table(tmp_path):
    write_json({"study": "x"}, tmp_path / "summary.json")
    assert open_results(tmp_path).summary == {"study": "x"}


def test_a_patient_called_na_is_a_patient(tmp_path):
    trial = Invented(patients=("NA", "None", "1e5"), responders=1)
    outcomes = open_results(make_results(tmp_path / "r", trial)).outcomes
    assert outcomes["patient_id"].tolist() == ["NA", "None", "1e5"]


def test_a_table_is_never_read_from_its_csv(tmp_path):
    folder = make_results(tmp_path / "r")
    (folder / "outcomes.parquet").unlink()
    with pytest.raises(ResultsError, match=r"holds no outcomes\.parquet \(it holds .*outcomes\.csv"):
        _ = open_results(folder).outcomes


def test_flags_keep_what_is_absent(results):
    assert results.outcomes["confirmed"].isna().sum() == 7
    assert results.outcomes["responder"].sum() == 3


def test_a_folder_of_the_first_version_opens_with_what_came_later_empty(tmp_path):
    old = open_results(make_results(tmp_path / "r", Invented(first_version=True)))
    assert list(old.outcomes.columns) == list(OUTCOMES.columns)
    assert old.outcomes["best_response"].iloc[0] == "PR"
    later = ["best_response_unconfirmed", "new_lesion_day", "arm", "died"]
    assert old.outcomes[later].isna().all(axis=None)
    assert old.outcomes.dtypes.astype(str)[later].tolist() == ["str", "float64", "str", "boolean"]
    assert old.sums["new_lesion"].isna().all()
    assert "timeline" not in repr(old)


def test_a_column_of_the_first_version_is_not_filled_in(tmp_path):
    folder = make_results(tmp_path / "r")
    write_table(read_table(folder / "outcomes.parquet").drop(columns="responder"), folder / "outcomes.parquet")
    with pytest.raises(TableError, match="outcomes table lacks the columns responder"):
        _ = open_results(folder).outcomes


def test_a_path_as_text_will_do(folder):
    assert open_results(str(folder)).summary["study"] == "invented-trial"


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ResultsError, match=r"no folder .*nowhere.*rabiomarkers demo"):
        open_results(tmp_path / "nowhere")


def test_another_folder_is_not_taken_for_results(tmp_path):
    with pytest.raises(ResultsError, match=r"not a results folder: it holds no summary\.json"):
        open_results(tmp_path)


def test_a_study_folder_is_recognised(tmp_path):
    (tmp_path / "samples.csv").write_text("sample_id\n")
    with pytest.raises(ResultsError, match="it is a study, `rabiomarkers run` makes results of it"):
        open_results(tmp_path)


def test_a_table_that_is_not_there_is_told_with_what_is(tmp_path):
    write_json({"study": "x"}, tmp_path / "summary.json")
    with pytest.raises(ResultsError, match=r"holds no changes\.parquet \(it holds summary\.json\)\. `rabiomarkers run"):
        _ = open_results(tmp_path).changes
    with pytest.raises(ResultsError, match=r"holds no study\.h5mu"):
        open_results(tmp_path).mudata()


def test_the_results_say_what_they_hold(results):
    assert repr(results).startswith("Results of invented-trial in ")
    assert "features, changes" in repr(results)


def test_the_results_are_escaped_in_a_notebook(tmp_path):
    trial = Invented(study="<script>alert(1)</script>")
    shown = open_results(make_results(tmp_path / "r", trial))._repr_html_()
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
    assert "3 of 10 patients responded" in shown


def test_features_come_as_mudata(folder, results):
    import anndata
    import mudata

    frame = pd.DataFrame({"NLR": [1.0, 2.0]}, index=["a", "b"])
    mudata.MuData({"blood_cell_counts": anndata.AnnData(frame)}).write_h5mu(folder / "study.h5mu")
    assert list(results.mudata().mod) == ["blood_cell_counts"]
