{# The tables of the raw contract and the source whose staging folder each one is in. #}
{% macro raw_tables() %}
    {{ return({
        'customers': 'shop',
        'products': 'shop',
        'orders': 'shop',
        'order_items': 'shop',
        'refunds': 'shop',
        'payments': 'shop',
        'promotions': 'shop',
        'subscriptions': 'shop',
        'fx_rates': 'shop',
        'events': 'web',
        'experiments': 'web',
        'ad_spend': 'marketing',
        'messages': 'marketing',
        'nps_responses': 'crm',
        'reviews': 'crm',
        'support_tickets': 'crm',
        'referrals': 'crm',
        'loyalty_entries': 'crm',
    }) }}
{% endmacro %}


{# The relation with a raw table's judged rows; of events, the many plain ones are left out. #}
{% macro judged_relation(table) %}
    {{ return(ref('base_' ~ raw_tables()[table] ~ '__' ~ table ~ ('_set_aside' if table == 'events' else ''))) }}
{% endmacro %}
