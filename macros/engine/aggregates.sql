{#
    The value in the row that comes first by `order_by`, a list of columns; a NULL value is passed over. Of a lone
    column a NULL is no place: its row is passed over too. Of several columns NULL is behind all values.
#}
{% macro first_by(value, order_by) -%}
    {{ return(adapter.dispatch('first_by')(value, order_by)) }}
{%- endmacro %}

{% macro duckdb__first_by(value, order_by) -%}
    arg_min({{ value }}, {{ 'row(' ~ order_by | join(', ') ~ ')' if order_by | length > 1 else order_by[0] }})
{%- endmacro %}

{% macro spark__first_by(value, order_by) -%}
    min_by({{ value }}, case when {{ value }} is not null then {{ nulls_last(order_by) if order_by | length > 1 else order_by[0] }} end)
{%- endmacro %}


{# The value in the row that comes last by `order_by`; as in first_by. #}
{% macro last_by(value, order_by) -%}
    {{ return(adapter.dispatch('last_by')(value, order_by)) }}
{%- endmacro %}

{% macro duckdb__last_by(value, order_by) -%}
    arg_max({{ value }}, {{ 'row(' ~ order_by | join(', ') ~ ')' if order_by | length > 1 else order_by[0] }})
{%- endmacro %}

{% macro spark__last_by(value, order_by) -%}
    max_by({{ value }}, case when {{ value }} is not null then {{ nulls_last(order_by) if order_by | length > 1 else order_by[0] }} end)
{%- endmacro %}


{# Columns packed into one value, read as `packed.column`. #}
{% macro packed(columns) -%}
    {{ return(adapter.dispatch('packed')(columns)) }}
{%- endmacro %}

{% macro duckdb__packed(columns) -%}
    struct_pack({% for column in columns %}{{ column }} := {{ column }}{{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}

{% macro spark__packed(columns) -%}
    struct({{ columns | join(', ') }})
{%- endmacro %}


{# Columns as one value that Spark orders as DuckDB does: NULL is behind all values. #}
{% macro nulls_last(columns) -%}
    struct({% for column in columns %}({{ column }}) is null, {{ column }}{{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}


{# An aggregate: quantiles of a number, interpolated, as a list in the order of `shares`. #}
{% macro quantiles_of(value, shares) -%}
    {{ return(adapter.dispatch('quantiles_of')(value, shares)) }}
{%- endmacro %}

{% macro duckdb__quantiles_of(value, shares) -%}
    quantile_cont({{ value }}, [{{ shares | join(', ') }}])
{%- endmacro %}

{% macro spark__quantiles_of(value, shares) -%}
    percentile({{ value }}, array({{ shares | join(', ') }}))
{%- endmacro %}


{# An aggregate: the value of which `count` are not above it, the highest where there are no more. #}
{% macro nth_lowest(value, count) -%}
    {{ return(adapter.dispatch('nth_lowest')(value, count)) }}
{%- endmacro %}

{% macro duckdb__nth_lowest(value, count) -%}
    list_last(min({{ value }}, {{ count }}))
{%- endmacro %}

{% macro spark__nth_lowest(value, count) -%}
    element_at(min_by({{ value }}, {{ value }}, {{ count }}), -1)
{%- endmacro %}


{#
    An aggregate: the highest of the lowest `share` of the values, rounded up to a whole number of them;
    NULL where they are none.
#}
{% macro highest_of_lowest(value, share) -%}
    {{ return(adapter.dispatch('highest_of_lowest')(value, share)) }}
{%- endmacro %}

{% macro duckdb__highest_of_lowest(value, share) -%}
    case when {{ share }} > 0 then quantile_disc({{ value }}, {{ share }}) end
{%- endmacro %}

{# The share is a double here: a little less of it, so that 55 % of 100 values are not 56 of them. #}
{% macro spark__highest_of_lowest(value, share) -%}
    case when {{ share }} > 0 then percentile_disc(greatest(cast({{ share }} as double) - 1e-12, 0e0)) within group (order by {{ value }}) end
{%- endmacro %}


{#
    An aggregate: a number that is another one when rows are others, whatever their order. For telling
    whether rows changed, never a key: another version of the engine may give another number.
#}
{% macro fingerprint(columns) -%}
    {{ return(adapter.dispatch('fingerprint')(columns)) }}
{%- endmacro %}

{% macro duckdb__fingerprint(columns) -%}
    sum(cast(hash({{ columns | join(', ') }}) as decimal(38, 0)))
{%- endmacro %}

{# xxhash64 passes over NULL: (NULL, 1) would be (1, NULL). #}
{% macro spark__fingerprint(columns) -%}
    sum(cast(xxhash64({% for column in columns %}({{ column }}) is null, {{ column }}{{ ', ' if not loop.last }}{% endfor %}) as decimal(38, 0)))
{%- endmacro %}


{# Before `over`: the first value of a window that is not NULL. #}
{% macro first_known(value) -%}
    {{ return(adapter.dispatch('first_known')(value)) }}
{%- endmacro %}

{% macro duckdb__first_known(value) -%}
    first_value({{ value }} ignore nulls)
{%- endmacro %}

{% macro spark__first_known(value) -%}
    first_value({{ value }}) ignore nulls
{%- endmacro %}


{# Before `over`: the last value of a window that is not NULL. #}
{% macro last_known(value) -%}
    {{ return(adapter.dispatch('last_known')(value)) }}
{%- endmacro %}

{% macro duckdb__last_known(value) -%}
    last_value({{ value }} ignore nulls)
{%- endmacro %}

{% macro spark__last_known(value) -%}
    last_value({{ value }}) ignore nulls
{%- endmacro %}
