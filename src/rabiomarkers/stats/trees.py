"""Trees of taxa: read, and rooted."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from rabiomarkers.errors import AbundanceError

if TYPE_CHECKING:
    from skbio import TreeNode


def read_tree(path: Path) -> "TreeNode":
    """A newick tree; underscores in names stay, as in the table.

    Raises
    ------
    AbundanceError
        The file is not newick.
    """
    from skbio import TreeNode
    from skbio.io import NewickFormatError, UnrecognizedFormatError

    reader: Callable[..., TreeNode] = TreeNode.read
    try:
        return reader(str(path), format="newick", verify=False, convert_underscores=False)
    except (NewickFormatError, UnrecognizedFormatError) as error:
        raise AbundanceError(f"{path.name} is not a newick tree: {error}") from error


def covering(tree: "TreeNode", taxa: Collection[str]) -> "TreeNode":
    """The tree, rooted at its midpoint where it has no root (three branches at the top), if its tips hold all taxa.

    Raises
    ------
    AbundanceError
        A taxon has no tip.
    """
    absent = sorted(set(taxa) - {str(tip.name) for tip in tree.tips()})
    if absent:
        told = ", ".join(absent[:5])
        raise AbundanceError(f"{len(absent)} taxa that were seen are not in the tree, among them {told}.")
    return tree.root_at_midpoint() if len(tree.children) > 2 else tree
