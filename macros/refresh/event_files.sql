{#
    How the event files differ from those of the last complete refresh, as lists of names: `changed` (new
    or replaced), `gone` (replaced or removed) and `renewed` (changed, or grown). A lone file that has
    grown is neither changed nor gone: it is the shop's one growing export, and late_event_days tell how
    far back to look in it.
#}
{% macro event_file_changes() %}
    {% set now, before = stamps_now(), {} %}
    {% for name, stamp in run_query("select file_name, stamp from raw.event_files").rows %}
        {% do before.update({name: stamp}) %}
    {% endfor %}
    {% set changes = {'now': now, 'changed': [], 'gone': [], 'renewed': []} %}
    {% for name, stamp in now.items() if before.get(name) != stamp %}
        {% do changes.renewed.append(name) %}
        {% set old = before.get(name, '0- ') %}
        {% set has_grown = stamp.split(' ')[1:] == old.split(' ')[1:]
            and stamp.split('-')[0] | int >= old.split('-')[0] | int %}
        {% if now | length > 1 or not has_grown %}{% do changes.changed.append(name) %}{% endif %}
    {% endfor %}
    {% for name in before if name not in now or name in changes.changed %}
        {% do changes.gone.append(name) %}
    {% endfor %}
    {{ return(changes) }}
{% endmacro %}


{# The event files that there are, each with its stamp: size, time of change, and folder. #}
{% macro stamps_now() %}
    {% set rows = run_query("select details, folder from raw.raw_files where table_name = 'events'").rows %}
    {% set found, stamps = fromjson(rows[0][0]), {} %}
    {% for name in found.files %}
        {% do stamps.update({name: found.stamps[loop.index0] ~ ' ' ~ rows[0][1]}) %}
    {% endfor %}
    {{ return(stamps) }}
{% endmacro %}


{# Whether all events are in one file, which grows by the day, and not in parts that come one by one. #}
{% macro is_lone_event_file() %}
    {{ return(stamps_now() | length <= 1) }}
{% endmacro %}


{# Note the event files that there are now, those that were renewed with the days of their events. #}
{% macro note_event_files(changes) %}
    {% set kept = "select * from raw.event_files where file_name in " ~ text_list(changes.now)
        ~ " and file_name not in " ~ text_list(changes.renewed) %}
    {% set events = adapter.get_relation(target.database, 'raw', 'raw_events') %}
    {% set event_at = typed_value('event_at', 'timestamp', raw_column_types(events)['event_at']) %}
    {% set files = [] %}
    {% for name in changes.renewed %}
        {% do files.append('(' ~ sql_text(name) ~ ', ' ~ sql_text(changes.now[name]) ~ ')') %}
    {% endfor %}
    {% set renewed -%}
        select
            files.file_name,
            any_value(files.stamp) as stamp,
            cast(min(events.event_at) as date) as first_event_date,
            cast(max(events.event_at) as date) as last_event_date
        from (values {{ files | join(', ') }}) as files (file_name, stamp)
        left join (
            select file_name, {{ event_at }} as event_at from {{ events }}
            where file_name in {{ text_list(changes.renewed) }}
        ) as events
            on files.file_name = events.file_name
        group by files.file_name
    {%- endset %}
    {% do replace_table('raw.event_files', kept ~ (' union all ' ~ renewed if files else '')) %}
{% endmacro %}


{# Texts as a SQL list that may be empty. #}
{% macro text_list(values) -%}
    {{ return('(' ~ sql_texts([''] + values | list) ~ ')') }}
{%- endmacro %}


{#
    The UTC time from which on all days are looked at again, as a literal: what the last complete refresh
    knew, or what this one may know, since days after it were loaded and not known. In a lone file, which
    grows, late_event_days before it. None where no refresh was completed.
#}
{% macro touched_from() %}
    {% if not has_ledger() %}{{ return(none) }}{% endif %}
    {% set until = "coalesce(loaded_until_at, timestamp '0001-02-01')" %}
    {% if var('as_of_date') %}
        {% set until = "least(" ~ until ~ ", timestamp '" ~ var('as_of_date') ~ "')" %}
    {% endif %}
    {% set late_days = var('late_event_days') if is_lone_event_file() else 0 %}
    {% set query = "select cast(" ~ until ~ " - interval '" ~ late_days
        ~ "' day as date) from raw.refreshes where is_complete order by refresh_number desc limit 1" %}
    {% set rows = run_query(query).rows %}
    {{ return("timestamp '" ~ rows[0][0] ~ "'" if rows else none) }}
{% endmacro %}


{# A select of the days, `utc_date`, that were loaded from `from_at` on, or of the named event files. #}
{% macro days_loaded(from_at, file_names) -%}
    {% set periods -%}
        (
            select cast({{ from_at }} as date) as from_date, cast(max(loaded_until_at) as date) + 1 as to_date
            from raw.refreshes
            union all
            select first_event_date, last_event_date + 1
            from raw.event_files
            where file_name in {{ text_list(file_names) }}
        ) as periods
    {%- endset %}
    select calendar_date as utc_date from ({{ days_between(periods, 'from_date', 'to_date') }}) as days
{%- endmacro %}


{# Note the event files that are new, replaced, grown or gone as touched. #}
{% macro note_touched_event_files() -%}
    {% if not has_ledger() %}{{ return('') }}{% endif %}
    {% set changes = event_file_changes() %}
    {% set names = [] %}
    {% for name in changes.renewed + changes.gone %}{% do names.append('(' ~ sql_text(name) ~ ')') %}{% endfor %}
    {% if not names %}{{ return('') }}{% endif %}
    {{ note_touched('event_file', 'file_name', 'select * from (values ' ~ names | join(', ') ~ ') as files (file_name)') }}
{%- endmacro %}
