"""Every macro that an engine has its own version of gives the same on DuckDB and on Spark.

Each query is one text, rendered for both engines; its rows, over values at the edges, must be
equal, and those that a newcomer would doubt are told here.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from pathlib import Path

import pytest
from engine.conftest import Same
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
STATEMENTS = {"told_by_python", "replace_table", "can_refresh", "make_malformed_lines"}


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
            grp, {{{{ listed('value', ['a', 'b']) }}}}, {{{{ sequence_of(['a', 'b', 'value']) }}}},
            {{{{ list_length(listed('value', ['a', 'b'])) }}}},
            {{{{ list_item(listed('value', ['a', 'b']), 1) }}}},
            {{{{ list_item(listed('value', ['a', 'b']), 9) }}}},
            {{{{ list_item(listed('value', ['a', 'b']), 0) }}}},
            {{{{ joined_texts('value', ', ') }}}}
        from {PLACES} group by grp order by grp
    """)
    assert rows[0][1] == [None, "z", "y", "x"]
    assert rows[1][-1] == ""


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


# Steps of a funnel: kind 1 is step 1, 2 is step 2, 3 is step 3, 4 is steps 1 and 3, 5 is none.
EVENTS = """
    with events as (
        select unit, cast('2024-01-01 00:00:00' as timestamp) + minute * interval '1' minute as event_at,
            cast(kind_number as bigint) as kind_number, session_number as visitor_session_number
        from (values
            ('all', 0, 1, 1), ('all', 1, 2, 1), ('all', 2, 3, 1), ('all', 3, 3, 2),
            ('strict', 0, 1, 1), ('strict', 1, 3, 1), ('strict', 2, 2, 1), ('strict', 3, 3, 1),
            ('any', 0, 4, null), ('any', 1, 3, 1), ('any', 2, 1, 1), ('any', 2, 2, 1),
            ('again', 0, 1, 1), ('again', 60, 1, 2), ('again', 121, 1, 3), ('again', 240, 2, 3),
            ('tie', 5, 1, null), ('tie', 5, 1, 3), ('tie', 5, 4, 2), ('tie', 5, 2, 2),
            ('none', 0, 5, 1), ('none', 1, 2, 1), ('two', 0, 4, 1), ('two', 0, 4, 1)
        ) as events (unit, minute, kind_number, session_number)
    ),
    masks as (
        select {{ listed('step_mask', ['kind_number']) }} as masks from (values
            (1, cast(1 as bigint)), (2, cast(2 as bigint)), (3, cast(4 as bigint)),
            (4, cast(5 as bigint)), (5, cast(0 as bigint))
        ) as kinds (kind_number, step_mask)
    ),
    units as (
        select unit, {{ sequence_of(['event_at', 'kind_number', 'visitor_session_number']) }} as events
        from events group by unit
    ),
    sequences as (
        select unit, {{ steps_among('units.events', 'masks.masks') }} as steps
        from units cross join masks
    ),
    entries as (
        select unit, steps, {{ each_entry('steps', '2') }} as entry_at from sequences
    ),
    bounded as (
        select
            unit, entry_at, {{ items_between('steps', 'entry_at', hours_later('entry_at', '2')) }} as steps
        from entries
    )
"""


def test_funnels_are_walked_alike(same: Same) -> None:
    """Ties, steps of two kinds, windows, entries without and with another one after them."""
    rows = same(
        EVENTS
        + """
        select
            unit, mode, entry_at, {{ list_length('steps') }},
            {{ list_item('steps', 1) }}.visitor_session_number,
            {{ steps_reached('steps', 'mode') }} as reached
        from bounded cross join (values ('ordered'), ('strict'), ('any')) as modes (mode)
        order by unit, mode, entry_at
    """
    )
    reached = {(unit, mode, entry[11:16]): len(times) for unit, mode, entry, _, _, times in rows}
    assert reached["all", "ordered", "00:00"] == 3
    assert reached["strict", "strict", "00:00"] == 1
    assert reached["strict", "ordered", "00:00"] == 3
    assert reached["again", "ordered", "02:01"] == 2
    assert not [unit for unit, *_ in rows if unit == "none"]


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


def test_ctes_may_be_inlined(same: Same) -> None:
    """The words behind `as` are the engine's own."""
    assert same(
        "with one as {{ inlined() }} (select 1 as n) select a.n from one as a, one as b"
    ) == [(1,)]


def test_dates_are_dates(same: Same) -> None:
    """The drivers give the same Python types, or the comparisons above would see nothing."""
    assert same("select date '2024-01-01' as d") == [(dt.date(2024, 1, 1),)]
