"""The layout of an instance in its binary form, as docs/formats/layout.md says."""

import struct
from dataclasses import replace

import pytest

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.dicom.layout import InstanceLayout

LAYOUT = InstanceLayout(
    "1.2.840.10008.1.2.4.50", "YBR_FULL_422", 0x7FE00010, False, "OB", 1000, 1012, 0xFFFFFFFF, (700, 16), (730, 16),
    512, 256, 3, 8, 7, 0, 1, 2,
)  # fmt: skip


def test_bytes_are_as_documented():
    data = LAYOUT.to_bytes()
    assert len(data) == 159
    assert data[0] == 1
    assert data[1:66].rstrip(b"\0") == b"1.2.840.10008.1.2.4.50"
    assert data[66:82].rstrip(b"\0") == b"YBR_FULL_422"
    assert struct.unpack_from("<IB2sQQI", data, 82) == (0x7FE00010, 0, b"OB", 1000, 1012, 0xFFFFFFFF)
    assert struct.unpack_from("<QQQQ", data, 109) == (700, 16, 730, 16)
    assert struct.unpack_from("<7HI", data, 141) == (512, 256, 3, 8, 7, 0, 1, 2)
    assert InstanceLayout.from_bytes(data) == LAYOUT


@pytest.mark.parametrize("data", [b"", b"\1" * 158, b"\2" + LAYOUT.to_bytes()[1:], b"\1" + b"\xff" * 158])
def test_what_is_no_layout_is_refused(data):
    with pytest.raises(LeadglassError) as caught:
        InstanceLayout.from_bytes(data)
    assert caught.value.code is ErrorCode.UNPARSABLE


def test_description_is_checked():
    assert LAYOUT.description().rows == 512
    for wrong in ({"rows": 0}, {"samples_per_pixel": 2}, {"bits_stored": 9}, {"number_of_frames": 0}):
        with pytest.raises(LeadglassError):
            replace(LAYOUT, **wrong).description()
