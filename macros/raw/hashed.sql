{# Personal data as a salted hash: equal values stay equal, the value is not told. #}
{% macro hashed(column) -%}
    {{ return("md5(" ~ sql_text(env_var('CARTWRIGHT_SALT', var('salt'))) ~ " || lower(trim(cast(" ~ column ~ " as string))))") }}
{%- endmacro %}


{# A raw value for a sentence: its beginning, unless it looks like an email address gone astray. #}
{% macro shown(value) -%}
    case
        when cast({{ value }} as string) like '%@%' then 'a value with an @'
        else left(cast({{ value }} as string), 60)
    end
{%- endmacro %}


{#
    A raw value as the marts may show it: hashed where its column is personal or it looks like an email
    address that went astray, an address (URL) without its query.
#}
{% macro publishable(value, meta) -%}
    {%- set as_text = 'cast(' ~ value ~ ' as string)' -%}
    {%- if meta.personal -%}
        {{ hashed(value) }}
    {%- else -%}
        case
            when {{ as_text }} like '%@%' then {{ hashed(value) }}
            else {{ "regexp_replace(" ~ as_text ~ ", '[?#].*$', '')" if meta.is_address else as_text }}
        end
    {%- endif -%}
{%- endmacro %}
