from fractions import Fraction
from math import comb

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import fisher_exact

from rabiomarkers.change.contaminants import OTHER_NAMES, contaminant_step, contaminant_table, contaminated_samples
from rabiomarkers.files import read_table, write_table
from rabiomarkers.tables.stool import CONTAMINANTS


def controls(**reads):
    """Taxa x blanks."""
    return pd.DataFrame(reads).T.rename(columns=lambda number: f"B{number}").rename_axis("taxon")


def stools(count, **held):
    """Of `count` stools the first so many hold each taxon, 1 read; all hold 99 reads of `gut`."""
    return {
        f"S{number}": pd.DataFrame(
            {"taxon": ["gut", *held], "value": [99.0, *(float(number < many) for many in held.values())]}
        )
        for number in range(count)
    }


def rows(*arguments):
    return contaminant_table(*arguments).set_index("taxon")


def test_a_taxon_of_every_blank_and_no_stool_is_called():
    told = rows(controls(Ralstonia=[9, 9, 9, 9]), stools(6, Ralstonia=0)).loc["Ralstonia"]
    assert told["p_value"] == pytest.approx(1 / comb(10, 4))  # one way of 210 to put all four into the blanks
    assert told["p_floor"] == pytest.approx(1 / comb(10, 4))
    assert told["verdict"] == "contaminant"
    assert told["largest_share"] == 0.0


@pytest.mark.parametrize(("in_blanks", "in_samples"), [(3, 2), (4, 5), (1, 0), (2, 12), (4, 0), (1, 11)])
def test_the_p_is_fishers(in_blanks, in_samples):
    blanks = controls(x=[1] * in_blanks + [0] * (4 - in_blanks), y=[1] * 4)
    told = rows(blanks, stools(12, x=in_samples)).loc["x"]
    expected = fisher_exact([[in_blanks, 4 - in_blanks], [in_samples, 12 - in_samples]], alternative="greater")
    assert told["p_value"] == pytest.approx(expected.pvalue, rel=1e-10)
    assert (told["blanks"], told["in_blanks"], told["samples"], told["in_samples"]) == (4, in_blanks, 12, in_samples)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(1, 8), st.data())
def test_p_and_floor_are_shares_of_the_ways_to_hand_out_a_taxon(n_blanks, n_samples, data):
    in_blanks, in_samples = data.draw(st.integers(1, n_blanks)), data.draw(st.integers(0, n_samples))
    blanks = controls(x=[1] * in_blanks + [0] * (n_blanks - in_blanks))
    told = rows(blanks, stools(n_samples, x=in_samples)).loc["x"]
    held, total = in_blanks + in_samples, comb(n_blanks + n_samples, n_blanks)
    ways = {k: comb(held, k) * comb(n_blanks + n_samples - held, n_blanks - k) for k in range(n_blanks + 1)}
    exact = Fraction(sum(way for k, way in ways.items() if k >= in_blanks), total)
    floor = Fraction(ways[min(held, n_blanks)], total)
    assert told["p_value"] == pytest.approx(float(exact), rel=1e-9)
    assert told["p_floor"] == pytest.approx(float(floor), rel=1e-9)
    assert told["p_floor"] <= told["p_value"] * (1 + 1e-12) <= 1 + 1e-9
    assert (told["verdict"] == "contaminant") == (exact <= Fraction(1, 20))


def test_one_in_twenty_is_called_whatever_the_float_says():
    told = rows(controls(x=[1, 1, 1]), stools(3, x=0)).loc["x"]  # 1 / C(6, 3)
    assert told["p_value"] == pytest.approx(0.05)
    assert told["verdict"] == "contaminant"


def test_too_few_blanks_cannot_tell():
    told = rows(controls(x=[5, 5]), stools(4, x=0)).loc["x"]  # 1 / C(6, 2)
    assert told["verdict"] == "cannot be told"
    assert told["note"] == "of 2 blanks too few, or of stools too many, hold it: p cannot be below 0.067"


def test_a_taxon_of_nearly_every_stool_cannot_be_told_from_one_of_the_reagents_but_in_a_single_blank_it_is_kept():
    """Prevalence has nothing to say of what is everywhere; reads of stools that strayed into one blank are no contaminant."""
    blanks = controls(everywhere=[1, 1, 1, 1], strayed=[1, 0, 0, 0])
    told = rows(blanks, stools(20, everywhere=19, strayed=20))
    assert told.loc["everywhere", "verdict"] == "cannot be told"
    assert told.loc["strayed", "verdict"] == "kept"


def test_shares_are_of_all_reads_of_a_stool():
    samples = stools(8, Ralstonia=1)
    told = contaminant_table(controls(Ralstonia=[9] * 5, gut=[1, 0, 0, 0, 0]), samples)
    assert told.set_index("taxon")["largest_share"].to_dict() == {"Ralstonia": 0.01, "gut": 1.0}
    lost = contaminated_samples(told, samples).set_index("sample_id")
    assert lost.loc["S0"].to_dict() == {"contaminants": 1, "share": 0.01}
    assert lost.loc["S1":, "share"].eq(0).all()
    assert len(lost) == 8


def test_taxa_are_named_alike_or_nothing_is_called():
    told = rows(controls(g__Ralstonia=[9, 9, 9, 9]), stools(9, Ralstonia=0))
    assert told["verdict"].tolist() == ["cannot be told"]
    assert told["note"].tolist() == [OTHER_NAMES]


def test_a_blank_without_reads_is_a_blank_and_a_taxon_without_reads_in_blanks_has_no_row():
    told = rows(controls(x=[3, 0, 0, 0], absent=[0, 0, 0, 0]), stools(5, x=0))
    assert told.index.tolist() == ["x"]
    assert told.loc["x", "blanks"] == 4


def test_nothing_to_compare_is_an_empty_table():
    for blanks, samples in (
        (controls(x=[0, 0]), stools(3)),
        (controls(x=[1]), {}),
        (controls(), stools(3)),
        (pd.DataFrame(index=pd.Index(["x"], name="taxon")), stools(3)),
    ):
        told = contaminant_table(blanks, samples)
        assert told.empty
        assert contaminated_samples(told, samples)["share"].eq(0).all()


def test_a_stool_without_reads_and_a_taxon_listed_twice_are_borne():
    samples = stools(6, x=0) | {"empty": pd.DataFrame({"taxon": ["x", "gut"], "value": [0.0, 0.0]})}
    twice = pd.concat([controls(x=[1, 1, 0, 0]), controls(x=[0, 0, 1, 1])])
    told = contaminant_table(twice, samples).set_index("taxon").loc["x"]
    assert (told["in_blanks"], told["samples"], told["in_samples"]) == (4, 7, 0)


@settings(max_examples=8, deadline=None)
@given(st.randoms())
def test_the_order_of_taxa_blanks_and_stools_plays_no_part(random):
    values = np.random.default_rng(1).integers(0, 3, size=(6, 4))
    blanks = controls(**{f"t{number}": row.tolist() for number, row in enumerate(values)})
    samples = stools(7, t0=0, t1=2, t2=5, t4=1)
    told = contaminant_table(blanks, samples)
    taxa, columns, names = list(blanks.index), list(blanks.columns), list(samples)
    for part in (taxa, columns, names):
        random.shuffle(part)
    other = contaminant_table(blanks.loc[taxa, columns], {name: samples[name].iloc[::-1] for name in names})
    pd.testing.assert_frame_equal(told, other)


def test_taxa_that_blanks_and_stools_hold_alike_are_called_no_oftener_than_the_level():
    random = np.random.default_rng(5)
    taxa = 2_000
    blanks = pd.DataFrame(random.random((taxa, 6)) < 0.3, index=[f"t{n}" for n in range(taxa)]).astype(int)
    seen = random.random((taxa, 30)) < 0.3
    samples = {f"S{n}": pd.DataFrame({"taxon": blanks.index, "value": seen[:, n].astype(float)}) for n in range(30)}
    called = (contaminant_table(blanks, samples)["verdict"] == "contaminant").sum() / taxa
    assert called <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / taxa)


def test_the_step_says_nothing_without_blanks_and_names_contaminants_with_them(tmp_path):
    inputs = {}
    for name, piece in stools(6, Ralstonia=1).items():
        inputs[f"piece:{name}"] = tmp_path / f"{name}.parquet"
        write_table(piece, inputs[f"piece:{name}"])
    assert contaminant_step(inputs, tmp_path) == {"blanks": 0, "contaminants": 0}
    assert read_table(tmp_path / "contaminants.parquet").empty
    assert read_table(tmp_path / "contaminated_samples.parquet").empty
    inputs["blanks"] = tmp_path / "blanks.parquet"
    write_table(controls(Ralstonia=[9, 9, 9, 9, 9]).reset_index(), inputs["blanks"])
    assert contaminant_step(inputs, tmp_path) == {"blanks": 5, "contaminants": 1}
    CONTAMINANTS.check(read_table(tmp_path / "contaminants.parquet"))
    lost = read_table(tmp_path / "contaminated_samples.parquet").set_index("sample_id")
    assert lost["share"].to_dict() == {"S0": 0.01} | {f"S{number}": 0.0 for number in range(1, 6)}
