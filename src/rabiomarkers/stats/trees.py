"""Trees of taxa: read, and rooted."""

import gzip
import io
import math
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from rabiomarkers.errors import AbundanceError

if TYPE_CHECKING:
    from skbio import TreeNode

_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_LARGEST = 2 * 1024**3  # bytes of a tree
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile, RuntimeError, NotImplementedError)


def read_tree(path: Path) -> "TreeNode":
    """A tree in newick, plain, gzipped or in a QIIME 2 artifact; underscores in names stay, as in the table.

    Raises
    ------
    AbundanceError
        The file is not newick.
    """
    from skbio import TreeNode
    from skbio.io import NewickFormatError, UnrecognizedFormatError

    reader: Callable[..., TreeNode] = TreeNode.read
    try:
        return reader(io.StringIO(_newick(path)), format="newick", verify=False, convert_underscores=False)
    except (NewickFormatError, UnrecognizedFormatError, UnicodeDecodeError, *_DAMAGED) as error:
        raise AbundanceError(f"{path.name} is not a newick tree: {error}") from error


def _newick(path: Path) -> str:
    """The text of the tree; what an archive may hold was looked at when the study was checked."""
    content = path.read_bytes()
    if content.startswith(_GZIP):
        content = _bounded(gzip.GzipFile(fileobj=io.BytesIO(content)), path)
    if content.startswith(_ZIP):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            inside = [name for name in archive.namelist() if re.fullmatch(r"[^/]+/data/tree\.nwk", name)]
            if len(inside) != 1:
                raise AbundanceError(f"{path.name} is no QIIME 2 artifact of one tree.")
            with archive.open(inside[0]) as member:
                content = _bounded(member, path)
    return content.decode("utf-8-sig")


def _bounded(packed: IO[bytes] | gzip.GzipFile, path: Path) -> bytes:
    """All that is packed; never a part of it, and never more than memory holds."""
    content = packed.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise AbundanceError(f"{path.name} unpacks to more than {_LARGEST // 1024**3} GiB, which no tree has.")
    return content


def covering(tree: "TreeNode", taxa: Collection[str]) -> "TreeNode":
    """The tree, rooted at its midpoint where it has no root (three branches at the top), if its tips hold all taxa.

    Raises
    ------
    AbundanceError
        A taxon has no tip or two, or a branch is shorter than 0 or of no finite length.
    """
    tips = Counter(str(tip.name) for tip in tree.tips())
    if absent := sorted(set(taxa) - set(tips)):
        raise AbundanceError(f"{len(absent)} taxa that were seen are not in the tree, among them {_some(absent)}.")
    if twice := sorted(taxon for taxon in set(taxa) if tips[taxon] > 1):
        raise AbundanceError(f"{len(twice)} taxa stand in the tree twice, among them {_some(twice)}.")
    lengths = [float(node.length or 0.0) for node in tree.traverse()]
    wrong = sum(not 0.0 <= length < math.inf for length in lengths)
    if wrong:
        raise AbundanceError(f"{wrong} branches of the tree have a length below 0 or none that is finite.")
    return tree.root_at_midpoint() if len(tree.children) > 2 else tree


def _some(taxa: Sequence[str]) -> str:
    return ", ".join(taxa[:5])
