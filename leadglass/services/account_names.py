"""A name is one thing only: an account, a device or a token. Journals could not tell them apart otherwise."""

from __future__ import annotations

from leadglass.core.people import People
from leadglass.core.ports import State


def is_taken(name: str, people: People, state: State) -> bool:
    """Whether anything has this name that an account could have, in whatever case."""
    if people.account(name) is not None:
        return True
    others = {device.name for device in state.devices()} | {token.name for token in state.tokens()}
    return name in {other.lower() for other in others}
