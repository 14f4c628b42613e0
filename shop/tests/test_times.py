"""Times as people type and read them, in awkward zones."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone, translation

from shop.core import times
from shop.core.typed_times import Edge, typed_day, typed_moment

BERLIN = "Europe/Berlin"
NOON = datetime(2026, 11, 26, 13, 5, 32, tzinfo=UTC)


@pytest.fixture(autouse=True)
def berlin() -> Iterator[None]:
    with timezone.override(ZoneInfo(BERLIN)):
        yield


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """The present, as the modules see it: shortly after midnight in Berlin, a day before in UTC."""
    moment = datetime(2024, 6, 1, 22, 30, tzinfo=UTC)

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return moment.astimezone(tz)

    monkeypatch.setattr("shop.core.times.datetime", Clock)
    monkeypatch.setattr("shop.core.typed_times.datetime", Clock)
    return moment


def test_times_are_shown_in_the_readers_zone_and_language(now: datetime):
    assert times.short(datetime(2024, 5, 31, 13, 54, tzinfo=UTC)) == "31 May, 15:54"
    assert times.short(NOON) == "26 Nov 2026, 14:05"
    # It is another year there already.
    assert times.short(datetime(2023, 12, 31, 23, 30, tzinfo=UTC)) == "1 Jan, 00:30"
    assert times.full(NOON) == "26 November 2026, 14:05:32, Europe/Berlin (UTC+1)"
    assert (times.day(NOON), times.month(NOON), times.clock(NOON)) == (
        "26 Nov 2026",
        "November 2026",
        "14:05",
    )
    with translation.override("de"), timezone.override(ZoneInfo("America/St_Johns")):
        assert times.short(NOON) == "26. Nov. 2026, 09:35"
        assert times.full(NOON) == "26. November 2026, 09:35:32, America/St_Johns (UTC-3:30)"
        assert times.day(date(2024, 3, 1)) == "1. März 2024"
    with timezone.override(UTC):
        assert times.full(NOON) == "26 November 2026, 13:05:32, UTC"


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_first_and_last_times_of_all_are_shown(zone: str):
    with timezone.override(ZoneInfo(zone)):
        for moment in (datetime.min, datetime.max):
            assert times.short(moment.replace(tzinfo=UTC))
            assert times.full(moment.replace(tzinfo=UTC))


@pytest.mark.parametrize(
    ("zone", "day", "first", "hours"),
    [
        (BERLIN, date(2024, 5, 31), "2024-05-30 22:00", 24),
        (BERLIN, date(2024, 3, 31), "2024-03-30 23:00", 23),
        (BERLIN, date(2024, 10, 27), "2024-10-26 22:00", 25),
        ("Asia/Kathmandu", date(2024, 5, 31), "2024-05-30 18:15", 24),
        # The clocks skipped midnight, showed it twice, skipped half an hour around it, and a day.
        ("America/Sao_Paulo", date(2018, 11, 4), "2018-11-04 03:00", 23),
        ("America/Havana", date(2024, 11, 3), "2024-11-03 04:00", 25),
        ("America/Toronto", date(1919, 3, 31), "1919-03-31 04:30", 23.5),
        ("Pacific/Apia", date(2011, 12, 30), "2011-12-30 10:00", 0),
    ],
)
def test_a_day_has_all_its_moments_and_no_others(zone: str, day: date, first: str, hours: float):
    with timezone.override(ZoneInfo(zone)):
        begins, ends = times.first_moment(day), times.last_moment(day)
        assert times.last_moment(day - timedelta(days=1)) == begins - timedelta(microseconds=1)
        assert typed_moment(day.isoformat(), Edge.START) == begins
        assert typed_moment(day.isoformat(), Edge.END) == ends
    assert f"{begins:%Y-%m-%d %H:%M}" == first
    assert ends - begins == timedelta(hours=hours) - timedelta(microseconds=1)


@pytest.mark.parametrize(
    "text",
    [
        *("2024-05-31", "2024/5/31", "2024.05.31", "31.5.2024", "31.05.2024", "31/5/2024"),
        *("5/31/2024", "31-05-2024", "31 May 2024", "31. Mai 2024", "31 mai 2024", "May 31, 2024"),
        *("31st may 2024", "31 May", "May 31", "31. Mai", "  31   May 2024 "),
    ],
)
def test_days_are_read_as_people_type_them(now: datetime, text: str):
    assert typed_day(text) == date(2024, 5, 31)


def test_words_mean_days_of_the_readers_zone(now: datetime):
    for today, yesterday in (("today", "Yesterday"), ("Heute", "gestern")):
        assert (typed_day(today), typed_day(yesterday)) == (date(2024, 6, 2), date(2024, 6, 1))
    assert typed_moment("now") == typed_moment("jetzt") == now
    assert typed_moment("0:15") == datetime(2024, 6, 1, 22, 15, tzinfo=UTC)
    assert typed_day("5/5/2024") == date(2024, 5, 5)
    assert typed_day("1 Mär 2024") == typed_day("1. März 2024") == typed_day("1 Mar 2024")


@pytest.mark.parametrize(
    "text",
    [
        *("2024-05-31 15:54", "31.5.2024 15:54", "31.5.2024, 15:54", "31.5.2024 15:54 Uhr"),
        *("31. Mai 2024 um 15:54 Uhr", "31 May 2024 at 3:54 pm", "2024-05-31T15:54"),
        *("31 May, 15:54", "2024-05-31T13:54Z", "2024-05-31 13:54:00.000 UTC"),
        *("2024-05-31 15:54 +02:00", "2024-05-31T19:39:00+0545", "31.5.2024 3:54 P.M."),
    ],
)
def test_moments_are_read_as_people_type_them(now: datetime, text: str):
    assert typed_moment(text) == datetime(2024, 5, 31, 13, 54, tzinfo=UTC)


@pytest.mark.parametrize("language", ["en", "de"])
def test_what_is_shown_is_read(now: datetime, language: str):
    with translation.override(language):
        for month in range(1, 13):
            for year in (2023, 2024):
                moment = datetime(year, month, 28, 12, 34, tzinfo=UTC)
                assert typed_moment(times.short(moment)) == moment
                assert typed_day(times.day(moment)) == moment.date()


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "31.5.",
            "31.5.24",
            "5/24",
            "2024",
            "31 Foo 2024",
            "tomorrow",
            "31.2.2024",
            "٣١.٥.٢٠٢٤",
        ),
        *(
            "2024-13-01",
            "31/31/2024",
            "0.5.2024",
            "1.1.1899",
            "1.1.0001",
            "x" * 10_000,
            "31 May 20245",
        ),
        *(
            "31.5.2024 24:00",
            "31.5.2024 15:60",
            "31.5.2024 13:00 pm",
            "31.5.2024 1554",
            "31.5.2024 1:",
        ),
        *(
            "31.5.2024",
            "31.5.2024 15:54 +99:00",
            "31.5.2024 15:54 EST",
            "15",
            "\x00",
            "9999-12-31x",
        ),
    ],
)
def test_what_is_no_moment_is_refused(text: str):
    with pytest.raises(ValueError, match=r"."):
        typed_moment(text)


def test_a_day_that_could_be_two_is_refused_with_both():
    with pytest.raises(
        ValueError, match=r"5 Jun 2024 or 6 May 2024\. Write 2024-06-05 or 2024-05-06"
    ):
        typed_day("5/6/2024")


def test_the_ends_of_the_calendar_are_refused_or_read():
    with timezone.override(ZoneInfo("America/Los_Angeles")):
        assert typed_moment("9999-12-31", Edge.END)
        with pytest.raises(ValueError, match="no such time"):
            typed_moment("9999-12-31 23:00")


def test_times_that_the_clocks_skipped_or_showed_twice():
    for edge in (None, *Edge):
        with pytest.raises(ValueError, match="skipped 02:30"):
            typed_moment("31.3.2024 2:30", edge)
    with pytest.raises(ValueError, match=r"Write 27\.10\.2024 2:30 \+02:00 or .* \+01:00"):
        typed_moment("27.10.2024 2:30")
    first = datetime(2024, 10, 27, 0, 30, tzinfo=UTC)
    assert typed_moment("27.10.2024 2:30", Edge.START) == first
    assert typed_moment("27.10.2024 2:30 +02:00") == first
    assert typed_moment("27.10.2024 2:30", Edge.END) == first + timedelta(hours=1)


# --- The browser's half ------------------------------------------------------------------------

SCRIPT = """
import { clock, full, short } from "./times.js";
const answer = {};
const [zones, moments] = process.argv.slice(2).map(JSON.parse);
const all = (iso) => [short(iso), full(iso), clock(iso)];
for (const lang of ["en", "de"]) for (const timeZone of zones) {
  globalThis.document = { documentElement: { lang }, body: { dataset: { timeZone } } };
  answer[`${lang} ${timeZone}`] = moments.map(all);
}
console.log(JSON.stringify(answer));
"""


def test_the_browser_agrees(tmp_path: Path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("There is no node here.")
    for name in ("times.js", "texts.js"):
        shutil.copy(Path(settings.BASE_DIR) / "static" / "js" / name, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "run.js").write_text(SCRIPT)
    zones = ["UTC", BERLIN, "Asia/Kathmandu", "America/St_Johns", "America/Sao_Paulo"]
    moments = [datetime(2023, month, 9, 22, 4, 5, tzinfo=UTC) for month in range(1, 13)]
    texts = [times.iso(moment) for moment in moments]
    arguments = map(json.dumps, (zones, texts))
    done = subprocess.run(
        [node, "run.js", *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    for language in ("en", "de"):
        for zone in zones:
            with translation.override(language), timezone.override(ZoneInfo(zone)):
                for moment, found in zip(moments, answer[f"{language} {zone}"], strict=True):
                    wanted = times.short(moment), times.full(moment), times.clock(moment)
                    assert tuple(found) == wanted


@pytest.mark.django_db
def test_zones_that_can_be_chosen_are_the_same_in_postgresql():
    names = sorted(name for name in available_timezones() if name[:1].isupper())
    moments = [
        datetime(2026, month, day, 1, tzinfo=UTC) for month in (1, 4, 7, 10) for day in (1, 30)
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, array_agg(moment AT TIME ZONE zone ORDER BY moment)"
            " FROM unnest(%s::text[], %s::text[]) AS asked (name, zone),"
            " unnest(%s::timestamptz[]) AS moment GROUP BY name",
            [names, [times.sql_zone(name) for name in names], moments],
        )
        found = dict(cursor.fetchall())
    for name in names:
        zone = ZoneInfo(name)
        assert found[name] == [each.astimezone(zone).replace(tzinfo=None) for each in moments], name
