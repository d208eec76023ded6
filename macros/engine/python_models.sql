{#
    Write relations, a name each, as Parquet where Python finds them; and `is_incremental`, whether the table of
    `model` is there to be refreshed (Spark, orchestration/spark.py).
#}
{% macro write_for_python(folder, relations, model) %}
    {% for name, relation in relations.items() %}
        {% do run_query(parquet_written('select * from ' ~ relation, folder ~ '/' ~ name)) %}
    {% endfor %}
    {% if model %}
        {% set is_there = relation_of_python(model) is not none and not is_to_rebuild(model) %}
        {% do run_query(parquet_written('select ' ~ is_there | lower ~ ' as is_incremental', folder ~ '/is_incremental')) %}
    {% endif %}
{% endmacro %}


{% macro parquet_written(query, folder) -%}
    insert overwrite directory {{ sql_text(folder) }} using parquet {{ query }}
{%- endmacro %}


{# The table of a model in Python, none where it is not there. #}
{% macro relation_of_python(model) %}
    {% set node = graph.nodes['model.' ~ project_name ~ '.' ~ model] %}
    {{ return(adapter.get_relation(node.database, node.schema, node.alias)) }}
{% endmacro %}


{# Make the table of a model in Python of what it has written as Parquet, or change it by that. #}
{% macro take_from_python(folder, model) %}
    {% set node = graph.nodes['model.' ~ project_name ~ '.' ~ model] %}
    {% set query = 'select * from parquet.`' ~ folder ~ '/' ~ model ~ '.parquet`' %}
    {% set relation = relation_of_python(model) %}
    {% if relation is not none and not is_to_rebuild(model) %}
        {% do change_rows(relation, query, node.config.incremental_predicates, node.config.unique_key, {}, none) %}
    {% else %}
        {% do run_query('create schema if not exists ' ~ node.schema) %}
        {% do replace_table(node.schema ~ '.' ~ node.alias, query) %}
    {% endif %}
{% endmacro %}
