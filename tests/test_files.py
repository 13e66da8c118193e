"""Bytes on disk."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rabiomarkers import files
from rabiomarkers.files import read_json, read_table, replace_folder, write_csv, write_json, write_table


def test_a_table_comes_back_with_its_attributes(tmp_path):
    frame = pd.DataFrame({"gene": ["A", None], "value": [1.0, float("nan")]})
    frame.attrs["passport"] = {"scale": "counts"}
    write_table(frame, tmp_path / "t.parquet")
    back = read_table(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(back, frame)
    assert back.attrs == {"passport": {"scale": "counts"}}


def test_the_same_table_gives_the_same_bytes(tmp_path):
    frame = pd.DataFrame({"gene": ["A", "B"], "value": [1.0, 2.0]})
    write_table(frame, tmp_path / "a.parquet")
    write_table(frame.copy(), tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_a_number_survives_the_way_through_csv(tmp_path):
    value = 0.1 + 0.2
    write_csv(pd.DataFrame({"value": [value]}), tmp_path / "t.csv")
    assert pd.read_csv(tmp_path / "t.csv", float_precision="round_trip")["value"].item() == value


def test_a_text_that_a_spreadsheet_would_run_is_disarmed(tmp_path):
    names = ["=cmd()", "@x", "+1", "-cmd", "-1.5", "IL-6", None]
    write_csv(pd.DataFrame({"feature": names}, dtype="str"), tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text().split("\n")[1:7] == ["'=cmd()", "'@x", "'+1", "'-cmd", "-1.5", "IL-6"]


def test_json_has_null_for_what_is_not_a_number(tmp_path):
    value = {"b": math.nan, "a": [np.int64(1), np.float64("inf"), pd.NA, pd.NaT], "c": np.bool_(True), "d": Path("x")}
    write_json(value, tmp_path / "t.json")
    assert read_json(tmp_path / "t.json") == {"a": [1, None, None, None], "b": None, "c": True, "d": "x"}
    assert list(json.loads((tmp_path / "t.json").read_text())) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("exchange", [True, False])
@pytest.mark.parametrize("there", [True, False])
def test_a_folder_is_replaced_whole(tmp_path, monkeypatch, exchange, there):
    if not exchange:
        monkeypatch.setattr(files, "_exchange", lambda first, second: False)
    new, target = tmp_path / "new", tmp_path / "below" / "target"
    new.mkdir()
    (new / "after").write_text("x")
    if there:
        target.mkdir(parents=True)
        (target / "before").write_text("x")
    replace_folder(new, target)
    assert [path.name for path in target.iterdir()] == ["after"]
    assert [path.name for path in tmp_path.iterdir()] == ["below"]
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_where_the_system_cannot_swap_two_names_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(files.sys, "platform", "darwin")
    assert not files._exchange(tmp_path, tmp_path)
