"""Where the files of a study may lie: below its folder or its second root, links followed; nothing else is read."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py

from rabiomarkers.ingest.findings import Findings, named

LONGEST_PATH = 1_000  # characters; beyond it some systems cannot name a file


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the paths of a sheet may lie."""

    folder: Path
    data_root: Path | None

    def find(self, written: str) -> Path | None:
        """The file meant, links and `..` followed; None where it lies neither in the study folder nor in `data_root`.

        A file of the study folder is preferred; where neither has it, it is where the study folder would have it.
        """
        inside = [path for root in self._roots() if self.holds(path := (root / written).resolve())]
        return next((path for path in inside if path.exists()), inside[0] if inside else None)

    def holds(self, path: Path) -> bool:
        """Whether the path, links followed, lies below one of the roots."""
        return any(path.resolve().is_relative_to(root) for root in self._roots())

    def strangers(self, folder: Path) -> list[str]:
        """The names in this folder that are links to something outside the roots."""
        return sorted(part.name for part in folder.iterdir() if not self.holds(part))

    def _roots(self) -> list[Path]:
        return [root.resolve() for root in (self.folder, self.data_root) if root is not None]


def nameable(written: str) -> bool:
    """Whether a file system can have a file of this name."""
    parts = Path(written).parts
    return len(written.encode()) <= LONGEST_PATH and all(len(part.encode()) <= 255 for part in parts)


def refuse_links(file: h5py.File, findings: Findings) -> None:
    """Raise where a part of an HDF5 file lies in another file: that one is not of the study, or was never checked.

    Raises
    ------
    InputError
        The file links to another one.
    """
    outside = sorted(set(_external(file)))
    if outside:
        findings.fail(
            f"an HDF5 file whose parts lie in other files ({named(outside, limit=3)})",
            "one file that holds all its data",
            "write it again as one file",
        )


def _external(group: h5py.Group) -> Iterator[str]:
    """The names of the parts that lie in another file, at any depth; a group that is linked twice is walked once."""
    found: list[str] = []

    def look(name: str, link: object) -> None:
        if isinstance(link, h5py.ExternalLink):
            found.append(name)

    def open_part(name: str, part: object) -> None:
        if isinstance(part, h5py.Dataset) and (part.external or part.is_virtual):
            found.append(name)

    group.visititems_links(look)
    if not found:
        group.visititems(open_part)
    yield from found
