"""What taxa are and how they are related: lineage tables and Newick trees."""

import io
import re
import warnings
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from rabiomarkers.ingest.archives import artifact_member
from rabiomarkers.ingest.delimited import ZIP, Delimited, delimited_of, read_bytes, read_delimited, text_of
from rabiomarkers.ingest.findings import Findings, named

if TYPE_CHECKING:
    from skbio import TreeNode

RANKS = "kpcofgst"
RANK_TITLES = ("kingdom", "phylum", "class", "order", "family", "genus", "species", "strain")
LINEAGE_TITLES = ("lineage", "taxon", "taxonomy", "consensus lineage", "consensuslineage")
TREES = ("Phylogeny[Rooted]", "Phylogeny[Unrooted]")

_PREFIX = re.compile(r"(?:D_(?P<level>\d{1,2})|(?P<rank>sk|[dkpcofgst]))__(?P<name>.*)", re.DOTALL)
_CONFIDENCE = re.compile(r"\(\d{1,3}(\.\d+)?\)$")  # of mothur
_NO_NAME = re.compile(
    r"(uncultured|unidentified|unclassified|unassigned|unknown|ambiguous|incertae|undefined|metagenome)([_ ].*)?"
    r"|.*[_ ]metagenome|nan?|n/a|none|null|-|_*",
    re.IGNORECASE,
)
"""What databases write where they have no name; taken for one, it would put taxa of many families together."""
_ABOVE = ("root", "r__root", "cellular organisms")
_EPITHET = re.compile(r"[a-z][a-z0-9/-]*")


def lineage(parts: Iterable[object]) -> str:
    """Names from the kingdom down as ``k__Bacteria;p__Bacillota;...``, ranks without a name left out.

    A part that bears its rank keeps it (``d__``, ``sk__`` and ``D_0__`` are the kingdom's; where domain and kingdom are both told,
    the domain counts); any other has the rank of its place. A species that is told by its epithet alone (``s__copri``) is called
    by its genus, too: other genera have species of that name.
    """
    texts = [_CONFIDENCE.sub("", str(part).strip()) for part in parts]
    while texts and texts[0].lower() in _ABOVE:
        texts = texts[1:]
    named: dict[str, str] = {}
    for place, text in enumerate(texts):
        rank, name = _ranked(text, place)
        if rank and not _NO_NAME.fullmatch(name):
            named.setdefault(rank, name)
    if "g" in named and _EPITHET.fullmatch(named.get("s", "")):
        named["s"] = f"{named['g']} {named['s']}"
    return ";".join(f"{rank}__{named[rank]}" for rank in RANKS if rank in named)


def _ranked(text: str, place: int) -> tuple[str, str]:
    """The letter of a part's rank, empty below the strain, and its name."""
    found = _PREFIX.fullmatch(text)
    if found is None:
        return RANKS[place : place + 1], text
    name = found["name"].strip()
    if found["level"] is not None:
        level = int(found["level"])
        return RANKS[level : level + 1], name
    return ("k" if found["rank"] in ("d", "sk") else found["rank"]), name


def split_lineage(text: str) -> list[str]:
    """The parts of a lineage separated by ``;`` or ``|``; a rank without a name is an empty part."""
    return [part.strip() for part in re.split(r"[;|]", text)]


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
        findings.add(
            f"{taxon!r} a second time", "each taxon once", "remove one", row=int(str(line)), column=table.header[0]
        )
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
    """Check that the tree has a tip for every taxon that was counted: Newick, plain, gzipped or in a QIIME 2 artifact.

    Underscores in names are kept as they are, quoted or not.

    Raises
    ------
    InputError
        The file is no Newick tree or artifact of one, lacks tips (how many, and the first of them), has one twice, or has branches
        without a length that can be summed.
    """
    from skbio import TreeNode  # takes a second to load: only where there is a tree
    from skbio.io import IOSourceError, NewickFormatError, UnrecognizedFormatError

    findings = Findings(label)
    text = _newick(path, label, findings)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the sniffer's doubts; the parser's verdict follows
            tree = TreeNode.read(io.StringIO(text), format="newick", convert_underscores=False)
    except (NewickFormatError, UnrecognizedFormatError, IOSourceError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else "it breaks off"
        findings.fail(f"no complete Newick tree ({reason})", "a Newick tree ending in ';'", "export the tree again")
    trees = _QUOTED.sub("", text).count(";")
    if trees > 1:
        findings.add(f"{trees:,} trees", "one tree", "keep the one that the branch lengths are to be taken of")
    _check_branches(tree, taxa, findings)
    tips = {str(tip.name) for tip in tree.tips()}
    missing = sorted(set(taxa) - tips)
    if missing:
        findings.fail(
            f"no tip for {len(missing):,} of {len(set(taxa)):,} taxa that were counted: {named(missing)}",
            "a tip for every taxon with reads, named as in the abundance table",
            "use the tree made from the same features, or leave the tree out",
        )


_QUOTED = re.compile(r"'[^']*'|\[[^\]]*\]")  # names in quotation marks, and comments


def _newick(path: Path, label: str, findings: Findings) -> str:
    """The text of the tree; of a QIIME 2 artifact the one in it."""
    content = read_bytes(path, label)
    if content.startswith(ZIP):
        _, content = artifact_member(content, {"tree.nwk": "a tree"}, findings, types=TREES)
    return text_of(content, label)


def _check_branches(tree: "TreeNode", taxa: Collection[str], findings: Findings) -> None:
    """Raise where branch lengths cannot be summed, as Faith's diversity does: it would come out as 0 or as nonsense."""
    tips = [tip for tip in tree.tips() if str(tip.name) in set(taxa)]
    nodes = list(tree.preorder(include_self=False))
    repeated = [name for name, times in Counter(str(tip.name) for tip in tips).items() if times > 1]
    if repeated:
        findings.add(f"tips of the same name: {named(repeated)}", "each tip once", "remove or rename them")
    _check_lengths_told(nodes, findings)
    wrong = [node.length for node in nodes if node.length is not None and not 0 <= node.length < inf]
    if wrong:
        findings.add(
            f"{len(wrong):,} branch lengths that are negative or no number: {named(wrong)}",
            "lengths of 0 or more",
            "root and export the tree again; a small negative length of neighbour joining is set to 0",
        )
    if nodes and all(node.length == 0 for node in nodes):
        findings.add("branches that are all of length 0", "a tree with branch lengths", "export the tree with them")
    findings.raise_if_any()


def _check_lengths_told(nodes: Sequence["TreeNode"], findings: Findings) -> None:
    """Note the branches without a length; the stem that leads to a tree's only fork needs none."""
    remedy = "export the tree with them, or leave the tree out: without lengths there is no phylogenetic diversity"
    tips = [node for node in nodes if node.is_tip()]
    absent = [str(tip.name) for tip in tips if tip.length is None]
    if absent:
        found = f"no branch length at {len(absent):,} of {len(tips):,} tips: {named(absent)}"
        findings.add(found, "a tree with branch lengths", remedy)
    inner = [node for node in nodes if not node.is_tip() and len(node.parent.children) > 1]
    lacking = sum(node.length is None for node in inner)
    if lacking:
        found = f"no branch length above {lacking:,} of {len(inner):,} forks"
        findings.add(found, "a tree with branch lengths", remedy)
