{# The value in the row that comes first by `order_by`, a list of columns; a NULL value is passed over. #}
{% macro first_by(value, order_by) -%}
    {{ return(adapter.dispatch('first_by')(value, order_by)) }}
{%- endmacro %}

{% macro duckdb__first_by(value, order_by) -%}
    arg_min({{ value }}, {{ 'row(' ~ order_by | join(', ') ~ ')' if order_by | length > 1 else order_by[0] }})
{%- endmacro %}


{# The value in the row that comes last by `order_by`, a list of columns; a NULL value is passed over. #}
{% macro last_by(value, order_by) -%}
    {{ return(adapter.dispatch('last_by')(value, order_by)) }}
{%- endmacro %}

{% macro duckdb__last_by(value, order_by) -%}
    arg_max({{ value }}, {{ 'row(' ~ order_by | join(', ') ~ ')' if order_by | length > 1 else order_by[0] }})
{%- endmacro %}


{# Columns packed into one value, read as `packed.column`. #}
{% macro packed(columns) -%}
    {{ return(adapter.dispatch('packed')(columns)) }}
{%- endmacro %}

{% macro duckdb__packed(columns) -%}
    struct_pack({% for column in columns %}{{ column }} := {{ column }}{{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}


{# An aggregate: quantiles of a number, interpolated, as a list in the order of `shares`. #}
{% macro quantiles_of(value, shares) -%}
    {{ return(adapter.dispatch('quantiles_of')(value, shares)) }}
{%- endmacro %}

{% macro duckdb__quantiles_of(value, shares) -%}
    quantile_cont({{ value }}, [{{ shares | join(', ') }}])
{%- endmacro %}


{# An aggregate: the value of which `count` are not above it, the highest where there are no more. #}
{% macro nth_lowest(value, count) -%}
    {{ return(adapter.dispatch('nth_lowest')(value, count)) }}
{%- endmacro %}

{% macro duckdb__nth_lowest(value, count) -%}
    list_last(min({{ value }}, {{ count }}))
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
