"""Opportunities: whom to write to or call, why, and what came of it before."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from dashboards.filters import Filters
from dashboards.published import Published

PARTS = {
    "channel": "profiles.first_channel",
    "country": "profiles.country",
    "segment": "profiles.rfm_segment",
}
JOINED = """
    from fct_customer_opportunities as opportunities
    left join dim_customer_profiles as profiles
        on opportunities.customer_id = profiles.customer_id
"""


def opportunities(
    published: Published, kinds: Sequence[str], filters: Filters, count: int | None = None
) -> pd.DataFrame:
    """Open opportunities with the customer's segment and country, the most urgent first."""
    condition, parameters = filters.condition("", **PARTS)
    return published.query(
        f"""
        select
            opportunities.customer_id, opportunities.kind, opportunities.priority_rank,
            opportunities.priority_score, opportunities.evidence, opportunities.evidence_fr,
            opportunities.product_id, opportunities.action, opportunities.action_fr,
            opportunities.channel, opportunities.conversion_rate, opportunities.value_amount,
            opportunities.expected_amount, opportunities.as_of_date, opportunities.detected_date,
            opportunities.expires_date, opportunities.evidence_at,
            profiles.rfm_segment, profiles.country, profiles.first_channel
        {JOINED}
        where (len($kinds) = 0 or list_contains($kinds, opportunities.kind)) and {condition}
        order by opportunities.priority_score desc, opportunities.customer_id, opportunities.kind
        {f"limit {count}" if count else ""}
        """,
        kinds=list(kinds),
        **parameters,
    )


def by_kind(published: Published, filters: Filters) -> pd.DataFrame:
    """How many of each kind, and what they are expected to bring."""
    condition, parameters = filters.condition("", **PARTS)
    return published.query(
        f"""
        select
            opportunities.kind,
            count(*) as opportunity_count,
            sum(opportunities.expected_amount) as expected_amount
        {JOINED}
        where {condition}
        group by opportunities.kind
        order by expected_amount desc nulls last, opportunities.kind
        """,
        **parameters,
    )


def outcomes(published: Published) -> pd.DataFrame:
    """What came of the opportunities of past months, by kind, over those whose time is over."""
    return published.query(
        """
        select
            kind,
            sum(mature_count)::bigint as mature_count,
            sum(converted_count)::bigint as converted_count,
            sum(converted_count)::double / nullif(sum(mature_count), 0) as conversion_rate,
            sum(base_rate * mature_count) / nullif(sum(mature_count)
                filter (where base_rate is not null), 0) as base_rate
        from agg_opportunity_outcomes
        group by kind
        having sum(mature_count) > 0
        order by conversion_rate desc, kind
        """
    )
