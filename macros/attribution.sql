{#
    Before fct_order_touchpoints: note the orders of visitors whose sessions may differ from those of the
    last complete refresh.
#}
{% macro note_orders_of_touched_visitors() -%}
    {% if not is_incremental() %}{{ return('') }}{% endif %}
    {% set orders_of_touched_visitors -%}
        select order_id from {{ ref('int_credited_orders_kept') }}
        where visitor_id in {{ touched('visitor_id') }}
        or session_visitor_id in {{ touched('visitor_id') }}
    {%- endset %}
    {{ note_touched('credited_order_id', 'order_id', orders_of_touched_visitors) }}
{%- endmacro %}


{#
    What one of several takes of an amount, to the cent: the share of all up to and with it, less the share
    of all before it. So the shares add up to the amount, each is within a cent of its exact value, none
    has another sign, and which ones bear the cents left over hangs on their order alone.
#}
{% macro allotted(amount, weight_up_to, weight, total_weight) -%}
    {%- set up_to = proportion_to_cent('abs(' ~ amount ~ ')', weight_up_to, total_weight) -%}
    {%- set before = proportion_to_cent(
        'abs(' ~ amount ~ ')', '(' ~ weight_up_to ~ ' - ' ~ weight ~ ')', total_weight
    ) -%}
    case
        when {{ weight }} = {{ total_weight }} then cast({{ amount }} as decimal(18, 2))
        else cast(
            sign({{ amount }})
            * (cast({{ up_to }} as decimal(18, 2)) - cast({{ before }} as decimal(18, 2)))
            as decimal(18, 2)
        )
    end
{%- endmacro %}
