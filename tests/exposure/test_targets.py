"""Targets come once each, in random order, whatever the shards; other scanners' files never widen the scope."""

import ipaddress
import tracemalloc
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadglass.exposure.inputs import read_targets
from leadglass.exposure.permutation import Permutation
from leadglass.exposure.scope import Scope
from leadglass.exposure.service import Service
from leadglass.exposure.targets import Named, Shard, Targets, excluded


def scope(*networks, ports=(104, 11112), out=(), names=()):
    return Scope(
        "me",
        "me",
        0,
        1,
        tuple(map(ipaddress.ip_network, networks)),
        names,
        tuple(map(ipaddress.ip_network, out)),
        (),
        ports,
    )


@given(st.integers(1, 3000), st.integers(0, 2**40))
def test_a_permutation_has_everything_once(size, seed):
    order = Permutation(size, seed)
    assert sorted(order[number] for number in range(size)) == list(range(size))


def test_another_seed_is_another_order_and_no_order_is_the_counting_one():
    orders = [[Permutation(500, seed)[number] for number in range(500)] for seed in (1, 2, 1)]
    assert orders[0] == orders[2] != orders[1]
    assert orders[0] != list(range(500))
    with pytest.raises(IndexError):
        Permutation(5, 1)[5]


@given(st.integers(1, 7), st.integers(0, 99))
def test_shards_are_disjoint_and_whole(shards, seed):
    permitted = scope("192.0.2.0/28", "192.0.2.8/29", "2001:db8::/126", out=("192.0.2.3",))
    found = []
    for number in range(shards):
        targets = Targets(permitted, seed=seed, shard=Shard(number, shards), named=[Named("192.0.2.1", "a.example")])
        found += [service for _, service in targets.walk()]
    assert len(found) == len(set(found)) == (15 + 4 + 1) * 2
    assert Service("192.0.2.3", 104) not in found
    assert Service("192.0.2.1", 104, "a.example") in found


@given(st.integers(2, 5), st.integers(0, 99))
def test_all_ports_of_a_host_are_in_one_shard_and_not_in_a_row(shards, seed):
    permitted = scope("192.0.2.0/27", ports=(1, 2, 3))
    given = [Service(f"192.0.2.{host}", port) for host in range(32) for port in (1, 2, 3)]
    for more in ({}, {"given": given}):
        walks = [
            [
                service.address
                for _, service in Targets(permitted, seed=seed, shard=Shard(number, shards), **more).walk()
            ]
            for number in range(shards)
        ]
        assert sum(map(len, walks)) == 96
        assert all(not set(one) & set(other) for one in walks for other in walks if one is not other)
    whole = [service.address for _, service in Targets(permitted, seed=seed).walk()]
    assert not any(one == other for one, other in pairwise(whole))


def test_a_walk_can_be_gone_on_with():
    targets = Targets(scope("192.0.2.0/24"), seed=5)
    whole = list(targets.walk())
    assert list(targets.walk(100)) == whole[100:]
    assert list(Targets(scope("192.0.2.0/24", ports=(1,)), seed=5, given=[]).walk()) == []


def test_sixteen_million_addresses_cost_next_to_nothing():
    tracemalloc.start()
    targets = Targets(scope("10.0.0.0/8"), seed=1)
    taken = [service for _, service in islice(targets.walk(), 1000)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(targets) == 2 * 2**24
    assert len({service.address for service in taken}) > 900
    assert peak < 5_000_000


def test_excluded_addresses_are_counted_once():
    assert excluded(scope("192.0.2.0/24", out=("192.0.2.0/25", "192.0.2.5", "198.51.100.0/24"))) == 128


NMAP = b"""<?xml version="1.0"?><!DOCTYPE nmaprun><nmaprun><host><status state="up"/>
<address addr="192.0.2.7" addrtype="ipv4"/><ports>
<port protocol="tcp" portid="104"><state state="open" reason="syn-ack"/></port>
<port protocol="tcp" portid="11112"><state state="closed" reason="reset"/></port></ports></host>
<host><address addr="203.0.113.9" addrtype="ipv4"/><ports><port protocol="tcp" portid="104"><state state="open"/></port>
</ports></host></nmaprun>"""
MASSCAN = b'[\n{"ip": "192.0.2.7", "timestamp": "1", "ports": [{"port": 104, "proto": "tcp", "status": "open"}]},\n' + (
    b'{"ip": "203.0.113.9", "ports": [{"port": 104, "status": "open"}]}\n]\n'
)


@pytest.mark.parametrize(
    "data",
    [
        NMAP,
        MASSCAN,
        b"#masscan\nopen tcp 104 192.0.2.7 1700000000\nopen tcp 104 203.0.113.9 1700000000\n# end",
        b"192.0.2.7:104\n203.0.113.9:104\n",
        b"saddr,sport\n192.0.2.7,104\n203.0.113.9,104\n",
    ],
    ids=["nmap", "masscan json", "masscan list", "naabu", "csv"],
)
def test_what_other_scanners_found_is_cut_to_the_scope(data):
    given = read_targets(data, scope("192.0.2.0/24"))
    assert given.services == (Service("192.0.2.7", 104),)
    assert given.outside == 1


def test_addresses_alone_get_the_ports_of_the_scope():
    given = read_targets(b"192.0.2.7\n2001:db8::1\n", scope("192.0.2.0/24", "2001:db8::/32"))
    assert len(given.services) == 4


@given(st.binary(max_size=300))
def test_no_file_gets_out_of_the_scope(data):
    permitted = scope("192.0.2.0/24")
    for start in (b"", b"<?xml ", b'[{"ip": ', b"192.0.2."):
        try:
            given = read_targets(start + data, permitted)
        except ValueError:
            continue
        assert all(permitted.permits(service) for service in given.services)
