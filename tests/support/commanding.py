"""The command line for tests: run in this process as a user would call it, with its exit code and what it printed."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from leadglass.app import cli
from leadglass.app.home import Home


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def leadglass(
    *words: object, home: Home | Path | None = None, stdin: str = "", env: Mapping[str, str] | None = None
) -> Done:
    """Run `leadglass WORDS`. It must never show a trace, whatever it was asked."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    where = home.root if isinstance(home, Home) else home
    environment = {"LEADGLASS_HOME": str(where)} if where is not None else {}
    code = 0
    with (
        mock.patch.object(sys, "argv", ["leadglass", *map(str, words)]),
        mock.patch.object(sys, "stdin", io.StringIO(stdin)),
        mock.patch.dict("os.environ", environment | dict(env or {})),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            cli.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    done = Done(code, _text(out), _text(err))
    assert "Traceback" not in done.out + done.err, done.err
    return done


def _text(stream: io.TextIOWrapper) -> str:
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode("utf-8")
