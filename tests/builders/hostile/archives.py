"""Writes the archives that no tar program would: run once while the image is built, one file an attack."""

from __future__ import annotations

import io
import pathlib
import tarfile
from typing import Any

INTO = pathlib.Path("/attacks")
X = tarfile.REGTYPE
Entry = tuple[tarfile.TarInfo, bytes]


def entry(name: str, kind: bytes = X, content: bytes = b"", **more: Any) -> Entry:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.mode = kind, len(content), 0o644
    for key, value in more.items():
        setattr(info, key, value)
    return info, content


def write(attack: str, *entries: Entry, listed: list[str] | None = None, form: int = tarfile.GNU_FORMAT) -> None:
    with tarfile.open(INTO / f"{attack}.tar", "w", format=form) as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    names = [info.name for info, _ in entries] if listed is None else listed
    (INTO / f"{attack}.changed").write_bytes(b"".join(name.encode() + b"\0" for name in names))


def pax(**headers: str) -> Entry:
    return entry("./plain", content=b"x", pax_headers=headers)


INTO.mkdir(exist_ok=True)
write("device", entry("./sda", tarfile.BLKTYPE, devmajor=8, devminor=0))
write("absolute", entry("/etc/passwd", content=b"x"))
write("twice", entry("./a", content=b"1"), entry("./a", content=b"2"))
write("hard-link-inside", entry("./a", tarfile.LNKTYPE, linkname="/modelpipeline/private/docker/config.json"))
write("below-a-link", entry("./etc", tarfile.SYMTYPE, linkname="/modelpipeline"), entry("./etc/x", content=b"x"))
write("opaque", entry("./etc", tarfile.DIRTYPE), entry("./etc/.wh..wh..opq"))
write("sparse", entry("./hole", tarfile.GNUTYPE_SPARSE))
write("another-than-listed", entry("./evil", content=b"x"), listed=["./good"])
# What a pax header says wins over what stands in the entry: a name, a size.
write("pax-name", pax(path="../../up"), listed=["./plain"], form=tarfile.PAX_FORMAT)
write("pax-size", pax(size="99999999999"), listed=["./plain"], form=tarfile.PAX_FORMAT)
write(
    "pax-sparse",
    pax(**{"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "../up"}),
    listed=["./plain"],
    form=tarfile.PAX_FORMAT,
)
long = entry("././@LongLink", tarfile.GNUTYPE_LONGNAME)[0]
long.size = 9 * 10**9
(INTO / "long-name.tar").write_bytes(long.tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024)
(INTO / "long-name.changed").write_bytes(b"./x\0")
