"""Private elements and the creators that reserve their blocks (PS3.5 7.8.1), in one data set or item."""

from __future__ import annotations

from leadglass.core.attributes import Attribute


def is_private(tag: int) -> bool:
    """Whether `tag` is of a private group."""
    return bool(tag & 0x10000)


class PrivateBlocks:
    """Which creator reserved which block. A name that reserves a second block of a group names only the first."""

    __slots__ = ("_blocks", "_names")

    def __init__(self) -> None:
        self._blocks: dict[int, str] | None = None  # group << 8 | block -> name; most items have none
        self._names: set[tuple[int, str]] = set()

    def note(self, tag: int, attribute: Attribute) -> None:
        """Take note of a private creator, (gggg,0010) to (gggg,00FF); other elements are passed over."""
        name = attribute.values[0] if len(attribute.values) == 1 else ""
        group = tag >> 16
        if not 0x10 <= tag & 0xFFFF <= 0xFF or not isinstance(name, str) or not name or (group, name) in self._names:
            return
        self._names.add((group, name))
        if self._blocks is None:
            self._blocks = {}
        self._blocks[group << 8 | tag & 0xFF] = name

    def creator_of(self, tag: int) -> str:
        """The name of the creator of the block that `tag` lies in; empty if there is none."""
        return self._blocks.get(tag >> 8, "") if self._blocks else ""
