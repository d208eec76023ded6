{# A string as a SQL literal. #}
{% macro sql_text(value) -%}
    {{ return("'" ~ (value | replace("'", "''")) ~ "'") }}
{%- endmacro %}
