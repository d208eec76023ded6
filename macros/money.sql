{# Join condition: the rate of stg_shop__fx_rates that converts `currency` on `date`. #}
{% macro rate_holds(rates, currency, date) -%}
    {{ rates }}.currency = upper(coalesce({{ currency }}, '{{ var("reporting_currency") }}'))
    and {{ date }} >= {{ rates }}.valid_from_date
    and {{ date }} < {{ rates }}.valid_to_date
{%- endmacro %}
