"""Names of codes in the reader's language, as the marts have them."""

from __future__ import annotations

from dashboards.published import Published


def names(published: Published, subject: str, language: str) -> dict[str, str]:
    """The names of a subject of dim_labels by code, in their order."""
    rows = published.query(
        "select code, label, label_fr from dim_labels where subject = $subject"
        " order by sort_order, label, code",
        subject=subject,
    )
    return dict(zip(rows["code"], rows["label_fr" if language == "fr" else "label"], strict=True))


def currency(published: Published) -> str:
    """The reporting currency."""
    rows = published.query("select max(currency) as currency from dim_kpis")
    return str(rows["currency"].iloc[0] or "")


def days(published: Published) -> tuple[str, str] | None:
    """The first and the last day that the marts know of; None for an empty shop."""
    rows = published.query(
        "select min(calendar_date)::text as first_day, max(calendar_date)::text as last_day"
        " from dim_dates where is_known"
    )
    first, last = rows.iloc[0]
    return (first, last) if first else None


def part_codes(published: Published) -> dict[str, list[str]]:
    """The devices and countries of carts, sessions and orders, the most frequent first."""
    rows = published.query(
        "select dimension, dimension_value as code, sum(numerator) as size from agg_kpi_daily"
        " where kpi in ('sessions', 'orders') and dimension in ('device', 'country')"
        " and dimension_value is not null group by all order by size desc, code"
    )
    return {
        part: rows.loc[rows["dimension"] == part, "code"].unique().tolist()
        for part in ("device", "country")
    }
