"""Looks for entries that were changed, removed, reordered, replaced or cut off."""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from audit.chain import digest, members
from audit.models import COLUMN, FIRST_PREVIOUS, Checkpoint, Detail, Entry
from audit.notes import BadNote, UnknownKey, note_open
from audit.sealing import chain_reached
from shop.core.sealing import Unsealable, unseal

CHUNK = 1000
FINDINGS_MAX = 1000
# How many changed entries are compared with each other, to find those that only changed places.
COMPARED_MAX = 100
_REMOVED = "Removed from the chain."


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with the entries from ``seq`` to ``until``."""

    seq: int
    until: int
    fault: str
    detail: str

    def __str__(self) -> str:
        which = f"{self.seq}" if self.seq == self.until else f"{self.seq} to {self.until}"
        return f"{self.fault}: {which}: {self.detail}"


@dataclass(slots=True)
class Verdict:
    """What was checked, and what was found.

    ``until`` is the last number that was checked. ``erased`` counts the entries whose personal
    details an erasure has deleted.
    """

    since: int
    until: int
    head: int
    checked: int = 0
    erased: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, fault: str, detail: str, seq: int, until: int | None = None) -> None:
        """Note a finding, unless there are too many."""
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(seq, until or seq, fault, detail))


def verify(since: int = 1, until: int | None = None, notes: Iterable[str] = ()) -> Verdict:
    """Check the entries from ``since`` to ``until``, or to the chain's end.

    ``notes`` are signed notes that were kept elsewhere. Those that the shop keeps are always looked
    at. Entries that are sealed meanwhile are left out.
    """
    verdict = Verdict(since, until or 0, 0)
    # The notes are read first, because an entry that is added later has its note later, too.
    vouched = _Vouched(verdict, notes)
    head = chain_reached()
    verdict.head = head.seq if head else 0
    verdict.until = verdict.head if until is None else min(until, verdict.head)
    walk = _Walk(verdict, vouched)
    while chunk := _chunk(walk.next, verdict.until):
        walk.pass_over(chunk)
    walk.finish()
    vouched.look_for_end(until)
    if until is None and head is not None:
        _look_for_what_no_note_covers(verdict)
    verdict.findings = sorted(dict.fromkeys(verdict.findings), key=lambda each: each.seq)
    return verdict


def _look_for_what_no_note_covers(verdict: Verdict) -> None:
    """Report entries before the first, and those after the last note: each batch has its note."""
    for seq in Entry.objects.filter(seq__lt=1).order_by("seq").values_list("seq", flat=True)[:10]:
        verdict.add("changed", "Entries are numbered from 1, and this was never sealed.", seq)
    last = Checkpoint.objects.order_by("-seq").values_list("seq", flat=True).first() or 0
    if last < verdict.head:
        detail = "No signed note vouches for it; the notes were removed."
        verdict.add("checkpoint", detail, max(last + 1, verdict.since), verdict.head)


def _chunk(since: int, until: int) -> list[Entry]:
    return list(Entry.objects.filter(seq__gte=since, seq__lte=until).order_by("seq")[:CHUNK])


class _Vouched:
    """What signed notes say: those that the shop keeps, and those that are given."""

    def __init__(self, verdict: Verdict, notes: Iterable[str]) -> None:
        self._verdict = verdict
        self._good_until = verdict.since - 1
        self._rewritten = False
        self._given: dict[int, str] = {}
        for note in notes:
            try:
                reached = note_open(note)
            except BadNote as error:
                verdict.add("checkpoint", str(error), 0)
            else:
                self._given[reached.seq] = reached.hash
        newest = Checkpoint.objects.order_by("-seq", "-pk").first()
        kept = [] if newest is None else self._kept([newest])
        self._last = max([*self._given, *kept], default=0)

    def compare(self, chunk: Sequence[Entry], whole: Container[int]) -> None:
        """Compare entries, of which some are ``whole``, with the notes about them."""
        first, last = chunk[0].seq, chunk[-1].seq
        rows = Checkpoint.objects.filter(seq__gte=first, seq__lte=last).order_by("seq", "pk")
        signed = self._kept(rows) | self._given
        for row in chunk:
            if row.seq not in whole or row.seq not in signed:
                continue
            if signed[row.seq] == row.hash:
                self._good_until = row.seq
            elif not self._rewritten:
                self._rewritten = True
                detail = "What was signed is another chain; these were written anew."
                self._verdict.add("rewritten", detail, self._good_until + 1, row.seq)

    def look_for_end(self, until: int | None) -> None:
        """Report the entries that the last note vouches for and that are not there."""
        last = self._last if until is None else min(self._last, until)
        if last > self._verdict.head:
            detail = f"Cut off; a signed note vouches for entry {self._last}."
            self._verdict.add("truncated", detail, self._verdict.head + 1, last)

    def _kept(self, rows: Iterable[Checkpoint]) -> dict[int, str]:
        """Return the hashes by number, and report notes that are wrong."""
        signed: dict[int, str] = {}
        for row in rows:
            try:
                reached = note_open(row.note)
            except UnknownKey:
                # It proves nothing after a rotation of the keys, and a new note follows each.
                continue
            except BadNote as error:
                self._verdict.add("checkpoint", str(error), row.seq)
                continue
            if reached.seq != row.seq or signed.get(row.seq, reached.hash) != reached.hash:
                self._verdict.add("checkpoint", "It belongs to another entry.", row.seq)
                continue
            signed[row.seq] = reached.hash
        return signed


class _Walk:
    """Goes over the entries in order, a chunk at a time."""

    def __init__(self, verdict: Verdict, vouched: _Vouched) -> None:
        self._verdict = verdict
        self._vouched = vouched
        self.next = verdict.since
        # The hash of the entry before, or ``None`` where that is missing.
        self._previous: str | None = FIRST_PREVIOUS
        if verdict.since > 1:
            before = Entry.objects.filter(seq=verdict.since - 1)
            self._previous = before.values_list("hash", flat=True).first()
        self._changed: list[Entry] = []

    def pass_over(self, chunk: Sequence[Entry]) -> None:
        """Check the next entries."""
        whole = {row.seq for row in chunk if self._is_whole(row)}
        self._vouched.compare(chunk, whole)
        details = {one.pk: one for one in Detail.objects.filter(pk__in=[row.key for row in chunk])}
        for row in chunk:
            self._look_at_details(row, details.get(row.key))

    def finish(self) -> None:
        """Report what only the end shows."""
        if self.next <= self._verdict.until:
            self._verdict.add("missing", _REMOVED, self.next, self._verdict.until)
        homes = dict(_homes(self._changed[:COMPARED_MAX]))
        for row in self._changed:
            if home := homes.get(row.seq):
                self._verdict.add("reordered", f"This was entry {home}.", row.seq)
            else:
                self._verdict.add("changed", "What it tells is not what was sealed.", row.seq)

    def _is_whole(self, row: Entry) -> bool:
        """Return whether the entry has its own hash; report what is wrong before it."""
        self._verdict.checked += 1
        if row.seq > self.next:
            self._verdict.add("missing", _REMOVED, self.next, row.seq - 1)
            self._previous = None
        before_changed = bool(self._changed) and self._changed[-1].seq == row.seq - 1
        follows = self._previous in (None, row.previous)
        self.next, self._previous = row.seq + 1, row.hash
        if digest(members(row, seq=row.seq, previous=row.previous)) != row.hash:
            # Its hash may still be the one that was sealed.
            self._changed.append(row)
            return False
        if not follows and not before_changed:
            detail = f"Entry {row.seq} follows another one."
            self._verdict.add("replaced", detail, max(1, row.seq - 1))
        return True

    def _look_at_details(self, row: Entry, detail: Detail | None) -> None:
        if detail is None:
            self._verdict.erased += bool(row.commitment)
            return
        try:
            text = unseal(detail.sealed, account=detail.account_id, column=COLUMN)
        except Unsealable as error:
            self._verdict.add("details", str(error), row.seq)
            return
        if sha256(text).hexdigest() != row.commitment:
            self._verdict.add("details", "Its personal details were changed.", row.seq)


def _homes(changed: Sequence[Entry]) -> Iterator[tuple[int, int]]:
    """Yield the number of each entry that only changed its place, and its former number."""
    for row in changed:
        places = {row.seq - 1: row, row.seq + 1: row} | {one.seq: one for one in changed}
        for seq, there in places.items():
            if seq == row.seq or seq < 1:
                continue
            # The whole row was moved, or all but its hashes.
            whole = digest(members(row, seq=seq, previous=row.previous)) == row.hash
            if whole or digest(members(row, seq=seq, previous=there.previous)) == there.hash:
                yield row.seq, seq
                break
