"""Writes a database as MaxMind's are, by its specification (MaxMind DB file format 2.0): networks and their records."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

Record = Mapping[str, object]


def written(rows: Mapping[str, Record], version: int = 6) -> bytes:
    """Networks to records; records of 24 bits, a tree for IPv4 or for IPv6 with IPv4 below ::/96."""
    tree: list[list[object]] = [[None, None]]
    for text, record in rows.items():
        network = ipaddress.ip_network(text)
        number, length = int(network.network_address), network.prefixlen
        if version == 6 and network.version == 4:
            length += 96
        bits = 128 if version == 6 else 32
        _insert(tree, [number >> (bits - 1 - place) & 1 for place in range(length)], record)
    data, places = b"", {}
    for row in rows.values():
        places[id(row)] = len(data)
        data += _encoded(row)
    nodes = b"".join(_pointer(side, places, len(tree)) for node in tree for side in node)
    about = {
        "node_count": len(tree), "record_size": 24, "ip_version": version, "database_type": "Invented",
        "languages": [], "binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": 1,
        "description": {},
    }  # fmt: skip
    return nodes + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + _encoded(about)


def _insert(tree: list[list[object]], path: list[int], record: Record) -> None:
    node = 0
    for bit in path[:-1]:
        if not isinstance(tree[node][bit], int):
            tree.append([None, None])
            tree[node][bit] = len(tree) - 1
        node = tree[node][bit]  # type: ignore[assignment]
    tree[node][path[-1]] = record


def _pointer(side: object, places: Mapping[int, int], count: int) -> bytes:
    if side is None:
        return count.to_bytes(3)
    number = side if isinstance(side, int) else count + 16 + places[id(side)]
    return number.to_bytes(3)


def _encoded(value: object) -> bytes:
    if isinstance(value, str):
        text = value.encode()
        return _control(2, len(text)) + text
    if isinstance(value, int):
        number = value.to_bytes((value.bit_length() + 7) // 8)
        return _control(6 if value < 2**32 else 9, len(number)) + number
    if isinstance(value, list):
        return _control(11, len(value)) + b"".join(map(_encoded, value))
    assert isinstance(value, Mapping)
    return _control(7, len(value)) + b"".join(_encoded(key) + _encoded(item) for key, item in value.items())


def _control(kind: int, size: int) -> bytes:
    assert size < 285
    more = b"" if size < 29 else bytes([size - 29])
    head = min(size, 29)
    return (bytes([kind << 5 | head]) if kind < 8 else bytes([head, kind - 7])) + more
