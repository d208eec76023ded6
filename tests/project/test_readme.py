"""What the README tells a newcomer to type works as it stands there; links lead somewhere."""

import re
from pathlib import Path

import duckdb
import pytest
from warehouses import PROJECT

README = (PROJECT / "README.md").read_text(encoding="utf-8")
PAGES = (PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md")))
LINK = re.compile(r"\]\(([^):#]+)(?:#[^)]*)?\)")


def test_example_query_runs_on_the_marts(demo: duckdb.DuckDBPyConnection) -> None:
    """The first query that a newcomer tries must not be an error."""
    (query,) = re.findall(r'"""(.*?)"""', README, flags=re.DOTALL)
    with demo.cursor() as cursor:
        cursor.execute("use marts")
        assert cursor.execute(query).fetchall()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    """A link that leads nowhere costs the reader's trust."""
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert links or page.name != "README.md"  # both of that name have some
    assert not [link for link in links if not (page.parent / link).exists()]


def test_make_targets_exist() -> None:
    """Nor may a command."""
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^make (\w+)", README, flags=re.MULTILINE))
    assert {"build", "test"} <= targets
    assert not [target for target in targets if f"\n{target}:" not in makefile]


def test_readme_names_every_mart(demo: duckdb.DuckDBPyConnection) -> None:
    """A mart that is not named is not found."""
    marts = demo.execute(
        "select table_name from information_schema.tables where table_schema = 'marts'"
    ).fetchall()
    assert not [mart for (mart,) in marts if f"`{mart}`" not in README]
