"""Finding the line of a table that a path belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar

from starlette.routing import compile_path


class Line(Protocol):
    """A line of a table."""

    @property
    def method(self) -> str:
        """GET, POST, ..."""
        ...

    @property
    def path(self) -> str:
        """Starlette's template."""
        ...


_Line = TypeVar("_Line", bound=Line)


class Table(Generic[_Line]):
    """Lines whose templates are compiled once."""

    def __init__(self, lines: Iterable[_Line]) -> None:
        self._lines = [(line, compile_path(line.path)[0]) for line in lines]

    def at(self, path: str) -> Iterator[tuple[_Line, Mapping[str, Any]]]:
        """The lines whose path this is, and its parts, in the table's order."""
        for line, pattern in self._lines:
            found = pattern.match(path)
            if found is not None:
                yield line, found.groupdict()
