"""The link by which the first account is made. There is no default password: who can read what the server prints, or
open the archive at the command line, makes the first administrator."""

from __future__ import annotations

import contextlib

from leadglass.app.config import Config
from leadglass.app.home import Home
from leadglass.app.links import link
from leadglass.core.events import EventKind, JournalEvent
from leadglass.core.sessions import Purpose
from leadglass.index.state import SqliteState
from leadglass.journal.writer import ChainedJournal
from leadglass.keys.keyset import KeySet
from leadglass.services.one_time_codes import OneTimeCodes


def set_up_link(home: Home, config: Config, keys: KeySet) -> str:
    """A new link for making the first account, good for half an hour, older ones void; empty where there is an account,
    or no web listener."""
    if not config.web:
        return ""
    with contextlib.ExitStack() as stack:
        state = SqliteState(home.state, keys.state)
        stack.callback(state.close)
        codes = OneTimeCodes(state.people, keys.token)
        if state.people.accounts():
            return ""
        journal = ChainedJournal(home.journal, keys.journal)
        stack.callback(journal.close)
        journal.record(JournalEvent(EventKind.SECURITY_ALERT, "set-up-link-made", "leadglass"), durable=True)
        code = codes.set_up()
        return link(config, Purpose.SET_UP, code) if code else ""
