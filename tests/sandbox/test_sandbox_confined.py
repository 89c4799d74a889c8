"""Code planted in the decoder reaches nothing: no environment, files, network, processes, nor the next job's memory."""

from __future__ import annotations

import json
import os
import platform
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.ports import PixelDescription
from leadglass.sandbox.confine import MACHINES, build_filter, landlock_abi
from leadglass.sandbox.pool import SandboxPool
from leadglass.sandbox.process import Launch

SIZE = 4096
DESCRIPTION = PixelDescription("1.2.840.10008.1.2.5", 1, SIZE, 1, 8, 8, 0, "MONOCHROME2", 0, 1)

PLANTED = """
import ctypes, json, os, resource, signal, socket, sys, _posixsubprocess
from leadglass.sandbox import worker

SECRET = []
LIBC = ctypes.CDLL(None, use_errno=True)


def call(number, *arguments):
    result = LIBC.syscall(number, *arguments)
    return [int(result), ctypes.get_errno() if result < 0 else 0]


def decode(description, frame):
    try:
        answer = eval(frame.decode())
    except BaseException as error:
        answer = type(error).__name__
    return json.dumps(answer).encode().ljust(description.columns), "MONOCHROME2"


def main():
    worker.main(decode=decode, use_landlock=LANDLOCK)
"""


def planted(folder: Path, *, landlock: bool = True) -> Launch:
    (folder / "planted.py").write_text(PLANTED.replace("LANDLOCK", str(landlock)))
    return Launch("planted", (str(folder),))


@pytest.fixture(scope="module", params=[True, False], ids=["both layers", "seccomp alone"])
def pool(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxPool]:
    os.environ["LEADGLASS_PLANTED_KEY"] = "a key that a worker must not see"
    pool = SandboxPool(1, launch=planted(tmp_path_factory.mktemp("planted"), landlock=request.param))
    yield pool
    pool.close()
    del os.environ["LEADGLASS_PLANTED_KEY"]


def run(pool: SandboxPool, *codes: str) -> list:
    frames = list(pool.decode(DESCRIPTION, [code.encode() for code in codes]))
    return [json.loads(frame.pixels) for frame in frames]


def test_planted_code_does_run(pool: SandboxPool) -> None:
    assert run(pool, "6 * 7", "os.getpid() != 1") == [42, True]


def test_the_environment_holds_nothing(pool: SandboxPool) -> None:
    (names,) = run(pool, "sorted(os.environ)")
    assert set(names) <= {"LC_CTYPE", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"}


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/proc/self/environ", "/proc/self/mem", "/dev/null", str(Path.home()), "/proc/1/mem"]
)
def test_no_file_opens(pool: SandboxPool, path: str) -> None:
    assert run(pool, f"os.open({path!r}, os.O_RDONLY)", f"os.listdir({path!r})") == ["PermissionError"] * 2


def test_no_memory_of_the_archive_is_read(pool: SandboxPool) -> None:
    me = os.getpid()
    results = run(
        pool,
        f"os.open('/proc/{me}/mem', os.O_RDONLY)",
        f"os.open('/proc/{me}/environ', os.O_RDONLY)",
        f"os.open('/proc/{me}/fd/0', os.O_RDONLY)",
        f"LIBC.ptrace(16, {me}, 0, 0)",
        f"LIBC.process_vm_readv({me}, None, 0, None, 0, 0)",
        f"os.pidfd_open({me})",
        f"os.kill({me}, 0)",
    )
    assert results == ["PermissionError"] * 3 + [-1, -1] + ["PermissionError"] * 2


@pytest.mark.parametrize(
    "code",
    [
        "socket.socket()",
        "socket.socket(socket.AF_UNIX)",
        "socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)",
        "socket.socketpair()",
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.pipe()",
        "os.memfd_create('x')",
        "os.symlink('/tmp/a', '/tmp/b')",
        "os.unlink('/tmp/leadglass-none')",
        "os.mkdir('/tmp/leadglass-none')",
        "os.chmod('/etc/passwd', 0o777)",
        "os.setuid(0)",
        "os.stat('/etc/passwd')",
    ],
)
def test_no_network_process_or_name(pool: SandboxPool, code: str) -> None:
    assert run(pool, code) == ["PermissionError"]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="call numbers of x86_64; the filter is built from one table")
def test_raw_calls_fail_and_another_abi_kills(pool: SandboxPool) -> None:
    denied = {"openat2": 437, "io_uring_setup": 425, "clone3": 435, "execveat": 322, "bpf": 321, "prctl": 157}
    denied |= {"unshare": 272, "mount": 165, "perf_event_open": 298, "userfaultfd": 323, "add_key": 248, "clone": 56}
    denied |= {"tgkill": 234, "sendmsg": 46, "dup": 32, "ioctl": 16, "pkey_mprotect": 329, "setrlimit": 160}
    codes = [f"call({number}, 0, 0, 0, 0, 0, 0)" for number in denied.values()]
    assert dict(zip(denied, run(pool, *codes), strict=True)) == {name: [-1, 1] for name in denied}
    with pytest.raises(LeadglassError):
        run(pool, f"call({0x40000000 + 39})")


def test_no_memory_becomes_code_and_other_descriptors_are_closed(pool: SandboxPool) -> None:
    mmap = "LIBC.mmap(None, 4096, {}, 0x22, -1, 0)"
    results = run(pool, f"{mmap.format(7)} in (-1, 2**64 - 1)", "[call(0, n, None, 0)[1] for n in range(1, 64)]")
    assert results == [True, [1] * 63]


def test_limits_hold(pool: SandboxPool) -> None:
    with pool.job() as job:
        frames = job.decode(DESCRIPTION, [b"os.getpid()", b"len(bytes(2**33))", b"6 * 7"])
        pid = json.loads(next(frames).pixels)
        limits = Path(f"/proc/{pid}/limits").read_text()
        status = Path(f"/proc/{pid}/status").read_text()
        answers = [json.loads(frame.pixels) for frame in frames]
    for name in ("Max processes", "Max file size", "Max core file size", "Max open files"):
        (line,) = [line for line in limits.splitlines() if line.startswith(name)]
        assert line.removeprefix(name).split()[:2] == ["0", "0"]
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert (facts["NoNewPrivs"], facts["Seccomp"], facts["Threads"]) == ("1", "2", "1")
    assert {int(facts[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    assert answers == ["MemoryError", 42]


def test_the_next_job_has_another_worker(pool: SandboxPool) -> None:
    first = run(pool, "SECRET.append('of the first study') or [os.getpid(), len(SECRET)]", "len(SECRET)")
    second = run(pool, "[os.getpid(), len(SECRET)]")
    assert first[1] == 1
    assert second[0][1] == 0
    assert first[0][0] != second[0][0]


def test_a_worker_ends_with_its_job(pool: SandboxPool) -> None:
    ((pid, _),) = [run(pool, "[os.getpid(), 0]")[0]]
    assert not Path(f"/proc/{pid}").exists()
    with pool.job() as job:
        frames = job.decode(DESCRIPTION, [b"os.getpid()", b"1"])
        pid = json.loads(next(frames).pixels)
        assert Path(f"/proc/{pid}").exists()
    assert not Path(f"/proc/{pid}").exists()


def test_nothing_of_the_archive_s_descriptors_is_inherited(tmp_path: Path) -> None:
    """Before confinement already: what the parent has open, inheritable even, is not in the worker."""
    (tmp_path / "listing.py").write_text(
        "import json, os\n"
        "from leadglass.sandbox import worker\n"
        "SEEN = [os.readlink('/proc/self/fd/' + n) for n in os.listdir('/proc/self/fd') if int(n) < 200"
        " and os.path.exists('/proc/self/fd/' + n)]\n"
        "def main():\n"
        "    worker.main(decode=lambda d, f: (json.dumps(SEEN).encode().ljust(d.columns), 'MONOCHROME2'))\n"
    )
    secret = tmp_path / "secret"
    secret.write_text("key")
    with secret.open() as file, socket.socket() as listener:
        os.set_inheritable(file.fileno(), True)
        os.set_inheritable(listener.fileno(), True)
        pool = SandboxPool(1, spares=0, launch=Launch("listing", (str(tmp_path),)))
        (seen,) = run(pool, "x")
    assert not [name for name in seen if "secret" in name or "socket" in name]
    assert sum(name.startswith("pipe:") for name in seen) == 2


def test_landlock_is_reported_as_the_kernel_has_it(tmp_path: Path) -> None:
    for landlock in (True, False):
        pool = SandboxPool(1, spares=0, launch=planted(tmp_path, landlock=landlock))
        with pool.job() as job:
            layers = job._worker.layers
        assert layers is not None
        assert layers.seccomp
        assert layers.landlock == (landlock_abi() if landlock else 0)


@pytest.mark.skipif(not landlock_abi(), reason="this kernel has no Landlock; layers then report 0, tested above")
def test_landlock_alone_keeps_files_and_network_away() -> None:
    code = (
        "import ctypes, os, socket\n"
        "from leadglass.sandbox import confine\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "libc.prctl(confine.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)\n"
        "assert confine._landlock(libc) > 0\n"
        "def blocked(f, *a):\n"
        "    try: f(*a)\n"
        "    except PermissionError: return True\n"
        "    return False\n"
        "assert blocked(os.open, '/etc/passwd', os.O_RDONLY)\n"
        "assert blocked(os.mkdir, '/tmp/leadglass-none')\n"
        "assert blocked(os.execv, '/bin/true', ['true'])\n"
        "if confine.landlock_abi() >= 4:\n"
        "    assert blocked(socket.socket().connect, ('127.0.0.1', 1))\n"
        "print('held')\n"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=False)
    assert done.stdout == "held\n", done.stderr


@pytest.mark.parametrize("name", MACHINES)
def test_the_filter_denies_by_default_on_every_machine(name: str) -> None:
    """The program interpreted: only listed calls pass, another architecture kills."""
    machine = MACHINES[name]
    program = [struct.unpack_from("<HBBI", build_filter(machine), at) for at in range(0, len(build_filter(machine)), 8)]

    def verdict(number: int, *, audit: int = machine.audit, first: int = 0, third: int = 0) -> int:
        data, accumulator, at = {0: number, 4: audit, 16: first, 32: third}, 0, 0
        while True:
            code, if_true, if_false, value = program[at]
            at += 1
            if code == 0x20:
                accumulator = data[value]
            elif code == 0x06:
                return value
            else:
                holds = {0x15: accumulator == value, 0x45: bool(accumulator & value), 0x35: accumulator >= value}[code]
                at += if_true if holds else if_false

    allow, kill = 0x7FFF0000, 0x80000000
    allowed = {number for number in range(1024) if verdict(number) == allow}
    assert allowed == {*machine.plain, machine.mmap, machine.mprotect, machine.read}
    assert verdict(machine.read, first=3) != allow
    assert verdict(machine.write, first=1) == allow
    assert verdict(machine.write, first=3) != allow
    assert verdict(machine.mmap, third=3) == allow
    assert verdict(machine.mmap, third=5) != allow
    assert verdict(machine.mprotect, third=4) != allow
    assert verdict(machine.read, audit=0x40000003) == kill
    assert verdict(machine.read | 0x40000000) == kill


def test_an_unconfined_worker_gets_no_pixels(tmp_path: Path) -> None:
    (tmp_path / "open_worker.py").write_text(
        "from leadglass.sandbox import protocol, worker\n"
        "def main():\n"
        '    worker._send(protocol.READY, b\'{"seccomp": false, "landlock": 0}\')\n'
        "    worker._receive()\n"
    )
    pool = SandboxPool(1, spares=0, launch=Launch("open_worker", (str(tmp_path),)))
    with pytest.raises(LeadglassError) as caught:
        run(pool, "1")
    assert caught.value.code is ErrorCode.CANNOT_CONVERT
