{# Join condition: the rate of stg_shop__fx_rates that converts `currency` on `date`. #}
{% macro rate_holds(rates, currency, date) -%}
    {{ rates }}.currency = upper(coalesce({{ currency }}, '{{ var("reporting_currency") }}'))
    and {{ date }} >= {{ rates }}.valid_from_date
    and {{ date }} < {{ rates }}.valid_to_date
{%- endmacro %}


{# An amount of an order's currency in the reporting currency, to the cent. #}
{% macro converted(amount, rate) -%}
    cast(round({{ amount }} * {{ rate }}, 2) as decimal(18, 2))
{%- endmacro %}


{# Price per unit (four decimals) times units, to the cent; NULL where that is more than can be. #}
{% macro extended(unit_price, quantity) -%}
    try_cast(round({{ unit_price }} * cast({{ quantity }} as decimal(10, 0)), 2) as decimal(18, 2))
{%- endmacro %}
