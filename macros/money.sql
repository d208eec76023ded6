{# Whether an order of this status counts as revenue: not a pending one, not a cancelled one. #}
{% macro has_revenue(status) -%}
    {{ status }} in ('paid', 'shipped', 'delivered')
{%- endmacro %}


{# Join condition: the rate of stg_shop__fx_rates that converts `currency` on `date`. #}
{% macro rate_holds(rates, currency, date) -%}
    {{ rates }}.currency = upper(coalesce({{ currency }}, '{{ var("reporting_currency") }}'))
    and {{ date }} >= {{ rates }}.valid_from_date
    and {{ date }} < {{ rates }}.valid_to_date
{%- endmacro %}


{#
    An amount of an order's currency in the reporting currency, to the cent. Here and below a factor is
    widened first: DuckDB gives the product of two decimals of 18 digits no more than 18.
#}
{% macro converted(amount, rate) -%}
    cast(round(cast({{ amount }} as decimal(20, 2)) * {{ rate }}, 2) as decimal(18, 2))
{%- endmacro %}


{# Price per unit (four decimals) times units, before rounding. #}
{% macro exact_product(unit_price, quantity) -%}
    cast({{ unit_price }} as decimal(22, 4)) * cast({{ quantity }} as decimal(10, 0))
{%- endmacro %}


{# Price per unit times units, to the cent; NULL where that is more than a line may be. #}
{% macro extended(unit_price, quantity) -%}
    case
        when {{ exact_product(unit_price, quantity) }} <= {{ var('largest_line_amount') }}
            then cast(round({{ exact_product(unit_price, quantity) }}, 2) as decimal(18, 2))
    end
{%- endmacro %}


{# Price or cost per unit (four decimals) in the reporting currency. #}
{% macro unit_converted(unit_price, rate) -%}
    cast(round(cast({{ unit_price }} as decimal(22, 4)) * {{ rate }}, 4) as decimal(18, 4))
{%- endmacro %}


{#
    An amount per so many of something, to the cent, half a cent up; NULL for none of it. Engines divide decimals
    in binary, where half a cent is a little less: eight digits first make it half a cent again.
#}
{% macro amount_per(amount, count) -%}
    cast(cast({{ amount }} / nullif({{ count }}, 0) as decimal(24, 8)) as decimal(18, 2))
{%- endmacro %}
