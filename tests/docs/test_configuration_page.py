"""docs/configuration.md names every key of the configuration and every risk that can be overridden, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from leadglass.app import safety
from leadglass.app.config import parse_config
from leadglass.core.errors import LeadglassError

PAGE = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text("utf-8")
TABLES = ("archive", "accounts", "keys", "listener", "web", "uploads", "web_limits", "metrics", "openid", "networks")
TABLES += ("override",)
LISTS = ("listener", "web", "override")


def section(table: str) -> str:
    """The part of the page on one table of the configuration."""
    (found,) = [
        part for part in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:] if f"[{table}]" in part.partition("\n")[0]
    ]
    return found


def known_keys(table: str) -> set[str]:
    """As the program itself tells them when it meets an unknown one."""
    plain: dict[str, object] = {"archive": {"ae_titles": ["A"]}, "keys": {"source": "file"}}
    plain[table] = [{"nonsense": 1}] if table in LISTS else {"nonsense": 1}
    with pytest.raises(LeadglassError) as refused:
        parse_config(plain)
    return set(re.findall(r"[a-z_]+", refused.value.comment.partition("known here:")[2]))


@pytest.mark.parametrize("table", TABLES)
def test_every_key_of_a_table_is_explained(table: str) -> None:
    missing = {key for key in known_keys(table) if f"`{key}`" not in section(table)}
    assert known_keys(table) and not missing


def test_every_risk_is_explained() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \|", section("override"), flags=re.MULTILINE)
    assert set(rows) - {"risk", "reason", "until", "device"} == safety.OVERRIDABLE
