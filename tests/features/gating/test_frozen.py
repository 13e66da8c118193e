"""Frozen borders from a file: what was written is read, and every fault of a hand-corrected one is told."""

import pandas as pd
import pytest

from rabiomarkers.errors import InputError
from rabiomarkers.features.gating.frozen import read_gates
from rabiomarkers.files import write_csv


def test_borders_are_read_as_they_were_written(gates, tmp_path):
    write_csv(gates, tmp_path / "gates.csv")
    pd.testing.assert_frame_equal(read_gates(tmp_path / "gates.csv"), gates)


def test_every_fault_of_a_corrected_file_is_told(gates, tmp_path):
    spoilt = gates.astype("str")
    spoilt.loc[0, "cut"] = "high"
    spoilt.loc[1, "transform"] = "log"
    spoilt.loc[2, "events"] = "many"
    spoilt.loc[3, "transform"] += " / " + spoilt.loc[3, "transform"]
    spoilt.to_csv(tmp_path / "gates.csv", index=False)
    with pytest.raises(InputError) as caught:
        read_gates(tmp_path / "gates.csv")
    told = [str(problem) for problem in caught.value.problems]
    for where in ("2:cut: 'high'", "3:transform: 'log'", "4:events: 'many'", "5:transform:"):
        assert any(line.startswith(f"gates.csv:{where}") for line in told)


@pytest.mark.parametrize("text", ["", "batch,assay\na,b\n", '"'])
def test_what_is_no_table_of_borders_is_told(tmp_path, text):
    (tmp_path / "gates.csv").write_text(text)
    with pytest.raises(InputError, match=r"gates\.csv"):
        read_gates(tmp_path / "gates.csv")


def test_a_border_named_twice_is_told(gates, tmp_path):
    write_csv(pd.concat([gates, gates.head(1)]), tmp_path / "gates.csv")
    with pytest.raises(InputError, match=r"gates\.csv:\d+: a border for the second time"):
        read_gates(tmp_path / "gates.csv")
