{# Before a build: inspect the raw folder, stop with its faults, or note what it holds. #}
{% macro check_raw_folder() %}
    {% if not execute or flags.WHICH not in ['build', 'seed'] %}{{ return('') }}{% endif %}
    {% set raw_path = var('raw_path', '') or env_var('CARTWRIGHT_RAW_PATH', '') %}
    {% set report = fromjson(told_by_python('inspect_raw_folder', [raw_path])) %}
    {% if report.faults %}
        {{ exceptions.raise_compiler_error('The raw tables cannot be built from:\n' ~ report.faults | join('\n')) }}
    {% endif %}
    {% do run_query("create schema if not exists raw") %}
    {% do make_malformed_lines() %}
    {% set rows = [] %}
    {% for found in report.tables %}
        {% do rows.append("(" ~ sql_texts([
            found.table_name, found.file_format, report.folder, found.files | join(', '),
            found.missing_columns | join(', '), found.unknown_columns | join(', '),
            tojson(found), tojson(contract_of(found.table_name)),
        ]) ~ ", cast(" ~ found.files | length ~ " as bigint))") %}
    {% endfor %}
    {% do replace_table("raw.raw_files", "select * from (values " ~ rows | join(', ') ~ ") as raw_files (table_name,"
        ~ " file_format, folder, files, missing_columns, unknown_columns, details, contract, file_count)") %}
{% endmacro %}
