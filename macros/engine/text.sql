{# The path of an address, without host, query and fragment. #}
{% macro url_path(url) -%}
    nullif(regexp_replace(regexp_replace({{ url }}, '^[a-zA-Z][a-zA-Z0-9+.-]*://[^/?#]*', ''), '[?#].*$', ''), '')
{%- endmacro %}


{# The host of an address, in lower case, without a leading www; NULL where it has none. #}
{% macro url_host(url) -%}
    nullif(regexp_replace(lower(regexp_extract({{ url }}, '^[a-zA-Z][a-zA-Z0-9+.-]*://([^/?#:]+)', 1)), '^www[.]', ''), '')
{%- endmacro %}


{# Whether a regular expression is found in a text; an empty one always is. #}
{% macro matches(text, pattern) -%}
    {{ return(adapter.dispatch('matches')(text, pattern)) }}
{%- endmacro %}

{% macro duckdb__matches(text, pattern) -%}
    regexp_matches({{ text }}, {{ pattern }})
{%- endmacro %}

{% macro spark__matches(text, pattern) -%}
    regexp_like({{ text }}, {{ pattern }})
{%- endmacro %}


{% macro duckdb__sql_text(value) -%}
    {{ return("'" ~ (value | replace("'", "''")) ~ "'") }}
{%- endmacro %}

{# A backslash escapes in Spark's literals. #}
{% macro spark__sql_text(value) -%}
    {{ return("'" ~ (value | replace("\\", "\\\\") | replace("'", "''")) ~ "'") }}
{%- endmacro %}
