"""Archives of strangers: nothing in them is believed, and each refusal says what to do."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from lowerbound.data.stored.tar import members
from lowerbound.errors import DataError


def archive(path: Path, *entries: tarfile.TarInfo | tuple[str, bytes], format=tarfile.PAX_FORMAT):
    with tarfile.open(path, "w", format=format) as tar:
        for entry in entries:
            if isinstance(entry, tarfile.TarInfo):
                tar.addfile(entry)
            else:
                info = tarfile.TarInfo(entry[0])
                info.size = len(entry[1])
                tar.addfile(info, io.BytesIO(entry[1]))
    return path


def info(name: str, kind: bytes, **values) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type = kind
    for key, value in values.items():
        setattr(found, key, value)
    return found


GOOD = [("a/0.npy", b"x" * 700), ("a/0.cls", b"3"), ("b" * 90 + "/" + "c" * 90 + ".npy", b"")]
FORMATS = [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", ["x" * 120, "é" * 60, "d/" * 70 + "f"])
def test_every_file_is_found_where_it_lies(tmp_path, format, name):
    entries = [*GOOD, info("folder", tarfile.DIRTYPE), ("last.npy", b"y" * 512)]
    if format != tarfile.USTAR_FORMAT:
        entries.append((name, b"long"))
    path = archive(tmp_path / "a.tar", *entries, format=format)
    with tarfile.open(path) as tar:
        wanted = [(m.name, m.offset_data, m.size) for m in tar if m.isfile()]
    assert [(m.name, m.offset, m.size) for m in members(path)] == wanted


HOSTILE = {
    "/etc/passwd": info("/etc/passwd", tarfile.REGTYPE),
    "'../x'": info("../x", tarfile.REGTYPE),
    "'a/../../x'": info("a/../../x", tarfile.REGTYPE),
    "which leads out": info("C:/x", tarfile.REGTYPE),
    "holds a link": info("l", tarfile.SYMTYPE, linkname="/etc/passwd"),
    "link, 'h'": info("h", tarfile.LNKTYPE, linkname="0.npy"),
    "a device": info("d", tarfile.CHRTYPE),
    "a pipe": info("p", tarfile.FIFOTYPE),
    "a sparse file": info("s", tarfile.GNUTYPE_SPARSE),
    "sparse file, or": info("s", tarfile.REGTYPE, pax_headers={"GNU.sparse.major": "1"}),
    "a header of": info("s", tarfile.REGTYPE, pax_headers={"comment": "x" * 2**17}),
    "of kind b'Z'": info("s", b"Z"),
}


@pytest.mark.parametrize("words", HOSTILE)
def test_what_no_data_needs_is_refused(tmp_path, words):
    path = archive(tmp_path / "a.tar", GOOD[0], HOSTILE[words])
    with pytest.raises(DataError) as caught:
        list(members(path))
    assert words in str(caught.value)
    assert "lowerbound data pack" in str(caught.value) and "\n" not in str(caught.value)


def test_every_truncation_is_noticed(tmp_path):
    path = archive(tmp_path / "a.tar", *GOOD[:2])
    whole = path.read_bytes()
    end = 512 + 1024 + 512 + 512  # two members; then zeros
    for size in range(1, end + 1, 131):
        path.write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"truncated|damaged"):
            list(members(path))
    path.write_bytes(whole[: end + 512])
    assert len(list(members(path))) == 2


def test_a_changed_header_is_noticed_wherever_it_is_changed(tmp_path):
    path = archive(tmp_path / "a.tar", *GOOD[:2])
    whole = bytearray(path.read_bytes())
    for place in range(0, 500, 7):
        changed = bytearray(whole)
        changed[place] ^= 1
        path.write_bytes(changed)
        with pytest.raises(DataError, match="damaged"):
            list(members(path))


@pytest.mark.parametrize("size", [b"77777777777", b"\x80\0\0\0\0\0\0\0\0\0\0\x01", b"-1"])
def test_a_false_size_is_refused(tmp_path, size):
    path = archive(tmp_path / "a.tar", *GOOD[:1])
    whole = bytearray(path.read_bytes())
    whole[124:136] = size.ljust(12, b"\0")
    whole[148:156] = b" " * 8
    whole[148:156] = b"%06o\0 " % sum(whole[:512])
    path.write_bytes(whole)
    with pytest.raises(DataError, match=r"truncated|damaged"):
        list(members(path))


def test_other_files_are_not_taken_for_archives(tmp_path):
    for content in (gzip.compress(b"x" * 2000), b"x" * 2000, b""):
        (tmp_path / "a.tar").write_bytes(content)
        with pytest.raises(DataError, match=r"compressed|no tar archive|truncated|damaged"):
            list(members(tmp_path / "a.tar"))
