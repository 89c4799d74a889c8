"""What the processes say of themselves, as Prometheus reads it (text format 0.0.4). Pure.

Labels are templates of routes, methods, statuses and our own addresses: nothing that came with a request.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from leadglass.web.traffic import BOUNDS

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_DAY: Final = 24 * 3600.0
_INGEST: Final = {
    "stored": ("counter", "leadglass_instances_stored_total", "Instances made durable since the process began."),
    "queued": ("gauge", "leadglass_store_queue_length", "Instances that wait for the disk."),
    "buffered": ("gauge", "leadglass_store_buffered_bytes", "Bytes of instances that wait in memory."),
}
_DOOR: Final = {
    "associations": ("counter", "leadglass_associations_total", "DICOM associations that were accepted."),
    "refused": ("counter", "leadglass_associations_refused_total", "DICOM associations that were refused."),
    "failed": ("counter", "leadglass_stores_failed_total", "C-STORE operations that were answered with a failure."),
    "connections": ("gauge", "leadglass_dicom_connections", "DICOM connections that are open."),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known: of the DICOM process (None if it does not run), of the web processes, of the disk."""

    dicom: Mapping[str, Any] | None
    web: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    disk_free: int = 0
    disk_size: int = 0
    now: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))


def metrics_text(seen: Seen) -> str:
    """The whole document."""
    return "".join(_lines(seen))


def _lines(seen: Seen) -> Iterator[str]:
    processes = {"dicom": seen.dicom, **{f"web-{number}": facts for number, facts in sorted(seen.web.items())}}
    running = {name: facts for name, facts in processes.items() if facts is not None}
    up = _by_process(processes, lambda facts: facts is not None)
    yield from _family("gauge", "leadglass_up", "Whether a process runs.", up)
    writable = _by_process(running, lambda facts: facts.get("journal_writable", False))
    yield from _family("gauge", "leadglass_journal_writable", "Whether the audit trail can be written.", writable)
    for key, (kind, name, told) in _INGEST.items():
        rows = _by_process(running, lambda facts, key=key: facts.get("ingest", {}).get(key, 0))
        yield from _family(kind, name, told, rows)
    if seen.dicom is not None:
        for key, (kind, name, told) in _DOOR.items():
            yield from _family(kind, name, told, [({}, seen.dicom.get(key, 0))])
    yield from _traffic([facts["traffic"] for facts in seen.web.values()])
    yield from _family("gauge", "leadglass_disk_free_bytes", "Free on the archive's disk.", [({}, seen.disk_free)])
    yield from _family("gauge", "leadglass_disk_size_bytes", "Size of the archive's disk.", [({}, seen.disk_size)])
    yield from _family("gauge", "leadglass_listener_open", "Whether a listener is open.", _open(running))
    told = "Days until a certificate ends."
    yield from _family("gauge", "leadglass_certificate_days", told, _certificates(seen))


def _traffic(found: list[Mapping[str, Any]]) -> Iterator[str]:
    answers: Counter[tuple[str, str, int]] = Counter()
    for one in found:
        for route, method, status, count in one["answers"]:
            answers[route, method, status] += count
    rows = [
        ({"route": route or "none", "method": method or "none", "status": str(status)}, count)
        for (route, method, status), count in sorted(answers.items())
    ]
    yield from _family("counter", "leadglass_http_requests_total", "Requests by route, method and status.", rows)
    yield from _seconds(found)
    sent, at_work = (sum(one[key] for one in found) for key in ("bytes", "open"))
    yield from _family("counter", "leadglass_http_sent_bytes_total", "Bytes of answers.", [({}, sent)])
    yield from _family("gauge", "leadglass_http_requests_open", "Requests being answered.", [({}, at_work)])


def _seconds(found: list[Mapping[str, Any]]) -> Iterator[str]:
    name = "leadglass_http_request_seconds"
    yield f"# HELP {name} Seconds from a request's head to its answer's end, by route.\n# TYPE {name} histogram\n"
    for route in sorted({route for one in found for route in one["seconds"]}):
        mine = [one["seconds"][route] for one in found if route in one["seconds"]]
        counts = [sum(column) for column in zip(*mine, strict=True)]
        so_far = 0.0
        for bound, count in zip([*map(str, BOUNDS), "+Inf"], counts, strict=False):
            so_far += count
            yield _row(f"{name}_bucket", {"route": route or "none", "le": bound}, so_far)
        yield _row(f"{name}_sum", {"route": route or "none"}, counts[-1])
        yield _row(f"{name}_count", {"route": route or "none"}, so_far)


def _open(running: Mapping[str, Mapping[str, Any]]) -> list[tuple[dict[str, str], float]]:
    return [
        ({"process": name, "of": _named(item)}, float(item["open"]))
        for name, facts in running.items()
        for item in facts.get("listeners", ())
        if "open" in item
    ]


def _named(item: Mapping[str, Any]) -> str:
    return str(item["listener"] if "listener" in item else f"{item['host']}:{item['port']}")


def _certificates(seen: Seen) -> list[tuple[dict[str, str], float]]:
    ends: dict[str, str] = {}
    if seen.dicom is not None:
        ends["authority"] = seen.dicom.get("authority_until", "")
        for item in seen.dicom.get("listeners", ()):
            ends[_named(item)] = item.get("certificate_until", "")
    for facts in seen.web.values():
        for item in facts.get("listeners", ()):
            ends[_named(item)] = item["certificate_until"]
    return [({"of": name}, _days(until, seen.now)) for name, until in sorted(ends.items()) if until]


def _days(until: str, now: dt.datetime) -> float:
    end = dt.datetime.fromisoformat(until)
    end = end if end.tzinfo else end.replace(tzinfo=dt.UTC)
    return round((end - now).total_seconds() / _DAY, 2)


def _by_process(processes: Mapping[str, Any], value: Any) -> list[tuple[dict[str, str], float]]:
    return [({"process": name}, float(value(facts))) for name, facts in processes.items()]


def _family(kind: str, name: str, told: str, rows: Iterable[tuple[Mapping[str, str], float]]) -> Iterator[str]:
    yield f"# HELP {name} {told}\n# TYPE {name} {kind}\n"
    for labels, value in rows:
        yield _row(name, labels, value)


def _row(name: str, labels: Mapping[str, str], value: float) -> str:
    inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{inner}}} {value:.17g}\n" if inner else f"{name} {value:.17g}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
