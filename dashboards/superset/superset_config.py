"""Superset's settings, which it finds through SUPERSET_CONFIG_PATH: for the people of one machine.

Everything that Superset keeps (its users, what they save, its secret key) is in SUPERSET_HOME.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import secrets
from pathlib import Path
from typing import Any

from superset import config as defaults

HOME = Path(os.environ["SUPERSET_HOME"])


def _secret_key() -> str:
    """The key that signs sessions: of the environment, or made once and kept."""
    given = os.environ.get("SUPERSET_SECRET_KEY")
    if given:
        return given
    file = HOME / "secret_key"
    if not file.exists():
        HOME.mkdir(parents=True, exist_ok=True)
        # Two processes may begin at once: whoever links first has made it, and it is whole.
        draft = HOME / f".secret_key.{os.getpid()}"
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(42), encoding="utf-8")
        with contextlib.suppress(FileExistsError):
            os.link(draft, file)
        draft.unlink()
    return file.read_text(encoding="utf-8")


def _open_current_build(
    uri: Any, params: dict[str, Any], _username: str, _security_manager: Any, _source: Any
) -> tuple[Any, dict[str, Any]]:
    """Give each connection the newest published build, by the name that build keeps.

    Connections of one process to one path share the file that the first of them opened, until all
    are closed: under steady use, marts.duckdb would stay the old one long after a publish.
    """
    published = Path(uri.database or "")
    if uri.drivername != "duckdb" or published.name != "marts.duckdb":
        return uri, params
    try:
        manifest = json.loads((published.parent / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return uri, params  # nothing is published: DuckDB says which file is missing
    build = published.parent / "builds" / manifest["build_id"] / "marts.duckdb"
    return (uri.set(database=str(build)) if build.exists() else uri), params


SECRET_KEY = _secret_key()
SQLALCHEMY_DATABASE_URI = f"sqlite:///{HOME / 'superset.db'}?timeout=30"
DB_CONNECTION_MUTATOR = _open_current_build
# A chart is asked anew each time: it takes milliseconds, and what a publish brings is seen at once.
CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}
DATA_CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}
APP_NAME = "Cartwright"
LOG_LEVEL = "ERROR"
LANGUAGES = {
    "en": {"flag": "us", "name": "English"},
    "fr": {"flag": "fr", "name": "Français"},
}
# Its pages ask nobody but this server for anything: no counting of visits, no maps from elsewhere.
TALISMAN_CONFIG = copy.deepcopy(defaults.TALISMAN_CONFIG)
for _sources in TALISMAN_CONFIG["content_security_policy"].values():
    if isinstance(_sources, list):
        _sources[:] = [source for source in _sources if "." not in source]
