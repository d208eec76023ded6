{#
    Behind `as` of a CTE that is wide and read several times: each reader takes the columns it needs
    from the source again, instead of a copy of all of them being kept.
#}
{% macro inlined() -%}
    {{ return(adapter.dispatch('inlined')()) }}
{%- endmacro %}

{% macro duckdb__inlined() -%}
    not materialized
{%- endmacro %}

{# Spark keeps no copy of a CTE. #}
{% macro spark__inlined() -%}{%- endmacro %}
