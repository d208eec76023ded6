{# The named expressions as one JSON object; `values` maps a field's name to its SQL expression. #}
{% macro json_row(values) -%}
    {{ return(adapter.dispatch('json_row')(values)) }}
{%- endmacro %}

{% macro duckdb__json_row(values) -%}
    cast(to_json(struct_pack(
        {%- for name, expression in values.items() %}
        {{ name }} := {{ expression }}{{ ',' if not loop.last }}
        {%- endfor %}
    )) as text)
{%- endmacro %}

{# Written as DuckDB does: NULL is there, a time has a blank, a decimal all its digits. #}
{% macro spark__json_row(values) -%}
    concat('{'
    {%- for name, expression in values.items() %}, '{{ ',' if not loop.first }}"{{ name }}":', case
        when ({{ expression }}) is null then 'null'
        when typeof({{ expression }}) like 'timestamp%' then concat('"', cast({{ expression }} as string), '"')
        when typeof({{ expression }}) like 'decimal%' then {{ decimal_text(expression) }}
        else substring(to_json(named_struct('v', {{ expression }})), 6, length(to_json(named_struct('v', {{ expression }}))) - 6)
    end
    {%- endfor %}, '}')
{%- endmacro %}


{# A decimal as text with all its digits: without ANSI mode Spark writes 1E-8 (Spark). #}
{% macro decimal_text(value) -%}
    {%- set text = 'cast(' ~ value ~ ' as string)' -%}
    case when {{ text }} like '%E-%' then concat(
        case when {{ text }} like '-%' then '-' else '' end, '0.',
        repeat('0', cast(regexp_extract({{ text }}, 'E-([0-9]+)', 1) as int) - 1),
        replace(regexp_extract({{ text }}, '([0-9.]+)E', 1), '.', '')
    ) else {{ text }} end
{%- endmacro %}
