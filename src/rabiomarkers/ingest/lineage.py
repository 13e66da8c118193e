"""What taxa are and how they are related: lineage tables and Newick trees."""

import io
import re
import warnings
from collections import Counter
from collections.abc import Collection, Iterable
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from rabiomarkers.ingest.archives import artifact_member
from rabiomarkers.ingest.delimited import ZIP, Delimited, delimited_of, read_bytes, read_delimited, read_text
from rabiomarkers.ingest.findings import Findings, named

if TYPE_CHECKING:
    from skbio import TreeNode

RANKS = "kpcofgst"
RANK_TITLES = ("kingdom", "phylum", "class", "order", "family", "genus", "species", "strain")
LINEAGE_TITLES = ("lineage", "taxon", "taxonomy", "consensus lineage", "consensuslineage")


def lineage(parts: Iterable[object]) -> str:
    """Names from the kingdom down as ``k__Bacteria;p__Firmicutes;...``; parts that bear their rank already keep it."""
    written = []
    for rank, part in zip(RANKS, parts, strict=False):
        text = str(part).strip().replace("d__", "k__", 1)
        if text and text.lower() not in ("nan", "none"):
            written.append(text if re.match(r"[a-z]{1,3}__", text) else f"{rank}__{text}")
    return ";".join(written)


def split_lineage(text: str) -> list[str]:
    """The parts of a lineage separated by ``;`` or ``|``."""
    return [part.strip() for part in re.split(r"[;|]", text) if part.strip()]


def read_taxonomy(path: Path, *, label: str) -> "pd.Series[str]":
    """Lineage by taxon.

    Parameters
    ----------
    path
        CSV, TSV or QIIME 2 artifact: first column the taxon as in the abundance table, then either one column with the whole
        lineage (`lineage`, `Taxon`, `taxonomy`) or one column for each rank (kingdom or domain, phylum, ... species).
    label
        How the file is called in problems.

    Raises
    ------
    InputError
        Every problem of the file.
    """
    findings = Findings(label)
    table = _opened(path, label, findings)
    texts = table.texts()
    titles = ["kingdom" if title.lower() in ("domain", "superkingdom") else title.lower() for title in table.header]
    whole = next((titles.index(title) for title in LINEAGE_TITLES if title in titles[1:]), None)
    ranks = [titles.index(title, 1) if title in titles[1:] else None for title in RANK_TITLES]
    if whole is None and not any(ranks):
        findings.fail(
            f"columns {named(table.header, limit=8)}",
            "a column `lineage`, or a column for each rank (kingdom, phylum, ... species)",
            "name the columns so",
            row=table.header_line,
        )
    for line, taxon in texts.loc[texts[0].duplicated(), 0].items():
        findings.add(f"{taxon!r} a second time", "each taxon once", "remove one", row=int(str(line)), column=titles[0])
    findings.raise_if_any()
    if whole is not None:
        lineages = [lineage(split_lineage(text)) for text in texts[whole]]
    else:
        columns = [[""] * len(texts) if at is None else texts[at].to_list() for at in ranks]
        lineages = [lineage(parts) for parts in zip(*columns, strict=True)]
    return pd.Series(lineages, index=pd.Index(texts[0]), dtype=str)


def _opened(path: Path, label: str, findings: Findings) -> Delimited:
    """The table; of a QIIME 2 artifact the one in it."""
    content = read_bytes(path, label)
    if not content.startswith(ZIP):
        return read_delimited(path, label=label)
    _, inside = artifact_member(content, {"taxonomy.tsv": "a taxonomy"}, findings, types=["FeatureData[Taxonomy]"])
    return delimited_of(inside, label=label)


def check_tree(path: Path, *, label: str, taxa: Collection[str]) -> None:
    """Check that the Newick tree has a tip for every taxon that was counted.

    Underscores in names are kept as they are, quoted or not.

    Raises
    ------
    InputError
        The file is no Newick tree, lacks tips (how many, and the first of them), has one twice, or has branches without a
        length that can be summed.
    """
    from skbio import TreeNode  # takes a second to load: only where there is a tree
    from skbio.io import IOSourceError, NewickFormatError, UnrecognizedFormatError

    findings = Findings(label)
    text = read_text(path, label)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the sniffer's doubts; the parser's verdict follows
            tree = TreeNode.read(io.StringIO(text), format="newick", convert_underscores=False)
    except (NewickFormatError, UnrecognizedFormatError, IOSourceError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else "it breaks off"
        findings.fail(f"no complete Newick tree ({reason})", "a Newick tree ending in ';'", "export the tree again")
    _check_branches(tree, taxa, findings)
    tips = {str(tip.name) for tip in tree.tips()}
    missing = sorted(set(taxa) - tips)
    if missing:
        findings.fail(
            f"no tip for {len(missing):,} of {len(set(taxa)):,} taxa that were counted: {named(missing)}",
            "a tip for every taxon with reads, named as in the abundance table",
            "use the tree made from the same features, or leave the tree out",
        )


def _check_branches(tree: "TreeNode", taxa: Collection[str], findings: Findings) -> None:
    """Raise where branch lengths cannot be summed, as Faith's diversity does: it would come out as 0 or as nonsense."""
    tips = [tip for tip in tree.tips() if str(tip.name) in set(taxa)]
    lengths = [node.length for node in tree.preorder(include_self=False)]
    repeated = [name for name, times in Counter(str(tip.name) for tip in tips).items() if times > 1]
    if repeated:
        findings.add(f"tips of the same name: {named(repeated)}", "each tip once", "remove or rename them")
    absent = [str(tip.name) for tip in tips if tip.length is None]
    if absent:
        findings.add(
            f"no branch length at {len(absent):,} of {len(tips):,} tips: {named(absent)}",
            "a tree with branch lengths",
            "export the tree with them, or leave the tree out: without lengths there is no phylogenetic diversity",
        )
    wrong = [length for length in lengths if length is not None and not 0 <= length < inf]
    if wrong:
        findings.add(
            f"{len(wrong):,} branch lengths that are negative or no number: {named(wrong)}",
            "lengths of 0 or more",
            "root and export the tree again; a small negative length of neighbour joining is set to 0",
        )
    findings.raise_if_any()
