{# The first days of the periods (week, month, ...) that touched days lie in, as a subquery. #}
{% macro touched_periods(day_kind, period) -%}
    (
        select cast(date_trunc('{{ period }}', cast(key as date)) as date)
        from raw.touched_keys
        where kind = '{{ day_kind }}'
    )
{%- endmacro %}


{#
    Whether a day lies in a period with touched days; with the bounds of all of them as literals, so that
    what lies outside is not read.
#}
{% macro in_touched_periods(column, day_kind, period) -%}
    {%- set bounds = run_query("select min(start), cast(max(start) + interval 1 " ~ period ~ " as date) from "
        ~ touched_periods(day_kind, period) ~ " as periods (start)").rows[0] -%}
    {%- if bounds[0] is none -%}{{ return('false') }}{%- endif -%}
    {{ column }} >= date '{{ bounds[0] }}' and {{ column }} < date '{{ bounds[1] }}'
    and cast(date_trunc('{{ period }}', {{ column }}) as date) in {{ touched_periods(day_kind, period) }}
{%- endmacro %}
