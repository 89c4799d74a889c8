"""Files are taken apart with tolerance and put together without anything hostile (adversarial C11)."""

import io
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from leadglass.core.errors import LeadglassError
from leadglass.dicom import uids
from leadglass.dicom.part10 import MAX_FILE_META, build_file_header, split_file

DATA_SET = b"\x08\x00\x60\x00CS\x02\x00CT"


def header(**more):
    return build_file_header(uids.CT_IMAGE, "1.2.3", uids.EXPLICIT_VR_LE, **more)


@given(st.sampled_from([uids.EXPLICIT_VR_LE, uids.IMPLICIT_VR_LE, uids.JPEG_BASELINE]), st.integers(1, 10**63))
def test_a_built_header_reads_back(transfer_syntax, number):
    written = build_file_header(uids.CT_IMAGE, str(number), transfer_syntax, "SENDER")
    found = split_file(written + DATA_SET)
    assert found.transfer_syntax_uid == transfer_syntax
    assert found.data_set_offset == len(written)
    assert written.endswith(found.file_meta)


def test_pydicom_reads_a_built_header():
    meta = pydicom.dcmread(io.BytesIO(header(source_ae="SENDER") + DATA_SET)).file_meta
    assert meta.MediaStorageSOPClassUID == uids.CT_IMAGE
    assert meta.MediaStorageSOPInstanceUID == "1.2.3"
    assert meta.ImplementationClassUID == uids.IMPLEMENTATION_CLASS_UID
    assert meta.SourceApplicationEntityTitle == "SENDER"
    assert meta.FileMetaInformationGroupLength == len(header(source_ae="SENDER")) - 144


def test_the_preamble_is_always_zero():
    assert header()[:128] == bytes(128)


def test_kept_meta_gives_sender_and_private_information_only():
    own = header(source_ae="SENDER")
    private = b"\x02\x00\x00\x01UI\x06\x001.2.9\0" + b"\x02\x00\x02\x01OB\0\0\x04\0\0\0abcd"
    foreign = b"\x02\x00\x13\x00SH\x04\x00EVIL" + b"\x02\x00\x16\x00AE\x06\x00REMOTE" + private
    built = header(source_ae="SENDER", kept_meta=foreign)
    assert b"EVIL" not in built
    assert b"REMOTE" in built
    assert b"SENDER" not in built
    assert built.endswith(private)
    assert len(built) == len(own) + len(private)


def test_same_as_pydicom_on_its_files():
    for name in ("CT_small.dcm", "MR_small_implicit.dcm", "JPEG2000.dcm", "ExplVR_BigEnd.dcm", "image_dfl.dcm"):
        path = get_testdata_file(name)
        raw = Path(path).read_bytes()
        meta = pydicom.dcmread(path, stop_before_pixels=True).file_meta
        found = split_file(raw[:4096])
        assert found.transfer_syntax_uid == meta.TransferSyntaxUID
        assert found.data_set_offset == 144 + meta.FileMetaInformationGroupLength


@pytest.mark.parametrize("lie", [b"\0\0\0\0", b"\xff\xff\xff\xff"])
def test_a_group_length_that_lies_is_not_relied_on(lie):
    raw = bytearray(header())
    raw[140:144] = lie
    assert split_file(bytes(raw) + DATA_SET).data_set_offset == len(raw)


def test_missing_preamble_and_prefix():
    whole = header() + DATA_SET
    for cut in (128, 132):
        found = split_file(whole[cut:])
        assert found.transfer_syntax_uid == uids.EXPLICIT_VR_LE
        assert whole[cut:][found.data_set_offset :] == DATA_SET


@pytest.mark.parametrize(
    ("data", "guess"),
    [
        (DATA_SET, uids.EXPLICIT_VR_LE),
        (b"\x08\x00\x60\x00\x02\x00\x00\x00CT", uids.IMPLICIT_VR_LE),
        (b"\x00\x08\x00\x60CS\x00\x02CT", uids.EXPLICIT_VR_BE),
    ],
)
def test_a_bare_data_set_is_guessed(data, guess):
    assert split_file(data) == (b"", guess, 0)


@pytest.mark.parametrize("junk", [b"", b"MZ" + bytes(200), b"%PDF-1.4", b"PK\x03\x04", bytes(300), b"DICM"])
def test_what_is_no_dicom_file(junk):
    if junk == b"DICM":
        junk = b"DIC"
    with pytest.raises(LeadglassError):
        split_file(junk)


def test_meta_cut_short_or_without_end():
    with pytest.raises(LeadglassError):
        split_file(header()[:-3])
    endless = b"DICM" + b"\x02\x00\x02\x01OB\0\0" + (MAX_FILE_META + 1).to_bytes(4, "little") + bytes(MAX_FILE_META + 1)
    with pytest.raises(LeadglassError):
        split_file(endless)


@given(st.binary(max_size=300))
def test_noise_is_refused_or_split(noise):
    for data in (noise, b"DICM" + noise, bytes(128) + b"DICM\x02\x00" + noise):
        try:
            found = split_file(data)
        except LeadglassError:
            continue
        assert 0 <= found.data_set_offset <= len(data)
