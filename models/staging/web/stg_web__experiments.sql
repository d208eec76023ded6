-- Grain: one row per experiment and browser exposed to it.
with

experiments as (
    select * from {{ ref('base_web__experiments') }} where verdict = 'kept'
),

experiments_known as (
    select
        experiment_id,
        anonymous_id,
        variant,
        is_control,
        exposed_at
    from experiments
    where {{ is_known('exposed_at') }}
)

select * from experiments_known
