"""What the numbers hang on besides the data and the models: a hash, to know when to rebuild."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

import yaml

PROJECT = Path(__file__).resolve().parent.parent
# These say which data, not what a number means.
DATA_VARIABLES = {"raw_path", "as_of_date", "load_date", "late_event_days"}


def digest_definitions() -> str:
    """The hash of macros, raw contract, what models import, and variables with their defaults."""
    digest = hashlib.md5(usedforsecurity=False)
    for paths in (
        (PROJECT / "macros").glob("**/*.sql"),
        (PROJECT / "seeds/raw").glob("*.yml"),
        modules_of_models(),
    ):
        for path in sorted(paths):
            digest.update(path.relative_to(PROJECT).as_posix().encode())
            digest.update(path.read_bytes())
    settings = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    for name, value in sorted(settings["vars"].items()):
        if name not in DATA_VARIABLES:
            digest.update(f"{name}={value}".encode())
    return digest.hexdigest()


def modules_of_models() -> set[Path]:
    """The project's own modules that models in Python import, and what those import."""
    todo = list((PROJECT / "models").glob("**/*.py"))
    found: set[Path] = set()
    while todo:
        for node in ast.walk(ast.parse(todo.pop().read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
            elif isinstance(node, ast.Import):
                names = [name.name for name in node.names]
            paths = {PROJECT / f"{name.replace('.', '/')}.py" for name in names}
            new = {path for path in paths if path.is_file()} - found
            found |= new
            todo.extend(new)
    return found
