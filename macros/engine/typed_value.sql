{# A raw value in its contract type, NULL where it does not parse. #}
{% macro typed_value(name, data_type, raw_type) -%}
    {{ return(adapter.dispatch('typed_value')(name, data_type, raw_type | upper)) }}
{%- endmacro %}


{#
    DuckDB's cast from text to timestamp ignores an offset, so text goes through timestamptz; its cast
    to bigint rounds, so a number with decimals is kept out. A column that has its type is left alone:
    a cast would cost at every scan.
#}
{% macro duckdb__typed_value(name, data_type, raw_type) -%}
    {%- set kind = data_type.split('(')[0] -%}
    {%- if raw_type == (data_type | upper) or (kind == 'string' and raw_type == 'VARCHAR') -%}
        {{ name }}
    {%- elif kind == 'timestamp' and raw_type == 'VARCHAR' -%}
        try_cast({{ name }} as timestamptz) at time zone 'UTC'
    {%- elif kind == 'bigint' and 'INT' not in raw_type -%}
        case when try_cast({{ name }} as double) % 1 = 0 then try_cast({{ name }} as bigint) end
    {%- else -%}
        try_cast({{ name }} as {{ data_type }})
    {%- endif -%}
{%- endmacro %}
