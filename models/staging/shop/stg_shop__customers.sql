-- Grain: one row per customer account.
-- Personal data ends here: an email is a salted hash, a birth date an age band, a postcode an area.
with

customers as (
    select * from {{ ref('base_shop__customers') }} where verdict = 'kept'
),

age_bands as (
    select age_band, from_age, to_age from {{ ref('ref_age_bands') }}
),

as_of as (
    select as_of_date from {{ ref('stg_shop__as_of') }}
),

customers_known as (
    select
        customers.customer_id,
        {{ hashed('customers.email') }} as email_hash,
        customers.gender,
        age_bands.age_band,
        customers.country,
        customers.region,
        customers.city,
        left(customers.postcode, 2) as postcode_area,
        customers.language,
        customers.marketing_opt_in as has_marketing_consent,
        customers.signup_source,
        customers.referred_by_customer_id,
        customers.created_at
    from customers
    cross join as_of
    left join age_bands
        on {{ full_years('customers.birth_date', 'as_of.as_of_date') }} >= age_bands.from_age
        and {{ full_years('customers.birth_date', 'as_of.as_of_date') }} < age_bands.to_age
    where customers.created_at is null or {{ is_known('customers.created_at') }}
)

select * from customers_known
