"""The headers of an uncompressed tar archive, without trusting any of them.

Nothing is ever extracted: what is read is where each member's bytes lie. Members that no data set
needs (links, devices, sparse files, names that lead out of the archive) are refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lowerbound.errors import DataError

BLOCK = 512
#: A header that says how to read the next one is no longer than this.
LONGEST_EXTENSION = 2**16
REMEDY = "make it again with: lowerbound data pack SOURCE OUT"
REFUSED = {
    b"1": "a link", b"2": "a link", b"3": "a device", b"4": "a device", b"6": "a pipe",
    b"S": "a sparse file",
}  # fmt: skip


@dataclass(frozen=True)
class Member:
    """A file in an archive: its name, and where its bytes begin and how many there are."""

    name: str
    offset: int
    size: int


def members(path: Path) -> Iterator[Member]:
    """All files of an archive in their order.

    Raises:
        DataError: The archive is truncated, compressed, damaged, or holds what data never needs.
    """
    size, where = path.stat().st_size, repr(path.name)
    offset, longer = 0, None
    with path.open("rb") as stream:
        while offset < size:
            stream.seek(offset)
            header = stream.read(BLOCK)
            if not header.strip(b"\0") and len(header) == BLOCK:
                return  # a block of zeros ends the archive
            if len(header) < BLOCK:
                raise DataError(f"{where} is truncated at byte {offset}; {REMEDY}")
            _check_sum(header, where, offset)
            length, kind = _number(header[124:136], where, offset), header[156:157]
            begin = offset + BLOCK
            end = begin + -(-length // BLOCK) * BLOCK
            if begin + length > size:
                raise DataError(
                    f"{where} is truncated: the member at byte {offset} should have {length} "
                    f"bytes, and {max(size - begin, 0)} are left; {REMEDY}"
                )
            if kind in b"xgLK" and kind:
                if length > LONGEST_EXTENSION:
                    raise DataError(f"{where} has a header of {length} bytes; {REMEDY}")
                longer = _extended(kind, stream.read(length), where) or longer
            elif kind in (b"0", b"\0", b"7", b"5"):
                name, longer = longer or _name(header), None
                if kind != b"5":
                    yield Member(_checked(name, where), begin, length)
            else:
                what = REFUSED.get(kind, f"a member of kind {kind!r}")
                raise DataError(f"{where} holds {what}, {_name(header)!r}; {REMEDY}")
            offset = end
    raise DataError(f"{where} is truncated: it has no end; {REMEDY}")


def _check_sum(header: bytes, where: str, offset: int) -> None:
    """Eight bytes of the header are the sum of all the others, and of eight spaces."""
    said = _number(header[148:156], where, offset)
    if said != sum(header) - sum(header[148:156]) + 8 * 32:
        if header[:2] == b"\x1f\x8b":
            raise DataError(f"{where} is compressed and cannot be read in parts; gunzip it")
        raise DataError(f"{where} is no tar archive, or is damaged at byte {offset}; {REMEDY}")


def _number(text: bytes, where: str, offset: int) -> int:
    digits = text.strip(b" \0")
    if digits and not digits.strip(b"01234567"):
        return int(digits, 8)
    if not digits:
        return 0
    raise DataError(f"{where} is no tar archive, or is damaged at byte {offset}; {REMEDY}")


def _name(header: bytes) -> str:
    name = header[:100].split(b"\0")[0]
    if header[257:262] == b"ustar" and header[345] and header[263:265] == b"00":
        name = header[345:500].split(b"\0")[0] + b"/" + name
    return name.decode("utf-8", "replace")


def _extended(kind: bytes, body: bytes, where: str) -> str | None:
    """The name that an extended header gives the next member, if it gives one."""
    if kind == b"L":
        return body.split(b"\0")[0].decode("utf-8", "replace")
    if kind == b"K":
        raise DataError(f"{where} holds a link; {REMEDY}")
    found = None
    while body and kind == b"x":
        digits, space, _ = body.partition(b" ")
        if not space or not digits.isdigit() or not len(digits) + 2 < int(digits) <= len(body):
            raise DataError(f"{where} has a damaged header; {REMEDY}")
        key, _, value = body[len(digits) + 1 : int(digits) - 1].partition(b"=")
        if key == b"size" or key.startswith(b"GNU.sparse"):
            raise DataError(f"{where} holds a sparse file, or one over 8 GiB; {REMEDY}")
        if key == b"path":
            found = value.decode("utf-8", "replace")
        body = body[int(digits) :]
    return found


def _checked(name: str, where: str) -> str:
    parts = name.split("/")
    if not name or name.startswith("/") or ".." in parts or "\\" in name or ":" in parts[0]:
        raise DataError(f"{where} holds the name {name[:80]!r}, which leads out of it; {REMEDY}")
    return name
