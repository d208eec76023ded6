{#
    The features of the behaviour model by name, each as an expression over the columns of
    int_churn_features_measured: days, counts and money as logarithms, shares as they are.
#}
{% macro churn_features() %}
    {{ return({
        'days_since_order': 'ln(1 + recency_days)',
        'days_since_first_order': 'ln(1 + tenure_days)',
        'purchase_days': 'ln(purchase_day_count)',
        'recent_purchase_days': 'ln(1 + recent_purchase_day_count)',
        'one_purchase_day': 'case when purchase_day_count = 1 then 1 else 0 end',
        'mean_gap': 'ln(1 + mean_gap_days)',
        'gaps_since_order': 'ln(1 + recency_days / mean_gap_days)',
        'net_per_order': 'ln(1 + greatest(net_per_order, 0))',
        'units_per_order': 'ln(1 + units_per_order)',
        'discount_share': 'discount_share',
        'return_share': 'return_share',
        'visits': 'ln(1 + visit_count)',
        'recent_visits': 'ln(1 + recent_visit_count)',
        'days_since_visit': 'ln(1 + days_since_visit)',
        'carts': 'ln(1 + cart_count)',
        'recent_carts': 'ln(1 + recent_cart_count)',
        'messages_sent': 'ln(1 + sent_count)',
        'messages_opened': 'ln(1 + opened_count)',
        'messages_clicked': 'ln(1 + clicked_count)',
        'support_tickets': 'ln(1 + ticket_count)',
        'nps_answered': 'case when nps_score is null then 0 else 1 end',
        'nps_score': 'nps_score',
    }) }}
{% endmacro %}
