-- Grain: one row per measure, month of acquisition, dimension and value.
-- Value and cost of the customers acquired in a month, as known to date. A cohort that has not paid
-- back yet has no row of payback_months: its time is not 0, nor known.
with

cohorts as (
    select
        'month' as period,
        cohort_month_date as period_start_date,
        case when channel_scope = 'all' then 'total' else 'channel' end as dimension,
        case when channel_scope = 'all' then 'all' else channel end as dimension_value,
        new_customer_count,
        coalesce(spend_amount, 0) as spend_amount,
        margin_amount,
        payback_month_count
    from {{ ref('agg_channel_ltv_cac') }}
    where channel_scope in ('all', 'channel')
),

cohorts_paid_back as (
    select * from cohorts where payback_month_count is not null
),

cohort_measures_gathered as (
    {{ measure_rows('cohorts', {
        'cohort_customers': 'new_customer_count',
        'cohort_spend': 'spend_amount',
        'cohort_margin': 'margin_amount',
    }) }}
    union all
    {{ measure_rows('cohorts_paid_back', {'payback_months': 'payback_month_count'}) }}
)

select * from cohort_measures_gathered
