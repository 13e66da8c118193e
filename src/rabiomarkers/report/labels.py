"""Features, responses and rule sets in plain words. The name itself stays beside them on the page, as it is what one queries."""

import re

CELLS = {
    "ASDC": "AXL+ dendritic cells",
    "B_intermediate": "intermediate B cells",
    "B_memory": "memory B cells",
    "B_naive": "naive B cells",
    "B_transitional": "transitional B cells",
    "CD4_CTL": "cytotoxic CD4 T cells",
    "CD4_TCM": "CD4 central memory T cells",
    "CD4_TEM": "CD4 effector memory T cells",
    "CD4_naive": "naive CD4 T cells",
    "CD8_TCM": "CD8 central memory T cells",
    "CD8_TEM": "CD8 effector memory T cells",
    "CD4_T": "CD4 T cells",
    "CD4_TEMRA": "CD4 terminally differentiated effector T cells",
    "CD4_activated": "activated CD4 T cells (CD38+ HLA-DR+)",
    "CD8_T": "CD8 T cells",
    "CD8_activated": "activated CD8 T cells (CD38+ HLA-DR+)",
    "CD8_GZMBpos": "CD8 T cells with granzyme B",
    "CD8_PD1pos": "CD8 T cells with PD-1",
    "CD8_PD1pos_Ki67pos": "dividing CD8 T cells with PD-1",
    "T_cell": "T cells",
    "B_cell": "B cells",
    "B_CD20pos": "CD20+ B cells",
    "B_memory_switched": "class-switched memory B cells",
    "B_memory_unswitched": "unswitched memory B cells",
    "NK": "natural killer cells",
    "DC": "dendritic cells",
    "mDC": "myeloid dendritic cells",
    "monocyte": "monocytes",
    "leukocyte": "leukocytes",
    "lymphocyte": "lymphocytes",
    "M_MDSC": "monocytic myeloid-derived suppressor cells",
    "PMN_MDSC": "granulocytic myeloid-derived suppressor cells",
    "CD8_TEMRA": "CD8 terminally differentiated effector T cells",
    "CD8_naive": "naive CD8 T cells",
    "HSPC": "haematopoietic stem and progenitor cells",
    "ILC": "innate lymphoid cells",
    "MAIT": "mucosal-associated invariant T cells",
    "NK_CD56bright": "CD56-bright NK cells",
    "NK_CD56dim": "CD56-dim NK cells",
    "Treg": "regulatory T cells",
    "cDC1": "type 1 dendritic cells",
    "cDC2": "type 2 dendritic cells",
    "erythrocyte": "red blood cells",
    "gdT": "gamma-delta T cells",
    "mono_classical": "classical monocytes",
    "mono_intermediate": "intermediate monocytes",
    "mono_nonclassical": "non-classical monocytes",
    "neutrophil": "neutrophils",
    "pDC": "plasmacytoid dendritic cells",
    "plasmablast": "plasmablasts",
    "platelet": "platelets",
    "unassigned": "cells no marker could name",
}

NAMED = {
    "NLR": "neutrophils per lymphocyte",
    "PLR": "platelets per lymphocyte",
    "LMR": "lymphocytes per monocyte",
    "dNLR": "neutrophils per other leukocyte",
    "tcr_clonality": "clonality of T-cell receptors",
    "tcr_shannon": "Shannon diversity of T-cell receptors",
    "tcr_hill_1": "effective number of T-cell clones",
    "tcr_gini": "inequality of T-cell clones",
    "tcr_top10_share": "share of the ten largest T-cell clones",
    "tcr_richness": "number of T-cell clones",
    "SII": "platelets x neutrophils per lymphocyte",
    "sPD-L1": "soluble PD-L1",
    "shannon": "Shannon diversity of the stool",
    "inverse_simpson": "effective number of common taxa in stool",
    "pielou": "evenness of the stool",
    "chao1": "estimated number of taxa in stool (Chao1)",
    "ace": "estimated number of taxa in stool (ACE)",
    "fisher_alpha": "Fisher's alpha of the stool",
    "ra_producer_share": "taxa that make retinoic acid",
    "host_ra_inducer_share": "taxa that raise the host's retinoic acid",
    "pathobiont_share": "pathobionts",
    "ici_favourable_share": "species with response to checkpoint inhibitors",
    "ici_unfavourable_share": "species without response to checkpoint inhibitors",
    "toposcore": "TOPOSCORE",
    "toposcore_favourable": "TOPOSCORE on the favourable side",
    "akkermansia_share": "Akkermansia muciniphila",
    "provitamin_a_potential": "genes that make provitamin A",
    "retinal_production_potential": "genes that could make retinal",
    "retinal_production_potential_specific": "genes that make retinal (blh)",
    "retinal_consumption_potential": "genes that could use up retinal",
    "ra_production_potential": "genes that could make retinoic acid",
    "ra_production_potential_specific": "genes of retinal dehydrogenase",
    "ra_degradation_potential": "genes that could break down retinoic acid",
    "butyrate_potential": "genes that make butyrate",
    "trimethylamine_potential": "genes that make trimethylamine",
    "simpson": "Simpson diversity of the stool",
    "observed_taxa": "number of stool taxa",
    "faith_pd": "Faith's diversity of the stool, over the tree",
    "butyrate_producer_share": "share of butyrate-producing taxa",
    "ra_metaboliser_share": "share of taxa handling retinoic acid",
    "ra_metaboliser_balance": "taxa handling retinoic acid, against others",
    "ra_suppressor_share": "share of taxa suppressing retinoic acid",
    "purity_proxy": "tumour against immune and stromal cells (proxy of purity)",
    "epithelial_markers": "epithelium, mean of markers",
    "nnls_residual": "part of the tumour RNA that the profile of cell types does not explain",
    "RA_RESPONSE_CORE": "retinoic-acid target genes, core set",
    "RA_RESPONSE_DIRECT": "direct retinoic-acid target genes",
    "RA_RESPONSE_MACROPHAGE_LIPID_EFFLUX": "retinoid response of macrophages, lipid efflux",
    "RA_RESPONSE_MYELOID_ATRA": "tretinoin response of myeloid cells",
    "RA_RESPONSE_TCELL_GUT_HOMING": "gut-homing T cells, as retinoic acid makes them",
    "RA_AVAILABILITY_INDEX": "making against breaking down of retinoic acid",
    "RA_DEGRADATION": "breaking down of retinoic acid",
    "RA_RECEPTORS": "retinoic-acid receptors",
    "RA_SYNTHESIS_CORE": "making of retinoic acid",
    "RA_TRANSPORT_ROUTING": "transport of retinoic acid in the cell",
    "RA_UPTAKE_STORAGE": "uptake and storage of vitamin A",
    "MACROPHAGE_LIPID_PEROXIDATION": "lipid peroxidation in macrophages",
    "PEROXIDATION_DEFENCE": "defence against lipid peroxides",
    "PEROXIDATION_OXIDISED_LIPID": "making and oxidising of lipids in macrophages",
    "PEROXIDATION_ROS": "reactive oxygen of phagocytes",
    "PHAGOCYTE_NADPH_OXIDASE": "oxidative burst of phagocytes",
    "CYT_ROONEY_2015": "cytolytic activity",
    "TIS_AYERS_2017": "T-cell-inflamed tumour",
    "TIS_HOUSEKEEPING_AYERS_2017": "housekeeping genes of the T-cell-inflamed score",
    "IFNG6_AYERS_2017": "interferon-gamma response, 6 genes",
    "IFNG_EXPANDED18_AYERS_2017": "interferon-gamma response, 18 genes",
    "TEFF_IFNG_MARIATHASAN_2018": "effector T cells and interferon gamma",
    "PAN_F_TBRS_MARIATHASAN_2018": "TGF-beta response of fibroblasts",
    "APM_WANG_2019": "antigen presentation, MHC class I",
    "MHC2_PRESENTATION": "antigen presentation, MHC class II",
    "COX_IS_BONAVITA_2020": "tumour-promoting against tumour-inhibiting inflammation",
    "CXCL9_SPP1_POLARITY": "macrophage polarity, CXCL9 against SPP1",
    "M1_MACROPHAGE_CHENG_2021": "inflammatory (M1) macrophages",
    "M2_MACROPHAGE_CHENG_2021": "suppressive (M2) macrophages",
    "MDSC_BLOOD_HUMAN": "myeloid-derived suppressor cells",
    "DAVOLI_CYTOTOXIC_INFILTRATE": "cytotoxic infiltrate, Davoli",
    "DAVOLI_PROLIFERATION": "proliferation, Davoli",
    "ROH_IMMUNE_SCORE_2017": "immune score, Roh",
    "SADEFELDMAN_CD8_RESPONSE": "CD8 T cells of lesions that respond",
    "SADEFELDMAN_CD8_NONRESPONSE": "CD8 T cells of lesions that do not respond",
    "TCF7_STEMLIKE_CD8": "stem-like CD8 T cells",
    "T_CELL_EXHAUSTION_CORE": "exhausted T cells",
    "TREG_CORE": "regulatory T cells",
    "TLS12_CHEMOKINE": "tertiary lymphoid structures, chemokines",
    "TLS9_CABRITA_2020": "tertiary lymphoid structures, 9 genes",
}

COLLECTIONS = {
    "DANAHER": "Danaher",
    "MCPCOUNTER": "MCP-counter",
    "HALLMARK": "MSigDB Hallmark",
    "GOBP": "Gene Ontology",
    "REACTOME": "Reactome",
    "PID": "Pathway Interaction Database",
    "MSIGDB": "MSigDB",
}

RESPONSES = {
    "CR": "complete response",
    "PR": "partial response",
    "SD": "stable disease",
    "NON-CR/NON-PD": "no target lesion; the others neither gone nor worse",
    "PD": "progression",
    "NE": "not evaluable",
    "iCR": "complete response",
    "iPR": "partial response",
    "iSD": "stable disease",
    "NON-iCR/NON-iUPD": "no target lesion; the others neither gone nor worse",
    "iUPD": "progression, unconfirmed",
    "iCPD": "progression, confirmed",
}

RULE_SETS = {"recist-1.1": "RECIST 1.1", "admiralonco": "admiralonco", "irecist": "iRECIST"}

QUESTIONS = {
    "time": "Did the stool communities change from the first to the second timepoint?",
    "response": "Do the communities of responders differ from those of the others?",
    "response x time": "Did the communities of responders change otherwise than those of the others?",
    "dispersion": "Do the communities lie wider apart at one timepoint than at the other?",
    "own pairs against others": "Is a patient's second sample more like the own first one than like that of others?",
}

CONTEXT = {"mcp": "mean of markers", "nnls": "share of RNA"}
"""Immune context of bulk RNA: what the beginning of a feature's name means."""

SCALES = {
    "clr": "centred log-ratio of cell fractions",
    "fraction": "fraction of all cells",
    "gated_clr": "centred log-ratio of gated cells",
    "gated_fraction": "share of the gated parent",
    "leukocyte_fraction": "share of the leukocytes",
    "per_ul": "cells per microlitre",
}


def plain(feature: str) -> str:
    """What the feature is, in a few words; empty where its name is all that is known."""
    name, _, method = feature.partition(":")
    told = _told(name)
    return f"{told}, by {method} of genes" if told and method else told


def part(name: str) -> str:
    """A part of a composition in plain words; empty where its name is all that is known."""
    return CELLS.get(name, "")


def explained(feature: str) -> str:
    """As `plain`, with the scale where the name is a cell type's: one type has several features."""
    scale = next((words for start, words in SCALES.items() if feature.startswith(f"{start}_")), "")
    told = plain(feature)
    return f"{told}, {scale}" if told and scale else told


def described(feature: str) -> str:
    """The feature in running text: its plain words first, its name in brackets behind."""
    told = plain(feature)
    return f"{told} ({feature})" if told else feature


def _told(name: str) -> str:
    if name in NAMED:
        return NAMED[name]
    first, _, rest = name.partition("_")
    if first in CONTEXT and rest:
        return f"{_spoken(rest)}, {CONTEXT[first]}"
    if name.startswith("median_"):
        marker, _, cells = rest.partition("~")
        return f"{marker} on {CELLS.get(cells, cells.replace('_', ' '))}, median" if cells else ""
    for start in SCALES:
        if name.startswith(f"{start}_"):
            return CELLS.get(name.removeprefix(f"{start}_"), "")
    return f"{_spoken(rest)}, {COLLECTIONS[first]}" if first in COLLECTIONS and rest else ""


def _spoken(shouted: str) -> str:
    """``CD8_T_CELLS`` as "CD8 T cells": words without a digit in lower case, abbreviations as they are."""
    kept = {"T", "B", "NK", "DC", "RA", "PML", "RARA", "PARK", "XU", "ZIRN", "ROS", "RNS", "E2F"}
    words = [word if word in kept or re.search(r"\d", word) else word.lower() for word in shouted.split("_")]
    return " ".join(words)
