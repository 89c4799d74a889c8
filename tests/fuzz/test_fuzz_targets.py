"""The fuzz targets: their seeds and the corpus of past findings pass, and a planted fault is noticed."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from leadglass.wire.dimse.commands import Command, decode_command

FUZZ = Path(__file__).resolve().parents[2] / "fuzz"
TARGETS = (
    "fuzz_pdu",
    "fuzz_command_set",
    "fuzz_header_scan",
    "fuzz_models",
    "fuzz_multipart",
    "fuzz_pictures",
    "fuzz_resolver",
    "fuzz_web_pages",
)


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """fuzz/run.py, which is a script beside its targets and no package."""
    monkeypatch.syspath_prepend(str(FUZZ))
    monkeypatch.delitem(sys.modules, "run", raising=False)
    import run

    return run


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("target", TARGETS)
def test_seeds_and_corpus_pass(runner: ModuleType, target: str) -> None:
    assert target in runner.TARGETS
    corpus = list((FUZZ / "corpus" / target).glob("*.bin"))
    assert runner.replay(target) > len(corpus) > 0


def skewed(raw: bytes) -> Command:
    command = decode_command(raw)
    return Command(command.field, {**command.elements, 0x0700: 5})


def forgetful(real: Callable[..., Any]) -> Callable[..., Any]:
    def scan(syntax: str, data: bytes, size: int) -> Any:
        found = real(syntax, data, size)
        if found is not None:
            found.values.pop(0x00100010, None)
        return found

    return scan


def swallowing(real: Callable[..., Any]) -> Callable[..., Any]:
    return lambda data, size: real(data[:-1] if size < len(data) else data, size)


@pytest.mark.parametrize(
    ("target", "name", "fault"),
    [
        ("fuzz_pdu", "read", swallowing),
        ("fuzz_command_set", "decode", lambda real: skewed),
        ("fuzz_header_scan", "scan", forgetful),
        ("fuzz_multipart", "read", swallowing),
        ("fuzz_pictures", "written", lambda real: lambda order: real(dataclasses.replace(order, quality=1))),
        ("fuzz_resolver", "read", lambda real: lambda *asked: tuple(map(str.upper, real(*asked) or ()))),
        ("fuzz_web_pages", "read", swallowing),
        ("fuzz_models", "written", lambda real: lambda model: (real(model) or b"")[:-1]),
    ],
)
def test_a_planted_fault_is_noticed(
    runner: ModuleType, monkeypatch: pytest.MonkeyPatch, target: str, name: str, fault: Any
) -> None:
    module = __import__(target)
    monkeypatch.setattr(module, name, fault(getattr(module, name)))
    with pytest.raises(AssertionError):
        runner.replay(target)
