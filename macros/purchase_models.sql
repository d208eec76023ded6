{#
    The closed forms of orchestration/purchase_models.py, in logarithms: odds of customers with hundreds of
    purchases do not fit a double. Times are in days, the parameters' in weeks of 7 days. What comes from
    a model that is not served is NULL.
#}

{#
    ln((1 - P(alive)) / P(alive)). BG/NBD lets nobody go before a repeat purchase, MBG/NBD after any
    purchase. `parameters` names a relation with the columns of int_purchase_parameters_served.
#}
{% macro log_odds_gone(model, repeat_count, recency_days, age_days, parameters) -%}
    {%- set own = parameters ~ '.' ~ model -%}
    {%- set deaths = repeat_count ~ (' + 1' if model == 'mbg_nbd' else '') -%}
    case
        when {{ deaths }} > 0
            then
                ln({{ own }}_a) - ln({{ own }}_b + {{ deaths }} - 1)
                + ({{ own }}_r + {{ repeat_count }}) * ln(
                    ({{ own }}_alpha + {{ age_days }} / 7e0)
                    / ({{ own }}_alpha + {{ recency_days }} / 7e0)
                )
        -- The odds of who cannot be gone are none.
        when {{ own }}_r is not null then -700
    end
{%- endmacro %}


{#
    P(alive). Beyond 700 an exponential does not fit a double, and its reciprocal is nothing. (Not by least():
    it passes over NULL, and a model that is not served would call all dead.)
#}
{% macro p_alive(log_odds_gone) -%}
    case when {{ log_odds_gone }} > 700 then 0 else 1 / (1 + exp({{ log_odds_gone }})) end
{%- endmacro %}


{# P(a purchase in the next `days`) of who is alive, by MBG/NBD. #}
{% macro p_active_if_alive(days, repeat_count, age_days, parameters) -%}
    1 - exp(
        -({{ parameters }}.mbg_nbd_r + {{ repeat_count }})
        * ln(1 + {{ days }} / 7e0 / ({{ parameters }}.mbg_nbd_alpha + {{ age_days }} / 7e0))
    )
{%- endmacro %}
