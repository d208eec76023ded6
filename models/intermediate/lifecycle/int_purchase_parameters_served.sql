-- Grain: one row per state_date, with the parameters of all models that are served for it.
-- What is not served is NULL, and so is all that comes from it.
{{ config(materialized='view') }}
with

fits as (
    select state_date, model, r, alpha, a, b, p, q, gamma, ineligible_reason
    from {{ ref('int_purchase_models_fitted') }}
),

parameters as (
    select
        {% for model, parameters in [
            ('bg_nbd', ['r', 'alpha', 'a', 'b']),
            ('mbg_nbd', ['r', 'alpha', 'a', 'b']),
            ('gamma_gamma', ['p', 'q', 'gamma'])
        ] -%}
        {% for parameter in parameters -%}
        max({{ parameter }}) filter (
            where model = '{{ model }}' and ineligible_reason is null
        ) as {{ model }}_{{ parameter }},
        {% endfor -%}
        max(ineligible_reason) filter (where model = '{{ model }}') as {{ model }}_reason,
        {% endfor -%}
        state_date
    from fits
    group by state_date
),

parameters_served as (
    select
        *,
        coalesce(bg_nbd_reason, mbg_nbd_reason, gamma_gamma_reason) as ineligible_reason
    from parameters
)

select * from parameters_served
