"""Hand this process to atheris: `python fuzz/start.py TARGET [libFuzzer options and corpora]`, as `run.py` does.

A module of its own because atheris has no wheel for every Python, and replaying the corpus needs none.
"""

from __future__ import annotations

import importlib
import sys

import atheris

if __name__ == "__main__":
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=["leadglass"]):
        target = importlib.import_module(name)
    atheris.Setup(sys.argv, target.check)
    atheris.Fuzz()
