{# Whether all of a month, told by its first day, is known on a day: the running month's numbers still move. #}
{% macro is_complete_month(month_start_date, as_of_date) -%}
    cast({{ month_start_date }} + interval '1' month as date) <= {{ as_of_date }} + 1
{%- endmacro %}
