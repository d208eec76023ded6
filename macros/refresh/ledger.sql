{#
    Before a run: the ledger of refreshes (raw.refreshes) gets a row with the definitions that this one
    works by. What an earlier refresh touched is forgotten if that one was completed; else it is kept,
    so that what failed halfway is done now.
#}
{% macro start_refresh() %}
    {% if not execute or flags.WHICH not in ['build', 'run'] %}{{ return('') }}{% endif %}
    {% do run_query("create schema if not exists raw") %}
    {% do run_query("create table if not exists raw.refreshes (refresh_number bigint, is_complete boolean,"
        ~ " loaded_until_at timestamp, definitions string, to_rebuild string)") %}
    {% do run_query("create table if not exists raw.touched_keys (kind string, key string)") %}
    {% do run_query("create table if not exists raw.event_files"
        ~ " (file_name string, stamp string, first_event_date date, last_event_date date)") %}
    {% set unfinished = run_query("select refresh_number from raw.refreshes where not is_complete").rows %}
    {% if not unfinished %}
        {% do run_query("truncate table raw.touched_keys") %}
        {% do run_query("insert into raw.refreshes"
            ~ " select coalesce(max(refresh_number), 0) + 1, false, null, '{}', '[]' from raw.refreshes") %}
    {% endif %}
    {% set digest = [told_by_python('digest_definitions')] %}
    {% for name, value in invocation_args_dict.get('vars', {}) | dictsort if name not in ['raw_path', 'as_of_date', 'load_date', 'late_event_days'] %}
        {% do digest.append(name ~ '=' ~ value) %}
    {% endfor %}
    {% set definitions, known = {}, {} %}
    {% for node in graph.nodes.values() if node.config.materialized == 'incremental' %}
        {% do definitions.update({node.name: definition_of(node.unique_id, digest | join('|'), known)}) %}
    {% endfor %}
    {% do change_open_refresh({
        'definitions': sql_text(tojson(definitions)),
        'to_rebuild': sql_text(tojson(models_to_rebuild(definitions))),
    }) %}
{% endmacro %}


{# Give columns of the ledger's open refresh other values, SQL expressions by column. #}
{% macro change_open_refresh(values) %}
    {% set columns = [] %}
    {% for name in ['refresh_number', 'is_complete', 'loaded_until_at', 'definitions', 'to_rebuild'] %}
        {% do columns.append(
            'case when is_complete then ' ~ name ~ ' else ' ~ values[name] ~ ' end as ' ~ name
            if name in values else name
        ) %}
    {% endfor %}
    {% do replace_table('raw.refreshes', 'select ' ~ columns | join(', ') ~ ' from raw.refreshes') %}
{% endmacro %}


{#
    Before a command that writes: which one it is. A published build is that of the last such command, so that one
    that was killed halfway, or of some models alone, is never taken for it.
#}
{% macro note_run() %}
    {% if not execute or flags.WHICH not in ['build', 'run', 'seed'] %}{{ return('') }}{% endif %}
    {% do run_query("create schema if not exists raw") %}
    {% do replace_table("raw.last_run", "select " ~ sql_text(invocation_id) ~ " as invocation_id") %}
{% endmacro %}


{#
    The names of the models that the open refresh has to build from nothing: those that have another definition
    than when they were last complete, or had one in a run of it that was not completed. And all, where a table
    is gone: what comes from it was told of no change.
#}
{% macro models_to_rebuild(definitions) %}
    {% set rows = run_query("select definitions, to_rebuild from raw.refreshes"
        ~ " order by is_complete, refresh_number desc limit 2").rows %}
    {% set names = fromjson(rows[0][1]) %}
    {% set loaded = fromjson(rows[1][0]) if rows | length > 1 else {} %}
    {% set is_gone = is_table_gone() %}
    {% for name, definition in definitions.items() %}
        {% if name not in names and (flags.FULL_REFRESH or is_gone or loaded.get(name) != definition) %}
            {% do names.append(name) %}
        {% endif %}
    {% endfor %}
    {{ return(names) }}
{% endmacro %}


{#
    What a node's rows hang on besides the raw data, as a hash: its SQL and that of all models it comes from, the
    reference seeds, and `digest` (macros, raw contract, variables). `known` collects the hashes by node, so that
    each is made once.
#}
{% macro definition_of(unique_id, digest, known) %}
    {% if unique_id not in known %}
        {% set node = graph.nodes[unique_id] %}
        {% set parts = [digest, node.checksum.checksum] %}
        {% for parent in node.depends_on.nodes | sort if parent in graph.nodes and '.raw_' not in parent %}
            {% do parts.append(definition_of(parent, digest, known)) %}
        {% endfor %}
        {% do known.update({unique_id: local_md5(parts | join('|'))}) %}
    {% endif %}
    {{ return(known[unique_id]) }}
{% endmacro %}


{#
    After a run in which every incremental model was built: the refresh is complete, and the ledger notes
    how far it knows and from which files. Any other run leaves it open, and the next one goes on from
    the last complete one.
#}
{% macro complete_refresh() %}
    {% if not execute or flags.WHICH not in ['build', 'run'] %}{{ return('') }}{% endif %}
    {% set built = results | selectattr('status', 'equalto', 'success') | map(attribute='node.unique_id') | list %}
    {% for node in graph.nodes.values()
        if node.config.materialized == 'incremental' and node.unique_id not in built %}
        {{ return('') }}
    {% endfor %}
    {% do close_refresh() %}
    {% do adapter.commit() %}
{% endmacro %}


{#
    Note the open refresh as complete. By itself an operation of a build that was run in parts, each of which has
    built some of the incremental models: `dbt run-operation close_refresh`.
#}
{% macro close_refresh() %}
    {% do note_event_files(event_file_changes()) %}
    {% do change_open_refresh({
        'is_complete': 'true',
        'to_rebuild': "'[]'",
        'loaded_until_at': '(select known_until_at from '
            ~ graph.nodes['model.cartwright.stg_shop__as_of'].relation_name ~ ')',
    }) %}
{% endmacro %}


{# dbt asks this of every incremental model: also rebuild one whose definition is a new one. #}
{% macro should_full_refresh() %}
    {% set asked = config.get('full_refresh') %}
    {% if asked is none %}{% set asked = flags.FULL_REFRESH %}{% endif %}
    {% if asked or model.resource_type != 'model' or not execute %}{{ return(asked) }}{% endif %}
    {# Tables without a ledger are those of an earlier version: nobody knows what is in them. #}
    {% if not has_ledger() %}{{ return(true) }}{% endif %}
    {{ return(is_to_rebuild(model.name)) }}
{% endmacro %}


{# Whether the open refresh, or where there is none the last one, builds a model of this name from nothing. #}
{% macro is_to_rebuild(name) %}
    {% set rows = run_query("select to_rebuild from raw.refreshes order by is_complete, refresh_number desc limit 1").rows %}
    {{ return(rows and not rows[0][0] is none and name in fromjson(rows[0][0])) }}
{% endmacro %}


{# Whether a refresh was ever started here; not so for `dbt parse`, or `dbt compile` in a new warehouse. #}
{% macro has_ledger() %}
    {{ return(execute and adapter.get_relation(target.database, 'raw', 'refreshes') is not none) }}
{% endmacro %}
