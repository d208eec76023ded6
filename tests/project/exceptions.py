"""What may break a rule, and why: {rule: {object: reason}}.

Empty is the aim. An entry without a reason fails, and so does one whose object keeps the rule.
"""

# Removed by whoever builds the group: the entry is stale as soon as one of its models reads it.
LATER = "read by a group that is not built yet"

EXCEPTIONS: dict[str, dict[str, str]] = {
    "every_model_is_read": {
        "stg_crm__loyalty_entries": LATER,
        "stg_crm__reviews": LATER,
        "stg_shop__payments": LATER,
        "stg_shop__promotions": LATER,
    },
    "reads_leftwards": {
        "int_customer_peers_matched": "RFM segments are made and kept in their mart",
        "int_opportunities_detected": "states are made and kept in their marts",
        "int_session_orders_summed": "tells fct_sessions where fct_orders says something else now",
        "int_funnel_periods_measured": "keeps the periods that a refresh left alone",
    },
    "macros_are_short": {
        "judgement": "the CTEs of one verdict: SQL that reads on its own, with little Jinja in it",
    },
    "engines_are_named_in_macros_engine_alone": {
        "materialization_seed_duckdb": "dbt itself dispatches a materialization by its adapter",
    },
}
