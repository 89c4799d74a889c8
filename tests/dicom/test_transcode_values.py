"""Conversions give the same values as pydicom and dcmconv read from the source, element by element."""

from __future__ import annotations

import importlib.util
import shutil
import struct
import subprocess
import zlib
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.filereader import read_dataset
from pydicom.uid import UID

from leadglass.dicom.transcode import Transcoder

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, BIG = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
NATIVE = (IMPLICIT, EXPLICIT, DEFLATED, BIG)

# pydicom's charset files are small; these have sequences, big endian, deflate, private data, LUTs, waveforms.
NAMES = (
    "CT_small.dcm",
    "MR_small.dcm",
    "MR_small_implicit.dcm",
    "MR_small_bigendian.dcm",
    "image_dfl.dcm",
    "ExplVR_BigEnd.dcm",
    "rtplan.dcm",
    "rtdose.dcm",
    "reportsi.dcm",
    "waveform_ecg.dcm",
    "nested_priv_SQ.dcm",
    "liver_1frame.dcm",
    "examples_overlay.dcm",
    "examples_palette.dcm",
    "test-SR.dcm",
    "mlut_18.dcm",
    "vlut_04.dcm",
    "SC_rgb.dcm",
    "SC_rgb_expb.dcm",
    "SC_rgb_16bit.dcm",
    "SC_rgb_32bit.dcm",
    "SC_ybr_full_uncompressed.dcm",
    "priv_SQ.dcm",
    "no_meta_group_length.dcm",
    "color-px.dcm",
    "OBXXXX1A.dcm",
    "OBXXXX1A_expb.dcm",
)


def find(name: str) -> Path | None:
    folders = [Path(pydicom.data.__file__).parent / "test_files"]
    store = importlib.util.find_spec("data_store")
    folders += [Path(place) / "data" for place in store.submodule_search_locations] if store else []
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


FILES = [path for name in NAMES if (path := find(name))]


def data_set_of(path: Path) -> tuple[str, bytes] | None:
    """Transfer syntax and raw data set bytes of a Part 10 file."""
    raw = path.read_bytes()
    if raw[128:132] != b"DICM":
        return None
    with BytesIO(raw) as stream:
        stream.seek(132)
        meta = pydicom.filereader._read_file_meta_info(stream)
        return str(meta.TransferSyntaxUID), raw[stream.tell() :]


SOURCES = {path.name: both for path in FILES if (both := data_set_of(path)) is not None and both[0] in NATIVE}


def convert(source: str, target: str, data: bytes, step: int = 1 << 20, **how) -> bytes:
    transcoder = Transcoder(source, target, **how)
    out = [p for start in range(0, len(data), step) for p in transcoder.feed(data[start : start + step])]
    return b"".join(out + list(transcoder.finish()))


def parse(ts: str, data: bytes) -> pydicom.Dataset:
    if ts == DEFLATED:
        data = zlib.decompress(data, -zlib.MAX_WBITS)
    uid = UID(ts)
    return read_dataset(BytesIO(data), uid.is_implicit_VR, uid.is_little_endian)


WIDTHS = {"AT": 2, "OW": 2, "SS": 2, "US": 2, "FL": 4, "OF": 4, "OL": 4, "SL": 4, "UL": 4}
WIDTHS |= {"FD": 8, "OD": 8, "OV": 8, "SV": 8, "UV": 8}
LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
NO_END = 0xFFFFFFFF


def normal(ts: str, data: bytes) -> dict:
    """Every value as little-endian bytes without padding, by path. Whole in memory and recursive: unlike the code."""
    if ts == DEFLATED:
        data = zlib.decompress(data, -zlib.MAX_WBITS)
    values: dict = {}
    walk(data, 0, len(data), "<" if ts != BIG else ">", ts == IMPLICIT, (), values)
    return values


def walk(data, at, end, order, implicit, path, values):
    while at < end:
        group, element, vr = *struct.unpack_from(order + "HH", data, at), None
        if group == 0xFFFE:
            return at + 8
        if implicit:
            length, start = struct.unpack_from(order + "L", data, at + 4)[0], at + 8
        elif (vr := data[at + 4 : at + 6]) in LONG:
            length, start = struct.unpack_from(order + "L", data, at + 8)[0], at + 12
        else:
            length, start = struct.unpack_from(order + "H", data, at + 6)[0], at + 8
        here = (*path, f"{group:04x},{element:04x}")
        value = data[start : start + length]
        hidden = vr in (None, b"UN") and value[:4] == b"\xfe\xff\x00\xe0"  # items under UN or implicit
        if vr == b"SQ" or length == NO_END or hidden:
            inner = ("<", True) if vr == b"UN" else (order, implicit)
            at = items(data, start, start + length if length != NO_END else None, *inner, here, values)
            continue
        width = WIDTHS.get((vr or b"").decode(), 1)
        if order == ">" and width > 1:
            value = b"".join(value[i : i + width][::-1] for i in range(0, length, width))
        if element:
            values[here] = value.rstrip(b" \0")
        at = start + length
    return at


def items(data, at, end, order, implicit, path, values):
    number = 0
    while end is None or at < end:
        group, element, length = struct.unpack_from(order + "HHL", data, at)
        at += 8
        if (group, element) == (0xFFFE, 0xE0DD):
            break
        stop = len(data) if length == NO_END else at + length
        at = walk(data, at, stop, order, implicit, (*path, number), values)
        number += 1
    values[path] = number or b""
    return at


@pytest.mark.parametrize("target", NATIVE)
@pytest.mark.parametrize("name", SOURCES)
def test_values_survive_every_conversion(name: str, target: str) -> None:
    source, data = SOURCES[name]
    converted = convert(source, target, data)
    before = normal(source, data)
    assert normal(target, converted) == before
    assert normal(EXPLICIT, convert(target, EXPLICIT, converted)) == before
    assert source == target or len(converted) % 2 == 0


@pytest.mark.parametrize("target", NATIVE)
@pytest.mark.parametrize("name", SOURCES)
def test_pydicom_reads_the_same_typed_values(name: str, target: str) -> None:
    source, data = SOURCES[name]
    before, after = parse(source, data), parse(target, convert(source, target, data))
    assert list(tags(before)) == list(tags(after))
    for old, new in zip(leaves(before), leaves(after), strict=True):
        assert equal(old, new), (old.tag, old.VR, new.VR)


def tags(ds):
    return [t for t in sorted(ds.keys()) if t & 0xFFFF]


def leaves(ds):
    for tag in tags(ds):
        element = ds[tag]
        if element.VR == "SQ":
            for item in element.value:
                yield from leaves(item)
        else:
            yield element


WORDS = {"OB", "OW", "UN", "OF", "OD", "OL", "OV"}


def equal(old, new) -> bool:
    if old.VR in WORDS or new.VR in WORDS:
        return True  # byte for byte in test_values_survive_every_conversion, and against dcmconv
    if {old.VR, new.VR} == {"US", "SS"}:  # pydicom and we differ on LUT descriptors; the bits must not
        return [v % 65536 for v in old.value] == [v % 65536 for v in new.value]
    return old.value == new.value


DCMTK = {IMPLICIT: "+ti", EXPLICIT: "+te", BIG: "+tb", DEFLATED: "+td"}


@pytest.mark.interop
@pytest.mark.parametrize("target", (IMPLICIT, EXPLICIT, BIG))
@pytest.mark.parametrize("name", SOURCES)
def test_dcmconv_gives_the_same_values(name: str, target: str, tmp_path: Path) -> None:
    assert shutil.which("dcmconv"), "dcmconv (package dcmtk) is needed"
    path = next(p for p in FILES if p.name == name)
    result = tmp_path / "converted.dcm"
    done = subprocess.run(["dcmconv", DCMTK[target], path, result], capture_output=True, check=False)
    if done.returncode:
        pytest.fail(f"dcmconv: {done.stderr[-200:]!r}")
    ts, theirs = data_set_of(result)
    assert ts == target
    source, data = SOURCES[name]
    assert normal(target, convert(source, target, data)) == normal(target, theirs)


@pytest.mark.parametrize("step", (1, 3, 7, 64))
@pytest.mark.parametrize("name", ("nested_priv_SQ.dcm", "test-SR.dcm", "image_dfl.dcm", "MR_small_bigendian.dcm"))
def test_pieces_of_any_size_give_the_same_bytes(name: str, step: int) -> None:
    source, data = SOURCES[name]
    for target in NATIVE:
        whole = convert(source, target, data)
        assert convert(source, target, data, step) == whole or target == DEFLATED
