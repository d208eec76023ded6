{# A string as a SQL literal. #}
{% macro sql_text(value) -%}
    {{ return(adapter.dispatch('sql_text')(value)) }}
{%- endmacro %}


{# Strings as SQL literals, separated by commas. #}
{% macro sql_texts(values) -%}
    {%- set literals = [] -%}
    {%- for value in values -%}{%- do literals.append(sql_text(value)) -%}{%- endfor -%}
    {{ return(literals | join(', ')) }}
{%- endmacro %}
