-- Grain: one row per session: events of one anonymous_id without a gap of session_gap_minutes.
-- A view: nearly all sessions are one part of int_daily_sessions_cut. Only parts so near to a
-- midnight (UTC) that the day beside may go on with them are compared and joined.
{{ config(materialized='view') }}
-- depends_on: {{ ref('int_daily_sessions_cut') }}
{{ sessions_cut() }}
