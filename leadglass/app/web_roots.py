"""Folders that a web server of this machine serves: the usual ones, and what its configuration names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

USUAL = (
    Path("/var/www"),
    Path("/srv/www"),
    Path("/srv/http"),
    Path("/usr/share/nginx"),
    Path("/usr/local/www"),
    Path("/opt/lampp/htdocs"),
)
CONFIGURATIONS = ("etc/nginx", "etc/apache2", "etc/httpd", "etc/lighttpd", "etc/caddy", "usr/local/etc/nginx")
MAX_FILES = 500  # a machine with more sites than that is no archive's
MAX_BYTES = 1024 * 1024
_SERVED = re.compile(
    r"""^\s*(?:root(?:\s+\*)?|alias|Alias(?:\s+\S+)|DocumentRoot|server\.document-root\s*=)\s+["']?(/[^"';\s]*)""",
    re.MULTILINE,
)


def web_roots(system: Path = Path("/")) -> tuple[Path, ...]:
    """Every served folder that can be known, those of the configuration with their links followed too."""
    found: dict[Path, None] = dict.fromkeys(USUAL)
    for text in _configurations(system):
        for folder in map(Path, _SERVED.findall(text)):
            found |= {folder: None, folder.resolve(): None}
    return tuple(found)


def _configurations(system: Path) -> Iterator[str]:
    for name in CONFIGURATIONS:
        for path in islice(sorted((system / name).rglob("*")), MAX_FILES):
            try:
                if path.is_file() and path.stat().st_size <= MAX_BYTES:
                    yield path.read_text("utf-8", "replace")
            except OSError:
                continue  # not ours to read: what it serves cannot be known
