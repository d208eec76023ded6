{# Whether a row's visitor is one whose carts may differ from those of the last complete refresh. #}
{% macro cart_is_touched() -%}
    (visitor_id in {{ touched('visitor_id') }} or visitor_id in {{ touched('cart_visitor_id') }})
{%- endmacro %}


{# When a cart without an order is abandoned. #}
{% macro cart_idle_ends_at() -%}
    last_event_at + interval '{{ var("cart_idle_hours") }}' hour
{%- endmacro %}


{# From when on no order recovers an abandoned cart any more. #}
{% macro cart_recovery_ends_at() -%}
    {{ cart_idle_ends_at() }} + interval '{{ var("cart_recovery_days") }}' day
{%- endmacro %}


{# Before int_carts_cut: note who put what has another price into a cart. #}
{% macro note_carts_priced_otherwise() -%}
    {% set devices -%}
        select anonymous_id from {{ ref('int_cart_events_kept') }}
        where event_value is null and product_id in {{ touched('cart_product_id') }}
    {%- endset %}
    {{ note_touched('cart_anonymous_id', 'anonymous_id', devices) }}
{%- endmacro %}


{# Before int_carts_cut: note whose events in carts differ, or their prices. #}
{% macro note_carts_of_touched_devices() -%}
    {% set visitors -%}
        select visitor_id from {{ ref('fct_sessions') }}
        where anonymous_id in {{ touched('cart_anonymous_id') }}
    {%- endset %}
    {{ note_touched('cart_visitor_id', 'visitor_id', visitors) }}
{%- endmacro %}


{# Before fct_carts: note whose carts have become mature, or no longer are, as as_of_date moves. #}
{% macro note_aged_carts() -%}
    {% if not is_incremental() %}{{ return('') }}{% endif %}
    {% set visitors -%}
        select visitor_id from {{ this }} cross join {{ ref('stg_shop__as_of') }}
        where is_mature <> ({{ cart_idle_ends_at() }} <= known_until_at)
        or is_recovery_mature <> ({{ cart_recovery_ends_at() }} <= known_until_at)
    {%- endset %}
    {{ note_touched('cart_visitor_id', 'visitor_id', visitors) }}
{%- endmacro %}


{# Before fct_carts: note whose orders are those of customers with new or changed messages. #}
{% macro note_carts_with_messages() -%}
    {% set visitors -%}
        select visitor_id from {{ ref('int_cart_orders_gathered') }}
        where customer_id in {{ touched('cart_customer_id') }}
    {%- endset %}
    {{ note_touched('cart_visitor_id', 'visitor_id', visitors) }}
{%- endmacro %}
