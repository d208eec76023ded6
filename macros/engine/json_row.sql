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
