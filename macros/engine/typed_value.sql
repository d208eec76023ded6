{# A raw value in its contract type, NULL where it does not parse. #}
{% macro typed_value(name, data_type, raw_type) -%}
    {{ return(adapter.dispatch('typed_value')(name, data_type, raw_type | upper)) }}
{%- endmacro %}


{#
    DuckDB's cast from text to timestamp ignores an offset, so text goes through timestamptz, but for one that
    names a zone (" Europe/Paris"): DuckDB 1.5 takes texts after it for that zone's too. " UTC", as BigQuery
    writes it, is the one name there is. Its cast
    to bigint rounds, so a number with decimals is kept out. A column that has its type is left alone:
    a cast would cost at every scan.
#}
{% macro duckdb__typed_value(name, data_type, raw_type) -%}
    {%- set kind = data_type.split('(')[0] -%}
    {%- if raw_type == (data_type | upper) or (kind == 'string' and raw_type == 'VARCHAR') -%}
        {{ name }}
    {%- elif kind == 'timestamp' and raw_type == 'VARCHAR' -%}
        case
            when not {{ name }} like '%:% %' then try_cast({{ name }} as timestamptz) at time zone 'UTC'
            when {{ name }} like '%:% UTC'
                then try_cast(replace({{ name }}, ' UTC', 'Z') as timestamptz) at time zone 'UTC'
        end
    {%- elif kind == 'bigint' and 'INT' not in raw_type -%}
        case when try_cast({{ name }} as double) % 1 = 0 then try_cast({{ name }} as bigint) end
    {%- else -%}
        try_cast({{ name }} as {{ data_type }})
    {%- endif -%}
{%- endmacro %}


{#
    Spark reads more as a number than DuckDB ("5d"), and less as a whole one ("5.0") or as a date (with a time
    behind it): what a text may look like is told by a pattern, and the date is taken from its beginning.
    A double becomes a decimal by its nearest whole number of cents, as DuckDB has it, and not by its digits.
#}
{% macro spark__typed_value(name, data_type, raw_type) -%}
    {%- set kind = data_type.split('(')[0] -%}
    {%- set is_text = raw_type in ('STRING', 'VARCHAR') -%}
    {%- if raw_type == (data_type | upper) or (kind == 'string' and is_text) -%}
        {{ name }}
    {%- elif kind in ('date', 'timestamp') and is_text -%}
        {{ time_in_text(name, kind) }}
    {%- elif kind == 'bigint' and is_text -%}
        case when try_cast({{ number_in_text(name) }} as double) % 1 = 0
            then try_cast(round(try_cast({{ number_in_text(name) }} as decimal(38, 9))) as bigint) end
    {%- elif kind == 'decimal' and is_text -%}
        try_cast({{ number_in_text(name) }} as {{ data_type }})
    {%- elif kind == 'bigint' and 'INT' not in raw_type -%}
        case when try_cast({{ name }} as double) % 1 = 0 then try_cast({{ name }} as bigint) end
    {%- elif kind == 'decimal' and raw_type in ('DOUBLE', 'FLOAT') -%}
        {%- set ten_to_scale = '1' ~ '0' * (data_type.split(',')[1] | replace(')', '') | int) -%}
        try_cast(try_cast(round({{ name }} * {{ ten_to_scale }}e0) as decimal(38, 0)) / {{ ten_to_scale }} as {{ data_type }})
    {%- else -%}
        try_cast({{ name }} as {{ data_type }})
    {%- endif -%}
{%- endmacro %}


{# A text if it is a number, without the _ that may stand between its digits; else NULL. #}
{% macro number_in_text(name) -%}
    case when {{ name }} rlike '^ *[+-]?([0-9]+(_[0-9]+)*([.][0-9]*)?|[.][0-9]+)([eE][+-]?[0-9]+)? *$' then replace({{ name }}, '_', '') end
{%- endmacro %}


{#
    A text as a date or a time in UTC. A date is year, month and day with - or / between them, whatever follows that
    is no digit; a time a date, a time of day and an offset, of which the last ones may be missing. Blanks before it, and
    between date and time of day, are passed over, as DuckDB does.
#}
{% macro time_in_text(name, kind) -%}
    {%- set text = "regexp_replace(" ~ name ~ ", r'^\\s+', '')" -%}
    {%- set date = '([0-9]{4,6})([-/ ])([0-9]{1,2})\\\\2([0-9]{1,2})' -%}
    {%- set time = '[0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}([.][0-9]*)?)?' -%}
    {%- set zone = '(Z| UTC|[+-][0-9]{2}(:?[0-9]{2}(:[0-9]{2})?)?)' -%}
    {%- if kind == 'date' -%}
        try_cast(regexp_replace(regexp_extract({{ text }}, '^{{ date }}(?![0-9])', 0), '[/ ]', '-') as date)
    {%- else -%}
        case when {{ text }} rlike '^{{ date }}((T| +){{ time }}{{ zone }}?)?$'
            then try_cast(regexp_replace({{ text }}, '^{{ date }}[T ]*', '$1-$3-$4 ') as timestamp) end
    {%- endif -%}
{%- endmacro %}
