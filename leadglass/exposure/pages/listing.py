"""Listings of directories (W09): whether a page is one, how many DICOM files it names, where it goes further down.

Names of files may be names of patients: they are counted and dropped. Further down goes only what is one of our own
words, or a UID.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from urllib.parse import unquote

from leadglass.exposure.http_answer import HttpAnswer

MAX_LINKS = 20_000  # of one page: more than fit into the bytes that are kept

# Apache, nginx, lighttpd, Python; Tomcat and Jetty; IIS; Caddy and others that link to the parent
_LISTING = re.compile(
    rb"<(?:title|h1)[^>]{0,80}>\s*(?:Index of\b|Directory[ -]listing\b|Directory:|Listing directory|listing of /)"
    rb"|\[To Parent Directory\]",
    re.I,
)
_LINK = re.compile(rb"<a\b[^<>]{0,400}?\bhref\s*=\s*(?:\"([^\"]{1,500})\"|'([^']{1,500})'|([^\s\"'>]{1,500}))", re.I)

_UID = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*)){5,}")  # PS3.5 9.1, and long enough to be no version
_FILE = re.compile(r".+\.(?:dcm|dicom|dic|ima)(?:\.gz)?|DICOMDIR|IM[-_]?\d{1,8}|IMG?\d{4,8}|I\d{6,8}", re.I)
_WORDS = ("dicom", "dcm", "images", "pacs", "studies", "archive", "data", "export", "storage")


@dataclass(frozen=True, slots=True)
class Listing:
    """What one page of a listing names: how many DICOM files, whether there are more, and a folder to look into.

    `down` is the name of the folder, "" if there is none to look into.
    """

    files: int
    more: bool
    down: str


def listing(page: HttpAnswer) -> Listing | None:
    """The page as a listing, None if it is none."""
    if not page.ok or not _LISTING.search(page.body):
        return None
    files, folders = 0, []
    more = page.truncated
    for number, link in enumerate(_LINK.finditer(page.body)):
        if number == MAX_LINKS:
            more = True
            break
        name = _name(link.group(1) or link.group(2) or link.group(3))
        if name.endswith("/"):
            folders.append(name[:-1])
        elif _FILE.fullmatch(name) or _is_uid(name):
            files += 1
    down = _down(folders)
    return Listing(files, more or bool(down), down)


def _name(href: bytes) -> str:
    """The last part of a link, with its slash if it is a folder; "" if it leads up or elsewhere."""
    path = unescape(href.decode("utf-8", "replace")).partition("?")[0].partition("#")[0]
    if "://" in path or path.startswith((".", "//")):
        return "" if not path.startswith("./") else _name(path[2:].encode())
    folder = "/" if path.endswith("/") else ""
    return unquote(path.rstrip("/").rpartition("/")[2]) + folder


def _is_uid(name: str) -> bool:
    return len(name) <= 64 and _UID.fullmatch(name) is not None


def _down(folders: list[str]) -> str:
    """The folder that most likely holds images, of those whose name is a word of ours or a UID."""
    for word in _WORDS:
        for name in folders:
            if name.isascii() and name.lower() == word:
                return name
    return next((name for name in folders if _is_uid(name)), "")
