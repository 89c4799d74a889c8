"""Named points in the order of a store, where a test may end the process or make a fault.

In service the hook is absent and a point costs one comparison. Nothing reads the environment: only a test that
imports this module can install a hook.
"""

from __future__ import annotations

from collections.abc import Callable

STORE_POINTS = (
    "store.before-ring",
    "store.ring-written",
    "store.ring-synced",
    "store.segment-created",
    "store.before-write",
    "store.written",
    "store.synced",
    "store.before-catalog",
    "store.catalogued",
    "store.answered",
)

_hooks: list[Callable[[str], None]] = []  # one at most


def install(hook: Callable[[str], None] | None) -> None:
    """Have `hook` called with the name of each point that is reached; None removes it."""
    _hooks[:] = [] if hook is None else [hook]


def reached(name: str) -> None:
    """Say that the point `name` is reached."""
    if _hooks:
        _hooks[0](name)
