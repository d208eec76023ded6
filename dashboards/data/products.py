"""Products: what goes together, and how good the recommendations are."""

from __future__ import annotations

import pandas as pd

from dashboards.published import Published

BASES = ("orders", "sessions")


def products_with_affinities(published: Published, basis: str) -> dict[str, str]:
    """Names by product that has a significant affinity, the most frequent first."""
    rows = published.query(
        """
        select
            sides.product_id,
            coalesce(max(dim_products.product_name), sides.product_id) as product_name,
            max(sides.product_count) as product_count
        from (
            select
                product_a_id as product_id, product_a_count as product_count,
                basis, is_significant
            from agg_product_affinities
            union all
            select product_b_id, product_b_count, basis, is_significant from agg_product_affinities
        ) as sides
        left join dim_products on sides.product_id = dim_products.product_id
        where sides.basis = $basis and sides.is_significant
        group by sides.product_id
        order by product_count desc, sides.product_id
        """,
        basis=basis,
    )
    return dict(zip(rows["product_id"], rows["product_name"], strict=True))


def affinities(
    published: Published, basis: str, product_id: str = "", count: int = 15
) -> pd.DataFrame:
    """Significant pairs, the strongest first; with a product, what goes with it."""
    return published.query(
        """
        select
            pairs.product_a_id, pairs.product_b_id,
            coalesce(product_a.product_name, pairs.product_a_id) as product_a_name,
            coalesce(product_b.product_name, pairs.product_b_id) as product_b_name,
            pairs.pair_count, pairs.support_share, pairs.confidence_a_to_b_share,
            pairs.confidence_b_to_a_share, pairs.lift, pairs.adjusted_lift, pairs.adjusted_p_value
        from agg_product_affinities as pairs
        left join dim_products as product_a on pairs.product_a_id = product_a.product_id
        left join dim_products as product_b on pairs.product_b_id = product_b.product_id
        where
            pairs.basis = $basis and pairs.is_significant
            and ($product_id = '' or $product_id in (pairs.product_a_id, pairs.product_b_id))
        order by pairs.adjusted_lift desc, pairs.product_a_id, pairs.product_b_id
        limit $count
        """,
        basis=basis,
        product_id=product_id,
        count=count,
    )


def recommendation_backtests(published: Published) -> pd.DataFrame:
    """How often a list of products held what was bought next, by list and length."""
    return published.query(
        "select * from agg_recommendation_backtests order by list_length, hit_rate desc, list_kind"
    )
