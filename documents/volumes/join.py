"""Joins the volumes of one document into one tagged PDF.

The code reads and writes PDF itself, because a general library keeps every object in memory: 200 MB
for 10 000 lines.
"""

import hashlib
import re
import sys
import zlib
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import IO

from documents.rendered import RenderingFailed


class JoinedPdf:
    """Writes one tagged PDF from typst's volumes, with one volume in memory at a time.

    The pages, structure elements, bookmarks and parent trees of all volumes come under common
    roots. All objects that are no streams go into compressed object streams, which shrinks the tags
    of a long table to a fifth. It relies on typst's form of a file: a classic cross-reference
    table, generation 0 throughout, one structure element of type Document, and level 1 headings
    only. Strings outside the information dictionary and the metadata hold no text of customers. Any
    other form raises `RenderingFailed`.
    """

    CATALOG, PAGES, STRUCTURE, DOCUMENT, OUTLINES, INFO, METADATA = range(1, 8)
    IN_STREAM = 400
    CHUNK = 256

    def __init__(self, file: IO[bytes], language: str) -> None:
        self._file = file
        self._language = language.encode("ascii")
        self._hash = hashlib.sha256()
        self._size = 0
        # A cross-reference entry is its type (1 plain, 2 in an object stream), the offset or the
        # object stream, and the index in that.
        self._types = bytearray(8)
        self._places = array("Q", bytes(8 * 8))
        self._indexes = array("H", bytes(8 * 2))
        self._waiting: list[tuple[int, bytes]] = []
        self._pages = 0
        self._page_kids: list[int] = []
        self._elements: list[bytes] = []
        self._parents: list[tuple[int, int]] = []
        self._ids: list[tuple[bytes, int]] = []
        self._bookmarks = 0
        self._first_bookmark = 0
        self._last_bookmark: tuple[int, bytes] | None = None
        self._volumes = 0
        self._info = b""
        self._roles = b""
        self._metadata = b""
        self._write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")

    def add_volume(self, data: bytes, expected_pages: int) -> None:
        """Append all pages of one PDF; raise `RenderingFailed` if their number differs."""
        objects, root, info = _read_objects(data)
        self._volumes += 1
        volume = self._volumes
        catalog = objects.pop(root)
        pages = _number(rb"/Pages (\d+) 0 R", catalog)
        structure = objects.pop(_number(rb"/StructTreeRoot (\d+) 0 R", catalog))
        metadata = objects.pop(_number(rb"/Metadata (\d+) 0 R", catalog))
        document = _number(rb"/K\[(\d+) 0 R\]", structure)
        bookmarks = re.search(rb"/Outlines (\d+) 0 R", catalog)
        outlines = int(bookmarks[1]) if bookmarks else 0
        information = objects.pop(info)
        if volume == 1:
            self._info, self._metadata = information, metadata
            self._roles = _group(rb"(/RoleMap<<.*?>>)", structure)
        count = _number(rb"/Count (\d+)", objects[pages])
        if count != expected_pages:
            raise RenderingFailed(
                f"Volume {volume} has {count} pages where {expected_pages} were laid out."
            )

        base = self._allocate(max(objects)) - 1
        references = [b"%d 0 R" % (base + number) for number in range(max(objects) + 1)]
        references[document] = b"%d 0 R" % self.DOCUMENT
        references[outlines] = b"%d 0 R" % self.OUTLINES

        def renumber(body: bytes) -> bytes:
            # Cells refer to their header cells by ids that are unique only within a volume.
            return _REFERENCE.sub(
                lambda m: references[int(m[1])] if m[1] else b"(V%dU" % volume, body
            )

        element = objects.pop(document)
        if b"/S/Document" not in element:
            raise RenderingFailed("The structure of a volume is not one document.")
        self._elements.append(renumber(_group(rb"/K\[([^\]]*)\]", element)))
        first_key = self._pages
        for key, number in re.findall(
            rb"(\d+) (\d+) 0 R", _group(rb"/ParentTree<</Nums\[([^\]]*)\]>>", structure)
        ):
            self._parents.append((first_key + int(key), base + int(number)))
        for name, number in re.findall(rb"\((U\w+)\)(\d+) 0 R", structure):
            self._ids.append((b"V%d%s" % (volume, name), base + int(number)))
        if outlines and b"/First" in (bookmarks_root := objects.pop(outlines)):
            self._add_bookmarks(objects, bookmarks_root, base, renumber)
        self._page_kids.append(base + pages)
        for number, body in objects.items():
            head, stream, content = body.partition(b"\nstream\n")
            head = renumber(head)
            if number == pages:
                head = _extend(head, b"/Parent %d 0 R" % self.PAGES)
            elif b"/StructParent" in head:
                head = _PARENT_KEY.sub(lambda m: b"%s%d" % (m[1], first_key + int(m[2])), head)
            if stream:
                self._add_plain(base + number, head + stream + content)
            else:
                self._add(base + number, head)
        self._pages += count

    def finish(self) -> tuple[int, str]:
        """Write the common roots and the cross-references; return the size and the SHA-256."""
        if self._last_bookmark:
            self._add(*self._last_bookmark)
        self._add(
            self.CATALOG,
            b"<</Type/Catalog/Pages %d 0 R/Metadata %d 0 R/Lang(%s)/StructTreeRoot %d 0 R"
            b"/MarkInfo<</Marked true>>/ViewerPreferences<</DisplayDocTitle true>>"
            b"/Outlines %d 0 R>>"
            % (self.PAGES, self.METADATA, self._language, self.STRUCTURE, self.OUTLINES),
        )
        self._add(
            self.PAGES,
            b"<</Type/Pages/Count %d/Kids[%s]>>" % (self._pages, _references(self._page_kids)),
        )
        self._add(
            self.OUTLINES,
            b"<</Type/Outlines/First %d 0 R/Last %d 0 R/Count %d>>"
            % (self._first_bookmark, self._last_bookmark[0], self._bookmarks)
            if self._last_bookmark
            else b"<</Type/Outlines/Count 0>>",
        )
        parents = [(b"%d" % key, number) for key, number in self._parents]
        ids = [(b"(%s)" % name, number) for name, number in sorted(self._ids)]
        self._add(
            self.STRUCTURE,
            b"<</Type/StructTreeRoot%s/K[%d 0 R]/ParentTree %d 0 R/ParentTreeNextKey %d"
            b"/IDTree %d 0 R>>"
            % (
                self._roles,
                self.DOCUMENT,
                self._add_tree(b"Nums", parents),
                self._pages,
                self._add_tree(b"Names", ids),
            ),
        )
        self._add(
            self.DOCUMENT,
            b"<</Type/StructElem/S/Document/P %d 0 R/K[%s]>>"
            % (self.STRUCTURE, b" ".join(self._elements)),
        )
        self._add(self.INFO, self._info)
        # The file's ID is derived from the contents, as in the volumes, so equal reports have equal
        # bytes.
        identity = self._hash.hexdigest()[:32].encode()
        head, _, content = self._metadata.partition(b"\nstream\n")
        content = re.sub(
            rb"(?<=<xmpTPg:NPages>)\d+(?=</xmpTPg:NPages>)", b"%d" % self._pages, content
        )
        content = re.sub(
            rb"(<xmpMM:(?:Instance|Document)ID>)[^<]*", lambda m: m[1] + identity, content
        )
        content = content.removesuffix(b"\nendstream")
        head = re.sub(rb"/Length \d+", b"/Length %d" % len(content), head)
        self._add_plain(self.METADATA, head + b"\nstream\n" + content + b"\nendstream")
        self._flush()
        self._write_references(identity)
        return self._size, self._hash.hexdigest()

    def _add_bookmarks(
        self,
        objects: dict[int, bytes],
        root: bytes,
        base: int,
        renumber: Callable[[bytes], bytes],
    ) -> None:
        """Chain a volume's bookmarks behind those before; the last waits for its successor."""
        first, last = _number(rb"/First (\d+) 0 R", root), _number(rb"/Last (\d+) 0 R", root)
        self._bookmarks += _number(rb"/Count (\d+)", root)
        if self._last_bookmark:
            number, body = self._last_bookmark
            self._add(number, _extend(body, b"/Next %d 0 R" % (base + first)))
            previous = b"/Prev %d 0 R" % number
        else:
            self._first_bookmark = base + first
            previous = b""
        body = _extend(renumber(objects.pop(first)), previous)
        if first != last:
            self._add(base + first, body)
            body = renumber(objects.pop(last))
        self._last_bookmark = (base + last, body)

    def _add_tree(self, kind: bytes, entries: Sequence[tuple[bytes, int]]) -> int:
        """Add a number or name tree of two levels over sorted entries; return its root."""
        kids = []
        for start in range(0, len(entries), self.CHUNK):
            part = entries[start : start + self.CHUNK]
            kid = self._allocate(1)
            pairs = b" ".join(b"%s %d 0 R" % entry for entry in part)
            self._add(kid, b"<</Limits[%s %s]/%s[%s]>>" % (part[0][0], part[-1][0], kind, pairs))
            kids.append(kid)
        root = self._allocate(1)
        self._add(root, b"<</Kids[%s]>>" % _references(kids) if kids else b"<</%s[]>>" % kind)
        return root

    def _allocate(self, count: int) -> int:
        """Reserve `count` consecutive object numbers and return the first."""
        first = len(self._types)
        self._types.extend(bytes(count))
        self._places.frombytes(bytes(count * self._places.itemsize))
        self._indexes.frombytes(bytes(count * self._indexes.itemsize))
        return first

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self._size += len(data)

    def _add_plain(self, number: int, body: bytes) -> None:
        self._types[number], self._places[number] = 1, self._size
        self._write(b"%d 0 obj\n%s\nendobj\n" % (number, body))

    def _add(self, number: int, body: bytes) -> None:
        self._waiting.append((number, body))
        if len(self._waiting) == self.IN_STREAM:
            self._flush()

    def _flush(self) -> None:
        """Write the waiting objects as one compressed object stream."""
        if not self._waiting:
            return
        stream = self._allocate(1)
        offset = 0
        heads, bodies = [], []
        for index, (number, body) in enumerate(self._waiting):
            self._types[number] = 2
            self._places[number] = stream
            self._indexes[number] = index
            heads.append(b"%d %d" % (number, offset))
            bodies.append(body)
            offset += len(body) + 1
        head = b" ".join(heads) + b"\n"
        packed = zlib.compress(head + b"\n".join(bodies), 6)
        self._add_plain(
            stream,
            b"<</Type/ObjStm/N %d/First %d/Filter/FlateDecode/Length %d>>\nstream\n%s\nendstream"
            % (len(bodies), len(head), len(packed), packed),
        )
        self._waiting.clear()

    def _write_references(self, identity: bytes) -> None:
        number = self._allocate(1)
        start = self._size
        self._types[number], self._places[number] = 1, start
        # A row is big-endian: one byte for the type, five for the place, two for the index. It is
        # put together column by column, as a long report has a million rows.
        if sys.byteorder == "little":
            self._places.byteswap()
            self._indexes.byteswap()
        rows = bytearray(8 * len(self._types))
        rows[0::8] = self._types
        for column in range(5):
            rows[1 + column :: 8] = self._places.tobytes()[3 + column :: 8]
        for column in range(2):
            rows[6 + column :: 8] = self._indexes.tobytes()[column::2]
        packed = zlib.compress(rows, 6)
        self._write(
            b"%d 0 obj\n<</Type/XRef/Size %d/W[1 5 2]/Root %d 0 R/Info %d 0 R/ID[<%s><%s>]"
            b"/Filter/FlateDecode/Length %d>>\nstream\n%s\nendstream\nendobj\n"
            b"startxref\n%d\n%%%%EOF\n"
            % (
                number,
                len(self._types),
                self.CATALOG,
                self.INFO,
                identity,
                identity,
                len(packed),
                packed,
                start,
            )
        )


_REFERENCE = re.compile(rb"(\d+) 0 R|\(U(?=\d+x)")
_PARENT_KEY = re.compile(rb"(/StructParents? )(\d+)")


def _read_objects(data: bytes) -> tuple[dict[int, bytes], int, int]:
    """Return the bodies of all objects by number, and the numbers of catalog and information."""
    start = _number(rb"startxref\s+(\d+)\s+%%EOF", data[-64:])
    trailer = data.rfind(b"trailer")
    section = re.match(rb"xref\n0 (\d+)\s+", data[start : start + 32])
    if section is None or trailer < start:
        raise RenderingFailed("A volume has no classic cross-reference table.")
    entries = start + section.end()
    offsets = []
    for number in range(int(section[1])):
        entry = data[entries + 20 * number : entries + 20 * number + 20]
        if entry[17:18] == b"n":
            offsets.append((int(entry[:10]), number))
    offsets.sort()
    objects = {}
    ends = [offset for offset, _ in offsets[1:]] + [start]
    for (offset, number), end in zip(offsets, ends, strict=True):
        head = b"%d 0 obj\n" % number
        tail = data.rfind(b"\nendobj", offset, end)
        if not data.startswith(head, offset) or tail < 0:
            raise RenderingFailed("A volume has an object of an unknown form.")
        objects[number] = data[offset + len(head) : tail]
    return (
        objects,
        _number(rb"/Root (\d+) 0 R", data[trailer:]),
        _number(rb"/Info (\d+) 0 R", data[trailer:]),
    )


def _group(pattern: bytes, body: bytes) -> bytes:
    found = re.search(pattern, body)
    if found is None:
        raise RenderingFailed(f"A volume has no {pattern.decode()}.")
    return found[1]


def _number(pattern: bytes, body: bytes) -> int:
    return int(_group(pattern, body))


def _extend(dictionary: bytes, entries: bytes) -> bytes:
    """Return a dictionary's source with `entries` added at its end."""
    return dictionary.rstrip().removesuffix(b">>") + entries + b">>"


def _references(numbers: Iterable[int]) -> bytes:
    return b" ".join(b"%d 0 R" % number for number in numbers)
