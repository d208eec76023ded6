-- Grain: one row per event that a funnel can ask for, tracked or found by the warehouse.
-- A view: funnels read from it the events of the visitors that they need.
{{ config(materialized='view') }}
{{ funnel_events() }}
