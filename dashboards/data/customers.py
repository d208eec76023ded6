"""Customers: segments, value, churn, how right the models are, and one customer's life."""

from __future__ import annotations

import pandas as pd

from dashboards.filters import UNKNOWN, Filters
from dashboards.published import Published

PARTS = {"channel": "first_channel", "country": "country", "segment": "rfm_segment"}


def rfm_grid(published: Published, filters: Filters) -> pd.DataFrame:
    """Customers by recency score and by the mean score of frequency and money."""
    condition, parameters = filters.condition("", **PARTS)
    return published.query(
        f"""
        select
            recency_score,
            fm_score,
            rfm_segment,
            sum(customer_count)::bigint as customer_count,
            sum(historic_margin_amount) as historic_margin_amount
        from agg_customer_bands
        where recency_score is not null and {condition}
        group by all
        order by recency_score, fm_score
        """,
        **parameters,
    )


def segments(published: Published) -> pd.DataFrame:
    """The segments of as_of_date with names, sizes, and change against the month's end before."""
    return published.query("select * from agg_rfm_segments where is_latest order by sort_order")


def clv_bands(published: Published, filters: Filters) -> pd.DataFrame:
    """Customers by predicted value of a year, in bands that double."""
    condition, parameters = filters.condition("", **PARTS)
    return published.query(
        f"""
        select
            clv_from_amount,
            sum(customer_count)::bigint as customer_count,
            sum(predicted_clv_amount_365d) as predicted_clv_amount_365d
        from agg_customer_bands
        where clv_from_amount is not null and {condition}
        group by all
        order by clv_from_amount
        """,
        **parameters,
    )


def churn_bands(published: Published, filters: Filters) -> pd.DataFrame:
    """Customers by tenth of churn probability, with what is at risk."""
    condition, parameters = filters.condition("", **PARTS)
    return published.query(
        f"""
        select
            churn_from_share,
            sum(customer_count)::bigint as customer_count,
            sum(value_at_risk_amount) as value_at_risk_amount
        from agg_customer_bands
        where churn_from_share is not null and {condition}
        group by all
        order by churn_from_share
        """,
        **parameters,
    )


def customer_sums(published: Published, filters: Filters) -> pd.DataFrame:
    """One row: how many customers, and their sums."""
    condition, parameters = filters.condition("", **PARTS)
    return published.query(
        f"""
        select
            sum(customer_count)::bigint as customer_count,
            sum(historic_margin_amount) as historic_margin_amount,
            sum(predicted_clv_amount_365d) as predicted_clv_amount_365d,
            sum(value_at_risk_amount) as value_at_risk_amount
        from agg_customer_bands
        where {condition}
        having count(*) > 0
        """,
        **parameters,
    )


def calibration(published: Published) -> pd.DataFrame:
    """Predicted and actual means by decile, of the last backtest of each model."""
    return published.query(
        """
        select * from agg_model_calibration
        where
            bin_kind = 'decile'
            and as_of_date = (select max(as_of_date) from agg_model_calibration)
        order by model, bin_number
        """
    )


def backtests(published: Published) -> pd.DataFrame:
    """How the models did on the last holdout."""
    return published.query(
        "select * from fct_model_backtests where is_latest order by is_serving desc, model"
    )


def customer_ids(published: Published, filters: Filters, count: int = 20) -> list[str]:
    """The customers of most margin, as examples of whom to look up."""
    condition, parameters = filters.condition("", **PARTS)
    rows = published.query(
        f"""
        select customer_id from dim_customer_profiles
        where is_buyer and {condition}
        order by historic_margin_amount desc nulls last, customer_id
        limit $count
        """,
        count=count,
        **parameters,
    )
    return [str(customer_id) for customer_id in rows["customer_id"]]


def profile(published: Published, customer_id: str) -> pd.DataFrame:
    """One customer's row of dim_customer_profiles, or none."""
    return published.query(
        "select * from dim_customer_profiles where customer_id = $customer_id",
        customer_id=customer_id,
    )


def orders(published: Published, customer_id: str) -> pd.DataFrame:
    """One customer's orders, the latest first."""
    return published.query(
        "select * from fct_orders where customer_id = $customer_id"
        " order by ordered_at desc, order_id",
        customer_id=customer_id,
    )


def states(published: Published, customer_id: str) -> pd.DataFrame:
    """One customer's stays in the states of life."""
    return published.query(
        "select * from fct_customer_states where customer_id = $customer_id"
        " order by valid_from_date",
        customer_id=customer_id,
    )


def recommendations(published: Published, customer_id: str) -> pd.DataFrame:
    """What one customer is recommended, with the products' names."""
    return published.query(
        f"""
        select
            recommendations.recommendation_rank,
            coalesce(products.product_name, recommendations.product_id) as product_name,
            coalesce(products.category, '{UNKNOWN}') as category,
            recommendations.reason,
            sources.product_name as source_product_name,
            recommendations.expected_order_share
        from fct_product_recommendations as recommendations
        left join dim_products as products on recommendations.product_id = products.product_id
        left join dim_products as sources on recommendations.source_product_id = sources.product_id
        where recommendations.customer_id = $customer_id
        order by recommendations.recommendation_rank
        """,
        customer_id=customer_id,
    )
