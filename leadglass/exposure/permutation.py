"""A random order of 0..n-1 that is computed, never listed: a Feistel network with cycle walking.

Black and Rogaway, "Ciphers with Arbitrary Finite Domains" (CT-RSA 2002), method 3; the rounds only mix, since the order
has to be even and repeatable, not secret.
"""

from __future__ import annotations

_ROUNDS = 6
_WORD = 0xFFFFFFFFFFFFFFFF


class Permutation:
    """Maps 0..`size`-1 onto itself. The same seed (any integer) gives the same order on every machine."""

    def __init__(self, size: int, seed: int) -> None:
        if size < 1:
            raise ValueError("there is nothing to put in order")
        self._size = size
        bits = max(2, (size - 1).bit_length())
        self._half = (bits + 1) // 2
        self._mask = (1 << self._half) - 1
        self._keys = tuple(_mix(seed + number * 0x9E3779B97F4A7C15) for number in range(1, _ROUNDS + 1))

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, position: int) -> int:
        """What stands at this position. IndexError if there is none."""
        if not 0 <= position < self._size:
            raise IndexError(position)
        value = self._once(position)
        while value >= self._size:  # the network is less than four times as large: a few steps
            value = self._once(value)
        return value

    def _once(self, value: int) -> int:
        left, right = value >> self._half, value & self._mask
        for key in self._keys:
            left, right = right, left ^ (_mix(right ^ key) & self._mask)
        return left << self._half | right


def _mix(value: int) -> int:
    """The finaliser of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    value &= _WORD
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & _WORD
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & _WORD
    return value ^ (value >> 31)
