{# The furthest stage of the journey that a row's stage times (interest_at, ...) say was reached. #}
{% macro furthest_stage() -%}
    case
        {%- for stage in ['loyalty', 'purchase', 'intent', 'consideration', 'interest'] %}
        when {{ stage }}_at is not null then '{{ stage }}'
        {%- endfor %}
        else 'awareness'
    end
{%- endmacro %}
