"""The numbers in the words on methods: up to where tests count every way, as the tests themselves have it."""

from collections.abc import Mapping

from rabiomarkers.change.immune import FEWEST
from rabiomarkers.report.words import number
from rabiomarkers.stats import competitive, matching, two_groups
from rabiomarkers.stats.moderated import MINIMUM_FEATURES
from rabiomarkers.stats.paired import EXACT_FLIPS, EXACT_RANKS
from rabiomarkers.stats.parts import EXACT_WHOLE
from rabiomarkers.stats.patient_effects import EXACT_LABELLINGS
from rabiomarkers.stats.permanova import EXACT_WAYS
from rabiomarkers.stats.rank_correlation import EXACT_PAIRS

EXACT: Mapping[str, int | str] = {
    "signed_rank": EXACT_RANKS,
    "sign_flip": EXACT_FLIPS,
    "rank_sum": two_groups.EXACT_PATIENTS,
    "orders": EXACT_PAIRS,
    "whole": EXACT_WHOLE,
    "swaps": EXACT_WAYS.bit_length() - 1,  # 2**n ways of n pairs
    "labellings": number(EXACT_LABELLINGS),
    "matchings": matching.EXACT_PATIENTS,
    "shared_features": MINIMUM_FEATURES,
    "adjustment": FEWEST,
    "gene_flips": competitive.ALL_FLIPS_TO,
    "gene_draws": f"{competitive.FLIPS:,}".replace(",", " "),
    "gene_correlation": f"{competitive.CORRELATION:g}",
}
