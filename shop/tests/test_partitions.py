"""Partitions are made and dropped by functions of the owner, which do nothing else."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from shop.core.ids import uuid7
from shop.tests.conftest import manage

INSERT = (
    "INSERT INTO logs_entry (at, id, kept, level, part, instance, logger, event, message,"
    " request_id, fields) VALUES (%s, gen_random_uuid(), %s, 20, 'web', '', '', '', '', '', '{}')"
)
PARTITIONS = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'partitions'::regnamespace"
    " AND relkind = 'r' AND relname LIKE %s ORDER BY 1"
)


def test_partitions_are_made_and_dropped_by_who_may_create_nothing(
    prepared: dict[str, str],
) -> None:
    today = datetime.now(UTC).date()
    with (
        psycopg.connect(prepared["DATABASE_OWNER_URL"], autocommit=True) as owner,
        psycopg.connect(prepared["DATABASE_URL"], autocommit=True) as application,
    ):

        def names(like: str) -> list[str]:
            return [name for (name,) in owner.execute(PARTITIONS, [like])]

        def refused(error: type[psycopg.Error], statement: str, *values: object) -> None:
            with pytest.raises(error):
                application.execute(statement, values)

        # Yesterday, today and some days to come are there from the start, with their indexes.
        assert names("logs_entry_info_%") == [
            f"logs_entry_info_{today + timedelta(days=day):%Y%m%d}" for day in range(-1, 4)
        ]
        application.execute(INSERT, [datetime.now(UTC), "debug"])
        refused(psycopg.errors.CheckViolation, INSERT, datetime(2020, 1, 2, tzinfo=UTC), "info")
        make = "SELECT make_logs_entry(%s, %s)"
        first, last = today - timedelta(days=5), today - timedelta(days=2)
        assert application.execute(make, [first, last]).fetchone() == (12,)
        assert application.execute(make, [first, last]).fetchone() == (0,)
        for family in ("debug", "info", "warning"):
            for day in range(6):
                at = datetime.combine(today, datetime.min.time(), UTC) - timedelta(days=day)
                application.execute(INSERT, [at, family])
        indexes = owner.execute(
            "SELECT count(*) FROM pg_indexes WHERE schemaname = 'partitions' AND tablename = %s",
            [f"logs_entry_info_{first:%Y%m%d}"],
        ).fetchone()
        assert indexes == (4,)
        # Nobody gets at a partition, or changes a line in it.
        name = f"partitions.logs_entry_info_{first:%Y%m%d}"
        denied = psycopg.errors.InsufficientPrivilege
        refused(denied, f"SELECT * FROM {name}")
        refused(denied, f"DROP TABLE {name}")
        refused(denied, "CREATE TABLE partitions.mine (id int)")
        kept_as_it_is = psycopg.errors.RestrictViolation
        refused(kept_as_it_is, "DELETE FROM logs_entry")
        refused(kept_as_it_is, "UPDATE logs_entry SET event = 'nothing'")
        with pytest.raises(kept_as_it_is):
            owner.execute(f"UPDATE {name} SET level = 1")
        with pytest.raises(kept_as_it_is):
            owner.execute(f"DELETE FROM {name}")
        # An erasure empties the texts.
        application.execute("UPDATE logs_entry SET message = '', fields = '{}', words = NULL")
        # Only what is older goes, one partition each time; and never all of it.
        drop = "SELECT drop_logs_entry(%s, %s)"
        wrong = psycopg.errors.InvalidParameterValue
        for family, days in (("info", 0), ("info", None), ("info", -3), ("nothing", 5), ("", 5)):
            refused(wrong, drop, family, days)
        refused(wrong, make, today, today + timedelta(days=2000))
        oldest = f"logs_entry_info_{first:%Y%m%d}"
        assert application.execute(drop, ["info", 4]).fetchone() == (oldest,)
        assert application.execute(drop, ["info", 4]).fetchone() == (None,)
        kept = application.execute(
            "SELECT kept, count(*) FROM logs_entry GROUP BY 1 ORDER BY 1"
        ).fetchall()
        assert kept == [("debug", 7), ("info", 5), ("warning", 6)]
        # A start makes and drops what is due.
        manage(prepared | {"DATABASE_ROLE": "owner"}, "prepare_database", "--verbosity", "0")
        assert (
            names("logs_entry_debug_%")[0] == f"logs_entry_debug_{today - timedelta(days=1):%Y%m%d}"
        )
        assert names("logs_entry_warning_%")[0] == f"logs_entry_warning_{first:%Y%m%d}"
        # Functions run by roles without the right do nothing.
        owner.execute(
            "REVOKE EXECUTE ON FUNCTION drop_logs_entry FROM {}".format(
                conninfo_to_dict(prepared["DATABASE_URL"])["user"]
            )
        )
        refused(denied, drop, "info", 1)
        # A temporary table of the caller's does not stand for one of ours.
        application.execute("CREATE TEMPORARY TABLE pg_inherits (inhrelid oid, inhparent oid)")
        assert application.execute(make, [today, today]).fetchone() == (0,)


def test_ids_of_a_process_grow_with_time() -> None:
    ids = [uuid7(1_800_000_000_000_000_000 + step * 1000) for step in range(100)]
    assert ids == sorted(ids)
    assert len({uuid7() for _ in range(1000)}) == 1000
    now = uuid7()
    assert (now.version, now.variant) == (7, "specified in RFC 4122")
    assert abs((now.int >> 80) / 1000 - datetime.now(UTC).timestamp()) < 5
