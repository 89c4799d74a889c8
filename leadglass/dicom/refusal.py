"""The error of all conversions. Apart, so that the sandbox's worker loads no dictionary for it."""

from __future__ import annotations

from leadglass.core.errors import ErrorCode, LeadglassError


def broken(comment: str) -> LeadglassError:
    """The error for a data set or frame that cannot be read for conversion; `comment` is one plain sentence."""
    return LeadglassError(ErrorCode.CANNOT_CONVERT, comment)
