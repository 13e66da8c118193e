"""The sample sheet: every mistake a person makes in it, told with its line."""

from itertools import permutations

import pytest

from rabiomarkers.ingest.samples import read_samples
from rabiomarkers.tables.samples import SAMPLES

HEADER = "sample_id,patient_id,timepoint,compartment,assay,path"
GOOD = ["S1,P1,pre,tumour,rna_counts,counts.csv", "S2,P1,post,tumour,rna_counts,counts.csv"]


@pytest.fixture
def study(tmp_path):
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "counts.csv").write_text("gene,S1\n")
    (folder / "tree.nwk").write_text("(a,b);")
    (folder / "empty.csv").write_text("")
    (folder / "cells").mkdir()
    (tmp_path / "outside.csv").write_text("gene,S1\n")
    (folder / "link.csv").symlink_to(tmp_path / "outside.csv")
    return folder


@pytest.fixture
def read(study):
    def reader(rows, header=HEADER, **options):
        (study / "samples.csv").write_bytes("\n".join([header, *rows, ""]).encode())
        asked = {"timepoints": ("pre", "post"), "study_folder": study, "data_root": None, "patients": {"P1", "P2"}}
        return read_samples(study / "samples.csv", **(asked | options))

    return reader


def test_a_sheet_in_order_has_absolute_paths_and_defaults(read, study):
    frame, problems = read(GOOD)
    assert problems == []
    assert list(frame.columns) == list(SAMPLES.columns)
    assert frame["path"].to_list() == [str(study / "counts.csv")] * 2
    assert frame[["batch", "replicate"]].to_numpy().tolist() == [["all", 1]] * 2
    assert frame["exclude"].isna().all()


@pytest.mark.parametrize(
    ("row", "column", "told"),
    [
        ("S3,P9,pre,tumour,rna_counts,counts.csv", "patient_id", "unknown patient 'P9'"),
        (
            "S3,P2,psot,tumour,rna_counts,counts.csv",
            "timepoint",
            "unknown timepoint 'psot'; one of pre, post (did you mean 'post'?)",
        ),
        ("S3,P2,pre,tumor,rna_counts,counts.csv", "compartment", "did you mean 'tumour'?"),
        ("S3,P2,pre,tumour,rna_count,counts.csv", "assay", "did you mean 'rna_counts'?"),
        ("S3,P2,pre,tumour,taxa_counts,counts.csv", "assay", "taxa_counts of faecal"),
        ("S3,P2,pre,blood,gene_families,counts.csv", "assay", "assay 'gene_families' of compartment 'blood'"),
        (
            "S1,P1,pre,tumour,rna_counts,counts.csv",
            "sample_id",
            "sample 'S1' with assay 'rna_counts' is on line 2, too",
        ),
        (
            "S1,P2,pre,tumour,rna_tpm,counts.csv",
            "sample_id",
            "sample 'S1' is P1 pre tumour on line 2 and P2 pre tumour here",
        ),
        (
            "S3,P1,pre,tumour,rna_counts,counts.csv",
            "replicate",
            "the same patient, timepoint, compartment and assay as line 2",
        ),
        (",P2,pre,tumour,rna_counts,counts.csv", "sample_id", "an empty cell"),
        ("S3,P2,pre,tumour,rna_counts,", "path", "an empty cell"),
        ("S 3,P2,pre,tumour,rna_counts,counts.csv", "sample_id", "letters, digits and . _ + - only"),
        ("S/3,P2,pre,tumour,rna_counts,counts.csv", "sample_id", "letters, digits and . _ + - only"),
        ("S3,P2,pre,tumour,rna_counts,../outside.csv", "path", "lies outside the study folder"),
        ("S3,P2,pre,tumour,rna_counts,/etc/passwd", "path", "lies outside the study folder"),
        ("S3,P2,pre,tumour,rna_counts,link.csv", "path", "lies outside the study folder"),
        (
            "S3,P2,pre,tumour,rna_counts,count.csv",
            "path",
            "no such file: 'count.csv'; a file that is there (did you mean 'counts.csv'?)",
        ),
        ("S3,P2,pre,tumour,rna_counts,empty.csv", "path", "is an empty file"),
        ("S3,P2,pre,tumour,rna_counts,cells", "path", "is a folder"),
    ],
)
def test_a_faulty_row_is_told_with_line_and_column_and_left_out(read, row, column, told):
    frame, problems = read([*GOOD, row])
    assert [(problem.file, problem.row, problem.column) for problem in problems] == [("samples.csv", 4, column)]
    assert told in str(problems[0])
    assert frame["sample_id"].to_list() == ["S1", "S2"]


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("replicate", "1.5", "a whole number"),
        ("replicate", "two", "a whole number"),
        ("collected_day", "2024-03-01", "days from first dose"),
        ("tree", "tree.nwk", "only taxa_counts and taxa_relabund take a tree"),
        ("taxonomy", "no.csv", "no such file"),
    ],
)
def test_the_optional_columns_are_checked(read, column, value, told):
    row = f"{GOOD[0]},{value}" if column != "taxonomy" else f"S3,P1,pre,faecal,taxa_counts,counts.csv,{value}"
    _, problems = read([row], header=f"{HEADER},{column}")
    assert [(problem.row, problem.column) for problem in problems] == [(2, column)]
    assert told in str(problems[0])


@pytest.mark.parametrize(
    ("header", "column", "told"),
    [
        ("sample_id,patient_id,timepoint,compartment,path", "assay", "no such column"),
        ("sample,patient_id,timepoint,compartment,assay,path", "sample", "rename the column to sample_id"),
        ("Sample ID,patient_id,timepoint,compartment,assay,path", "Sample ID", "rename the column to sample_id"),
        (f"{HEADER},replicat", "replicat", "rename the column to replicate"),
        (f"{HEADER},path", "path", "twice"),
    ],
)
def test_a_faulty_header_is_told(read, header, column, told):
    row = [*GOOD[0].split(","), "x"]
    _, problems = read([",".join(row[: header.count(",") + 1])], header=header)
    assert [(problem.row, problem.column) for problem in problems][:1] == [(1, column)]
    assert told in str(problems[0])


def test_every_missing_column_is_told_at_once(read):
    _, problems = read(["S1,P1"], header="sample_id,patient_id")
    assert sorted(problem.column for problem in problems) == ["assay", "compartment", "path", "timepoint"]


def test_what_excel_leaves_behind_does_not_matter(study, read):
    text = "\ufeff" + "\r\n".join([HEADER + ",", *(row + "," for row in GOOD), ",,,,,,", "", ""])
    (study / "samples.csv").write_bytes(text.encode())
    frame, problems = read_samples(
        study / "samples.csv", timepoints=("pre", "post"), study_folder=study, data_root=None
    )
    assert problems == []
    assert len(frame) == 2


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (HEADER.replace(",", ";").encode() + b"\nS1;P1;pre;tumour;rna_counts;counts.csv\n", "separated by semicolons"),
        (
            HEADER.encode() + b"\nS1,P1,pr\xe9,tumour,rna_counts,counts.csv\n",
            "samples.csv:2: characters that are not UTF-8",
        ),
        (HEADER.encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04rest", "an Excel workbook"),
        (b"", "an empty file"),
        (HEADER.encode(), "no rows below the header"),
        (b",,,\n", "no rows below the header"),
        (b"\xef\xbb\xbf", "no rows below the header"),
        (b"# a comment,b\n", "no rows below the header"),
        (HEADER.encode() + b"\nS1,P1,pre\n", "samples.csv:2: 3 fields; 6, as many as the header"),
        (HEADER.encode() + b'\n"S1,P1,pre,tumour,rna_counts,counts.csv\n', "1 fields"),
    ],
)
def test_a_file_that_is_no_comma_separated_table_is_told(study, content, told):
    (study / "samples.csv").write_bytes(content)
    frame, problems = read_samples(study / "samples.csv", timepoints=None, study_folder=study, data_root=None)
    assert frame.empty
    assert told in str(problems[0])


def test_a_second_library_with_its_number_is_no_problem(read):
    rows = [f"{GOOD[0]},1", "S3,P1,pre,tumour,rna_counts,counts.csv,2"]
    frame, problems = read(rows, header=f"{HEADER},replicate")
    assert problems == []
    assert frame["replicate"].to_list() == [1, 2]


def test_an_excluded_sample_may_lack_its_file_and_its_assay_may_be_unread(read):
    rows = ["S1,P1,pre,tumour,rna_counts,gone.csv,disputed", "S2,P1,pre,blood,flow,gone.fcs,not read yet"]
    frame, problems = read(rows, header=f"{HEADER},exclude")
    assert problems == []
    assert frame["exclude"].to_list() == ["disputed", "not read yet"]


def test_the_same_sample_may_serve_two_assays(read):
    frame, problems = read([GOOD[0], GOOD[0].replace("rna_counts", "rna_tpm")])
    assert problems == []
    assert frame["assay"].to_list() == ["rna_counts", "rna_tpm"]


def test_a_data_root_is_a_second_place_and_the_study_folder_comes_first(read, tmp_path, study):
    root = tmp_path / "archive"
    root.mkdir()
    for name in ("counts.csv", "more.csv"):
        (root / name).write_text("gene,S1\n")
    rows = [GOOD[0], "S2,P1,post,tumour,rna_counts,more.csv", f"S3,P2,post,tumour,rna_counts,{root / 'more.csv'}"]
    frame, problems = read(rows, data_root=root)
    assert problems == []
    assert frame["path"].to_list() == [str(study / "counts.csv"), str(root / "more.csv"), str(root / "more.csv")]


def test_columns_of_ones_own_are_allowed(read):
    frame, problems = read([f"{GOOD[0]},anna"], header=f"{HEADER},technician")
    assert problems == []
    assert len(frame) == 1


def test_the_order_of_the_rows_does_not_matter(read):
    rows = [*GOOD, "S3,P2,pre,tumour,rna_counts,counts.csv"]
    tables = [read(list(order))[0] for order in permutations(rows)]
    assert all(table.equals(tables[0]) for table in tables)


@pytest.mark.parametrize("path", ["x" * 300, "folder/" * 1000 + "x"])
def test_a_path_no_system_could_hold_is_told(read, path):
    _, problems = read([f"S1,P1,pre,tumour,rna_counts,{path}"])
    assert [(problem.row, problem.column, problem.expected) for problem in problems] == [(2, "path", "a path")]


def test_an_id_too_long_for_a_file_name_is_told(read):
    _, problems = read([f"{'S' * 101},P1,pre,tumour,rna_counts,counts.csv"])
    assert [(problem.column, problem.expected) for problem in problems] == [("sample_id", "at most 100 characters")]


@pytest.mark.parametrize("batch", ["März", "a/b", "<b>", "x" * 65])
def test_a_batch_that_could_not_be_asked_for_is_told(read, batch):
    _, problems = read([f"{GOOD[0]},{batch}"], header=f"{HEADER},batch")
    assert [(problem.row, problem.column) for problem in problems] == [(2, "batch")]


def test_a_10x_folder_with_a_link_to_elsewhere_is_refused(read, study, tmp_path):
    (study / "cells" / "matrix.mtx").symlink_to(tmp_path / "outside.csv")
    _, problems = read(["S1,P1,pre,blood,sc_counts,cells"])
    assert [problem.found for problem in problems] == ["matrix.mtx of 'cells' links to a file outside the study folder"]
