{# The columns of a raw table: name, data_type, config.meta, as seeds/raw/raw_<table>.yml has them. #}
{% macro raw_contract(table) %}
    {{ return(contract_of(table).columns if execute else []) }}
{% endmacro %}


{# The columns that identify a row of a raw table. #}
{% macro contract_key(table) %}
    {{ return(contract_of(table).key if execute else []) }}
{% endmacro %}


{#
    The columns within which rows of a raw table are compared with each other: its key, and of the many
    events, which are judged day by day, the UTC day too (copies of one event are of one time).
#}
{% macro judged_key(table) %}
    {{ return((['utc_date'] if table == 'events' else []) + contract_key(table)) }}
{% endmacro %}


{# A raw table's contract. A unit test sees no graph: it takes what the build noted in raw.raw_files. #}
{% macro contract_of(table) %}
    {% if not graph.nodes %}
        {% set query = "select contract from raw.raw_files where table_name = '" ~ table ~ "'" %}
        {{ return(fromjson(run_query(query).columns[0][0])) }}
    {% endif %}
    {% set seed = graph.nodes['seed.cartwright.raw_' ~ table] %}
    {{ return({'key': seed.config.meta.key, 'columns': seed.columns.values() | list}) }}
{% endmacro %}
