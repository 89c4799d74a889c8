"""Network namespaces of Linux: a network of one's own, where a program may listen on whatever it likes.

Made with unshare(1) of util-linux: as root, or by anybody where the system lets users make namespaces of their own.
"""

from __future__ import annotations

import fcntl
import functools
import os
import shutil
import socket
import struct
import subprocess

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1  # netdevice(7)
_AS_ROOT = ("--net",)
_AS_ANYBODY = ("--user", "--map-root-user", "--net")  # root there, nobody here
# Whatever is started in it ends with the first process of it, which ends with unshare.
_TOGETHER = ("--pid", "--fork", "--kill-child")
_PATIENCE = 20  # seconds for a trial


@functools.cache
def enclosing() -> tuple[str, ...]:
    """The words before a command that give it a network of its own, and its children its end; () if there is no way."""
    program = shutil.which("unshare")
    if program is None:
        return ()
    ways = (_AS_ANYBODY, _AS_ROOT) if os.geteuid() == 0 else (_AS_ANYBODY,)
    for way in ways:
        words = (program, *way, *_TOGETHER)
        if _works(words):
            return words
    return ()


def raise_loopback() -> None:
    """Bring up 127.0.0.0/8 in a namespace that was just made. OSError if this is not ours to do."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        request = struct.pack("16sH22x", b"lo", 0)
        answer = fcntl.ioctl(door.fileno(), _SIOCGIFFLAGS, request)
        (flags,) = struct.unpack_from("H", answer, 16)
        fcntl.ioctl(door.fileno(), _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags | _IFF_UP))


def _works(words: tuple[str, ...]) -> bool:
    try:
        done = subprocess.run([*words, "true"], capture_output=True, timeout=_PATIENCE, check=False)  # noqa: S603 - as is
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
