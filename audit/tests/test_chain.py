"""The chain: who seals it, and that every kind of damage is named."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from audit.chain import canonical, digest, members
from audit.models import Checkpoint, Detail, Entry
from audit.notes import BadNote, note_open, verifier_key
from audit.sealing import chain_reached, checkpoint_latest, seal_waiting
from audit.services import details_erase, record
from audit.verification import verify
from shop.core.sealing import reseal

pytestmark = pytest.mark.django_db


def _record(count: int, actor: int = 5) -> None:
    for number in range(count):
        record(
            "account.changed",
            object=f"account:{actor}",
            actor_id=actor,
            after={"number": number},
            personal={"email": "joe@example.com"},
        )


@pytest.fixture
def chain() -> None:
    """Make a chain of 12 entries, sealed in four batches."""
    for _ in range(4):
        _record(3)
        assert seal_waiting() == 3


@pytest.fixture
def unguarded(chain: None) -> None:
    """Take the guard of the tables away, as whoever owns them could."""
    with connection.cursor() as cursor:
        for table in ("audit_entry", "audit_checkpoint"):
            cursor.execute(f"DROP TRIGGER append_only ON {table}")


def _faults(since: int = 1, until: int | None = None) -> list[tuple[str, int, int]]:
    return [(each.fault, each.seq, each.until) for each in verify(since, until).findings]


_SWAP = """
UPDATE audit_entry SET seq = -seq WHERE seq IN (5, 6);
UPDATE audit_entry SET seq = CASE seq WHEN -5 THEN 6 ELSE 5 END WHERE seq < 0;
"""
_SWAP_CONTENTS = """
UPDATE audit_entry AS one SET after = other.after, at = other.at, commitment = other.commitment
FROM audit_entry AS other WHERE (one.seq, other.seq) IN ((5, 6), (6, 5))
"""
_CLOSE_THE_GAP = """
DELETE FROM audit_entry WHERE seq = 5;
UPDATE audit_entry SET seq = -seq WHERE seq > 5;
UPDATE audit_entry SET seq = -seq - 1 WHERE seq < 0;
"""


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ("UPDATE audit_entry SET actor_id = 6 WHERE seq = 5", [("changed", 5, 5)]),
        ("UPDATE audit_entry SET at = at + interval '1us' WHERE seq = 12", [("changed", 12, 12)]),
        ("UPDATE audit_entry SET after = NULL WHERE seq = 1", [("changed", 1, 1)]),
        ("UPDATE audit_entry SET hash = previous WHERE seq = 5", [("changed", 5, 5)]),
        ("DELETE FROM audit_entry WHERE seq = 5", [("missing", 5, 5)]),
        ("DELETE FROM audit_entry WHERE seq <= 2", [("missing", 1, 2)]),
        ("DELETE FROM audit_entry WHERE seq >= 11", [("truncated", 11, 12)]),
        ("DELETE FROM audit_entry", [("truncated", 1, 12)]),
        (_SWAP, [("reordered", 5, 5), ("reordered", 6, 6)]),
        (
            _SWAP_CONTENTS,
            [(fault, seq, seq) for seq in (5, 6) for fault in ("details", "reordered")],
        ),
        (_CLOSE_THE_GAP, [*(("reordered", n, n) for n in range(5, 12)), ("truncated", 12, 12)]),
        ("DELETE FROM audit_checkpoint", [("checkpoint", 1, 12)]),
        ("DELETE FROM audit_checkpoint WHERE seq > 9", [("checkpoint", 10, 12)]),
        ("UPDATE audit_entry SET seq = -7 WHERE seq = 1", [("changed", -7, -7), ("missing", 1, 1)]),
        (
            "UPDATE audit_checkpoint SET seq = 8 WHERE seq = 9",
            [("checkpoint", 8, 8)],
        ),
        (
            "UPDATE audit_checkpoint SET note = replace(note, 'localhost', 'elsewhere')"
            " WHERE seq = 6",
            [],
        ),
    ],
)
@pytest.mark.usefixtures("unguarded")
def test_damage_is_named(damage: str, found: list[tuple[str, int, int]]) -> None:
    assert _faults() == []
    with connection.cursor() as cursor:
        cursor.execute(damage)
    assert _faults() == found


def _written_anew(since: int) -> None:
    """Change an entry and give all later ones the hashes that fit, as an intruder could."""
    previous = Entry.objects.get(seq=since - 1).hash
    for row in Entry.objects.filter(seq__gte=since).order_by("seq"):
        row.actor_id = 6
        row.previous = previous
        row.hash = previous = digest(members(row, seq=row.seq, previous=previous))
        row.save()


@pytest.mark.usefixtures("unguarded")
def test_a_chain_that_was_written_anew_is_not_the_one_that_was_signed(tmp_path: Path) -> None:
    kept = Checkpoint.objects.get(seq=9).note
    _written_anew(8)
    assert _faults() == [("rewritten", 7, 9)]
    # The intruder also removes the notes and the end, but has no key to sign others.
    Checkpoint.objects.all()._raw_delete("default")
    assert _faults() == [("checkpoint", 1, 12)]
    file = tmp_path / "note"
    file.write_text(kept)
    said = StringIO()
    with pytest.raises(CommandError, match=r"2 findings") as failed:
        call_command("verify_audit", "--checkpoint", str(file), stdout=said)
    assert failed.value.returncode == 1
    assert "BROKEN  rewritten: 1 to 9" in said.getvalue()
    Entry.objects.filter(seq__gte=6)._raw_delete("default")
    assert [str(each) for each in verify(notes=[kept]).findings] == [
        "checkpoint: 1 to 5: No signed note vouches for it; the notes were removed.",
        "truncated: 6 to 9: Cut off; a signed note vouches for entry 9.",
    ]


@pytest.mark.usefixtures("unguarded")
def test_one_replaced_entry_is_named(chain: None) -> None:
    row = Entry.objects.get(seq=5)
    row.actor_id = 6
    row.hash = digest(members(row, seq=5, previous=row.previous))
    row.save()
    assert _faults() == [("replaced", 5, 5)]
    # The same for any part of the chain that the entry is in.
    assert _faults(5, 8) == [("replaced", 5, 5)]
    assert _faults(6, 8) == [("replaced", 5, 5)]
    assert _faults(7, 8) == _faults(1, 4) == []


@pytest.mark.usefixtures("chain")
def test_an_erasure_leaves_the_chain_whole_and_changed_details_are_named() -> None:
    _record(2, actor=7)
    assert seal_waiting() == 2
    assert verify().erased == 0
    entries = list(Entry.objects.values())
    assert details_erase(5) == 12
    verdict = verify()
    assert (verdict.findings, verdict.checked, verdict.erased) == ([], 14, 12)
    assert list(Entry.objects.values()) == entries
    assert "joe" not in str(entries)
    assert details_erase(5) == 0
    # Two erased accounts are still told apart, and who remains keeps their details.
    assert {entry["actor_id"] for entry in entries} == {5, 7}
    one, other = Detail.objects.filter(account_id=7).order_by("pk")
    one.sealed, other.sealed = other.sealed, one.sealed
    one.save()
    other.save()
    assert _faults() == [("details", 13, 13), ("details", 14, 14)]


@pytest.mark.usefixtures("chain")
def test_notes_are_signed_and_follow_the_keys(settings: Any) -> None:
    note = checkpoint_latest()
    assert note is not None
    reached = chain_reached()
    assert reached is not None
    assert note_open(note) == reached
    origin, seq, _, empty, signature, end = note.split("\n")
    assert (seq, empty, end) == ("12", "", "")
    assert signature.startswith(f"\u2014 {origin} ")
    for bad in (note.replace("\n12\n", "\n13\n"), note[:-1], note + "\n", "", "x" * 5000):
        with pytest.raises(BadNote):
            note_open(bad)
    old, new = next(iter(settings.DATA_KEYS.items())), ("k9", b"x" * 32)
    settings.DATA_KEYS = dict([new, old])
    assert verify().findings == []
    again = checkpoint_latest()
    assert again is not None
    assert again != note
    assert note_open(again) == note_open(note) == reached
    assert checkpoint_latest() == again
    # The details have to be sealed anew before their key goes; the notes need not.
    for _ in reseal():
        pass
    settings.DATA_KEYS = dict([new])
    with pytest.raises(BadNote):
        note_open(note)
    assert note_open(again) == reached
    verdict = verify()
    assert (verdict.findings, verdict.erased) == ([], 0)


@pytest.mark.usefixtures("chain")
def test_the_command_says_what_it_checked() -> None:
    said = StringIO()
    call_command("verify_audit", stdout=said)
    call_command("verify_audit", "--from", "4", "--to", "6", stdout=said)
    call_command("verify_audit", "--key", stdout=said)
    first, second, key = said.getvalue().splitlines()
    assert first.startswith("The chain is whole: 12 entries, from 1 to 12")
    assert second.startswith("The chain is whole: 3 entries, from 4 to 6")
    assert key == verifier_key()
    for wrong in (("--from", "0"), ("--checkpoint", "/nowhere")):
        with pytest.raises(CommandError):
            call_command("verify_audit", *wrong)


def test_the_bytes_of_an_entry_are_those_of_the_documentation() -> None:
    value = {"b": [1, True, None, "é\u20ac\U0001f600"], "a": {"z": '"\\\n\x01\x7f', "A": -5}}
    expected = '{"a":{"A":-5,"z":"\\"\\\\\\n\\u0001\x7f"},"b":[1,true,null,"é\u20ac\U0001f600"]}'
    assert canonical(value).decode() == expected
