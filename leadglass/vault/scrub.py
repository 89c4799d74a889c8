"""Proves again what lies in the segments. Reports, never deletes or mends."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from blake3 import blake3

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.ports import RecordReader
from leadglass.core.records import CheckedRecord, Damage
from leadglass.vault.disk import failing_as
from leadglass.vault.segment_directory import SegmentDirectory
from leadglass.vault.study_key import OpenStudyKey
from leadglass.vault.walk import Walk


def scrub(
    directory: SegmentDirectory, key_of: Callable[[bytes], OpenStudyKey], read_data: bool, from_position: str | None
) -> Iterator[CheckedRecord | Damage]:
    """Go through all segments in order of their names, from `from_position` on. USAGE if that is no position."""
    first, offset = _parse(from_position)
    for name in directory.names():
        if name >= first:
            yield from _scrub_segment(directory, key_of, name, offset if name == first else 0, read_data)


def _parse(position: str | None) -> tuple[str, int]:
    if position is None:
        return "", 0
    name, _, offset = position.partition(":")
    if not offset.isascii() or not offset.isdigit():
        raise LeadglassError(ErrorCode.USAGE, "That is no position to continue a check from.")
    return name, int(offset)


def _scrub_segment(
    directory: SegmentDirectory, key_of: Callable[[bytes], OpenStudyKey], name: str, offset: int, read_data: bool
) -> Iterator[CheckedRecord | Damage]:
    try:
        segment = directory.open(name)
    except LeadglassError as problem:
        if problem.code is ErrorCode.NOT_FOUND:
            return  # compacted away meanwhile
        raise
    try:
        with failing_as(ErrorCode.OUT_OF_RESOURCES, "A segment cannot be read."):
            if read_data:
                directory.disk.drop_cache(segment.descriptor)
            walk = Walk(directory, segment, key_of)
            for found in walk.records(offset, authenticate=False):
                if isinstance(found, Damage):
                    yield found
                    continue
                try:
                    if read_data:
                        _verify(found.reader)
                except LeadglassError as problem:
                    length = found.end - found.location.offset
                    yield Damage(name, found.location.offset, length, problem.comment)
                    continue
                trailer = found.reader.trailer
                yield CheckedRecord(found.location, trailer.identity, trailer.digest, f"{name}:{found.end}")
    finally:
        directory.disk.close(segment.descriptor)


def _verify(reader: RecordReader) -> None:
    """Read all of it and compare with the digest in the trailer. DAMAGED if anything is off."""
    digest = blake3()
    for piece in reader.chunks():
        digest.update(piece)
    if digest.digest() != reader.trailer.digest:
        raise LeadglassError(ErrorCode.DAMAGED, "The data set does not have the digest it came with.")
