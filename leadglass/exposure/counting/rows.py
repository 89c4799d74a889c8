"""What is kept of an answer, in memory only: hashes, a date, modalities, two numbers."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from leadglass.exposure.counting.windows import MODALITIES, Window

_DIGEST = 12  # bytes: two of a million studies share one by a chance of 10^-17
_KNOWN = frozenset(MODALITIES) | frozenset(
    {"AR", "ASMT", "BI", "CFM", "DG", "DMS", "EC", "EEG", "EMG", "EOG", "EPS", "FID", "HC", "HD", "IOL", "IVOCT", "KER",
     "LEN", "LS", "M3D", "OAM", "OCT", "OPM", "OPTBSV", "OPTENF", "OPV", "OSS", "PLAN", "POS", "RESP", "RG", "RTRECORD",
     "RWV", "SMR", "SRF", "STAIN", "TEXTUREMAP", "TG", "VA", "XAPROTOCOL", "ANN", "CTPROTOCOL", "DSA", "FA", "CF", "DF"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One study of an answer. `study` and `patient` are keyed hashes; None is what the peer did not tell.

    `study` is empty if the answer does not name one.
    """

    study: bytes
    date: dt.date | None = None
    seconds: int | None = None  # of the day
    modalities: tuple[str, ...] = ()
    series: int | None = None
    instances: int | None = None
    patient: bytes | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """What a window was answered with. `whole`: the peer came to its end, with success, before the cap."""

    rows: tuple[Row, ...]
    whole: bool


Ask: TypeAlias = Callable[[Window, int], Awaitable[Answers]]
"""Asks for the studies of a window, at most so many. Raises Unreachable or Ended."""


def hashed(value: str, secret: bytes) -> bytes:
    """A value that cannot be had back without the run's secret, which is never written; nothing of nothing."""
    value = value.strip(" \0")
    if not value:
        return b""
    return hashlib.blake2b(value.encode("utf-8", "surrogatepass"), key=secret, digest_size=_DIGEST).digest()


def date_of(text: str) -> dt.date | None:
    """A DA, None if it is none: `20240131`, or `2024.01.31` as old objects have it."""
    digits = text.replace(".", "").replace("-", "")
    if len(digits) != 8 or not digits.isascii() or not digits.isdigit():
        return None
    try:
        return dt.date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None


def seconds_of(text: str) -> int | None:
    """A TM as seconds of the day, None if it is none."""
    digits = text.replace(":", "").partition(".")[0].ljust(6, "0")
    if len(digits) != 6 or not digits.isascii() or not digits.isdigit():
        return None
    hours, minutes, seconds = int(digits[:2]), int(digits[2:4]), min(int(digits[4:]), 59)
    return hours * 3600 + minutes * 60 + seconds if hours < 24 and minutes < 60 else None


def number_of(text: str) -> int | None:
    """An IS as a count, None if it is none or absurd."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def modality_of(text: str) -> str:
    """A modality as a fact may name it: one of the standard's, else `other`."""
    code = text.strip().upper()
    return code if code in _KNOWN else "other"
