{# Whole years between two dates, an age: a year is full on its anniversary. #}
{% macro full_years(from_date, to_date) -%}
    {{ return(adapter.dispatch('full_years')(from_date, to_date)) }}
{%- endmacro %}

{% macro duckdb__full_years(from_date, to_date) -%}
    datesub('year', {{ from_date }}, {{ to_date }})
{%- endmacro %}

{% macro spark__full_years(from_date, to_date) -%}
    cast(floor(months_between({{ to_date }}, {{ from_date }}) / 12) as bigint)
{%- endmacro %}
