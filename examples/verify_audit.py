"""Check an export of the audit, from entry 1 and without a filter, without any code of the shop."""
# python verify_audit.py audit.jsonl [note.txt KEY]      KEY is from `manage.py verify_audit --key`.
# It needs Python 3.11 and, for the signed note, the package `cryptography`.

import json
import sys
from base64 import b64decode
from hashlib import sha256
from pathlib import Path

COVERED = "seq at actor action object account before after credential request_id commitment"


def digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(text.encode()).hexdigest()  # of its canonical JSON (RFC 8785)


export, note, key, *_ = [*sys.argv[1:], "", ""]
faults, previous, seq, hashes = list[str](), "0" * 64, 0, {}
for entry in map(json.loads, Path(export).read_text(encoding="utf-8").splitlines()):
    if entry["seq"] != seq + 1:
        faults += [f"after entry {seq} comes {entry['seq']}: removed, reordered or doubled"]
    seq = entry["seq"]
    if entry["previous"] != previous:
        faults += [f"entry {seq} does not follow the one before it"]
    if digest({name: entry[name] for name in [*COVERED.split(), "previous"]}) != entry["hash"]:
        faults += [f"entry {seq} was changed"]
    if entry["personal"] is not None and digest(entry["personal"]) != entry["commitment"]:
        faults += [f"the personal details of entry {seq} were changed"]
    previous = hashes[seq] = entry["hash"]
if note:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey as Key

    text, vouched = Path(note).read_text(encoding="utf-8").split("\n\n")
    public, (_origin, end, signed) = b64decode(key.split("+", 2)[2])[1:], text.split("\n")
    Key.from_public_bytes(public).verify(b64decode(vouched.split()[-1])[4:], f"{text}\n".encode())
    if hashes.get(int(end)) != b64decode(signed).hex():
        faults += [f"the note vouches for another entry {end}, or the export ends before it"]
sys.exit("\n".join(faults) or print(f"{len(hashes)} entries, the last {seq}"))
