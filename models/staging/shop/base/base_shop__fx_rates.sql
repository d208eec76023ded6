-- Grain: one row per exchange rate row that the shop brought, with a verdict.
-- The case of a currency is settled before the verdict: usd and USD on one day are one key.
with

fx_rates as (
    {{ typed_rows('fx_rates') }}
),

fx_rates_upper as (
    select
        rate_date,
        upper(currency) as currency,
        rate,
        file_name,
        contract_breach,
        raw_row
    from fx_rates
),

{{ judgement('fx_rates', 'fx_rates_upper') }}

select * from rows_judged
