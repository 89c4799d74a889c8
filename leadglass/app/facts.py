"""Facts about this host that decide whether it is safe to serve. Gathered here, judged in `safety`."""

from __future__ import annotations

import array
import ctypes
import fcntl
import ipaddress
import os
import resource
import socket
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

from leadglass.app.web_roots import web_roots

PR_GET_DUMPABLE = 3
PR_SET_DUMPABLE = 4
NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "ceph", "glusterfs", "afs", "fuse.sshfs"}
)
_SIOCGIFCONF = 0x8912
_IFREQ = 40  # bytes of a struct ifreq on 64-bit Linux: name (16), then a sockaddr
_MAX_INTERFACES = 1024
BRIDGE_PREFIXES = ("docker", "br-", "virbr", "podman", "cni", "lxcbr", "lxdbr", "vboxnet", "vmnet")


@dataclass(frozen=True, slots=True)
class PathFact:
    """How one file or folder lies on the disk."""

    path: Path
    owner: int
    mode: int
    real: Path  # symbolic links followed
    file_system: str


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What `safety` needs to know of the host and the process."""

    uid: int
    core_dumps: bool
    own_addresses: tuple[str, ...]
    gateways: tuple[str, ...]  # default gateways, and this host's addresses on container bridges
    web_roots: tuple[Path, ...] = ()  # folders that a web server of this machine serves


def gather() -> HostFacts:
    """Look at the process and at /proc."""
    addresses = own_addresses()
    return HostFacts(
        uid=os.geteuid(),
        core_dumps=core_dumps_possible(),
        own_addresses=tuple(sorted({address for _, address in addresses})),
        gateways=tuple(sorted({*default_gateways(), *(address for name, address in addresses if _bridge(name))})),
        web_roots=web_roots(),
    )


def forbid_core_dumps() -> None:
    """Set both locks on core dumps: the limit, and the dumpable flag (a core_pattern pipe ignores the limit)."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def core_dumps_possible() -> bool:
    """Whether this process could still leave a core dump."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    dumpable = ctypes.CDLL(None, use_errno=True).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)
    return dumpable != 0 or (soft, hard) != (0, 0)


def path_fact(path: Path) -> PathFact | None:
    """How `path` lies; None if it does not exist."""
    try:
        found = path.lstat()
        real = path.resolve()
        if stat.S_ISLNK(found.st_mode):
            found = path.stat()
    except OSError:
        return None
    plain = Path(os.path.abspath(path))  # noqa: PTH100  # pathlib keeps "..", which is no link
    return PathFact(plain, found.st_uid, stat.S_IMODE(found.st_mode), real, file_system_of(real))


def file_system_of(path: Path) -> str:
    """The type of the file system that holds `path` (from /proc/self/mounts); empty if unknown."""
    best, kind = "", ""
    try:
        mounts = Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    text = str(path)
    for line in mounts:
        fields = line.split()
        if len(fields) < 3:
            continue
        mount = fields[1].encode("ascii", "backslashreplace").decode("unicode_escape")
        if (text == mount or text.startswith(mount.rstrip("/") + "/")) and len(mount) >= len(best):
            best, kind = mount, fields[2]
    return kind


def own_names() -> list[str]:
    """The host names that this machine knows of itself, as far as they can stand in a certificate."""
    found = []
    for name in {socket.gethostname(), socket.getfqdn()}:
        try:
            name.encode("idna")
        except UnicodeError:
            continue
        if name:
            found.append(name)
    return found


def own_addresses() -> list[tuple[str, str]]:
    """(interface, address) of this host, IPv4 and IPv6."""
    found = _ipv4_addresses()
    try:
        lines = Path("/proc/net/if_inet6").read_text("ascii").splitlines()
    except OSError:
        lines = []
    for line in lines:
        fields = line.split()
        found.append((fields[5], str(ipaddress.IPv6Address(bytes.fromhex(fields[0])))))
    return found


def default_gateways() -> list[str]:
    """Gateways of the IPv4 and IPv6 routing tables."""
    found = []
    try:
        for line in Path("/proc/net/route").read_text("ascii").splitlines()[1:]:
            gateway = int(line.split()[2], 16)
            if gateway:
                found.append(str(ipaddress.IPv4Address(struct.pack("<I", gateway))))
    except (OSError, ValueError, IndexError):
        pass
    try:
        for line in Path("/proc/net/ipv6_route").read_text("ascii").splitlines():
            gateway6 = ipaddress.IPv6Address(bytes.fromhex(line.split()[4]))
            if int(gateway6):
                found.append(str(gateway6))
    except (OSError, ValueError, IndexError):
        pass
    return found


def _ipv4_addresses() -> list[tuple[str, str]]:
    """(interface, address), second addresses of an interface included (netdevice(7), SIOCGIFCONF)."""
    space = array.array("B", bytes(_MAX_INTERFACES * _IFREQ))
    address, length = space.buffer_info()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe.fileno(), _SIOCGIFCONF, struct.pack("iL", length, address))
        except OSError:
            return []
    used, _ = struct.unpack("iL", answer)
    rows = [space[start : start + _IFREQ].tobytes() for start in range(0, used, _IFREQ)]
    return [(_interface(row), str(ipaddress.IPv4Address(row[20:24]))) for row in rows]


def _interface(row: bytes) -> str:
    """Without the label of a second address (eth0:1)."""
    return row[:16].partition(b"\0")[0].decode("ascii", "replace").partition(":")[0]


def _bridge(name: str) -> bool:
    return name.startswith(BRIDGE_PREFIXES) or Path("/sys/class/net", name, "bridge").is_dir()
