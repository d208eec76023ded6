-- Without this a KPI on the scorecard and the same one in its mart could drift apart. By the month;
-- the rows of both are laid over each other, so that a missing one is a difference too.
with

scorecard as (
    select kpi, period_start_date, kpi_value
    from {{ ref('fct_kpi_scorecard') }}
    where period = 'month' and is_complete
),

{% set sums = {
    'orders': ['fct_orders', 'order_date', "count(*) filter (where is_revenue)"],
    'net_revenue': ['fct_orders', 'order_date', 'sum(net_amount)'],
    'margin': ['fct_orders', 'order_date', 'sum(margin_amount)'],
    'units_sold': ['fct_order_lines', 'order_date', "sum(quantity) filter (where is_revenue)"],
    'refunds': ['fct_refunds', 'refund_date', 'sum(refund_amount)'],
    'sessions': ['fct_sessions', 'session_date', 'count(*)'],
    'visitors': ['fct_sessions', 'session_date', 'count(distinct visitor_id)'],
    'carts': ['agg_cart_abandonment_daily', 'cart_date', 'sum(cart_count)'],
    'abandoned_cart_value': ['agg_cart_abandonment_daily', 'cart_date', 'sum(abandoned_amount)'],
    'ad_spend': ['agg_channel_performance', 'performance_date', 'sum(spend_amount)'],
    'new_customers': ['agg_channel_performance', 'performance_date', 'sum(new_customer_count)'],
    'leads': ['agg_channel_performance', 'performance_date', 'sum(lead_count)']
} %}
{% set values = {
    'churn_rate': ['agg_churn_monthly', 'month_start_date', 'churn_rate', 'is_mature'],
    'retention_rate': ['agg_churn_monthly', 'month_start_date', 'retention_rate', 'is_mature'],
    'nps': ['agg_nps_monthly', 'month_start_date', 'nps', "dimension = 'all'"],
    'average_rating': [
        'agg_reviews_monthly', 'month_start_date', 'mean_rating', "dimension = 'all'"
    ],
    'support_satisfaction': [
        'agg_support_monthly', 'month_start_date', 'mean_satisfaction', "dimension = 'all'"
    ],
    'k_factor': ['agg_referrals_monthly', 'month_start_date', 'k_factor', 'true'],
    'loyalty_redemption_rate': [
        'agg_loyalty_monthly', 'month_start_date', 'redemption_rate', 'true'
    ],
    'subscribers': [
        'agg_subscriptions_monthly', 'month_start_date', 'closing_subscriber_count', 'true'
    ],
    'mrr': ['agg_subscriptions_monthly', 'month_start_date', 'closing_mrr_amount', 'true'],
    'subscriber_churn_rate': [
        'agg_subscriptions_monthly', 'month_start_date', 'subscriber_churn_rate', 'true'
    ],
    'ltv': [
        'agg_channel_ltv_cac', 'cohort_month_date', 'margin_per_customer', "channel_scope = 'all'"
    ],
    'ltv_cac': [
        'agg_channel_ltv_cac', 'cohort_month_date', 'ltv_cac_ratio', "channel_scope = 'all'"
    ],
    'payback_months': [
        'agg_channel_ltv_cac', 'cohort_month_date', 'payback_month_count', "channel_scope = 'all'"
    ]
} %}

marts as (
    {% for kpi, (mart, column, expression) in sums.items() -%}
    select
        '{{ kpi }}' as kpi,
        cast(date_trunc('month', {{ column }}) as date) as period_start_date,
        cast(coalesce({{ expression }}, 0) as double) as mart_value
    from {{ ref(mart) }}
    group by cast(date_trunc('month', {{ column }}) as date)
    union all
    {% endfor -%}
    {% for kpi, (mart, column, expression, condition) in values.items() -%}
    select
        '{{ kpi }}' as kpi,
        {{ column }} as period_start_date,
        cast({{ expression }} as double) as mart_value
    from {{ ref(mart) }}
    where {{ condition }}
    {{ 'union all' if not loop.last }}
    {% endfor -%}
),

kpis_compared as (
    select kpi from marts group by kpi
),

differences as (
    select
        scorecard.kpi,
        scorecard.period_start_date,
        scorecard.kpi_value,
        marts.mart_value
    from scorecard
    inner join kpis_compared on scorecard.kpi = kpis_compared.kpi
    left join marts
        on scorecard.kpi = marts.kpi and scorecard.period_start_date = marts.period_start_date
)

select * from differences
where
    -- A month in which nothing was booked has no row in its mart.
    abs(coalesce(kpi_value, 0) - coalesce(mart_value, 0)) > 0.004
    or mart_value is null and kpi_value <> 0
