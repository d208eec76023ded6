-- Grain: one row per currency and period in which one rate into the reporting currency holds.
-- A rate holds until the currency's next one; the reporting currency itself is always 1.
with

fx_rates as (
    select
        currency,
        rate_date,
        rate
    from {{ ref('base_shop__fx_rates') }}
    where verdict = 'kept' and currency <> '{{ var("reporting_currency") }}'
),

periods as (
    select
        currency,
        rate_date as valid_from_date,
        lead(rate_date, 1, date '9999-12-31') over (
            partition by currency order by rate_date
        ) as valid_to_date,
        rate
    from fx_rates
    union all
    select
        '{{ var("reporting_currency") }}' as currency,
        date '0001-01-01' as valid_from_date,
        date '9999-12-31' as valid_to_date,
        cast(1 as decimal(18, 8)) as rate
)

select * from periods
