-- Grain: one row per as_of_date and model, fitted or with the reason why not.
with

as_of_dates as (
    select as_of_date, is_latest from {{ ref('int_as_of_dates_fingerprinted') }}
),

fits as (
    select
        state_date,
        model,
        r,
        alpha,
        a,
        b,
        p,
        q,
        gamma,
        log_likelihood,
        gradient_norm,
        start_count,
        is_converged,
        fitted_customer_count,
        customer_count,
        first_order_date,
        last_order_date,
        ineligible_reason
    from {{ ref('int_purchase_models_fitted') }}
),

clv_model_fits as (
    select
        as_of_dates.as_of_date,
        fits.model,
        as_of_dates.is_latest,
        fits.r,
        fits.alpha,
        fits.a,
        fits.b,
        fits.p,
        fits.q,
        fits.gamma,
        fits.log_likelihood,
        fits.gradient_norm,
        fits.start_count,
        fits.is_converged,
        fits.fitted_customer_count,
        fits.customer_count,
        fits.first_order_date,
        fits.last_order_date,
        fits.ineligible_reason is null as is_served,
        fits.ineligible_reason
    from as_of_dates
    inner join fits on as_of_dates.as_of_date = fits.state_date
)

select * from clv_model_fits
