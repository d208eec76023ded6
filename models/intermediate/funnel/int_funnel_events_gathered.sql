-- Grain: one row per event that a funnel can ask for, tracked or found by the warehouse.
-- A view, to look at: fct_funnel_entries has the same select read the visitors that it needs.
{{ config(materialized='view') }}
{{ funnel_events() }}
