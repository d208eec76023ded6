{#
    How tables and views come to be on DuckDB: by `create or replace`, in one transaction, so that a failure leaves
    what was there. dbt-duckdb builds a second table, renames both and drops the old one, and asks for indexes and
    foreign keys that might be in the way: of a small table or a refresh that is most of the time. What a model may
    be configured with holds as with dbt-duckdb's. A model in Python is run by a connection of its own, into a
    table that is then read, and dropped; dbt wants that statement to stand here.
#}
{% materialization table, adapter='duckdb', supported_languages=['sql', 'python'] %}
    {% if model.language == 'python' %}
        {% call statement('python', language='python') %}{{ python_into_table() }}{% endcall %}
    {% endif %}
    {{ return(replaced_relation(this.incorporate(type='table'))) }}
{% endmaterialization %}


{% materialization view, adapter='duckdb' %}
    {{ return(replaced_relation(this.incorporate(type='view'))) }}
{% endmaterialization %}


{% materialization incremental, adapter='duckdb', supported_languages=['sql', 'python'] %}
    {% if model.language == 'python' %}
        {% call statement('python', language='python') %}{{ python_into_table() }}{% endcall %}
    {% endif %}
    {% set target_relation = this.incorporate(type='table') %}
    {{ return(changed_relation(target_relation) if is_incremental() else replaced_relation(target_relation)) }}
{% endmaterialization %}
