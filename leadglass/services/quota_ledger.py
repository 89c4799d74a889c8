"""What is known of each name that has quotas: how full its buckets are, and how many exports it has under way.

Where several processes answer, they keep one ledger together (app.shared_ledger): a quota is one token's, whichever
process its connections fall on.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

MAX_ACCOUNTS: Final = 4096  # names; one that is forgotten begins with a full allowance


@dataclass(slots=True)
class Bucket:
    """What is left of an allowance (below nothing, too), and when that was so, in seconds."""

    level: float
    filled: float


@dataclass(slots=True)
class Standing:
    """How one name stands now."""

    requests: Bucket
    bytes: Bucket
    exports: int = 0  # under way, in all processes


Fresh = Callable[[], Standing]


class Ledger(Protocol):
    """Standings by name."""

    def of(self, name: str, fresh: Fresh) -> AbstractContextManager[Standing]:
        """The standing of `name`, `fresh` if it is not known; what is changed in it counts from the block's end, and
        nobody else changes it meanwhile. It is not held while anything is awaited."""
        ...


class OwnLedger:
    """The ledger of a process for itself."""

    def __init__(self, most: int = MAX_ACCOUNTS) -> None:
        self._most = most
        self._standings: OrderedDict[str, Standing] = OrderedDict()

    def __len__(self) -> int:
        return len(self._standings)

    @contextlib.contextmanager
    def of(self, name: str, fresh: Fresh) -> Iterator[Standing]:
        """See Ledger."""
        found = self._standings.get(name)
        if found is None:
            found = self._standings[name] = fresh()
            if len(self._standings) > self._most:
                self._forget_one()
        self._standings.move_to_end(name)
        yield found

    def _forget_one(self) -> None:
        """The longest unused without an export."""
        idle = next((name for name, standing in self._standings.items() if not standing.exports), None)
        if idle is not None:
            del self._standings[idle]
