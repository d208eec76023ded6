{# The date in the shop's zone (`reporting_timezone`) of a UTC timestamp. #}
{% macro reporting_date(utc_timestamp) -%}
    {{ return(adapter.dispatch('reporting_date')(utc_timestamp)) }}
{%- endmacro %}

{% macro duckdb__reporting_date(utc_timestamp) -%}
    cast({{ utc_timestamp }} at time zone 'UTC' at time zone '{{ var("reporting_timezone") }}' as date)
{%- endmacro %}


{# The UTC timestamp at which a date begins in the shop's zone. #}
{% macro start_of_reporting_date(reporting_date) -%}
    {{ return(adapter.dispatch('start_of_reporting_date')(reporting_date)) }}
{%- endmacro %}

{% macro duckdb__start_of_reporting_date(reporting_date) -%}
    (cast({{ reporting_date }} as timestamp) at time zone '{{ var("reporting_timezone") }}' at time zone 'UTC')
{%- endmacro %}
