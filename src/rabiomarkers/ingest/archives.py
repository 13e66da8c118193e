"""Zip archives that other people made: QIIME 2 artifacts, read with limits and without ever writing a file.

A zip may claim to be small and unpack to terabytes, name members outside of itself, or hold links. Nothing is extracted to disk,
members are found by their place below ``<uuid>/data/``, and no more is unpacked than a feature table can be.
"""

import io
import re
import stat
import zipfile
import zlib
from collections.abc import Collection, Mapping

import yaml

from rabiomarkers.errors import InputError
from rabiomarkers.ingest.findings import Findings, named, one_of

LARGEST = 2 * 1024**3
"""Bytes of a member, unpacked; a table of 100 000 taxa x 10 000 samples stays below."""
MOST_MEMBERS = 10_000
MOST_PACKED = 1_000
"""Times that a member of more than a megabyte may be larger than it is in the archive; text packs 10 to 100 times."""
_SMALL = 1024**2
_TYPE = re.compile(r"^[A-Za-z\[\]\s%(),.|'\"-]{1,200}$")


def artifact_member(
    content: bytes, names: Mapping[str, str], findings: Findings, *, types: Collection[str]
) -> tuple[str, bytes]:
    """A file of a QIIME 2 artifact (`.qza`), by its place below `data/`.

    Parameters
    ----------
    content
        The archive.
    names
        The files that will do, by place below `data/`, and what each is called in words.
    findings
        Where faults are noted.
    types
        Beginnings of the semantic types that will do, such as ``FeatureTable[Frequency]``.

    Returns
    -------
    The place that was found and its bytes.

    Raises
    ------
    InputError
        The archive is damaged, holds members that lead out of it, links or more than can be true, is of another type, or has none
        of the files.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = _members(archive, findings)
            told = _type_of(archive, members, findings)
            if told is not None and not any(told.startswith(kind) for kind in types):
                findings.fail(
                    f"a QIIME 2 artifact of the type {told}",
                    one_of(told, list(types)),
                    "name the artifact of that type",
                )
            for name in names:
                found = [
                    member for place, member in members.items() if re.fullmatch(rf"[^/]+/data/{re.escape(name)}", place)
                ]
                if found:
                    return name, _unpacked(archive, found[0], findings)
    except InputError:
        raise
    except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, NotImplementedError, ValueError, zlib.error):
        findings.fail("a damaged zip archive", "a complete .qza file", "export or copy it again")
    return _none_of_them(members, names, findings)


def _none_of_them(
    members: Mapping[str, zipfile.ZipInfo], names: Mapping[str, str], findings: Findings
) -> tuple[str, bytes]:
    data = sorted({place.rpartition("/")[2] for place in members if "/data/" in place})
    findings.fail(
        f"an archive that holds {named(data) or 'no data'}",
        f"a QIIME 2 artifact with {' or '.join(f'data/{name}' for name in names)} ({', '.join(names.values())})",
        "name the right artifact",
    )


def _members(archive: zipfile.ZipFile, findings: Findings) -> dict[str, zipfile.ZipInfo]:
    """The archive's files by place.

    Raises
    ------
    InputError
        A name leads out of the archive, a member is a link or locked, or there are too many.
    """
    infos = archive.infolist()
    if len(infos) > MOST_MEMBERS:
        findings.fail(f"an archive of {len(infos):,} members", "a QIIME 2 artifact", "export it again")
    members: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        place = info.filename.replace("\\", "/")
        if place.startswith("/") or re.match(r"^[A-Za-z]:", place) or ".." in place.split("/"):
            findings.fail(
                "a member whose path leads out of the archive", "files inside the archive", "do not trust this file"
            )
        if stat.S_ISLNK(info.external_attr >> 16):
            findings.fail("a member that is a link", "files", "do not trust this file")
        if info.flag_bits & 1:
            findings.fail("a member locked by a password", "an open archive", "export it without a password")
        if not info.is_dir():
            members[place] = info
    return members


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, findings: Findings) -> bytes:
    """The bytes of a member, counted while they are unpacked: what an archive says of its sizes need not be true.

    Raises
    ------
    InputError
        There are more than can be true.
    """
    allowed = min(LARGEST, max(_SMALL, MOST_PACKED * info.compress_size))
    with archive.open(info) as member:
        content = member.read(allowed + 1)
    if len(content) > allowed:
        findings.fail(
            f"a member that unpacks to more than {allowed:,} bytes from {info.compress_size:,}",
            "an archive whose content is what it seems",
            "do not trust this file",
        )
    return content


def _type_of(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], findings: Findings) -> str | None:
    """The semantic type in `metadata.yaml`; None where the archive has no such file.

    Raises
    ------
    InputError
        It tells no type.
    """
    found = [info for place, info in members.items() if re.fullmatch(r"[^/]+/metadata\.yaml", place)]
    if not found:
        return None
    try:
        told = yaml.safe_load(_unpacked(archive, found[0], findings)[:10_000])
    except (yaml.YAMLError, ValueError, RecursionError):  # ValueError: a date or number that is none
        told = None
    kind = told.get("type") if isinstance(told, dict) else None
    if not isinstance(kind, str) or not _TYPE.match(kind):
        findings.fail("a metadata.yaml that tells no type", "a QIIME 2 artifact", "export it again")
    return kind
