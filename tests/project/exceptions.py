"""What may break a rule, and why: {rule: {object: reason}}.

Empty is the aim. An entry without a reason fails, and so does one whose object keeps the rule.
"""

EXCEPTIONS: dict[str, dict[str, str]] = {
    "every_model_is_read": {
        "stg_shop__payments": "its rows are judged and counted; no number is made of payments",
        "int_funnel_events_gathered": "to look at; fct_funnel_entries runs its select itself",
    },
    "reads_leftwards": {
        "int_customer_peers_matched": "RFM segments are made and kept in their mart",
        "int_opportunities_detected": "states are made and kept in their marts",
        "int_session_orders_summed": "tells fct_sessions where fct_orders says something else now",
        "int_funnel_periods_measured": "keeps the periods that a refresh left alone",
        "int_kpi_runs_detected": "alerts are raised from the scorecard, as everybody sees it",
    },
    "macros_are_short": {
        "funnel_events": "a model's select, which a refresh asks for some visitors alone",
        "sessions_cut": "a model's select, which a refresh asks for some devices alone",
        "judgement": "the CTEs of one verdict: SQL that reads on its own, with little Jinja in it",
    },
    "engines_are_named_in_macros_engine_alone": {
        "materialization_seed_duckdb": "dbt itself dispatches a materialization by its adapter",
    },
}
