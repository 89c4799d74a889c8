"""What the archive says it can decode is what the sandbox has decoders for."""

from leadglass.dicom.transfer_syntaxes import DECODABLE, TRANSFER_SYNTAXES
from leadglass.sandbox.codecs import DECODABLE as DECODERS


def test_both_tables_are_the_same() -> None:
    assert DECODABLE == DECODERS
    assert all(TRANSFER_SYNTAXES[uid].encapsulated for uid in DECODABLE)
