{# Personal data as a salted hash: equal values stay equal, the value is not told. #}
{% macro hashed(column) -%}
    {{ return("md5(" ~ sql_text(env_var('CARTWRIGHT_SALT', var('salt'))) ~ " || lower(trim(cast(" ~ column ~ " as text))))") }}
{%- endmacro %}
