"""The knowledge tables that ship, and what a scientist who edits one is told."""

from pathlib import Path

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rabiomarkers.errors import InputError, RabiomarkersError
from rabiomarkers.features.scoring.formulas import ELSEWHERE
from rabiomarkers.features.signatures import signature_step
from rabiomarkers.files import read_table, write_table
from rabiomarkers.knowledge import (
    load_aliases,
    load_axes,
    load_ensembl,
    load_historical,
    load_markers,
    load_pairs,
    load_rules,
    load_signatures,
    load_taxa,
)
from rabiomarkers.schema import config_path

LOADERS = {
    "signatures/gene_signatures.csv": load_signatures,
    "signatures/gene_aliases.csv": load_aliases,
    "markers/immune_markers.csv": load_markers,
    "taxa/microbes.csv": load_taxa,
    "historical/clinical_reference.csv": load_historical,
    "signatures/gene_pairs.csv": load_pairs,
    "signatures/axes.csv": load_axes,
    "signatures/ensembl_genes.csv": load_ensembl,
}

SIGNATURES = "signature,gene,direction,weight,compartment,axis,evidence,verification,source,note"
MARKERS = "cell_type,parent,kind,marker,hgnc,sign,level,modality,compartment,source,verification,note"
GOOD = "MINE,CYP26A1,1,1.0,both,ra_response,human_cells,memory,PMID:10976925,-"


def written(folder: Path, header: str, *rows: str) -> Path:
    path = folder / "edited.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def told(load, path: Path) -> list[str]:
    with pytest.raises(InputError) as error:
        load(path)
    return [str(problem) for problem in error.value.problems]


# Row counts of the curated tables (their README) and the 16 of RA_RESPONSE_DIRECT; scientists may add rows.
@pytest.mark.parametrize(
    ("relative", "rows"), list(zip(LOADERS, [2497 + 16, 4437, 708, 139, 24, 15, 13, 19_000], strict=True))
)
def test_every_table_that_ships_is_read_whole(relative, rows):
    assert len(LOADERS[relative](config_path(relative))) >= rows


@pytest.mark.parametrize("relative", LOADERS)
def test_every_row_that_ships_has_a_source(relative):
    source = pd.read_csv(config_path(relative), dtype=str)["source"]
    assert not source.isin(["", "-"]).any()
    assert source.notna().all()


@pytest.mark.parametrize("relative", LOADERS)
def test_shipped_files_have_unix_line_ends_and_no_byte_order_mark(relative):
    content = config_path(relative).read_bytes()
    assert b"\r" not in content
    assert not content.startswith(b"\xef\xbb\xbf")


def test_the_direct_targets_are_the_core_without_what_rises_with_infiltration():
    table = load_signatures(config_path("signatures/gene_signatures.csv"))
    genes = {name: set(group["gene"]) for name, group in table.groupby("signature")}
    assert genes["RA_RESPONSE_CORE"] - genes["RA_RESPONSE_DIRECT"] == {"ASB2", "CD38", "PLAAT4", "TGM2"}
    assert genes["RA_RESPONSE_DIRECT"] < genes["RA_RESPONSE_CORE"]


def test_an_old_symbol_leads_to_the_one_in_use():
    assert load_aliases(config_path("signatures/gene_aliases.csv"))["RARRES3"] == "PLAAT4"


def test_empty_taxonomy_ids_stay_empty_and_the_others_whole():
    taxa = load_taxa(config_path("taxa/microbes.csv"))
    assert taxa["ncbi_taxid"].dtype == "Int64"
    assert taxa["ncbi_taxid"].isna().sum() == 6  # README of the tables: no NCBI name matched


def test_a_file_that_does_not_ship_is_named():
    with pytest.raises(RabiomarkersError, match=r"nowhere\.csv"):
        config_path("signatures/nowhere.csv")


def test_a_scientist_may_add_a_signature_in_any_order_with_an_empty_note(tmp_path):
    path = written(tmp_path, SIGNATURES, GOOD.replace("CYP26A1", "STRA6").removesuffix("-"), GOOD)
    table = load_signatures(path)
    assert table["gene"].tolist() == ["CYP26A1", "STRA6"]
    assert table["note"].tolist() == ["-", "-"]
    assert table["weight"].dtype == "float64"


def test_a_spreadsheet_export_with_byte_order_mark_and_windows_line_ends_is_read(tmp_path):
    path = tmp_path / "edited.csv"
    path.write_bytes(b"\xef\xbb\xbf" + f"{SIGNATURES}\r\n{GOOD}\r\n,,,,,,,,,\r\n".encode())
    assert load_signatures(path)["signature"].tolist() == ["MINE"]


def test_every_fault_is_told_at_once_with_its_place(tmp_path):
    path = written(
        tmp_path,
        SIGNATURES,
        GOOD,
        "MINE,STRA6,2,1.0,both,ra_response,human_cells,memory,PMID:1,-",
        'MINE,RARB,1,"1,0",both,ra_response,human_cells,memory,-,-',
        "MINE,,1,1.0,everywhere,ra_response,human_cells,memory,PMID:1,-",
        GOOD,
    )
    assert told(load_signatures, path) == [
        "edited.csv:3:direction: '2'; one of 1, -1, 0; correct it",
        "edited.csv:4:weight: '1,0'; a number; correct it (decimal point, no thousands sign)",
        "edited.csv:4:source: no source; where the row comes from; give a PMID, a DOI or a data set",
        "edited.csv:5:gene: the cell is empty; text; fill it in ('-' for nothing)",
        "edited.csv:5:compartment: 'everywhere'; one of tumour, blood, both; correct it",
        "edited.csv:6:gene: MINE / CYP26A1 stands in row 2 already; one row each; remove one",
    ]


@pytest.mark.parametrize(
    ("gene", "found"),
    [
        ("1-Mar", "'1-Mar' looks like a date"),
        ("Sep-02", "'Sep-02' looks like a date"),
        ("2024-03-01", "'2024-03-01' looks like a date"),
        ("ENSG00000095596", "'ENSG00000095596' is an Ensembl id"),
        ("CYP26A1 STRA6", "'CYP26A1 STRA6'"),
        ("5914", "'5914'"),
    ],
)
def test_genes_that_are_no_symbols_are_told(tmp_path, gene, found):
    (problem,) = told(load_signatures, written(tmp_path, SIGNATURES, GOOD.replace("CYP26A1", gene)))
    assert problem.startswith(f"edited.csv:2:gene: {found}; an HGNC gene symbol")


@pytest.mark.parametrize("symbol", ["MARCHF1", "SEPTIN2", "DEC1", "HLA-DRA", "C1orf54", "NKX2-1", "H2AC6", "MT-ND4L"])
def test_symbols_that_resemble_dates_are_symbols(tmp_path, symbol):
    path = written(tmp_path, SIGNATURES, GOOD.replace("CYP26A1", symbol))
    assert load_signatures(path)["gene"].tolist() == [symbol]


def test_a_misspelt_column_is_missing_and_unknown(tmp_path):
    problems = told(load_signatures, written(tmp_path, SIGNATURES.replace("direction", "dirction"), GOOD))
    assert [problem.split(";")[0] for problem in problems] == [
        "edited.csv:1:direction: the column is missing",
        "edited.csv:1:dirction: the column is not known",
    ]


def test_a_column_that_stands_twice_is_told(tmp_path):
    problems = told(load_signatures, written(tmp_path, f"{SIGNATURES},gene", f"{GOOD},STRA6"))
    assert [problem.split(";")[0] for problem in problems] == ["edited.csv:1:gene: the column occurs more than once"]


def test_semicolons_instead_of_commas_are_recognised(tmp_path):
    problems = told(load_signatures, written(tmp_path, SIGNATURES.replace(",", ";"), GOOD.replace(",", ";")))
    assert "use commas" in problems[0]


def test_a_row_with_a_cell_too_many_is_told(tmp_path):
    (problem,) = told(load_signatures, written(tmp_path, SIGNATURES, f"{GOOD},more"))
    assert problem == "edited.csv:2: 11 cells; 10 as in the header; quote a cell that holds a comma"


@pytest.mark.parametrize(
    ("content", "found"),
    [(b"", "the column is missing"), (f"{SIGNATURES}\n".encode(), "has no rows"), (b"\xff\xfe\x00a", "not UTF-8")],
)
def test_files_that_cannot_be_tables_are_told(tmp_path, content, found):
    path = tmp_path / "edited.csv"
    path.write_bytes(content)
    assert found in told(load_signatures, path)[0]


def test_a_file_that_is_not_there_is_told(tmp_path):
    assert told(load_signatures, tmp_path / "gone.csv")[0].startswith("gone.csv: there is no such file")


def test_a_signature_beyond_200_genes_a_negative_weight_and_a_name_with_a_colon_are_told(tmp_path):
    long = [GOOD.replace("CYP26A1", f"GENE{number}") for number in range(201)]
    odd = GOOD.replace("MINE", "A:B").replace("1.0", "-0.5")
    problems = told(load_signatures, written(tmp_path, SIGNATURES, *long, odd))
    assert [problem.split(";")[0] for problem in problems] == [
        "edited.csv:202:signature: MINE has more than 200 genes",
        "edited.csv:203:signature: 'A:B'",
        "edited.csv:203:weight: '-0.5'",
    ]


def test_an_alias_that_is_itself_a_symbol_is_told(tmp_path):
    path = written(tmp_path, "alias,gene,source", "PLAAT4,RARB,HGNC", "RARRES3,PLAAT4,HGNC")
    assert told(load_aliases, path) == [
        "edited.csv:2:alias: PLAAT4 is itself the symbol of a gene of this table; an unambiguous old name; remove the row"
    ]


def marker(cell_type: str, parent: str, gene: str = "CD3D") -> str:
    return f"{cell_type},{parent},type,{gene},{gene},+,-,rna,blood,PMID:1,memory,-"


def test_cell_types_form_a_tree(tmp_path):
    path = written(tmp_path, MARKERS, marker("a", "b"), marker("b", "a"), marker("c", "nowhere"), marker("d", "root"))
    assert [problem.split(";")[0] for problem in told(load_markers, path)] == [
        "edited.csv:2:parent: a is its own ancestor",
        "edited.csv:3:parent: b is its own ancestor",
        "edited.csv:4:parent: 'nowhere'",
    ]


def test_a_cell_type_has_one_parent(tmp_path):
    path = written(tmp_path, MARKERS, marker("a", "root"), marker("b", "root"), marker("a", "b", "CD4"))
    assert told(load_markers, path)[0].startswith("edited.csv:4:parent: a has the parents root and b")


def test_more_responders_than_patients_are_told(tmp_path):
    table = pd.read_csv(config_path("historical/clinical_reference.csv"), dtype=str, keep_default_na=False)
    table.loc[0, "responders"] = str(int(table.loc[0, "n"]) + 1)
    path = tmp_path / "edited.csv"
    table.to_csv(path, index=False)
    assert told(load_historical, path)[0].startswith("edited.csv:2:responders: ")


@pytest.mark.parametrize("rate", ["-0.1", "100.1"])
def test_a_rate_that_is_no_percentage_is_told(tmp_path, rate):
    table = pd.read_csv(config_path("historical/clinical_reference.csv"), dtype=str, keep_default_na=False)
    table.loc[1, "orr_pct"] = rate
    path = tmp_path / "edited.csv"
    table.to_csv(path, index=False)
    assert told(load_historical, path) == [f"edited.csv:3:orr_pct: '{rate}'; a percentage from 0 to 100; correct it"]


GENES = ["CYP26A1", "STRA6", "RARB", "DHRS3", "HIC1"]


@settings(deadline=None, max_examples=30)
@given(st.permutations(GENES))
def test_the_order_of_the_rows_does_not_matter(tmp_path_factory, order):
    path = written(tmp_path_factory.mktemp("order"), SIGNATURES, *(GOOD.replace("CYP26A1", gene) for gene in order))
    assert load_signatures(path)["gene"].tolist() == sorted(GENES)


CURATED = {
    "gene_signatures": "signatures/gene_signatures.csv",
    "gene_pairs": "signatures/gene_pairs.csv",
    "gene_aliases": "signatures/gene_aliases.csv",
    "immune_markers": "markers/immune_markers.csv",
    "microbes": "taxa/microbes.csv",
    "clinical_reference": "historical/clinical_reference.csv",
}


@pytest.mark.parametrize("name", CURATED)
def test_every_curated_fact_ships_with_its_source_and_evidence(shared_data, name):
    """The tables beside the public data; ours may hold more rows, and notes in other words."""
    options = {"dtype": str, "keep_default_na": False}
    theirs = pd.read_csv(shared_data.parent / "knowledge" / f"{name}.tsv", sep="\t", **options)
    ours = pd.read_csv(config_path(CURATED[name]), **options)
    facts = [column for column in theirs.columns if column != "note"]
    assert set(facts) <= set(ours.columns)
    missing = theirs[facts].merge(ours[facts].drop_duplicates(), how="left", indicator=True)["_merge"] != "both"
    assert missing.sum() == 0


def test_every_curated_rule_ships_and_says_the_same(shared_data):
    """Theirs in steps of words, ours in forms: the same scores and sources, and the numbers that the steps name."""
    theirs = yaml.safe_load((shared_data.parent / "knowledge" / "scoring_rules.yaml").read_text())["scores"]
    ours = load_rules()
    assert set(theirs) <= set(ours)
    for name, rule in theirs.items():
        assert ours[name]["source"] == rule["source"]
        assert ours[name]["verification"] == rule["verification"]
        logarithms = str(rule["input"]).startswith("log2")
        assert (ours[name]["input"] == "log2_tpm") == logarithms
        steps = " ".join(rule["steps"])
        own = ours[name]
        numbers = [own.get("offset"), own.get("minus"), own.get("total"), *own.get("numbers", {}).values()]
        assert all(str(number) in steps for number in numbers if number is not None)
        assert ("add 0.01" in steps) == ("offset" in own)
        assert ("subtract" in steps) == ("minus" in own)
        assert ("rescale by" in steps) == ("total" in own)


def test_every_score_of_the_rules_is_a_signature_or_pairs_that_ship():
    known = {*load_signatures()["signature"], *load_pairs()["score"]}
    rules = load_rules()
    elsewhere = {name for name, rule in rules.items() if rule["form"] in ELSEWHERE}
    assert set(rules) - elsewhere <= known
    assert elsewhere == {"TOPOSCORE", "signed_mean_z"}
    assert {rule["minus"] for rule in rules.values() if "minus" in rule} <= known


def test_a_signature_added_by_rows_is_scored(tmp_path):
    """End to end: rows in a copy of the table, and nothing else, make a feature."""
    shipped = config_path("signatures/gene_signatures.csv").read_text()
    rows = [f"MY_TARGETS,{gene},1,1.0,tumour,ra_response,expert,memory,PMID:10976925,-" for gene in ("G1", "G2")]
    (tmp_path / "gene_signatures.csv").write_text(shipped + "\n".join(rows) + "\n")
    piece = pd.DataFrame(
        {"gene": [f"G{place}" for place in range(20)], "value": [float(20 - place) for place in range(20)]}
    )
    piece.attrs["passport"] = {"scale": "counts"}
    write_table(piece, tmp_path / "sample.parquet")
    signature_step(
        {"sample": tmp_path / "sample.parquet", "signatures": tmp_path / "gene_signatures.csv"},
        tmp_path,
        names=["MY_TARGETS"],
        methods=["rank", "mean", "ssgsea"],
        minimum_coverage=0.6,
        minimum_library_size=0,
        minimum_genes=1,
    )
    features = read_table(tmp_path / "features.parquet").set_index("feature")["value"]
    assert set(features.index) == {"MY_TARGETS", "MY_TARGETS:mean", "MY_TARGETS:ssgsea"}
    assert features["MY_TARGETS"] == pytest.approx((18.5 - 1.5) / 18)  # ranks 18 and 19 of 20: 17 / 18


def test_every_axis_names_a_signature_that_ships():
    axes = load_axes()
    assert set(axes["signature"]) <= set(load_signatures()["signature"])
    assert set(axes.loc[axes["axis"] == "availability", "use"]) == {"before"}
    assert set(axes.loc[axes["axis"] != "availability", "use"]) == {"change"}


def test_the_arms_of_peroxidation_are_parts_of_the_whole():
    table = load_signatures()
    genes = {name: set(rows["gene"]) for name, rows in table.groupby("signature")}
    arms = [genes[f"PEROXIDATION_{arm}"] for arm in ("OXIDISED_LIPID", "DEFENCE", "ROS")]
    assert sum(map(len, arms)) == len(set.union(*arms))
    whole = table[table["signature"] == "MACROPHAGE_LIPID_PEROXIDATION"].set_index("gene")["direction"]
    inside = set(whole.index)
    assert all(arm & inside for arm in arms)
    assert (whole[sorted(arms[1] & inside)] == -1).all()  # defence counts downwards in the whole


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("scores: [", "no readable YAML"),
        ("- a\n", "no scores"),
        ("scores: {MINE: {form: mean, input: tpm}}\n", "rules.yaml:MINE.source"),
        ("scores: {MINE: {source: me}}\n", "rules.yaml:MINE.form"),
        ("scores: {MINE: {source: me, form: mean}}\n", "rules.yaml:MINE.input"),
    ],
)
def test_rules_that_cannot_be_used_are_refused(tmp_path, text, told):
    (tmp_path / "rules.yaml").write_text(text)
    with pytest.raises(InputError) as raised:
        load_rules(tmp_path / "rules.yaml")
    assert told in str(raised.value)
