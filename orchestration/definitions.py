"""What the numbers hang on besides the data and the models: a hash, to know when to rebuild."""

from __future__ import annotations

import hashlib
from pathlib import Path

import yaml

PROJECT = Path(__file__).resolve().parent.parent
# These say which data, not what a number means.
DATA_VARIABLES = {"raw_path", "as_of_date", "load_date", "late_event_days"}


def digest_definitions() -> str:
    """The hash of all macros, of the raw contract and of the variables with their defaults."""
    digest = hashlib.md5(usedforsecurity=False)
    for folder, pattern in (("macros", "**/*.sql"), ("seeds/raw", "*.yml")):
        for path in sorted((PROJECT / folder).glob(pattern)):
            digest.update(path.relative_to(PROJECT).as_posix().encode())
            digest.update(path.read_bytes())
    settings = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    for name, value in sorted(settings["vars"].items()):
        if name not in DATA_VARIABLES:
            digest.update(f"{name}={value}".encode())
    return digest.hexdigest()
