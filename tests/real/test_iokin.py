"""IO-KIN: T-cell receptors of eight patients at seven timepoints under anti-PD-1, and circulating tumour DNA with the response."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact, spearmanr

from rabiomarkers.change.repertoires import clone_tests, compare_repertoires
from rabiomarkers.features.repertoires import repertoire_features
from rabiomarkers.ingest.repertoires import read_repertoire
from rabiomarkers.stats.paired import signed_rank


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "iokin_hnscc_blood"


@pytest.fixture(scope="module")
def pieces(folder, tmp_path_factory):
    """The clones of MiXCR as an AIRR table, read back; a clone is a nucleotide sequence, as the authors count."""
    clones = pd.read_csv(folder / "tcr_trb_clones.csv.gz")
    genes = {
        name: clones[column].str.split(",").str[0].str.replace(r"\(.*", "", regex=True)
        for name, column in (("v_call", "allVHitsWithScore"), ("j_call", "allJHitsWithScore"))
    }
    table = pd.DataFrame(
        {
            "sample_id": clones["Patient_id"] + "_" + clones["Cycle"],
            **genes,
            "junction": clones["nSeqCDR3"],
            "junction_aa": clones["aaSeqCDR3"],
            "duplicate_count": clones["cloneCount"],
            "productive": "T",
        }
    )
    path = tmp_path_factory.mktemp("iokin") / "clones.tsv"
    table.to_csv(path, sep="\t", index=False)
    return read_repertoire(path, label="clones.tsv", sample_ids=sorted(set(table["sample_id"])), clone_by="nt")


@pytest.fixture(scope="module")
def hill(pieces):
    """Effective number of clones, patients x timepoints."""
    told = {
        name: repertoire_features(piece).set_index("feature").loc["tcr_hill_1", "value"]
        for name, piece in pieces.items()
    }
    table = pd.Series(told).rename_axis("sample").reset_index(name="value")
    table[["patient", "time"]] = table["sample"].str.rsplit("_", n=1, expand=True)
    return table.pivot(index="patient", columns="time", values="value")


def test_the_effective_number_of_clones_is_the_published_one(folder, hill):
    published = pd.read_csv(folder / "tcr_diversity_published.csv")
    wide = published[published["Order_q"] == 1].pivot(index="Patient_id", columns="Cycle", values="Diversity")
    both = pd.concat([hill.stack(), wide.stack()], axis="columns", keys=["ours", "published"]).dropna()
    assert len(both) >= 50
    assert spearmanr(both["ours"], both["published"]).statistic >= 0.9999
    assert (both["ours"] / both["published"] - 1).abs().max() < 0.05  # the authors extrapolate to unseen clones


def test_clonality_is_the_published_one(folder, pieces):
    published = pd.read_csv(folder / "tcr_clonality_published.csv")
    names = published["Patient_id"] + "_" + published["Cycle"]
    known = published.set_axis(names).loc[[name for name in names if name in pieces], "Shannon_Clonality"]
    ours = [
        repertoire_features(pieces[name]).set_index("feature").loc["tcr_clonality", "value"] for name in known.index
    ]
    assert len(known) >= 50
    assert ours == pytest.approx(known.tolist(), abs=0.005)


@pytest.mark.parametrize(("time", "risen", "p_value"), [("T3", 7, 0.015625), ("T4", 8, 0.0078125), ("T6", 5, 0.546875)])
def test_diversity_rises_in_eight_of_eight_by_day_15_and_is_back_by_day_29(hill, time, risen, p_value):
    change = np.log2(hill[time]) - np.log2(hill["T0"])
    told = signed_rank(change)
    assert (told.n, int((change > 0).sum())) == (8, risen)
    assert (told.p_value, told.p_floor) == (p_value, 0.0078125)


def test_a_rise_of_diversity_is_no_rise_of_clonality(pieces, hill):
    by_sample = {name: repertoire_features(piece).set_index("feature")["value"] for name, piece in pieces.items()}
    change = [
        by_sample[f"{name}_T4"]["tcr_clonality"] - by_sample[f"{name}_T0"]["tcr_clonality"] for name in hill.index
    ]
    assert np.median(change) < 0


def test_a_patients_own_repertoire_is_kept_and_another_patients_is_not(pieces):
    own, _ = compare_repertoires(pieces["LIB-25-0001_T0"], pieces["LIB-25-0001_T4"])
    other, _ = compare_repertoires(pieces["LIB-25-0001_T0"], pieces["LIB-25-0002_T4"])
    assert own["morisita_horn"].item() > 0.5
    assert other["morisita_horn"].item() < 0.01


def test_from_one_day_to_the_next_no_clone_is_called_though_reads_taken_for_cells_call_nearly_all(pieces, hill):
    """DNA of one tube gives some 700 reads a molecule: a clone seen once has hundreds of reads in one sample, none in the other."""
    called = 0
    for patient in hill.index:
        overlap, _ = compare_repertoires(pieces[f"{patient}_T0"], pieces[f"{patient}_T1"])
        called += int(overlap["n_expanded"].item() + overlap["n_contracted"].item())
        assert 300 <= float(overlap["note"].item().split()[0]) <= 1_200
    assert called == 0
    sides = [pieces[f"LIB-25-0012_{time}"].set_index("clone")["count"] for time in ("T0", "T1")]
    both = pd.concat(sides, axis="columns").fillna(0).to_numpy(np.int64)
    assert (clone_tests(both[:, 0], both[:, 1])["q_value"] <= 0.05).mean() > 0.9


def test_falling_circulating_tumour_dna_goes_with_no_progression(folder):
    clinical = pd.read_csv(folder / "clinical.csv")
    table = pd.crosstab(clinical["ctDNAShift"], clinical["BestResponse"] == "PD")
    assert table.loc["Decrease"].to_dict() == {False: 4, True: 0}
    assert table.loc["Increase"].to_dict() == {False: 3, True: 8}
    assert fisher_exact(table).pvalue == pytest.approx(0.026, abs=0.0005)
