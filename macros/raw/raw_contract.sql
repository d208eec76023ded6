{# The columns of a raw table: name, data_type, config.meta, as seeds/raw/raw_<table>.yml has them. #}
{% macro raw_contract(table) %}
    {% set seed = graph.nodes.get('seed.cartwright.raw_' ~ table) if execute %}
    {{ return(seed.columns.values() | list if seed else []) }}
{% endmacro %}


{# The columns that identify a row of a raw table. #}
{% macro contract_key(table) %}
    {% set seed = graph.nodes.get('seed.cartwright.raw_' ~ table) if execute %}
    {{ return(seed.config.meta.key if seed else []) }}
{% endmacro %}
