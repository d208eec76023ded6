"""Nothing a shop brings is lost: a row is kept, an exact duplicate, or rejected and told."""

import duckdb


def test_every_row_read_is_kept_duplicate_or_rejected(demo: duckdb.DuckDBPyConnection) -> None:
    """The count equation, on every table of the demo shop."""
    rows = demo.execute(
        "select table_name, read_row_count, kept_row_count, duplicate_row_count, rejected_row_count"
        " from marts.agg_load_report"
    ).fetchall()
    assert len(rows) == 18
    assert all(read == kept + copies + rejected for _, read, kept, copies, rejected in rows), rows
