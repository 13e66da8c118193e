"""Simulated receptors: few large clones and many small ones, kept by their patient, a few of which grow in responders."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.ingest.repertoires import read_repertoire
from rabiomarkers.simulate.design import design_trial
from rabiomarkers.simulate.repertoires import (
    CLONES,
    CODONS,
    EXPANDING_CLONES,
    EXPANSION,
    PASSING,
    READS,
    SLOPE,
    UNPRODUCTIVE,
    growing_clones,
    repertoires,
)

DESIGN = design_trial(patients=10)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return repertoires(DESIGN)


@pytest.fixture(scope="module")
def pieces(table, tmp_path_factory) -> dict[str, pd.DataFrame]:
    path = tmp_path_factory.mktemp("airr") / "tcr.tsv"
    table.to_csv(path, sep="\t", index=False)
    names = list(dict.fromkeys(table["sample_id"]))
    return read_repertoire(path, label=path.name, sample_ids=names)


def shares(pieces, patient) -> pd.DataFrame:
    """Of each clone seen in both samples of a patient, before and after."""
    sides = [pieces[sample.sample_id].set_index("clone")["count"] for sample in patient.of("tcr")]
    both = pd.concat(sides, axis="columns", keys=["before", "after"], join="inner")
    return both / [side.sum() for side in sides]


def test_the_study_reads_what_was_written_and_finds_the_unproductive(table, pieces):
    productive = table[table["productive"] == "T"]
    assert {name: len(piece) for name, piece in pieces.items()} == productive["sample_id"].value_counts().to_dict()
    passport = pieces["P001-pre-tcr"].attrs["passport"]
    assert passport["counted"] == "duplicate_count"
    assert passport["reads"] == READS
    assert passport["incomplete"] == 0
    rows = [piece.attrs["passport"]["unproductive"] / READS for piece in pieces.values()]
    assert np.mean(rows) == pytest.approx(UNPRODUCTIVE, abs=0.02)


def test_sizes_fall_as_a_power_of_their_rank(pieces):
    slopes = []
    for piece in pieces.values():
        counts = np.sort(piece["count"].to_numpy())[::-1][:100]
        slopes.append(np.polyfit(np.log(np.arange(1, 101)), np.log(counts), 1)[0])
    assert np.mean(slopes) == pytest.approx(-SLOPE, abs=0.1)


def test_a_patient_keeps_clones_and_shares_none_with_another(pieces):
    first, second = (set(pieces[f"P001-{time}-tcr"]["clone"]) for time in ("pre", "post"))
    assert len(first & second) / len(first | second) == pytest.approx(CLONES / (CLONES + 2 * PASSING), abs=0.05)
    assert not first & set(pieces["P002-pre-tcr"]["clone"])


def test_the_clones_named_as_growing_grow_in_responders_and_no_others_do(pieces):
    for patient in DESIGN.patients:
        both, growing = shares(pieces, patient), growing_clones(DESIGN, patient)
        fold = (both["after"] / both["before"])[both["before"] > 5 / READS]
        grown, others = fold[fold.index.isin(growing)], fold[~fold.index.isin(growing)]
        assert others.median() == pytest.approx(1.0, abs=0.25)  # where some grow the others' shares fall
        assert bool(growing) is patient.responder
        if patient.responder:
            assert len(growing) <= EXPANDING_CLONES
            assert grown.median() / others.median() == pytest.approx(EXPANSION, rel=0.35)


def test_without_an_effect_no_clone_is_named_and_the_samples_before_are_the_same():
    none = design_trial(patients=10, effect="none")
    assert not any(growing_clones(none, patient) for patient in none.patients)
    planted, unplanted = repertoires(DESIGN), repertoires(none)
    before = [table[table["sample_id"].str.contains("-pre-")].reset_index(drop=True) for table in (planted, unplanted)]
    pd.testing.assert_frame_equal(*before)


@settings(max_examples=5)
@given(st.integers(0, 1000))
def test_every_junction_is_a_junction_and_its_codons_are_its_amino_acids(seed):
    design = design_trial(patients=1, seed=seed)
    table = repertoires(design)
    back = {codon: letter for letter, codon in CODONS.items()}
    told = ["".join(back[text[at : at + 3]] for at in range(0, len(text), 3)) for text in table["junction"]]
    assert told == table["junction_aa"].tolist()
    assert table["junction_aa"].str.fullmatch("C[A-Z]+F").all()
    assert table["sequence_id"].is_unique
    assert not table.duplicated(["sample_id", "v_call", "j_call", "junction_aa"]).any()
    assert table.groupby("sample_id")["duplicate_count"].sum().eq(READS).all()
