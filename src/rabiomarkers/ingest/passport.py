"""What a matrix is: its scale found out by looking, so that a step never computes on another than it needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rabiomarkers.ingest.findings import Findings, named

LARGEST_LOG = 40.0  # 2**40 reads is more than any library: a fractional sample that stays below is logarithmic
TPM_TOTAL = 1_000_000.0
WHOLE_TRANSCRIPTOME = 10_000  # genes; so many hold nearly all of a million TPM
# Of 118 tumours (Riaz 2017, counts per million of 22 333 genes) 2**ln(x + 1) - 1 sums to 0.09 to 0.22 million, 2**log10 to 0.03
LEAST_TOTAL = 250_000.0

type ExpressionScale = Literal["counts", "tpm", "log", "negative", "fractional"]
type AbundanceScale = Literal["counts", "percent", "fractions", "fractional", "empty"]


@dataclass(frozen=True, kw_only=True)
class Look:
    """What the values of one sample look like."""

    values: int
    total: float
    minimum: float
    maximum: float
    whole: float  # share of the values that are whole numbers, 0 to 1

    def __str__(self) -> str:
        return f"{self.minimum:.4g} to {self.maximum:.4g}, sum {self.total:.6g}, {1 - self.whole:.0%} not whole"


def look(values: ArrayLike) -> Look:
    """Look at one sample's values; all must be finite."""
    numbers = np.asarray(values, dtype=np.float64)
    if numbers.size == 0:
        return Look(values=0, total=0.0, minimum=0.0, maximum=0.0, whole=1.0)
    return Look(
        values=numbers.size,
        total=float(numbers.sum()),
        minimum=float(numbers.min()),
        maximum=float(numbers.max()),
        whole=float((numbers == np.floor(numbers)).mean()),
    )


def expression_scale(seen: Look) -> ExpressionScale:
    """Counts are whole; log values have fractions and stay small; TPM sum to a million.

    `fractional` is what remains: expected counts of a quantifier, FPKM, or counts divided by a size factor.
    """
    if seen.minimum < 0:
        return "log" if seen.maximum <= LARGEST_LOG and seen.whole < 1 else "negative"
    if seen.whole == 1:
        return "counts"
    if seen.maximum <= LARGEST_LOG:
        return "log"
    return "tpm" if abs(seen.total - TPM_TOTAL) <= 0.01 * TPM_TOTAL else "fractional"


def abundance_scale(seen: Look) -> AbundanceScale:
    """Fractions sum to 1 at most, percentages to 100, rounding allowed for; counts are whole and are not capped.

    Whole numbers that sum to 100 or less may be either; they are called percentages here, and `check_abundance` lets the
    declaration decide.
    """
    if seen.total == 0:
        return "empty"
    if seen.total <= 1.001:
        return "fractions"
    if seen.total <= 100.5:
        return "percent"
    return "counts" if seen.whole == 1 else "fractional"


type TpmFiles = Literal["tpm", "fpkm", "log2_tpm"]

DONE: Mapping[TpmFiles, str] = {
    "tpm": "",
    "fpkm": "each sample divided by its sum, times a million",
    "log2_tpm": "logarithm undone: 2 to the value, less one",
}
"""What is done to the values of a file of `rna_tpm`, by what it holds, so that they are TPM."""


def check_expression(looks: Mapping[str, Look], assay: str, findings: Findings, *, estimated: bool = False) -> None:
    """Note the samples that are not on the scale that `assay` (`rna_counts`, `rna_tpm`) declares.

    Fractional counts are accepted where the values are those of a quantifier (`estimated`) or too large for logarithms.
    """
    scales = {sample: expression_scale(seen) for sample, seen in looks.items()}
    found = {scale: [sample for sample, each in scales.items() if each == scale] for scale in set(scales.values())}
    if assay == "rna_counts":
        wrong = {
            "log": ("values that look like log2", "raw counts: whole numbers", "supply the raw counts, not log values"),
            "tpm": (
                "values that sum to a million, so TPM or CPM",
                "raw counts: whole numbers",
                "supply the raw counts, or declare the assay rna_tpm",
            ),
        }
        if estimated:
            wrong = {}
    else:
        wrong = {
            "log": (
                "values that look like log2",
                "TPM, not logarithms",
                "supply TPM without the logarithm, or, where they are log2(TPM + 1), say `expression: tpm_files: log2_tpm`",
            ),
            "counts": (
                "whole numbers, so counts",
                "TPM, which sum to a million",
                "declare the assay rna_counts, or supply TPM",
            ),
            "fractional": (
                "a sum above a million",
                "TPM, which sum to a million",
                "supply TPM, not counts or CPM; where they are FPKM, say `expression: tpm_files: fpkm`",
            ),
        }
        found |= {
            "counts": [name for name in found.get("counts", []) if not _rounded_tpm(looks[name])],
            "fractional": [name for name in found.get("fractional", []) if looks[name].total > 1.01 * TPM_TOTAL],
        }
    for scale, (told, expected, remedy) in wrong.items():
        if samples := found.get(scale):  # type: ignore[call-overload]
            findings.add(_told(told, samples, looks), expected, remedy)


def to_tpm(
    values: NDArray[np.float64], samples: Sequence[str], held: TpmFiles, findings: Findings
) -> NDArray[np.float64]:
    """Genes x samples as TPM, from what the file is said to hold; what does not look like it is noted.

    FPKM divided by their sum are exactly TPM, as both divide by the same lengths (Wagner et al. 2012,
    doi:10.1007/s12064-012-0162-3).
    """
    looks = {name: look(column) for name, column in zip(samples, values.T, strict=True)}
    seen = {name: expression_scale(each) for name, each in looks.items()}
    if held == "fpkm":
        found = {"log": "values that look like log2", "counts": "whole numbers, so counts"}
        for scale, told in found.items():
            if odd := [name for name, each in seen.items() if each == scale and looks[name].total > 0]:
                findings.add(_told(told, odd, looks), "FPKM", "correct `expression: tpm_files`, or supply FPKM")
        totals = values.sum(axis=0)
        return np.divide(values * TPM_TOTAL, totals, out=np.zeros_like(values), where=totals > 0)
    odd = [name for name, each in looks.items() if each.minimum < 0 or each.maximum > LARGEST_LOG]
    if odd:
        told = _told("values that are no log2(TPM + 1)", odd, looks)
        findings.add(told, "values from 0 to 20", "correct `expression: tpm_files`, or supply log2(TPM + 1)")
        return values
    undone = np.exp2(values) - 1
    odd = [name for name, total in zip(samples, undone.sum(axis=0), strict=True) if total > 1.05 * TPM_TOTAL]
    if odd:
        told = f"without the logarithm the values of {len(odd)} samples ({named(odd)}) sum to more than a million"
        findings.add(told, "log2(TPM + 1)", "they are logarithms of something else: supply TPM")
    totals = undone.sum(axis=0) if len(undone) >= WHOLE_TRANSCRIPTOME else np.zeros(0)
    odd = [name for name, total in zip(samples, totals, strict=False) if 0 < total < LEAST_TOTAL]
    if odd:
        told = (
            f"2 to the values, less one, sums to less than a quarter of a million in {len(odd)} samples ({named(odd)})"
        )
        findings.add(told, "log2(TPM + 1)", "natural logarithms, or of FPKM? supply TPM without the logarithm")
    return np.asarray(undone, dtype=np.float64)


def _rounded_tpm(seen: Look) -> bool:
    return seen.total == 0 or abs(seen.total - TPM_TOTAL) <= 0.01 * TPM_TOTAL


def check_abundance(looks: Mapping[str, Look], assay: str, findings: Findings) -> None:
    """Note the samples that are not on the scale that `assay` (`taxa_counts`, `taxa_relabund`) declares."""
    scales = {sample: abundance_scale(seen) for sample, seen in looks.items()}
    counts, relative = "read counts: whole numbers", "percentages (sum 100) or fractions (sum 1)"
    told: dict[str, tuple[str, str, str]]
    if assay == "taxa_counts":
        told = {
            "percent": ("relative abundances in percent", counts, "declare the assay taxa_relabund, or supply counts"),
            "fractions": ("relative abundances", counts, "declare the assay taxa_relabund, or supply counts"),
            "fractional": ("numbers that are not whole", counts, "supply the counts before any normalisation"),
        }
        # few reads sum to 1 or 100, too
        scales = {name: "counts" if looks[name].whole == 1 else scale for name, scale in scales.items()}
    else:
        told = {
            "counts": ("whole numbers, so read counts", relative, "declare the assay taxa_counts"),
            "fractional": ("sums that are neither", relative, "supply relative abundances; no logarithms, no RPKM"),
        }
    for scale, (found, expected, remedy) in told.items():
        if samples := [sample for sample, each in scales.items() if each == scale]:
            findings.add(_told(found, samples, looks), expected, remedy)
    kinds = {scale for scale in scales.values() if scale in ("percent", "fractions")}
    if assay == "taxa_relabund" and len(kinds) > 1:
        fractions = [sample for sample, scale in scales.items() if scale == "fractions"]
        found = f"percentages in some samples and fractions in {named(fractions)}"
        findings.add(found, "one scale in a file", "supply the whole file in percent or in fractions")


def _told(what: str, samples: list[str], looks: Mapping[str, Look]) -> str:
    return f"{what} in {len(samples)} of {len(looks)} samples ({named(samples)}; {samples[0]}: {looks[samples[0]]})"
