{#
    `amount` * `weight` / `total`, all decimal(18, 2), to the cent, halves up, 0 where the total is 0.
    In whole cents: a division of doubles would miss a half now and then.
#}
{% macro proportion_to_cent(amount, weight, total) -%}
    {{ return(adapter.dispatch('proportion_to_cent')(amount, weight, total)) }}
{%- endmacro %}

{% macro duckdb__proportion_to_cent(amount, weight, total) -%}
    coalesce(cast(
        (2 * cast({{ amount }} * 100 as hugeint) * cast({{ weight }} * 100 as hugeint)
            + cast({{ total }} * 100 as hugeint))
        // nullif(2 * cast({{ total }} * 100 as hugeint), 0)
        as decimal(20, 0)) / 100, 0)
{%- endmacro %}

{% macro spark__proportion_to_cent(amount, weight, total) -%}
    coalesce(cast(
        (2 * cast({{ amount }} * 100 as decimal(20, 0)) * cast({{ weight }} * 100 as decimal(20, 0))
            + cast({{ total }} * 100 as decimal(20, 0)))
        div nullif(2 * cast({{ total }} * 100 as decimal(20, 0)), 0)
        as decimal(20, 0)) / 100, 0)
{%- endmacro %}
