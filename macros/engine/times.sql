{# The date in the shop's zone (`reporting_timezone`) of a UTC timestamp. #}
{% macro reporting_date(utc_timestamp) -%}
    {{ return(adapter.dispatch('reporting_date')(utc_timestamp)) }}
{%- endmacro %}

{% macro duckdb__reporting_date(utc_timestamp) -%}
    cast({{ utc_timestamp }} at time zone 'UTC' at time zone '{{ var("reporting_timezone") }}' as date)
{%- endmacro %}

{% macro spark__reporting_date(utc_timestamp) -%}
    cast(from_utc_timestamp({{ utc_timestamp }}, '{{ var("reporting_timezone") }}') as date)
{%- endmacro %}


{#
    The UTC timestamp at which a date begins in the shop's zone: the first midnight where clocks show it twice,
    the time to which they jump where they show none.
#}
{% macro start_of_reporting_date(reporting_date) -%}
    {{ return(adapter.dispatch('start_of_reporting_date')(reporting_date)) }}
{%- endmacro %}

{# Of two midnights DuckDB takes the second one; the microsecond before tells the first. #}
{% macro duckdb__start_of_reporting_date(reporting_date) -%}
    least(
        cast({{ reporting_date }} as timestamp) at time zone '{{ var("reporting_timezone") }}' at time zone 'UTC',
        (cast({{ reporting_date }} as timestamp) - interval '1' microsecond)
            at time zone '{{ var("reporting_timezone") }}' at time zone 'UTC' + interval '1' microsecond
    )
{%- endmacro %}

{% macro spark__start_of_reporting_date(reporting_date) -%}
    to_utc_timestamp(cast({{ reporting_date }} as timestamp), '{{ var("reporting_timezone") }}')
{%- endmacro %}


{# The number of the aligned bucket of so many minutes that a timestamp falls in. #}
{% macro time_bucket_number(timestamp, minutes) -%}
    {{ return(adapter.dispatch('time_bucket_number')(timestamp, minutes)) }}
{%- endmacro %}

{% macro duckdb__time_bucket_number(timestamp, minutes) -%}
    epoch_us({{ timestamp }}) // {{ minutes * 60000000 }}
{%- endmacro %}

{% macro spark__time_bucket_number(timestamp, minutes) -%}
    unix_micros({{ timestamp }}) div {{ minutes * 60000000 }}
{%- endmacro %}


{# Microseconds from one timestamp to a later one. #}
{% macro microseconds_between(from_timestamp, to_timestamp) -%}
    {{ return(adapter.dispatch('microseconds_between')(from_timestamp, to_timestamp)) }}
{%- endmacro %}

{% macro duckdb__microseconds_between(from_timestamp, to_timestamp) -%}
    (epoch_us({{ to_timestamp }}) - epoch_us({{ from_timestamp }}))
{%- endmacro %}

{% macro spark__microseconds_between(from_timestamp, to_timestamp) -%}
    (unix_micros({{ to_timestamp }}) - unix_micros({{ from_timestamp }}))
{%- endmacro %}


{# One row a day, `calendar_date`, from `from_date` up to but not `to_date`, of a one-row relation. #}
{% macro days_between(relation, from_date, to_date) -%}
    {{ return(adapter.dispatch('days_between')(relation, from_date, to_date)) }}
{%- endmacro %}

{% macro duckdb__days_between(relation, from_date, to_date) -%}
    select cast(unnest(range({{ from_date }}, {{ to_date }}, interval 1 day)) as date) as calendar_date
    from {{ relation }}
{%- endmacro %}

{% macro spark__days_between(relation, from_date, to_date) -%}
    select explode(case
        when {{ from_date }} < {{ to_date }} then sequence({{ from_date }}, {{ to_date }} - interval '1' day, interval '1' day)
    end) as calendar_date
    from {{ relation }}
{%- endmacro %}


{#
    One row a month, `month_start_date`, from the month of `from_date` to that of `to_date`, both included, of a
    one-row relation; none where either is NULL.
#}
{% macro months_between(relation, from_date, to_date) -%}
    {{ return(adapter.dispatch('months_between')(relation, from_date, to_date)) }}
{%- endmacro %}

{% macro duckdb__months_between(relation, from_date, to_date) -%}
    select
        cast(unnest(range(
            date_trunc('month', {{ from_date }}), {{ to_date }} + interval 1 day, interval 1 month
        )) as date) as month_start_date
    from {{ relation }}
{%- endmacro %}

{% macro spark__months_between(relation, from_date, to_date) -%}
    select explode(case
        when trunc({{ from_date }}, 'MM') <= {{ to_date }}
            then sequence(trunc({{ from_date }}, 'MM'), cast({{ to_date }} as date), interval '1' month)
    end) as month_start_date
    from {{ relation }}
{%- endmacro %}


{# The day of the week, Monday 1 to Sunday 7. #}
{% macro iso_weekday(date) -%}
    {{ return(adapter.dispatch('iso_weekday')(date)) }}
{%- endmacro %}

{% macro duckdb__iso_weekday(date) -%}
    isodow({{ date }})
{%- endmacro %}

{% macro spark__iso_weekday(date) -%}
    cast(weekday({{ date }}) + 1 as bigint)
{%- endmacro %}


{# The days from one date to a later one. #}
{% macro days_from(from_date, to_date) -%}
    {{ return(adapter.dispatch('days_from')(from_date, to_date)) }}
{%- endmacro %}

{% macro duckdb__days_from(from_date, to_date) -%}
    ({{ to_date }} - {{ from_date }})
{%- endmacro %}

{% macro spark__days_from(from_date, to_date) -%}
    cast(datediff({{ to_date }}, {{ from_date }}) as bigint)
{%- endmacro %}
