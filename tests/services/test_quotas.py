"""What one principal may have at a time: too much is refused before it begins, and slowed down once it has."""

from __future__ import annotations

import pytest
from programs_support import Clock, Sink

from leadglass.core.errors import ErrorCode
from leadglass.core.principal import Principal, PrincipalKind
from leadglass.services import quotas
from leadglass.services.quota_ledger import OwnLedger
from leadglass.services.quotas import OverQuotaError, QuotaLimits, Quotas

LIMITS = QuotaLimits(requests=10, bytes_minute=6_000, exports=2)
ONE, OTHER = (Principal(PrincipalKind.PROGRAM, name, frozenset(), "192.0.2.1") for name in ("one", "other"))


class Watch(Clock):
    """Time passes only where somebody waits."""

    def __init__(self) -> None:
        super().__init__()
        self.waited: list[float] = []

    async def pause(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.now += seconds


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def kept(watch: Watch, sink: Sink) -> Quotas:
    return Quotas(LIMITS, refusals=sink, now=watch, pause=watch.pause)


def refused(kept: Quotas, who: Principal = ONE, *, export: bool = False) -> OverQuotaError:
    with pytest.raises(OverQuotaError) as error:
        kept.begin(who, export=export)
    assert error.value.code is ErrorCode.OVER_QUOTA
    return error.value


def test_requests_beyond_the_burst_are_refused_to_their_name_alone(kept: Quotas, watch: Watch, sink: Sink) -> None:
    for _ in range(100):
        kept.begin(ONE, export=False).end()
    error = refused(kept)
    assert (error.what, error.retry_after) == ("requests", 1)
    kept.begin(OTHER, export=False)
    watch.now += 0.15
    kept.begin(ONE, export=False)
    assert refused(kept).what == "requests"
    assert {(event.what, event.principal) for event in sink.events} == {("over-quota", "one")}


def test_a_refusal_costs_nothing(kept: Quotas, watch: Watch) -> None:
    for _ in range(100):
        kept.begin(ONE, export=False)
    for _ in range(1000):
        refused(kept)
    watch.now += 0.15
    kept.begin(ONE, export=False)


async def test_bytes_slow_an_answer_down_and_keep_the_next_from_beginning(kept: Quotas, watch: Watch) -> None:
    lease = kept.begin(ONE, export=False)
    await lease.moved(6_000, more=True)
    assert watch.waited == []
    await lease.moved(500, more=True)
    assert watch.waited == [5.0]
    await lease.moved(1_000, more=False)  # the end of an answer is not held back
    assert watch.waited == [5.0]
    assert (refused(kept).what, refused(kept).retry_after) == ("bytes", 10)
    watch.now += 10
    kept.begin(ONE, export=False)


async def test_one_pause_is_bounded(kept: Quotas, watch: Watch) -> None:
    await kept.begin(ONE, export=False).moved(10**9, more=True)
    assert watch.waited == [quotas.MAX_PAUSE]


def test_exports_hold_a_place_until_they_end(kept: Quotas) -> None:
    leases = [kept.begin(ONE, export=True) for _ in range(2)]
    assert refused(kept, export=True).what == "exports"
    kept.begin(ONE, export=False)
    kept.begin(OTHER, export=True)
    leases[0].end()
    leases[0].end()  # twice is once
    kept.begin(ONE, export=True)
    assert refused(kept, export=True).what == "exports"


def test_names_without_end_are_not_kept_and_exports_not_forgotten(watch: Watch) -> None:
    ledger = OwnLedger(10)
    kept = Quotas(LIMITS, ledger=ledger, now=watch)
    for _ in range(2):
        kept.begin(ONE, export=True)
    for number in range(100):
        kept.begin(Principal(PrincipalKind.PROGRAM, str(number), frozenset()), export=False)
    assert len(ledger) <= 10
    assert refused(kept, export=True).what == "exports"


async def test_what_comes_in_counts_as_what_goes_out(kept: Quotas, watch: Watch) -> None:
    lease = kept.begin(ONE, export=False)
    await lease.moved(3_000)
    await lease.moved(3_500)
    assert watch.waited == [5.0]
    await lease.moved(500, more=False)
    assert refused(kept).what == "bytes"
