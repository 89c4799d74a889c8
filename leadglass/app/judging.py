"""From an opened archive to the situation that `safety` judges."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from leadglass.app.config import Config
from leadglass.app.facts import PathFact, gather, path_fact
from leadglass.app.home import Home
from leadglass.app.master import key_file
from leadglass.app.safety import Situation
from leadglass.core.errors import ErrorCode, LeadglassError
from leadglass.core.ports import State

KIT_TESTED = "recovery-kit-tested"
DEMO_KEYS = "demo-keys"


def situation(home: Home, config: Config, state: State) -> Situation:
    """Gather everything. USAGE if the archive's folder is not there."""
    here = path_fact(home.root)
    if here is None:
        raise LeadglassError(ErrorCode.USAGE, f"There is no archive at {home.root}.")
    key = key_file(config.key_source)
    return Situation(
        config=config,
        host=gather(),
        home=here,
        key_file=path_fact(key) if key is not None else None,
        devices=tuple(state.devices()),
        recovery_kit_tested=state.setting(KIT_TESTED) is not None,
        demo_keys=state.setting(DEMO_KEYS) is not None,
        today=dt.datetime.now(dt.UTC).date(),
        inside=_facts(home.config, home.keyset, home.vault, home.state.parent, home.journal, home.lock.parent),
        listener_keys=_facts(*(Path(key) for key in _listener_keys(config))),
        client_authorities=_facts(*(Path(item.client_ca) for item in config.web if item.client_ca)),
    )


def _listener_keys(config: Config) -> list[str]:
    return [key for key in (*(item.key for item in config.listeners), *(item.key for item in config.web)) if key]


def _facts(*paths: Path) -> tuple[PathFact, ...]:
    return tuple(fact for path in paths if (fact := path_fact(path)) is not None)
