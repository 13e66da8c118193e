import math

import numpy as np
import pandas as pd
import pytest

from rabiomarkers.change.composition import (
    CANNOT,
    DEPENDS,
    MOVED,
    NOT_SHOWN,
    RARE,
    RATIO_MOVED,
    TOGETHER,
    VERDICTS,
    WHOLE,
    composition_step,
    composition_table,
)
from rabiomarkers.errors import StatisticsError, TableError
from rabiomarkers.files import read_table, write_table
from rabiomarkers.tables.changes import COMPOSITION
from rabiomarkers.tables.samples import SAMPLES

CONTRAST = ["pre", "post"]
TYPES = ["B", "CD4", "CD8", "DC", "NK", "mono"]


def sheet(patients, times=CONTRAST):
    rows = [(f"P{number}_{time}", f"P{number}", time) for number in range(patients) for time in times]
    return pd.DataFrame(rows, columns=["sample_id", "patient_id", "timepoint"])


def blood(patients=10, *, rise=8.0, cells=3000, seed=1):
    """Six cell types; CD8 rises `rise`-fold in absolute number, the others stand still but for noise."""
    random, samples = np.random.default_rng(seed), sheet(patients)
    level = {patient: random.normal(0, 0.5, size=6) for patient in samples["patient_id"].unique()}
    rows = []
    for patient, time in zip(samples["patient_id"], samples["timepoint"], strict=True):
        amounts = np.array([10, 30, 8, 3, 12, 25]) * np.exp(level[patient] + random.normal(0, 0.1, size=6))
        amounts[2] *= rise if time == "post" else 1
        rows.append(random.multinomial(cells, amounts / amounts.sum()))
    return pd.DataFrame(rows, index=samples["sample_id"], columns=TYPES), samples


def table(counts, samples, **options):
    return composition_table(counts, samples, contrast=CONTRAST, **({"draws": 20} | options))


def verdicts(told, coordinate="clr"):
    return told[told["coordinate"] == coordinate].set_index("part")["verdict"].to_dict()


# ---- the trap --------------------------------------------------------------------------------------------------------


def test_one_type_that_rises_is_called_and_none_is_said_to_fall():
    counts, samples = blood()
    shares = counts.div(counts.sum(axis="columns"), axis="index")
    before, after = (shares.loc[samples.loc[samples["timepoint"] == time, "sample_id"]].to_numpy() for time in CONTRAST)
    assert (after < before)[:, [0, 1, 3, 4, 5]].all()  # as fractions all others fall, in every patient
    told = table(counts, samples)
    clr = told[told["coordinate"] == "clr"].set_index("part")
    fallen = clr.drop(index="CD8")
    assert (fallen["estimate"] < 0).all()
    assert (fallen["p_value"] == 2 / 2**10).all()  # and against the geometric mean too
    expected = dict.fromkeys(TYPES, DEPENDS) | {"CD8": MOVED}
    assert verdicts(told) == verdicts(told, "median") == expected
    median = told[told["coordinate"] == "median"].set_index("part")
    assert median.loc["CD8", "estimate"] == pytest.approx(math.log(8), abs=0.15)
    assert clr.loc["CD8", "estimate"] == pytest.approx(math.log(8) * 5 / 6, abs=0.15)
    assert verdicts(told, "whole") == {WHOLE: MOVED}


def test_nothing_is_shown_where_nothing_moves():
    told = table(*blood(rise=1.0, seed=3))
    assert set(told["verdict"]) == {NOT_SHOWN}


def test_the_draws_are_told_beside_the_geometric_mean_only():
    told = table(*blood())
    clr = told["coordinate"] == "clr"
    assert told.loc[clr, "share_significant"].between(0, 1).all()
    assert told.loc[~clr, ["p_sampled", "share_significant"]].isna().all(axis=None)
    assert told.loc[told["part"] == "CD8", "share_significant"].iloc[0] == 1.0


def test_four_pairs_cannot_reach_five_percent_and_this_is_said():
    told = table(*blood(patients=4))
    assert set(told["verdict"]) == {CANNOT}
    assert set(told["p_floor"]) == {0.125}
    assert told["note"].str.contains("cannot reach 0.05: with 4 pairs no p is below 0.125").all()


# ---- parts -----------------------------------------------------------------------------------------------------------


def test_rare_parts_are_summed_and_named():
    counts, samples = blood()
    counts = counts.assign(rare_1=0, rare_2=0, never=0)
    counts.iloc[0, 6], counts.iloc[5, 7] = 3, 2
    told = table(counts, samples)
    rows = told[told["part"].isin(["rare_1", "rare_2"])]
    assert set(rows["verdict"]) == {RARE}
    assert set(rows["prevalence"]) == {0.05}
    assert set(rows["note"]) == {f"below the prevalence floor; within {TOGETHER}"}
    assert rows["p_value"].isna().all()
    together = told[told["part"] == TOGETHER]
    assert set(together["prevalence"]) == {0.1}
    assert (together["n_pairs"] == 10).all()
    assert "never" not in set(told["part"])
    assert verdicts(told)["CD8"] == MOVED


def test_a_floor_of_nothing_tests_every_part_that_was_seen():
    counts, samples = blood()
    counts = counts.assign(rare_1=0)
    counts.iloc[0, 6] = 3
    told = table(counts, samples, minimum_prevalence=0.0)
    assert TOGETHER not in set(told["part"])
    assert told.loc[told["part"] == "rare_1", "p_value"].notna().all()


def test_q_is_corrected_within_each_coordinate_over_the_parts_tested():
    told = table(*blood(rise=1.5))
    for coordinate in ("clr", "median"):
        rows = told[told["coordinate"] == coordinate].sort_values("p_value")
        by_hand = (rows["p_value"] * 6 / np.arange(1, 7))[::-1].cummin()[::-1].clip(upper=1.0)
        assert rows["q_value"].tolist() == pytest.approx(by_hand.tolist())


def test_two_parts_have_one_ratio_and_no_verdict_on_either():
    counts, samples = blood()
    told = table(counts[["CD4", "CD8"]], samples)
    assert verdicts(told) == verdicts(told, "median") == {"CD4": RATIO_MOVED, "CD8": RATIO_MOVED}
    ratio = told[told["coordinate"] == "clr"].set_index("part")
    assert ratio.loc["CD4", "p_value"] == ratio.loc["CD8", "p_value"] == ratio.loc["CD8", "q_value"] == 2 / 2**10
    assert ratio.loc["CD8", "estimate"] == -ratio.loc["CD4", "estimate"] > 0
    assert told.loc[told["coordinate"] == "clr", "note"].str.contains("only their ratio is known").all()
    assert verdicts(told, "whole") == {WHOLE: MOVED}


@pytest.mark.parametrize(("patients", "verdict"), [(10, NOT_SHOWN), (4, CANNOT)])
def test_a_ratio_that_did_not_move_is_said_as_of_any_part(patients, verdict):
    counts, samples = blood(patients=patients, rise=1.0, seed=3)
    told = table(counts[["CD4", "CD8"]], samples)
    assert set(verdicts(told).values()) == {verdict}


def test_relative_abundances_have_no_draws_and_say_so():
    counts, samples = blood()
    shares = counts.div(counts.sum(axis="columns"), axis="index")
    told = table(shares, samples, scale="relative")
    clr = told[told["coordinate"] == "clr"]
    assert clr["p_sampled"].isna().all()
    assert clr["note"].str.contains("no counts to draw from").all()
    assert verdicts(told)["CD8"] == MOVED
    percent = table(100 * shares, samples, scale="relative")
    np.testing.assert_allclose(percent["estimate"], told["estimate"], atol=1e-9)
    assert percent["p_value"].tolist() == told["p_value"].tolist()


def test_how_many_parts_must_be_at_the_smallest_p_together_is_said():
    # 7 pairs: 2 / 2**7 = 0.0156, and 6 * 0.0156 / k <= 0.05 from k = 2 on; 8 pairs: k = 1
    told = {patients: table(*blood(patients=patients)).iloc[-1] for patients in (7, 8)}
    assert "with 7 pairs, 2 of 6 parts must be at the smallest p together" in told[7]["note"]
    assert "together" not in told[8]["note"]


# ---- balances --------------------------------------------------------------------------------------------------------


def test_a_balance_follows_two_groups_by_name_or_pattern():
    counts, samples = blood()
    told = table(counts, samples, balances={"cytotoxic": {"numerator": ["CD8", "NK"], "denominator": ["CD4", "m*"]}})
    row = told[told["coordinate"] == "balance"].squeeze()
    # half of the numerator's logarithms rise by ln 8; sqrt(2 * 2 / 4) = 1
    assert row["estimate"] == pytest.approx(math.log(8) / 2, abs=0.1)
    assert row["reference"] == "CD8, NK against CD4, mono"
    assert (row["verdict"], row["n_pairs"], row["q_value"]) == (MOVED, 10, row["p_value"])


@pytest.mark.parametrize(
    ("above", "below", "note"),
    [
        (["Treg"], ["CD4"], "no part of its numerator"),
        (["Treg"], ["gd*"], "no part of its numerator; no part of its denominator"),
        (["CD*"], ["CD4"], "on both sides: CD4"),
        (["rare"], ["CD4"], "1 rare parts left out; no part of its numerator"),
    ],
)
def test_a_balance_that_cannot_be_taken_has_a_row_with_the_reason(above, below, note):
    counts, samples = blood()
    counts = counts.assign(rare=0)
    counts.iloc[0, 6] = 1
    balances = {
        "wanted": {"numerator": above, "denominator": below},
        "fine": {"numerator": ["B"], "denominator": ["NK"]},
    }
    told = table(counts, samples, balances=balances)
    rows = told[told["coordinate"] == "balance"].set_index("part")
    assert rows.loc["wanted", "note"] == note
    assert rows.loc["wanted", ["estimate", "p_value", "q_value"]].isna().all()
    assert rows.loc["wanted", "n_pairs"] == 10
    assert rows.loc["fine", "q_value"] == rows.loc["fine", "p_value"]


# ---- what is missing or degenerate -----------------------------------------------------------------------------------


def test_patients_without_a_pair_and_empty_samples_are_counted_in_the_note():
    counts, samples = blood(patients=9)
    counts.loc["P3_pre"] = 0
    told = table(counts.drop(index="P5_post"), samples.assign(more="is allowed"))
    whole = told[told["coordinate"] == "whole"].squeeze()
    assert whole["n_pairs"] == 7
    assert "patients without both samples: 1; patients with an empty sample: 1" in whole["note"]
    assert "half a count added to every part" in whole["note"]


@pytest.mark.parametrize("patients", [0, 1])
def test_no_pair_or_one_is_told_in_every_row(patients):
    counts, samples = blood(patients=2)
    kept = [f"P0_{time}" for time in CONTRAST] if patients else ["P0_pre", "P1_post"]
    told = table(counts.loc[kept], samples, balances={"b": {"numerator": ["B"], "denominator": ["NK"]}})
    assert set(told["n_pairs"]) == {patients}
    assert told[["estimate", "p_value", "q_value", "p_sampled"]].isna().all(axis=None)
    assert set(told["verdict"]) == {CANNOT}
    assert told["note"].str.contains("one pair: a change" if patients else "no pair").all()
    assert set(verdicts(told)) == set(TYPES)


def test_equal_samples_have_not_moved():
    counts, samples = blood(patients=8)
    counts = counts.apply(lambda column: column.groupby(column.index.str[:2]).transform("first"))
    told = table(counts, samples)
    assert set(told["verdict"]) == {NOT_SHOWN}
    assert told["p_value"].isna().all()
    assert told["note"].str.contains("all differences are zero").all()


def test_one_part_alone_has_no_ratio():
    counts, samples = blood(patients=8)
    told = table(counts[["CD8"]], samples)
    assert set(told["verdict"]) == {NOT_SHOWN}
    assert told.loc[told["coordinate"] == "clr", "note"].str.contains("a single part has no ratio").all()


def test_no_sample_at_all_leaves_the_whole_with_nothing():
    counts, samples = blood(patients=2)
    told = table(counts[:0], samples)
    assert told["coordinate"].tolist() == ["whole"]
    assert told["n_pairs"].tolist() == [0]


def test_what_is_no_contrast_no_count_or_no_pair_is_refused():
    counts, samples = blood(patients=3)
    with pytest.raises(TableError, match="two timepoints"):
        composition_table(counts, samples, contrast=["pre"])
    with pytest.raises(StatisticsError, match="zero or more"):
        table(-counts, samples)
    with pytest.raises(TableError, match="two samples of one timepoint"):
        table(counts, samples.assign(timepoint="pre"))


# ---- the step --------------------------------------------------------------------------------------------------------


def written(folder, *, compartment, kind, frames):
    """A table a sample, as the steps before write them; the sheet's rows and the inputs."""
    folder.mkdir(exist_ok=True)
    rows, inputs = [], {}
    for sample, frame in frames.items():
        write_table(frame, folder / f"{kind}_{sample}.parquet")
        inputs[f"{kind}:{sample}"] = folder / f"{kind}_{sample}.parquet"
        patient, time = sample.rsplit("_", 1)
        rows.append(
            {
                "sample_id": sample,
                "patient_id": patient[1:],
                "timepoint": time,
                "compartment": compartment,
                "assay": kind,
            }
        )
    return rows, inputs


def called(counts, unassigned, doublets):
    """Called cells of one sample: so many of each type, some unassigned, some doublets (which have no type)."""
    types = [name for name, count in counts.items() for _ in range(count)]
    names = [*types, *["unassigned"] * unassigned, *[None] * doublets]
    frame = pd.DataFrame(
        {"cell_type": pd.Series(names, dtype="str"), "doublet": [False] * (len(names) - doublets) + [True] * doublets}
    )
    return frame.assign(barcode=[f"c{k}" for k in range(len(names))])


def piece(values, scale="counts"):
    frame = pd.DataFrame({"taxon": list(values.index), "value": values.to_numpy(dtype=float)})
    frame.attrs["passport"] = {"scale": scale, "database": "GTDB"}
    return frame


@pytest.fixture
def both(tmp_path):
    cells, _ = blood(patients=8, cells=300)
    taxa, _ = blood(patients=9, cells=9000, seed=5)
    taxa.columns = [f"Species {name}" for name in taxa.columns]
    blood_rows, blood_inputs = written(
        tmp_path / "in",
        compartment="blood",
        kind="cells",
        frames={f"b{sample}": called(counts, 20, 5) for sample, counts in cells.iterrows()},
    )
    stool_rows, stool_inputs = written(
        tmp_path / "in",
        compartment="faecal",
        kind="taxa",
        frames={f"s{sample}": piece(counts) for sample, counts in taxa.iterrows()},
    )
    frame = pd.DataFrame([*blood_rows, *stool_rows]).assign(path="x", batch="all", replicate=1)
    frame = frame.assign(**{name: np.nan for name in SAMPLES.columns if name not in frame})
    write_table(SAMPLES.check(frame), tmp_path / "samples.parquet")
    return {"samples": tmp_path / "samples.parquet", **blood_inputs, **stool_inputs}


def test_the_step_writes_cell_types_and_taxa(both, tmp_path):
    balances = {
        "T": {"numerator": ["CD8"], "denominator": ["CD4"]},
        "gut": {"numerator": ["Species B"], "denominator": ["Species NK"]},
        "nowhere": {"numerator": ["x"], "denominator": ["y"]},
    }
    info = composition_step(
        both, tmp_path, contrast=CONTRAST, minimum_prevalence=0.3, draws=20, balances=balances, level=0.95, seed=1
    )
    told = COMPOSITION.check(read_table(tmp_path / "composition.parquet"))
    assert info == {"compositions": 2, "parts": 12, "moved": 2}
    assert set(zip(told["compartment"], told["composition"], strict=True)) == {
        ("blood", "cell types"),
        ("faecal", "taxa"),
    }
    cells, taxa = (told[told["compartment"] == name].set_index("part") for name in ("blood", "faecal"))
    assert set(cells.loc[cells["coordinate"] == "clr"].index) == set(TYPES)  # no unassigned cells, no doublets
    assert cells.loc[WHOLE, "note"].startswith("unassigned cells left out (6.2 %)")
    assert (cells.loc[WHOLE, "n_pairs"], taxa.loc[WHOLE, "n_pairs"]) == (8, 9)
    assert cells.loc["CD8", "verdict"].tolist() == [MOVED] * 2
    assert "T" in cells.index
    assert "gut" not in cells.index
    assert "gut" in taxa.index
    for told_of in (cells, taxa):
        assert told_of.loc["nowhere", "note"] == "no part of its numerator; no part of its denominator"
    assert set(told["verdict"]) <= set(VERDICTS)


def test_the_step_is_that_of_the_table(both, tmp_path):
    composition_step(both, tmp_path, contrast=CONTRAST, draws=20)
    told = read_table(tmp_path / "composition.parquet").query("compartment == 'blood'")
    expected = table(*blood(patients=8, cells=300))
    expected = expected.assign(note=None)
    pd.testing.assert_frame_equal(
        told.drop(columns=["note", "p_sampled", "share_significant"]).reset_index(drop=True),
        expected.drop(columns=["note", "p_sampled", "share_significant"]),
        check_dtype=False,
    )


def test_shallow_stools_and_second_libraries_are_left_out_in_words(both, tmp_path):
    frame = read_table(both["samples"])
    again = frame[frame["sample_id"] == "sP0_pre"].assign(sample_id="sP0b_pre", replicate=2)
    write_table(pd.concat([frame, again], ignore_index=True), both["samples"])
    few = piece(pd.Series({"Species B": 5, "Species NK": 6}))
    write_table(few, tmp_path / "few.parquet")
    inputs = {**both, "taxa:sP0b_pre": both["taxa:sP0_pre"], "taxa:sP3_post": tmp_path / "few.parquet"}
    composition_step(inputs, tmp_path, contrast=CONTRAST, draws=0, depth=1000)
    whole = read_table(tmp_path / "composition.parquet").query("part == @WHOLE and compartment == 'faecal'").squeeze()
    assert whole["n_pairs"] == 8
    assert "1 samples have too few reads" in whole["note"]
    assert "1 repeated samples are left out" in whole["note"]


def test_a_study_without_cells_and_stool_has_an_empty_table(both, tmp_path):
    info = composition_step({"samples": both["samples"]}, tmp_path, contrast=CONTRAST)
    assert info == {"compositions": 0, "parts": 0, "moved": 0}
    assert len(COMPOSITION.check(read_table(tmp_path / "composition.parquet"))) == 0
