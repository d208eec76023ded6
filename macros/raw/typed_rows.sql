{#
    The rows of a raw table in the types of the raw contract (seeds/raw/raw_<table>.yml), with
    `contract_breach`, every breach of the contract in the row (NULL: none), `row_content`, the row as
    it came, as JSON, and `row_identity`, the same without what differs between copies of one row.
#}
{% macro typed_rows(table) %}
    {% set relation = ref('raw_' ~ table) %}
    {% set raw_types = raw_column_types(relation) %}
    {% set breaches, content, identity, published = [], {}, {}, {} %}
    {% for column in raw_contract(table) %}
        {% set name, meta = column.name, column.config.meta %}
        {% do breaches.extend(contract_breaches(column, raw_types.get(name, 'VARCHAR'))) %}
        {% do content.update({name: name}) %}
        {% do published.update({name: hashed(name) if meta.personal else name}) %}
        {% if not meta.differs_between_copies %}{% do identity.update({name: name}) %}{% endif %}
    {% endfor %}
    select
        {% for column in raw_contract(table) %}
        {{ contract_value(column, raw_types.get(column.name, 'VARCHAR')) }} as {{ column.name }},
        {% endfor %}
        file_name,
        nullif(concat_ws('; ', {{ breaches | join(', ') }}), '') as contract_breach,
        {{ json_row(content) }} as row_content,
        {{ json_row(identity) }} as row_identity,
        {{ json_row(published) }} as published_content
    from {{ relation }}
{% endmacro %}


{# The types that the raw relation came with; a unit test's rows, which are no relation, are text. #}
{% macro raw_column_types(relation) %}
    {% set types = {} %}
    {% for column in adapter.get_columns_in_relation(relation) %}
        {% do types.update({column.name: column.dtype}) %}
    {% endfor %}
    {{ return(types) }}
{% endmacro %}


{# A column's value in its type; the names of an enumeration are lower case. #}
{% macro contract_value(column, raw_type) -%}
    {%- set value = typed_value(column.name, column.data_type, raw_type) -%}
    {{ return('lower(' ~ value ~ ')' if column.config.meta.accepted_values else value) }}
{%- endmacro %}
