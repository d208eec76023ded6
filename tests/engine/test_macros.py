"""Every macro that an engine has its own version of gives the same on DuckDB and on Spark.

Each query is one text, rendered for both engines; its rows, over values at the edges, must be
equal, and those that a newcomer would doubt are told here.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from engine.conftest import Same
from engine.engines import Spark
from warehouses import PROJECT

pytestmark = [
    # Sockets and files that pyspark leaves open.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

PLACES = """
    (values
        ('a', 'x', null, 1), ('a', 'y', 1, null), ('a', 'z', 1, 2), ('a', null, 0, 0),
        ('b', null, 1, 1), ('c', 'ü', 2, 7), ('c', 'v', 2, 6), ('d', 'w', null, null)
    ) as places (grp, value, a, b)
"""


def test_every_dispatched_macro_is_tried() -> None:
    """A macro that this file does not call may give anything on the other engine."""
    macros = "".join(path.read_text() for path in (PROJECT / "macros").rglob("*.sql"))
    tried = Path(__file__).read_text()
    names = set(re.findall(r"dispatch\('(\w+)'\)", macros)) - STATEMENTS
    assert not {name for name in names if f"{name}(" not in tried}


# Macros whose result is no value: they run in a build.
STATEMENTS = {
    "told_by_python",
    "replace_table",
    "judge_by_time",
    "make_malformed_lines",
    "is_table_gone",
}


def test_first_and_last_by(same: Same) -> None:
    """NULL values are passed over; NULL in a place is behind all, and as a lone place is none."""
    rows = same(f"""
        select
            grp, {{{{ first_by('value', ['a', 'b']) }}}}, {{{{ last_by('value', ['a', 'b']) }}}},
            {{{{ first_by('value', ['b']) }}}}, {{{{ last_by('value', ['- b', 'value']) }}}},
            {{{{ first_by(packed(['value', 'b']), ['a', 'b']) }}}}
        from {PLACES} group by grp order by grp
    """)
    assert rows[0][:3] == ("a", "z", "x")
    assert rows[1][1] is None
    assert rows[3][3] is None


def test_no_rows_are_no_value(same: Same) -> None:
    """Aggregates of nothing, as in a shop without orders."""
    rows = same(f"""
        select
            {{{{ first_by('value', ['a', 'b']) }}}}, {{{{ last_by('value', ['a', 'b']) }}}},
            {{{{ quantiles_of('a', [0.5]) }}}}, {{{{ nth_lowest('a', 3) }}}},
            {{{{ highest_of_lowest('a', '0.5') }}}}, {{{{ bits_of_any('a') }}}},
            {{{{ path_of('value', 'a', 'a > 0', 2) }}}}
        from {PLACES} where grp = 'nobody'
    """)
    assert rows == [(None,) * 7]


def test_quantiles(same: Same) -> None:
    """Interpolated, of whole numbers and doubles, of one value, with NULLs."""
    rows = same("""
        select
            {{ list_item(quantiles_of('n', [0, 0.25, 0.5, 0.9, 1]), 2) }} * 1e0,
            {{ list_item(quantiles_of('d', [0.1, 0.5]), 1) }},
            {{ list_item(quantiles_of('n', [0.5]), 2) }}
        from (values (1, 0.1e0), (2, 1e10), (4, -3.5e0), (null, null)) as numbers (n, d)
    """)
    assert rows[0][0] == f"{1.5:.11e}"


def test_places_in_a_distribution(same: Same) -> None:
    """The n-th lowest, and the highest of a share rounded up, where binary shares would miss."""
    rows = same("""
        select
            {{ nth_lowest('number', 3) }}, {{ nth_lowest('number', 500) }},
            {% for share in ['0.55', '0.07', '1 - 0.2 - 0.3', '0.555', '0.0', '0.001'] %}
            cast({{ highest_of_lowest('number', share) }} as bigint){{ ',' if not loop.last }}
            {% endfor %}
        from ({{ numbers_up_to('(select 99 as last) as bounds', 'last') }}) as numbers
    """)
    assert rows == [(2, 99, 54, 6, 49, 55, None, 0)]


def test_numbers_and_days(same: Same) -> None:
    """None where the last is below the first or unknown; DuckDB and Spark count whole numbers."""
    same("""
        select bounds.last, numbers.number
        from (values (-2), (-1), (0), (2), (null)) as bounds (last)
        left join ({{ numbers_up_to('(select 4 as last) as one', 'last') }}) as numbers
            on numbers.number <= bounds.last
        order by bounds.last, numbers.number
    """)
    for last in ("-5", "-1", "0", "cast(null as bigint)"):
        rows = same(f"""
            select * from ({{{{ numbers_up_to('(select {last} as last) as bounds', 'last') }}}}) as n
        """)
        assert rows == ([(0,)] if last == "0" else [])
    for first, last, days in (
        ("2024-02-27", "2024-03-02", 4),
        ("2024-02-27", "2024-02-27", 0),
        ("2024-02-27", "2024-01-01", 0),
    ):
        bounds = f"(select date '{first}' as from_date, date '{last}' as to_date) as bounds"
        rows = same(f"""
            select calendar_date from
            ({{{{ days_between("{bounds}", 'from_date', 'to_date') }}}}) as days order by 1
        """)
        assert len(rows) == days
    for first, last, months in (
        ("date '2023-11-30'", "date '2024-02-01'", 4),
        ("date '2024-02-29'", "date '2024-02-01'", 1),
        ("date '2024-03-01'", "date '2024-02-29'", 0),
        ("cast(null as date)", "date '2024-02-29'", 0),
        ("date '2024-02-29'", "cast(null as date)", 0),
    ):
        bounds = f"(select {first} as from_date, {last} as to_date) as bounds"
        rows = same(f"""
            select month_start_date from
            ({{{{ months_between("{bounds}", 'from_date', 'to_date') }}}}) as months order by 1
        """)
        assert len(rows) == months


@pytest.mark.parametrize(
    "zone",
    [
        "Europe/Paris",
        "America/New_York",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "America/Sao_Paulo",
        "America/Havana",
        "Pacific/Apia",
    ],
)
def test_days_of_the_shops_zone(same: Same, zone: str) -> None:
    """A date begins at its first instant: on days of 23 and 25 hours, with two midnights or none."""
    rows = same(
        """
        with moments as (
            select cast(moment as timestamp) as moment from (values
                ('2024-03-31 00:59:59.999999'), ('2024-03-31 01:00:00'), ('2024-10-27 00:30:00'),
                ('2024-10-27 23:00:00'), ('2018-11-04 02:59:59'), ('2018-11-04 03:00:00'),
                ('2018-02-18 01:30:00'), ('2018-02-18 02:30:00'), ('2018-02-18 03:00:00'),
                ('2019-11-03 03:59:59'), ('2019-11-03 04:30:00'), ('2019-11-03 05:30:00'),
                ('2011-12-30 09:59:59'), ('2011-12-30 10:00:00'), ('1969-12-31 23:30:00'),
                ('2024-04-06 14:45:00'), ('2024-10-05 15:45:00'), (null)
            ) as moments (moment)
        ),
        dated as (select moment, {{ reporting_date('moment') }} as day from moments)
        select moment, day, {{ start_of_reporting_date('day') }} as starts_at from dated
        """,
        reporting_timezone=zone,
    )
    assert all(starts_at <= moment for moment, _, starts_at in rows if moment)


def test_arithmetic_of_times(same: Same) -> None:
    """Microseconds, times before 1970, weekdays, leap days, hours."""
    rows = same("""
        select
            {{ time_bucket_number('a', 15) }}, {{ microseconds_between('a', 'b') }},
            {{ hours_later('a', 'hours') }}, {{ iso_weekday('cast(a as date)') }},
            {{ days_from('cast(a as date)', 'cast(b as date)') }}
        from (
            select cast(a as timestamp) as a, cast(b as timestamp) as b, hours from (values
                ('2024-03-10 23:59:59.999999', '2024-03-11 00:00:00', 36),
                ('1969-12-31 23:44:59.999999', '1970-01-01 00:00:00.000001', 0),
                ('2024-02-29 12:00:00', '2023-02-28 11:59:59', -1),
                ('2024-01-01 00:00:00', null, null)
            ) as times (a, b, hours)
        ) as times
        order by a
    """)
    assert rows[-1][1:] == (1, "2024-03-12T11:59:59.999999", 7, 1)


def test_ages(same: Same) -> None:
    """A year is full on its anniversary, of a 29 February on the 28th of common years."""
    rows = same("""
        select a, b, {{ full_years('cast(a as date)', 'cast(b as date)') }} as years from (values
            ('2000-02-29', '2001-02-27'), ('2000-02-29', '2001-02-28'), ('2000-02-29', '2004-02-28'),
            ('2000-02-29', '2004-02-29'), ('2001-02-28', '2004-02-28'), ('2001-02-28', '2004-02-27'),
            ('1999-12-31', '2000-12-30'), ('1999-12-31', '2000-12-31'), ('2000-01-01', '2000-01-01'),
            ('1988-01-31', '2020-01-30'), (null, '2020-01-01')
        ) as ages (a, b)
        order by a, b
    """)
    years = {(a, b): n for a, b, n in rows}
    assert years["2000-02-29", "2001-02-28"] == 1
    assert years["2000-02-29", "2004-02-28"] == 3


def test_money_is_shared_to_the_cent(same: Same) -> None:
    """Halves go up, a total of 0 gives 0, and amounts may be as large as their type."""
    rows = same("""
        select
            cast({{ proportion_to_cent('amount', 'weight', 'total') }} as decimal(18, 2)),
            {{ allotted('amount', 'weight', '1', 'total') }}
        from (
            select
                cast(amount as decimal(18, 2)) as amount, cast(weight as decimal(18, 2)) as weight,
                cast(total as decimal(18, 2)) as total
            from (values
                (0.01, 1, 2), (0.01, 1, 3), (10, 1, 3), (100.05, 0.5, 1), (5, 3, 0), (0, 1, 2),
                (90000000000000.99, 12345678.91, 23456789.12), (1, 2, 2), (7.77, 1, 7), (null, 1, 2)
            ) as amounts (amount, weight, total)
        ) as amounts
        order by amount, weight
    """)
    assert (Decimal("47368422686319.15"), Decimal("3836842.27")) in rows


def test_money_is_converted_and_rounded(same: Same) -> None:
    """Decimals keep all their digits on the way, and half a cent goes up."""
    same(
        """
        select
            {{ converted('amount', 'rate') }}, {{ unit_converted('price', 'rate') }},
            {{ extended('price', 'quantity') }}, {{ amount_per('amount', 'quantity') }}
        from (
            select
                cast(amount as decimal(18, 2)) as amount, cast(rate as decimal(18, 8)) as rate,
                cast(price as decimal(18, 4)) as price, quantity
            from (values
                (1.005, 1.005, 0.005, 1), (2.5, 0.00000001, 9.9999, 3), (0.01, 0.5, 0.3333, 3),
                (999999999999.99, 0.87654321, 123456.7891, 8), (-1.15, 1.5, -0.125, 2), (1, 1, 1, 0),
                (1.01, 0.5, 1.005, 2), (null, 1, null, null)
            ) as amounts (amount, rate, price, quantity)
        ) as amounts
    """,
        largest_line_amount=1000000000000,
    )


def test_texts(same: Same) -> None:
    """Addresses, patterns and words, in other scripts and without any."""
    same("""
        select
            url, {{ url_path('url') }}, {{ url_host('url') }}, {{ matches('url', 'pattern') }}
        from (values
            ('https://www.Shop.example/a/b?c=d#e', '^https'), ('http://wwwx.example', 'x[.]'),
            ('/only/path#x', ''), ('HTTPS://É.example/ü?é', 'É'), ('', ''), ('mailto:a@b', null),
            ('https://a.example:8443/x', '(?i)A[.]E'), ('//no.scheme/x', '^$'), (null, 'a')
        ) as addresses (url, pattern)
        order by url
    """)
    rows = same("""
        select text, word from (
            select text, {{ each_word('text') }} as word from (values
                ('a b'), ('  two  blanks '), ('tab	and
line'), ('é ü'), (''), (null)
            ) as texts (text)
        ) as words
        order by text, word
    """)
    assert ("a b", "b") in rows


def test_lists(same: Same) -> None:
    """In their order, with NULL values; items behind the end, before the start, of no list."""
    rows = same(f"""
        select
            grp, {{{{ listed('value', ['a', 'b']) }}}},
            {{{{ list_item(listed('value', ['a', 'b']), 1) }}}},
            {{{{ list_item(listed('value', ['a', 'b']), 9) }}}},
            {{{{ list_item(listed('value', ['a', 'b']), 0) }}}},
            {{{{ joined_texts('value', ', ') }}}}
        from {PLACES} group by grp order by grp
    """)
    assert rows[0][1] == [None, "z", "y", "x"]
    assert rows[1][-1] == ""


def test_numbers_missing(same: Same) -> None:
    """The first ones that a list does not have, which may be empty, in any order, or NULL."""
    rows = same("""
        select grp, {{ numbers_missing('numbers', 3) }}
        from (
            select grp, {{ collected('number') }} as numbers
            from (values
                (1, cast(2 as bigint)), (2, 9), (3, 3), (3, 1), (4, 5), (4, 1), (4, 3), (4, 2), (4, null),
                (6, null)
            ) as rows_listed (grp, number)
            group by grp
            union all
            select 5 as grp, null as numbers
        ) as lists
        order by grp
    """)
    assert [list(numbers) for _, numbers in rows] == [
        [1, 3, 4], [1, 2, 3], [2, 4, 5], [4, 6, 7], [1, 2, 3], [1, 2, 3],
    ]  # fmt: skip


def test_paths(same: Same) -> None:
    """The last steps that count, with dots where there were more; NULL where none counts."""
    rows = same(f"""
        select
            grp, {{{{ path_of('value', 'b', 'b > 0', 2) }}}}, {{{{ path_of('value', 'b', 'b > 5', 1) }}}}
        from {PLACES} where value is not null and b is not null group by grp order by grp
    """)
    assert rows[-1][1:] == ("v > ü", "... > ü")


def test_fingerprints_tell_rows_apart(same: Same) -> None:
    """Whatever their order; a NULL that moves to another column is another row."""
    rows = same("""
        select
            (select {{ fingerprint(['a', 'b']) }} from (values (1, 2), (3, null)) as t (a, b))
            = (select {{ fingerprint(['a', 'b']) }} from (values (3, null), (1, 2)) as t (a, b)),
            (select {{ fingerprint(['a', 'b']) }} from (values (1, 2), (3, null)) as t (a, b))
            = (select {{ fingerprint(['a', 'b']) }} from (values (1, 2), (null, 3)) as t (a, b)),
            (select {{ fingerprint(['a']) }} from (values (1), (1)) as t (a))
            = (select {{ fingerprint(['a']) }} from (values (1)) as t (a))
    """)
    assert rows == [(True, False, False)]


def test_rows_as_json(same: Same) -> None:
    """Byte for byte: ids are hashes of it, and of two copies of a row the first one is kept."""
    rows = same("""
        select {{ json_row({
            'text': 'x', 'amount': 'cast(y as decimal(18, 2))', 'number': 'z',
            'rate': 'cast(0.00000001 as decimal(18, 8))', 'less': 'cast(-0.00000012 as decimal(18, 8))',
            'nil': 'cast(0 as decimal(18, 8))', 'at': 'cast(t as timestamp)', 'day': 'cast(d as date)', 'flag': 'f'
        }) }} from (values
            ('é"/' || chr(92) || chr(10) || chr(1) || chr(127) || '😀', 1.50, 1, '2024-01-01 00:00:00.120', '2024-01-01', true),
            ('', 100, -1, '2024-01-01', '0999-01-01', false), (null, null, null, null, null, null),
            ('a', 0.05, 9223372036854775807, '2024-01-01 10:00:00.000001', '2024-01-01', null),
            ('b', -12345678.90, 0, '2024-01-01', '2024-01-01', null), ('c', 0, 0, null, null, null)
        ) as rows_of_all (x, y, z, t, d, f)
        order by x
    """)
    assert (
        '"amount":1.50,"number":1,"rate":0.00000001,"less":-0.00000012,"nil":0.00000000,"at":"2024-01-01 00:00:00.12"'
        in str(rows)
    )


def test_statistics(same: Same) -> None:
    """Factorials around the change of formula, and the distributions that tests are read from."""
    rows = same("""
        select
            number, {{ log_factorial('number') }}, {{ normal_tail('x') }}, {{ normal_quantile('p') }},
            {{ student_quantile('x', 'degrees') }}, {{ chi_square_tail('size', 'degrees') }}
        from (select cast(number as bigint) as number, cast(least(number, 1000) + 1 as bigint) as degrees, x, abs(x) as size, p from (values
            (0, 0e0, 0.5e0), (1, 1e0, 1e-9), (2, -7.5e0, 0.999e0), (10, 30e0, 0.025e0),
            (20, 5e0, 0.1e0), (21, 6e0, 0.2e0), (22, 7.1e0, 0.3e0), (170, 0.1e0, 0.4e0),
            (100000, 0.01e0, 0.6e0), (100000000, 3e0, 0.7e0)
        ) as numbers (number, x, p)) as numbers
        order by number
    """)
    assert rows[1][1] == f"{0:.11e}"


# Steps of a funnel: kind 1 is step 1, 2 is step 2, 3 is step 3, 4 is steps 1 and 3, 5 is none; the
# codes are as fct_funnel_entries makes them. A funnel is entered for two hours.
EVENTS = """
    with events as (
        select unit, kind_number, cast(session_number as bigint) as session_number,
            cast(time as timestamp) as event_at
        from (values
            ('all', '2024-01-01 00:00:00', 1, 1), ('all', '2024-01-01 00:01:00', 2, 1),
            ('all', '2024-01-01 00:02:00', 3, 1), ('all', '2024-01-01 00:03:00', 3, 2),
            ('strict', '2024-01-01 00:00:00', 1, 1), ('strict', '2024-01-01 00:01:00', 3, 1),
            ('strict', '2024-01-01 00:02:00', 2, 1), ('strict', '2024-01-01 00:03:00', 3, 1),
            ('any', '2024-01-01 00:00:00', 4, null), ('any', '2024-01-01 00:01:00', 3, 1),
            ('any', '2024-01-01 00:02:00', 1, 1), ('any', '2024-01-01 00:02:00', 2, 1),
            ('again', '2024-01-01 00:00:00', 1, 1), ('again', '2024-01-01 01:00:00', 1, 2),
            ('again', '2024-01-01 02:00:00.000001', 1, 3), ('again', '2024-01-01 04:00:00', 2, 3),
            ('again', '2024-01-01 04:00:00.000001', 3, 3), ('again', '2024-01-01 09:00:00', 4, 4),
            ('edge', '2024-01-01 00:00:00', 1, 1), ('edge', '2024-01-01 02:00:00', 1, 2),
            ('edge', '2024-01-01 02:00:00', 2, 2), ('edge', '2024-01-01 02:00:00.000001', 3, 2),
            ('tie', '2024-01-01 00:05:00', 1, null), ('tie', '2024-01-01 00:05:00', 1, 3),
            ('tie', '2024-01-01 00:05:00', 4, 2), ('tie', '2024-01-01 00:05:00', 2, 2),
            ('tie', '2024-01-01 00:05:00', 2, null), ('tie', '2024-01-01 00:05:00', 3, 7),
            ('alone', '2024-01-01 00:00:00', 4, 1),
            ('twice', '2024-01-01 00:00:00', 4, 1), ('twice', '2024-01-01 00:00:00', 4, 1),
            ('twice', '2024-01-01 00:01:00', 2, 1),
            ('thrice', '1969-12-31 23:59:00', 4, null), ('thrice', '1969-12-31 23:59:00', 4, null),
            ('thrice', '1969-12-31 23:59:00', 2, null), ('thrice', '1969-12-31 23:59:00', 4, null),
            ('none', '2024-01-01 00:00:00', 5, 1), ('none', '2024-01-01 00:01:00', 2, 1),
            ('nothing', '2024-01-01 00:00:00', 5, 1), ('nothing', '2024-01-01 00:00:00', null, 1)
        ) as events (unit, time, kind_number, session_number)
    ),
    funnel as (
        select {{ listed('code', ['kind_number']) }} as codes from (
            select kind_number, (mask & -mask) * 16384 + bit_count(mask) * 1024 + mask as code
            from (
                select kind_number, cast(mask as bigint) as mask
                from (values (1, 1), (2, 2), (3, 4), (4, 5), (5, 0)) as kinds (kind_number, mask)
            ) as masks
        ) as kinds
    ),
    units as (
        select unit, {{ items_of('event_at', 'kind_number', 'session_number') }} as items
        from events group by unit
    ),
    sequences as (
        select unit, {{ steps_among('units.items', 'funnel.codes') }} as items
        from units cross join funnel
    ),
    sequences_started as (
        select unit, items, {{ items_of_step('items', 1) }} as starts from sequences
    ),
    entries_begun as (
        select unit, items, {{ each_entry('starts', 'window_hours') }} as item_1
        from (select *, 2 as window_hours from sequences_started) as starts
    ),
    entries as (
        select *, {{ item_time('item_1') }} as entry_at,
            {{ item_after(hours_later(item_time('item_1'), '2')) }} as end_item
        from entries_begun
    ),
    entries_by_mode as (
        select * from entries cross join (values ('ordered'), ('strict'), ('any')) as modes (mode)
    ),
    at_step_2 as (
        select *, {{ item_reaching(2, 'items', ['item_1'], 'end_item', 'mode') }} as item_2
        from entries_by_mode
    ),
    walked as (
        select *, case when item_2 is not null then
            {{ item_reaching(3, 'items', ['item_1', 'item_2'], 'end_item', 'mode') }}
        end as item_3
        from at_step_2
    )
"""


def test_funnels_are_walked_alike(same: Same) -> None:
    """Ties, steps of two kinds, windows to the microsecond, two events alike, no session."""
    rows = same(
        EVENTS
        + """
        select
            unit, mode, entry_at, {{ item_session_number('item_1') }},
            {{ item_time('item_2') }}, {{ item_session_number('item_2') }},
            case when item_3 is not null then {{ item_time('greatest(item_1, item_2, item_3)') }} end,
            {{ item_session_number('item_3') }}
        from walked
        order by unit, mode, entry_at
    """
    )
    reached = {
        (unit, mode, entry[11:16]): (times[0] is not None) + (times[2] is not None) + 1
        for unit, mode, entry, _, *times in rows
    }
    entries = [unit for unit, mode, *_ in rows if mode == "any"]
    assert reached["all", "ordered", "00:00"] == reached["all", "strict", "00:00"] == 3
    assert reached["strict", "strict", "00:00"] == 1
    assert reached["strict", "ordered", "00:00"] == 3
    # The window's last microsecond is in it; the one after begins another entry, or is outside.
    assert entries.count("again") == 3
    assert reached["again", "ordered", "00:00"] == 1
    assert reached["again", "ordered", "02:00"] == 3
    assert entries.count("edge") == 1
    assert reached["edge", "ordered", "00:00"] == 2
    # In any order step 3 may be the event before step 2, which then tells when it was reached.
    assert [row[6] for row in rows if row[:2] == ("any", "any")] == ["2024-01-01T00:02:00"]
    # An event is one step of an entry, and its twin may be another.
    assert reached["twice", "ordered", "00:00"] == 2
    assert reached["twice", "any", "00:00"] == 3
    assert reached["thrice", "ordered", "23:59"] == 2
    assert reached["thrice", "any", "23:59"] == 3
    # NULL is the last session of a tie.
    assert [row[3] for row in rows if row[0] == "tie"] == [3, 3, 3]
    assert {"none", "nothing"}.isdisjoint(entries)


def test_items_are_in_one_order(same: Same) -> None:
    """Whatever order the events came in: by time, lowest step, fewest steps, session, NULL last."""
    rows = same(
        EVENTS
        + """
        select unit, {% for place in range(1, 8) %}
            {{ item_time(list_item('items', place)) }},
            {{ item_session_number(list_item('items', place)) }}{{ ',' if not loop.last }}
        {% endfor %} from sequences order by unit
    """
    )
    tie = next(row for row in rows if row[0] == "tie")
    # Kind 1 of sessions 3 and NULL, kind 4, kind 2 of sessions 2 and NULL, kind 3; then the end.
    assert tie[2::2] == (3, None, 2, 2, None, 7, None)
    assert tie[-2] is None


def test_a_query_without_a_slice_is_about_all(same: Same) -> None:
    """Spark builds without slices; DuckDB's conditions hold for each row until a slice is set."""
    rows = same("""
        select visitor_id, {{ in_slice_of_days('event_at') }}, {{ in_slice_of_keys('visitor_id') }}
        from (
            select visitor_id, cast(time as timestamp) as event_at from (values
                ('a', '1970-01-01 00:00:00'), ('é', '2024-06-30 23:59:59.999999'), ('', '2999-12-31 00:00:00')
            ) as events (visitor_id, time)
        ) as events
        order by visitor_id
    """)
    assert all(row[1:] == (True, True) for row in rows)


RAW_TEXTS = [
    "2024-01-02", "2024-1-2", "2024/01/02", "2024-01", "2024", "20240102", "2024-01-02x",
    "2024-01-02 10:11:12", "2024-01-02T10:11:12Z", "2024-01-02T10:11:12.123456789+02:00",
    "2024-01-02 10:11", "2024-01-02 10", "2024-01-02 10:11:12 +0530", "2024-01-02 10:11:12+05",
    "2024-01-02 10:11:12+5", "2024-01-02 10:11:12 UTC", "2024-01-02 10:11:12 Europe/Paris",
    "2024-01-02 13:00:00", "2024-01-02T10:11:12 EST", "2024-01-02 CET", "2024-01-02T10:11:12CET",
    "2024-02-30", "2024-01-02 25:00:00", "2024-01-02 10:11:60", "10:11:12", "T10:11:12",
    "2024-01-02T", "2024-01-02 1:2:3", "2024-01-02T10:11:12.", "2024-01-02T10:11:12.1234567",
    "2024-01-02 10:11:12.123 -08:00", "2024-01-02T10:11:12z", "2024-01-02T10:11:12+14:30",
    "2024-03-31 02:30:00", "2024-01-02 10:11:12 PM", "2024-01-02T10:11:12+0200", "2024-01-023",
    "5", "+5", "-5", "5.0", "5.5", "5.", "  5 ", ".5", "1e3", "1E3", "1e-2", "5d", "5f", "5L",
    "0x10", "1_000", "1,000", "NaN", "9223372036854775807", "9223372036854775808",
    "9007199254740993", "1e18", "99999999999999999", "9999999999999999.99", "9999999999999999.994",
    "9999999999999999.995", "1.005", "-1.005", "1.004999", "", "-", "true", "TRUE", "t", "f", "yes",
    "no", "y", "n", "1", "0", "2", "on", "False", "1.0", "é", "٣", "-0", "00012", "--5", "5 5", "now",
    "today", "2024-01-02 24:00:01", "1__0", "_1", "1e", "e5", "0.285", "1e400",
    "2024-01-02T10:11:12 UTC", "2024-01-02 10:11 UTC", "2024-01-02 10:11:12.5 UTC", "2024-01-02 UTC",
    "2024-01-02 10:11:12 UTC ", "2024-01-02 10:11:12  UTC", "2024-01-02 10:11:12 utc",
    "2024-01-02 10:11:12+02 UTC", "2024-01-02 10:11:12 UTC UTC", "2024-01-02 10:11:12 UTC+2",
    "2024-01-02 10:11:12 UTCX", "2024-01-02 10:11:12UTC", "2024-01-02 10:11:12 UTC 5",
    " 2024-01-02 10:11:12 UTC", "\t2024-01-02 10:11", "  2024-1-2", "2024-01-02  10:11:12Z", "2024-02-30 10:11:12 UTC", "10:11:12 UTC", "2024-01-02 10:11:12Z UTC",
]  # fmt: skip


@pytest.mark.parametrize(
    "kind", ["date", "timestamp", "bigint", "decimal(18, 2)", "boolean", "string"]
)
def test_texts_of_a_shop_become_the_same_values(same: Same, kind: str) -> None:
    """A row that one engine rejects, and the other keeps, would be another shop."""
    texts = ", ".join(f"({place}, '{text}')" for place, text in enumerate(RAW_TEXTS))
    values = f"(values {texts}, (-1, null)) as texts (place, text)"
    rows = same(f"""
        select text, {{{{ typed_value('text', '{kind}', 'VARCHAR') }}}} as value
        from {values} order by place
    """)
    assert sum(value is not None for _, value in rows) >= 6


@pytest.mark.parametrize(
    ("raw_type", "kind"),
    [
        ("double", "decimal(18, 2)"),
        ("double", "bigint"),
        ("decimal(20, 4)", "decimal(18, 2)"),
        ("decimal(20, 4)", "bigint"),
        ("bigint", "decimal(18, 2)"),
        ("bigint", "boolean"),
        ("timestamp", "date"),
        ("date", "timestamp"),
        ("bigint", "bigint"),
    ],
)
def test_types_of_a_shop_become_the_same_values(same: Same, raw_type: str, kind: str) -> None:
    """Parquet comes with types of its own."""
    numbers = ["0", "1", "-1", "2.675", "0.285", "1.005", "-2.5", "3.5", "12345678.915", "1e15"]
    times = ["2024-01-02 10:11:12", "2024-03-31", "1969-12-31 23:59:59"]
    if raw_type in ("timestamp", "date"):
        texts = [f"cast('{text}' as timestamp)" for text in times]
    elif raw_type == "bigint":
        texts = ["0", "1", "-1", "2", "9000000000000000"]
    elif raw_type == "double":
        texts = [*(f"{number}e0" if "e" not in number else number for number in numbers),
                 "cast('NaN' as double)", "cast('Infinity' as double)", "1e19"]  # fmt: skip
    else:
        texts = [f"cast({number} as decimal(20, 4))" for number in numbers[:-1]]
    values = " union all ".join(
        f"select {place} as place, cast({text} as {raw_type}) as value"
        for place, text in enumerate([*texts, "null"])
    )
    same(f"""
        select value, {{{{ typed_value('value', '{kind}', '{raw_type}') }}}}
        from ({values}) as texts order by place
    """)


def test_known_values_of_a_window(same: Same) -> None:
    """NULL is passed over; where all are NULL there is none."""
    rows = same(f"""
        select
            grp, b, value, {{{{ first_known('value') }}}} over history,
            {{{{ last_known('value') }}}} over history
        from {PLACES}
        where b is not null
        window history as (partition by grp order by b rows unbounded preceding)
    """)
    assert [row[3:] for row in rows if row[:2] == ("a", 2)] == [("x", "z")]
    assert [row[3:] for row in rows if row[0] == "b"] == [(None, None)]


def test_texts_as_literals(same: Same) -> None:
    """A quote or a backslash in a file's name ends no literal."""
    rows = same("""select {{ sql_text("it's a \\\\ and '' é") }} as text""")
    assert rows == [("it's a \\ and '' é",)]


def test_merge_makes_the_changes(session: Any) -> None:
    """One MERGE, for Delta and Iceberg: Spark reads its words, DuckDB does what they say."""
    call = "{{ merge_sql('kept_rows', ['a', 'b', 'n'], 'changes', ['a', 'b']) }}"
    merge = Spark({}, session).macros.render(call)
    plan = session._jsparkSession.sessionState().sqlParser().parsePlan(merge)  # noqa: SLF001
    assert "MergeIntoTable" in plan.toString()
    with duckdb.connect() as connection:
        connection.execute("""
            create table kept_rows as from (
                values (1, 'same', 1), (2, 'gone', 2), (3, 'other', 3)
            ) as t (a, b, n);
            create table changes as from (values
                (2, 'gone', 2, -1), (3, 'other', 3, -1), (3, 'other', 33, 1), (4, 'new', 4, 1)
            ) as t (a, b, n, surplus);
        """)
        connection.execute(merge)
        rows = connection.execute("from kept_rows order by a").fetchall()
    assert rows == [(1, "same", 1), (3, "other", 33), (4, "new", 4)]


def test_ctes_may_be_inlined(same: Same) -> None:
    """The words behind `as` are the engine's own."""
    assert same(
        "with one as {{ inlined() }} (select 1 as n) select a.n from one as a, one as b"
    ) == [(1,)]


def test_dates_are_dates(same: Same) -> None:
    """The drivers give the same Python types, or the comparisons above would see nothing."""
    assert same("select date '2024-01-01' as d") == [(dt.date(2024, 1, 1),)]
