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

_hook: Callable[[str], None] | None = None


def install(hook: Callable[[str], None] | None) -> None:
    """Have `hook` called with the name of each point that is reached; None removes it."""
    global _hook
    _hook = hook


def reached(name: str) -> None:
    """Say that the point `name` is reached."""
    if _hook is not None:
        _hook(name)
