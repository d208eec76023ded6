"""What the README tells a newcomer to type works as it stands there."""

import re

import duckdb
from warehouses import PROJECT

README = (PROJECT / "README.md").read_text(encoding="utf-8")


def test_example_query_runs_on_the_marts(demo: duckdb.DuckDBPyConnection) -> None:
    """The first query that a newcomer tries must not be an error."""
    (query,) = re.findall(r'"""(.*?)"""', README, flags=re.DOTALL)
    with demo.cursor() as cursor:
        cursor.execute("use marts")
        assert cursor.execute(query).fetchall()


def test_linked_pages_and_make_targets_exist() -> None:
    """A link or command that leads nowhere costs the reader's trust."""
    links = re.findall(r"\]\(([^):]+)\)", README)
    assert links
    assert not [link for link in links if not (PROJECT / link).exists()]
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
