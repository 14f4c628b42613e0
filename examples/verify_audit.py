"""Check an export of the audit, and a signed note, without any code of the shop.

    python verify_audit.py audit.jsonl [note.txt KEY]

The export begins at entry 1 and has no filter. KEY is what `manage.py verify_audit --key` prints.
Needs Python 3.11 and, for the note, the package `cryptography`.
"""

import json
import sys
from base64 import b64decode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

COVERED = (
    "seq at actor action object account before after credential request_id commitment previous"
)


def digest(value: object) -> str:
    """Return the SHA-256 of a value's canonical JSON (RFC 8785)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()


def main(export: str, note: str = "", key: str = "") -> Iterator[str]:
    """Yield a line for each fault."""
    previous, seq, hashes = "0" * 64, 0, {}
    for line in Path(export).read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        if entry["seq"] != seq + 1:
            yield f"after entry {seq} comes {entry['seq']}: removed, reordered or doubled"
        seq = entry["seq"]
        if entry["previous"] != previous:
            yield f"entry {seq} does not follow the one before it"
        if digest({name: entry[name] for name in COVERED.split()}) != entry["hash"]:
            yield f"entry {seq} was changed"
        if entry["personal"] is not None and digest(entry["personal"]) != entry["commitment"]:
            yield f"the personal details of entry {seq} were changed"
        previous = hashes[seq] = entry["hash"]
    if note:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        text, signature = Path(note).read_text(encoding="utf-8").split("\n\n")
        public = Ed25519PublicKey.from_public_bytes(b64decode(key.split("+", 2)[2])[1:])
        public.verify(b64decode(signature.split()[-1])[4:], f"{text}\n".encode())
        _, reached, signed = text.split("\n")
        if hashes.get(int(reached)) != b64decode(signed).hex():
            yield f"the note vouches for another entry {reached}, or the export ends before it"
    print(f"{len(hashes)} entries, the last {seq}")


if faults := list(main(*sys.argv[1:])):
    sys.exit("\n".join(faults))
