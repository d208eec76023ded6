{# Whether a row of this time is known on as_of_date: every state is built from such rows alone. #}
{% macro is_known(time_column) -%}
    {{ time_column }} < (select known_until_at from {{ ref('stg_shop__as_of') }})
{%- endmacro %}


{# A second time of a row (delivered_at, opened_at), NULL as long as as_of_date does not know it. #}
{% macro when_known(time_column) -%}
    case when {{ is_known(time_column) }} then {{ time_column }} end
{%- endmacro %}
