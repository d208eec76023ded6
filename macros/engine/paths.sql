{# One row per whole number, `number`, from 0 up to and with `last`, of a one-row relation. #}
{% macro numbers_up_to(relation, last) -%}
    {{ return(adapter.dispatch('numbers_up_to')(relation, last)) }}
{%- endmacro %}

{% macro duckdb__numbers_up_to(relation, last) -%}
    select unnest(range({{ last }} + 1)) as number from {{ relation }}
{%- endmacro %}

{# Spark's sequence counts down where the last number is the lower one. #}
{% macro spark__numbers_up_to(relation, last) -%}
    select explode(case when {{ last }} >= 0 then sequence(cast(0 as bigint), cast({{ last }} as bigint)) end) as number
    from {{ relation }}
{%- endmacro %}


{#
    An aggregate: the last `count` values for which `condition` holds, in the order of a unique column,
    joined as a path; it begins with dots where there were more.
#}
{% macro path_of(value, order_by, condition, count) -%}
    {{ return(adapter.dispatch('path_of')(value, order_by, condition, count)) }}
{%- endmacro %}

{# A list sorted by group takes five times as long. #}
{% macro duckdb__path_of(value, order_by, condition, count) -%}
    case when count(*) filter (where {{ condition }}) > {{ count }} then '... > ' else '' end
    || array_to_string(list_reverse(
        arg_max({{ value }}, {{ order_by }}, {{ count }}) filter (where {{ condition }})
    ), ' > ')
{%- endmacro %}

{% macro spark__path_of(value, order_by, condition, count) -%}
    case when count(*) filter (where {{ condition }}) > {{ count }} then '... > ' else '' end
    || array_join(reverse(
        max_by({{ value }}, {{ order_by }}, {{ count }}) filter (where {{ condition }})
    ), ' > ')
{%- endmacro %}
