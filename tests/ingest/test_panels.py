"""Panels and labels: which marker a channel bears, under one name in every batch."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rabiomarkers.errors import InputError
from rabiomarkers.features.gating.tree import load_gating_tree
from rabiomarkers.ingest.fcs import Channel, kind_of
from rabiomarkers.ingest.findings import Findings
from rabiomarkers.ingest.panels import columns_of, marker_of, read_panel
from rabiomarkers.knowledge import load_marker_synonyms, load_markers, plain_marker
from tests.support.fcs_files import SYNONYMS

DYES = ["FITC", "PE", "APC-H7", "BV421", "PerCP-Cy5.5", "Alexa Fluor 700", "PE/Dazzle 594", "BUV395", "eFluor 450"]


def channels(**labels):
    """One channel for each detector, `_` for `-`, with its label."""
    names = {name.replace("_", "-"): label for name, label in labels.items()}
    return [Channel(detector=name, label=label, top=1.0, kind=kind_of(name)) for name, label in names.items()]


def columns(own, panel=None):
    findings = Findings("panel.csv")
    told = columns_of(own, panel, SYNONYMS, findings)
    assert not findings.problems, findings.problems
    return [name for name, _ in told], [kind for _, kind in told]


def faults(own, panel=None):
    findings = Findings("panel.csv")
    columns_of(own, panel, SYNONYMS, findings)
    return [str(problem) for problem in findings.problems]


def panel_of(tmp_path, text):
    path = tmp_path / "panel.csv"
    path.write_text(text)
    return read_panel(path)


# ---- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "marker"),
    [
        ("CD279", "PD-1"),
        ("PDCD1", "PD-1"),
        ("anti-PD-1 BV421", "PD-1"),
        ("anti-human CD279 (PD-1) PE", "PD-1"),
        ("175Lu_PD-1", "PD-1"),
        ("145Nd_CD4", "CD4"),
        ("CD3-FITC", "CD3"),
        ("CD4_BV421", "CD4"),
        ("FITC CD3", "CD3"),
        ("CD3ε", "CD3"),
        ("CD8a", "CD8"),
        ("HLADR", "HLA-DR"),
        ("HLA-DR-PE", "HLA-DR"),
        ("Granzyme B", "GZMB"),
        ("GrzB AF647", "GZMB"),
        ("Ki67", "Ki-67"),
        ("ki-67", "Ki-67"),
        ("LIVE/DEAD Aqua", "Viability"),
        ("Zombie NIR", "Viability"),
        ("195Pt_Cisplatin", "Viability"),
        ("integrin β7", "integrin-b7"),
        ("CD49d", "integrin-a4"),
        ("TCR Vα7.2", "TCRVa7.2"),
        ("TCRγδ PE", "TCRgd"),
        ("CD45RA APC-H7", "CD45RA"),
        ("CD45 RO BV605", "CD45RO"),
        ("CD45 PerCP", "CD45"),
        ("CD11b/Mac-1", "CD11b"),
        ("CD197 (CCR7)", "CCR7"),
        ("pS6", "pS6"),
        ("IL-2 PE", "IL-2 PE"),
        ("CD4000", "CD4000"),
        ("", ""),
    ],
)
def test_a_marker_has_one_name_however_it_is_written(written, marker):
    assert marker_of(written, SYNONYMS) == marker


@pytest.mark.parametrize("dump", ["CD14/CD19 BV510", "Dump CD14 CD19 Viability", "CD3_CD56", "integrin alpha4 beta7"])
def test_a_channel_of_several_markers_is_none_of_them(dump):
    assert marker_of(dump, SYNONYMS) == dump


@given(st.sampled_from(sorted(set(SYNONYMS.values()))), st.sampled_from(DYES), st.sampled_from(" -_"), st.booleans())
def test_a_fluorochrome_before_or_after_a_marker_changes_nothing(marker, dye, between, first):
    words = (dye, marker) if first else (marker, dye)
    assert marker_of(between.join(words), SYNONYMS) == marker


@pytest.mark.parametrize("synonym", sorted(SYNONYMS))
def test_no_synonym_is_split_into_another_marker(synonym):
    assert marker_of(synonym.upper(), SYNONYMS) == SYNONYMS[synonym]


def test_every_marker_of_the_gating_tree_and_of_the_marker_table_has_its_name():
    table = load_markers()
    known = {*load_gating_tree().markers, *table.loc[table["modality"] == "protein", "marker"]}
    signals = sorted(marker for marker in known if kind_of(marker) == "signal")
    assert len(signals) > 40
    assert [SYNONYMS.get(plain_marker(marker)) for marker in signals] == signals


def test_a_name_of_two_markers_is_refused(tmp_path):
    path = tmp_path / "synonyms.csv"
    path.write_text("synonym,marker,source\nPD1,PD-1,x\npd 1,PD-L1,x\n")
    with pytest.raises(InputError, match="'pd 1' means PD-1 and PD-L1"):
        load_marker_synonyms(path)


# ---- labels of the file ----------------------------------------------------------------------------------------------


def test_two_batches_that_name_a_marker_differently_end_up_with_one_name():
    first = columns(channels(B1_A="CD3", Y1_A="PD1", R1_A="Granzyme B FITC"))
    assert first == columns(channels(B1_A="CD3e-BV421", Y1_A="anti-CD279", R1_A="GZMB"))


def test_a_channel_without_a_label_keeps_the_name_of_its_detector():
    names, kinds = columns(channels(FSC_A="", B1_A="CD3", Y1_A="", R1_A="-", Time=""))
    assert names == ["FSC-A", "CD3", "Y1-A", "R1-A", "Time"]
    assert kinds == ["scatter", "marker", "unlabelled", "unlabelled", "time"]


def test_a_label_that_repeats_the_detector_or_its_isotope_is_none():
    names, kinds = columns(
        channels(BL1_A="BL1-A", Nd150Di="150Nd", Ir191Di="Ir191Di", Eu151Di="151Eu_CD123", X_A="Ki67")
    )
    assert names == ["BL1-A", "Nd150Di", "Ir191Di", "CD123", "Ki-67"]
    assert kinds == ["unlabelled", "unlabelled", "unlabelled", "marker", "marker"]


def test_of_the_area_height_and_width_of_a_detector_the_area_bears_the_label():
    names, _ = columns(channels(B1_H="CD3", B1_A="CD3", B1_W="CD3", Y1_H="CD4"))
    assert names == ["B1-H", "CD3", "B1-W", "CD4"]


def test_scatter_of_a_second_laser_does_not_take_the_place_of_the_usual_one():
    names, kinds = columns(channels(FSC_A="", SSC_A="", SSC_B_A="", FSC="", FSC_H=""))
    assert names == ["FSC-A", "SSC-A", "SSC-B-A", "FSC", "FSC-H"]
    assert set(kinds) == {"scatter"}


# ---- panels ----------------------------------------------------------------------------------------------------------


def test_a_panel_names_channels_by_detector_or_by_label(tmp_path):
    panel = panel_of(tmp_path, "channel,marker,clone\nB1-A,CD3,OKT3\nYellow,PD1,EH12\nR1-A,,\n")
    names, kinds = columns(channels(B1_A="x", Y1_A="Yellow", R1_A="CD4"), panel)
    assert names == ["CD3", "PD-1", "R1-A"]  # an empty marker says that the channel bears none, whatever its label
    assert kinds == ["marker", "marker", "unlabelled"]


def test_a_panel_of_the_raw_channels_fits_a_file_that_flowjo_has_compensated():
    own = [Channel(detector=name, label="", top=1.0, kind="signal") for name in ("Comp-B1-A", "<Y1-A>")]
    assert columns(own, {"B1-A": "CD3", "Y1-A": "CD4"})[0] == ["CD3", "CD4"]


def test_a_label_of_area_and_height_means_the_area():
    assert columns(channels(B1_H="CD3", B1_A="CD3"), {"CD3": "CD3"})[0] == ["B1-H", "CD3"]


def test_a_panel_decides_against_the_name_of_a_channel():
    assert columns(channels(BC1="", Time=""), {"BC1": "CD3", "Time": "Time"})[0] == ["CD3", "Time"]


def test_every_fault_between_panel_and_file_is_told_at_once():
    own = channels(B1_A="One", Y1_A="PD1", R1_A="twin", V1_B="twin", FSC_A="")
    panel = {"B1-A": "CD3", "One": "CD4", "Y1-A": "CD3e", "R78-A": "CD5", "twin": "CD7", "FSC-A": "CD8"}
    told = faults(own, panel)
    assert any("two markers of channel B1-A: CD3 and CD4" in problem for problem in told)
    assert any("the panel's channel 'R78-A', which the file lacks; one of B1-A, Y1-A" in problem for problem in told)
    assert any("CD3 in 2 channels (B1-A, Y1-A), called CD3 and CD3e" in problem for problem in told)
    assert any("the panel's channel 'twin', the label of R1-A, V1-B" in problem for problem in told)
    assert any("the marker CD8 for FSC-A, a channel of scatter" in problem for problem in told)
    assert len(told) == 5


def test_two_names_of_one_marker_are_one_marker():
    told = faults(channels(B1_A="", Y1_A=""), {"B1-A": "PD1", "Y1-A": "CD279"})
    assert "PD-1 in 2 channels (B1-A, Y1-A), called CD279 and PD1" in told[0]


def test_every_fault_of_the_table_is_told_at_once(tmp_path):
    with pytest.raises(InputError) as error:
        panel_of(tmp_path, "channel,marker\nB1-A,CD3\nB1-A,CD8\n,CD5\n")
    told = [str(problem) for problem in error.value.problems]
    assert "panel.csv:3:channel: channel 'B1-A' is on line 2, too" in told[0]
    assert "panel.csv:4:channel: an empty cell" in told[1]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("fcs_colname,antigen\nB1-A,CD3\n", "no such column"),
        ("channel;marker\nB1-A;CD3\n", "separated by semicolons"),
        ("channel,marker\nB1-A,\nY1-A,none\n", "no marker"),
        ("channel,marker\n", "no rows below the header"),
        ("", "an empty file"),
    ],
)
def test_a_table_that_is_no_panel_is_told(tmp_path, text, found):
    with pytest.raises(InputError, match=found):
        panel_of(tmp_path, text)


def test_the_order_of_channels_plays_no_part():
    own = channels(FSC_A="", B1_H="CD3", B1_A="CD3", Y1_A="PD1", R1_A="150Nd", Time="")
    named = pd.Series(columns(own)[0], [channel.detector for channel in own])
    back = pd.Series(columns(own[::-1])[0], [channel.detector for channel in own[::-1]])
    pd.testing.assert_series_equal(named.sort_index(), back.sort_index())
