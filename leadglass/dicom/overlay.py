"""Lays changes to elements of the outermost level over a data set as it streams through."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from leadglass.dicom.elements import ElementSink


@dataclass(frozen=True, slots=True)
class RootEdit:
    """A new value for an element: VR and even-length bytes, little endian. Never of VR SQ."""

    vr: str
    value: bytes


class RootEditor(ElementSink):
    """Passes elements on to `target`, with `edits` laid over the outermost level.

    A tag with a RootEdit is replaced, or inserted where it belongs; a tag with None is left out.
    """

    def __init__(self, target: ElementSink, edits: Mapping[int, RootEdit | None]) -> None:
        self._target = target
        self._edited = frozenset(edits)
        self._pending = deque((tag, edit) for tag, edit in sorted(edits.items()) if edit is not None)
        self._depth = 0
        self._silent_below: int | None = None  # depth of the sequence that is left out
        self._silent_element = False

    def finish(self) -> None:
        """The data set has ended: write what belongs behind its last element."""
        self._insert_before(1 << 32)

    def element(self, tag: int, vr: str, length: int, little: bool) -> None:
        """See ElementSink."""
        self._silent_element = self._starts(tag)
        if not self._silent_element:
            self._target.element(tag, vr, length, little)

    def value(self, piece: memoryview) -> None:
        """See ElementSink."""
        if not self._silent_element:
            self._target.value(piece)

    def end_element(self) -> None:
        """See ElementSink."""
        if not self._silent_element:
            self._target.end_element()

    def begin_sequence(self, tag: int, empty: bool) -> None:
        """See ElementSink."""
        silent = self._starts(tag)
        if silent and self._silent_below is None:
            self._silent_below = self._depth
        self._depth += 1
        if not silent:
            self._target.begin_sequence(tag, empty)

    def end_sequence(self) -> None:
        """See ElementSink."""
        self._depth -= 1
        if self._silent_below is None:
            self._target.end_sequence()
        elif self._silent_below == self._depth:
            self._silent_below = None

    def begin_item(self, empty: bool) -> None:
        """See ElementSink."""
        if self._silent_below is None:
            self._target.begin_item(empty)

    def end_item(self) -> None:
        """See ElementSink."""
        if self._silent_below is None:
            self._target.end_item()

    def encapsulated(self, tag: int) -> None:
        """See ElementSink."""
        if not self._starts(tag):
            self._target.encapsulated(tag)

    def _starts(self, tag: int) -> bool:
        """An element or sequence begins; whether it is left out."""
        if self._silent_below is not None:
            return True
        if self._depth:
            return False
        self._insert_before(tag)
        return tag in self._edited

    def _insert_before(self, tag: int) -> None:
        while self._pending and self._pending[0][0] <= tag:
            edited, edit = self._pending.popleft()
            self._target.element(edited, edit.vr, len(edit.value), True)
            if edit.value:
                self._target.value(memoryview(edit.value))
            self._target.end_element()
