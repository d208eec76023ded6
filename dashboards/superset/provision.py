"""Makes Superset ready over the published marts: run by `make superset`, in Superset's environment.

    python -m dashboards.superset.provision

Its own database is made or brought up to date, `admin` is made once, and the database, datasets
and three dashboards of this folder are written over what was there of them; what others made in
Superset stays. The password is CARTWRIGHT_SUPERSET_PASSWORD, which also changes it, or is generated
and printed once. Reads dbt's manifests in `target` (DBT_TARGET_PATH) and the published folder
(CARTWRIGHT_PUBLISH_DIR).
"""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dashboards.superset import assets

PROJECT = Path(__file__).resolve().parent.parent.parent
ADMIN = "admin"


def main(arguments: Sequence[str] | None = None) -> int:
    """Provision; exit 1, with one sentence, where there is nothing to show yet, or no such mart."""
    parser = argparse.ArgumentParser(
        prog="python -m dashboards.superset.provision",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.parse_args(arguments)
    target = Path(os.environ.get("DBT_TARGET_PATH") or PROJECT / "target")
    published = Path(os.environ.get("CARTWRIGHT_PUBLISH_DIR") or PROJECT / "published")
    try:
        contents = assets.assets(target, published)
    except FileNotFoundError as error:
        print(f"There is no {error.filename} yet: run `make build` first.", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"dashboards/superset: {error}.", file=sys.stderr)
        return 1
    warnings.simplefilter("ignore")
    say("Starting Superset ...")
    from flask_migrate import upgrade
    from superset.app import create_app

    logging.disable(logging.WARNING)  # it tells of much that is no one's concern here
    app = create_app()
    with app.app_context():
        from superset import appbuilder, security_manager

        say("Bringing its own database up to date (the first time: a minute or two) ...")
        upgrade()
        appbuilder.add_permissions(update_perms=True)
        security_manager.sync_role_definitions()
        make_admin(security_manager)
        say(f"Writing {sum(map(is_dataset, contents))} datasets and three dashboards ...")
        write(contents, security_manager)
    return 0


def make_admin(security_manager: object) -> None:
    """Make the user admin, or change its password where the environment has one."""
    manager: Any = security_manager
    given = os.environ.get("CARTWRIGHT_SUPERSET_PASSWORD")
    user = manager.find_user(username=ADMIN)
    if user is None:
        password = given or secrets.token_urlsafe(12)
        role = manager.find_role("Admin")
        manager.add_user(ADMIN, "Cart", "Wright", "admin@localhost", role, password=password)
        if not given:
            say(f"User {ADMIN}, password {password}   (shown this once)")
    elif given:
        manager.reset_password(user.id, given)


def write(contents: dict[str, str], security_manager: object) -> None:
    """Import all assets, as the user admin."""
    from superset.commands.importers.v1.assets import ImportAssetsCommand
    from superset.utils.core import override_user

    manager: Any = security_manager
    with override_user(manager.find_user(username=ADMIN)):
        ImportAssetsCommand(contents).run()


def is_dataset(path: str) -> bool:
    """Whether an asset's file is a dataset."""
    return path.startswith("datasets/")


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
