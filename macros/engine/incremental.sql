{#
    Incremental models on Spark: what changed_rows does (macros/refresh/changed_rows.sql), where no transaction
    spans a table and the notes of what was touched. Notes come first, and a table changes at once or by whole
    days, so that a build that was cut short is made good by the next one. meta.days names the column of a table
    that is partitioned by UTC day, and whose scope is whole days.
#}
{% materialization incremental, adapter='spark' %}
    {% set target_relation = this.incorporate(type='table') %}
    {% set old_relation = load_cached_relation(this) %}
    {% set meta = config.get('meta') or {} %}
    {% set days = meta.get('days') %}
    {{ run_hooks(pre_hooks) }}
    {% if is_incremental() %}
        {% set key = config.get('unique_key') %}
        {% set keys = (key if key is string else key | join(', ')) if key %}
        {% set of_wanted_keys = '(' ~ keys ~ ') in (select ' ~ keys ~ ' from ' ~ target_relation ~ '__wanted)' %}
        {% do change_rows(
            target_relation,
            compiled_code,
            [of_wanted_keys] if config.get('incremental_strategy') == 'delete+insert'
            else config.get('incremental_predicates') or ['true'],
            key,
            meta.get('touches') or {},
            days
        ) %}
        {% call noop_statement('main', 'REFRESH') %}{{ compiled_code }}{% endcall %}
    {% else %}
        {% if old_relation is not none %}{% do adapter.drop_relation(old_relation) %}{% endif %}
        {% call statement('main') %}{{ create_table_by_day(target_relation, compiled_code, days) }}{% endcall %}
    {% endif %}
    {{ run_hooks(post_hooks) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
