"""Takes from this process, for good, what hostile code in it could use: files, network, other processes, memory.

Layers, each enough against files and network alone: a seccomp filter that lets through the few calls that computing
needs; Landlock, where the kernel has it, without a single rule, so nothing of the file system or network is reachable;
resource limits; no capabilities. Linux on x86_64 and aarch64. Call numbers are the kernel's (asm/unistd).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import resource
import struct
from dataclasses import dataclass
from typing import Final

from leadglass.core.limits import SANDBOX_ADDRESS_SPACE, SANDBOX_CPU_SECONDS

PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 4, 38, 22
_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC = 1, 1
_ALLOW, _KILL_PROCESS, _DENY = 0x7FFF0000, 0x80000000, 0x00050000 | 1  # the last: fails with EPERM
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446  # the same on every architecture
_LANDLOCK_VERSION_FLAG = 1
_PROT_EXEC = 4
_MOST_DESCRIPTORS = 1 << 20

_BPF_LOAD, _BPF_JUMP_EQUAL, _BPF_JUMP_SET, _BPF_JUMP_NOT_BELOW, _BPF_RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_OFFSET_NUMBER, _OFFSET_ARCHITECTURE, _OFFSET_FIRST, _OFFSET_THIRD = 0, 4, 16, 32
_X32_BIT: Final = 0x40000000


@dataclass(frozen=True, slots=True)
class Machine:
    """What the filter must know of an architecture. `plain` calls take any arguments."""

    audit: int
    seccomp: int
    capset: int
    read: int
    write: int
    mmap: int
    mprotect: int
    plain: tuple[int, ...]


# plain: munmap brk rt_sigaction rt_sigprocmask rt_sigreturn mremap sched_yield madvise nanosleep getpid gettid exit
# exit_group futex clock_gettime clock_nanosleep gettimeofday getrandom restart_syscall sigaltstack sched_getaffinity
# getrusage close
MACHINES: Final = {
    "x86_64": Machine(
        audit=0xC000003E,
        seccomp=317,
        capset=126,
        read=0,
        write=1,
        mmap=9,
        mprotect=10,
        plain=(11, 12, 13, 14, 15, 25, 24, 28, 35, 39, 186, 60, 231, 202, 228, 230, 96, 318, 219, 131, 204, 98, 3),
    ),
    "aarch64": Machine(
        audit=0xC00000B7,
        seccomp=277,
        capset=91,
        read=63,
        write=64,
        mmap=222,
        mprotect=226,
        plain=(
            *(215, 214, 134, 135, 139, 216, 124, 233, 101, 172, 178, 93, 94, 98, 113, 115, 169, 278, 128, 132),
            *(123, 165, 57),
        ),
    ),
}


@dataclass(frozen=True, slots=True)
class Layers:
    """Which layers hold in this process. `landlock` is the kernel's ABI number, 0 for none."""

    seccomp: bool
    landlock: int


def confine(*, use_landlock: bool = True, address_space: int = SANDBOX_ADDRESS_SPACE) -> Layers:
    """Give everything up but reading descriptor 0, writing descriptors 1 and 2, memory and time. No way back.

    Raises OSError if the filter cannot be set; the caller must then end. Only to be called from a process that has
    one thread and has loaded all it needs.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    machine = MACHINES.get(platform.machine())
    if machine is None:
        raise OSError("there is no sandbox for this architecture")
    _call(libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
    _call(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _limit(address_space)
    landlock = _landlock(libc) if use_landlock else 0
    _drop_capabilities(libc, machine)
    os.closerange(3, _MOST_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
    _seccomp(libc, machine)
    return Layers(seccomp=True, landlock=landlock)


def landlock_abi() -> int:
    """The kernel's Landlock ABI, 0 if it has none or has it switched off."""
    libc = ctypes.CDLL(None, use_errno=True)
    abi = libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(_LANDLOCK_VERSION_FLAG))
    return max(int(abi), 0)


def _call(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _limit(address_space: int) -> None:
    """Limits bite on what is asked for from now on; descriptors that are open stay."""
    limits = {
        resource.RLIMIT_AS: address_space,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: SANDBOX_CPU_SECONDS,
    }
    for name, value in limits.items():
        resource.setrlimit(name, (value, value))


def _landlock(libc: ctypes.CDLL) -> int:
    """A rule set that handles every right the kernel knows and allows none (Linux Documentation, landlock)."""
    abi = landlock_abi()
    if not abi:
        return 0
    rights = 13 + (abi >= 2) + (abi >= 3) + (abi >= 5)  # access rights to files, by ABI
    attributes = struct.pack("<Q", (1 << rights) - 1)
    if abi >= 4:
        attributes += struct.pack("<Q", 3)  # bind and connect TCP
    if abi >= 6:
        attributes += struct.pack("<Q", 3)  # abstract sockets and signals of other domains
    rules = _call(libc.syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0)))
    try:
        _call(libc.syscall(_LANDLOCK_RESTRICT, rules, ctypes.c_uint32(0)))
    finally:
        os.close(rules)
    return abi


def _drop_capabilities(libc: ctypes.CDLL, machine: Machine) -> None:
    """All capability sets empty (capset, version 3), whoever started us."""
    header = struct.pack("<Ii", 0x20080522, 0)
    _call(libc.syscall(machine.capset, header, bytes(24)))


def _seccomp(libc: ctypes.CDLL, machine: Machine) -> None:
    program = build_filter(machine)
    code = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("@HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    _call(libc.syscall(machine.seccomp, _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, fprog))


def build_filter(machine: Machine) -> bytes:
    """The classic BPF program: another architecture or ABI kills, what is listed passes, the rest fails (EPERM)."""
    steps: list[bytes] = [
        _step(_BPF_LOAD, _OFFSET_ARCHITECTURE),
        _step(_BPF_JUMP_EQUAL, machine.audit, 1, 0),
        _step(_BPF_RETURN, _KILL_PROCESS),
        _step(_BPF_LOAD, _OFFSET_NUMBER),
        _step(_BPF_JUMP_NOT_BELOW, _X32_BIT, 0, 1),
        _step(_BPF_RETURN, _KILL_PROCESS),
    ]
    for number in machine.plain:
        steps += [_step(_BPF_JUMP_EQUAL, number, 0, 1), _step(_BPF_RETURN, _ALLOW)]
    for number in (machine.mmap, machine.mprotect):  # no new code: memory that can be executed is refused
        steps += [
            _step(_BPF_JUMP_EQUAL, number, 0, 4),
            _step(_BPF_LOAD, _OFFSET_THIRD),
            _step(_BPF_JUMP_SET, _PROT_EXEC, 1, 0),
            _step(_BPF_RETURN, _ALLOW),
            _step(_BPF_RETURN, _DENY),
        ]
    for number, descriptors in ((machine.read, (0,)), (machine.write, (1, 2))):
        steps += [_step(_BPF_JUMP_EQUAL, number, 0, 2 + 2 * len(descriptors)), _step(_BPF_LOAD, _OFFSET_FIRST)]
        for descriptor in descriptors:
            steps += [_step(_BPF_JUMP_EQUAL, descriptor, 0, 1), _step(_BPF_RETURN, _ALLOW)]
        steps += [_step(_BPF_RETURN, _DENY)]
    return b"".join([*steps, _step(_BPF_RETURN, _DENY)])


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)


def be_gentle() -> None:
    """Decoding gives way to receiving."""
    with contextlib.suppress(OSError):
        os.nice(5)
