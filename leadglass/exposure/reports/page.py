"""One HTML page that needs nothing else: pictures first, then what to do, then every service.

No script, no address of anybody else, nothing loaded: it can be mailed, printed and kept.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from html import escape

from leadglass.exposure.audit import Audit, Result
from leadglass.exposure.changes import Change, Kind, is_open
from leadglass.exposure.checks import CHECKS
from leadglass.exposure.facts import Facts
from leadglass.exposure.findings import Finding, Rung
from leadglass.exposure.owners import Owners
from leadglass.exposure.reports.pictures import Bar, Point, bars, trend
from leadglass.exposure.reports.summing import Sums, sums
from leadglass.exposure.reports.words import RUNGS, exposed, first_to_do, product_and_version

_TOP = 12  # rows of one picture
_STYLE = """
:root{--ink:#1d2733;--soft:#5b6b7c;--paper:#fff;--panel:#f4f6f8;--rule:#dbe1e7;--mark:#3565a8;--open:#b3261e;
--warn:#b06a00;--calm:#4b7f52}
@media(prefers-color-scheme:dark){:root{--ink:#e6ebf0;--soft:#9fb0c0;--paper:#12181f;--panel:#1b232c;--rule:#2e3a46;
--mark:#7aa7e6;--open:#ff8a80;--warn:#ffb74d;--calm:#86c28d}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:1040px;margin:0 auto;padding:32px 20px 64px}h1{font-size:1.9rem;margin:0 0 4px}
h2{font-size:1.25rem;margin:40px 0 10px}p{margin:6px 0}.soft,small{color:var(--soft)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:12px;margin:24px 0}
.tile{background:var(--panel);border-radius:10px;padding:14px 16px}
.tile b{display:block;font-size:1.9rem;line-height:1.2}
.tile.bad b{color:var(--open)}.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:24px}
figure{margin:0;background:var(--panel);border-radius:10px;padding:14px 16px}
figcaption{font-weight:600;margin-bottom:8px}
svg{width:100%;height:auto;display:block}svg text{font:16px system-ui,sans-serif;fill:var(--ink)}
svg .label{fill:var(--soft)}svg .mark{fill:var(--mark)}svg .open{fill:var(--open)}svg .warn{fill:var(--warn)}
svg .calm{fill:var(--calm)}svg .axis{stroke:var(--rule)}svg .line{fill:none;stroke:var(--mark);stroke-width:2}
svg .dot{fill:var(--mark)}ol li{margin:10px 0}.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:8px 12px 8px 0;border-bottom:1px solid var(--rule);vertical-align:top}
th{color:var(--soft);font-weight:600;white-space:nowrap}td.num{white-space:nowrap}
details{border-bottom:1px solid var(--rule);padding:10px 0}summary{cursor:pointer}summary b{font-weight:600}
.tag{display:inline-block;border-radius:999px;padding:1px 10px;font-size:.82rem;border:1px solid currentColor}
.critical,.high{color:var(--open)}.medium{color:var(--warn)}.low,.none{color:var(--calm)}
.finding{margin:12px 0 12px 18px}code{font-size:.85em;overflow-wrap:anywhere}
@media print{details{break-inside:avoid}body{font-size:12px}}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def html_page(audit: Audit, owners: Owners, *, earlier: Sequence[Audit] = (), changed: Sequence[Change] = ()) -> str:
    """The page. `earlier` audits make the trend, `changed` is since the last of them."""
    total = sums(audit.results, owners)
    parts = (
        _head(audit, total),
        _pictures(audit, total),
        _trend([*earlier, audit], owners),
        _todo(audit),
        _changes(changed, earlier),
        _services(audit, owners),
        _blind(audit),
        _made(audit),
    )
    return (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(audit.title)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
        f"<style>{_STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>\n"
    )


def _head(audit: Audit, total: Sums) -> str:
    bad = " bad" if total.open_services else ""
    sign = "" if total.all_exact else "≥ "
    tiles = [
        (f"{total.open_services:,}", f"of {len(audit.results):,} services are open to everybody", bad),
        (f"{sign}{total.studies:,}", "studies can be seen by strangers", " bad" if total.studies else ""),
        (f"{sign}{total.images:,}", "images in them", " bad" if total.images else ""),
        (f"{total.untested:,}", "open ports that could not be told", ""),
    ]
    boxes = "".join(f'<div class="tile{kind}"><b>{number}</b>{words}</div>' for number, words, kind in tiles)
    whole = "" if audit.complete else " <strong>The run was stopped before its end.</strong>"
    return (
        f"<h1>{escape(audit.title)}</h1><p class=soft>{_day(audit.started)} to {_day(audit.ended)} UTC · audit "
        f"<code>{escape(audit.id)}</code> · permitted by {escape(audit.authorised_by)} · "
        f'{audit.contacted:,} doors knocked at.{whole}</p><div class="tiles">{boxes}</div>'
    )


def _pictures(audit: Audit, total: Sums) -> str:
    counts = Counter(result.assessment.rung for result in audit.results)
    ladder = [
        Bar(RUNGS[rung], counts[rung], f"{counts[rung]:,}", _kind(rung))
        for rung in reversed(Rung)
        if rung is not Rung.CLOSED
    ]
    shown = [
        _figure("How far a stranger gets", "services by the highest step reached", bars("Ladder", ladder)),
        _figure("Images exposed, by country", "", _counter_bars("By country", total.by_country)),
        _figure(
            "Images exposed, by organisation",
            f"the ten largest hold {total.largest_ten:.0%}" if total.by_organisation else "",
            _counter_bars("By organisation", total.by_organisation),
        ),
        _figure("Images exposed, by network", "", _counter_bars("By network", total.by_network)),
    ]
    kinds = _counter_bars("Kinds of personal data", total.kinds)
    words = "services in which it was present in a sample" if total.sampled else ""
    told = kinds or "<p class=soft>Not sampled: the scope does not allow it.</p>"
    shown.append(_figure("Kinds of personal data", words, told))
    return f'<h2>The picture</h2><div class="pair">{"".join(shown)}</div>'


def _kind(rung: Rung) -> str:
    if rung >= Rung.QUERY_ANSWERED:
        return "open"
    return "warn" if rung >= Rung.ASSOCIATION_ACCEPTED else "calm"


def _counter_bars(title: str, counter: Counter[str]) -> str:
    rows = [Bar(name, number, f"{number:,}", "open") for name, number in counter.most_common(_TOP) if number]
    return bars(title, rows)


def _figure(title: str, words: str, picture: str) -> str:
    note = f" <small>{escape(words)}</small>" if words else ""
    inside = picture or "<p class=soft>Nothing.</p>"
    return f"<figure><figcaption>{escape(title)}{note}</figcaption>{inside}</figure>"


def _trend(audits: Sequence[Audit], owners: Owners) -> str:
    if len(audits) < 2:
        return ""
    totals = [(_day(audit.started)[:10], sums(audit.results, owners)) for audit in audits]
    services = [Point(day, total.open_services, f"{total.open_services:,}") for day, total in totals]
    images = [Point(day, total.images, f"{total.images:,}") for day, total in totals]
    return (
        '<h2>Since the first audit</h2><div class="pair">'
        f"{_figure('Services open to everybody', '', trend('Open services', services))}"
        f"{_figure('Images exposed', '', trend('Images', images))}</div>"
    )


def _todo(audit: Audit) -> str:
    items = "".join(
        f"<li><strong>{escape(where)}</strong><br>{escape(what)}</li>" for where, what in first_to_do(audit)
    )
    inside = f"<ol>{items}</ol>" if items else "<p>Nothing that a stranger could use was found.</p>"
    return f"<h2>What to do first</h2>{inside}"


def _changes(changed: Sequence[Change], earlier: Sequence[Audit]) -> str:
    if not earlier:
        return ""
    counts = Counter(change.kind for change in changed)
    told = ", ".join(f"{counts[kind]:,} {_words(kind)}" for kind in Kind if counts[kind]) or "nothing was or is open"
    rows = "".join(
        f"<tr><td>{escape(_words(change.kind))}</td><td>{escape(change.service.label)}</td></tr>" for change in changed
    )
    table = f"<table><tr><th>change</th><th>service</th></tr>{rows}</table>"
    return (
        f"<h2>Changes since {escape(earlier[-1].id)}</h2><p>{escape(told)}.</p>"
        f"<details><summary>Each of them</summary>{table}</details>"
    )


def _words(kind: Kind) -> str:
    return kind.value.replace("-", " ")


def _services(audit: Audit, owners: Owners) -> str:
    ranked = sorted(audit.results, key=lambda result: (-result.assessment.rung, result.assessment.service))
    return "<h2>Every service</h2>" + "".join(_service(result, owners) for result in ranked)


def _service(result: Result, owners: Owners) -> str:
    assessment = result.assessment
    facts = Facts(result.observation.facts)
    owner = owners.of(assessment.service.address, facts)
    words = [RUNGS[assessment.rung], product_and_version(facts), exposed(facts), owner.organisation]
    severity = assessment.severity.value
    mark = " open" if is_open(result) else ""
    findings = "".join(_finding(finding) for finding in assessment.findings) or "<p class=finding>No finding.</p>"
    reasons = facts.value("P01", "reasons")
    doubts = "".join(f"<li>{escape(str(reason))}</li>" for reason in reasons) if isinstance(reasons, tuple) else ""
    doubts = f'<div class="finding"><small>The count may be more:</small><ul>{doubts}</ul></div>' if doubts else ""
    return (
        f'<details class="service{mark}"><summary><b>{escape(assessment.service.label)}</b> '
        f'<span class="tag {severity}">{severity}</span> {escape(" · ".join(word for word in words if word))}</summary>'
        f"{findings}{doubts}{_names(facts)}</details>"
    )


def _names(facts: Facts) -> str:
    """Those in its certificate, and those that its address leads back to."""
    told = [facts.value("M02", name) for name in ("names", "reverse")]
    names = dict.fromkeys(str(name) for found in told if isinstance(found, tuple) for name in found)
    return f'<div class="finding"><small>It goes by {escape(", ".join(names))}.</small></div>' if names else ""


def _finding(finding: Finding) -> str:
    vector = f"<br><code>{escape(finding.vector)}</code> {finding.score}" if finding.vector else ""
    links = " ".join(f"<code>{escape(reference)}</code>" for reference in finding.references)
    return (
        f'<div class="finding"><strong>{escape(finding.title)}</strong> '
        f'<span class="tag {finding.severity.value}">{finding.severity.value}</span><p>{escape(finding.could)}</p>'
        f"<p><strong>To close it:</strong> {escape(finding.close)}</p><small>{links}{vector}</small></div>"
    )


def _blind(audit: Audit) -> str:
    counts = Counter(check for result in audit.results for check in result.assessment.untested)
    rows = "".join(
        f'<tr><td>{check}</td><td>{escape(CHECKS[check].asks)}</td><td class="num">{number:,}</td></tr>'
        for check, number in sorted(counts.items())
    )
    if not rows:
        return ""
    return (
        "<h2>What could not be tested</h2><p class=soft>Not tested is not safe.</p>"
        f'<div class="scroll"><table><tr><th>check</th><th>question</th><th>services</th></tr>{rows}</table></div>'
    )


def _made(audit: Audit) -> str:
    return (
        "<h2>How this was found</h2><p>Every service was asked as a stranger would ask, gently and within the "
        "permission given. Nothing was taken: no image was asked for, no value of a patient was written anywhere. "
        "A count is exact only where that could be proven; else it says at least.</p>"
        f"<p class=soft>Scope <code>{escape(audit.scope)}</code></p>"
    )


def _day(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M")
