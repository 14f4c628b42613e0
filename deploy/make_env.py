"""``make env``: write a fresh ``.env`` from ``.env.example``, with random secrets.

It imports the standard library only, so it runs before anything is installed. Variables of the
environment replace those of the example: ``make env SITE_URL=https://shop.example.org EMAIL_HOST=…
SECRET_EMAIL_USER=… SECRET_EMAIL_USER_PSWD=…``. With ``SECRETS=files`` the secrets become files in
``secrets/``, which docker-compose.secrets.yml mounts. No existing file is changed.
"""

import base64
import os
import re
import secrets
import sys
from pathlib import Path
from urllib.parse import urlsplit

CHECKOUT = Path(__file__).resolve().parent.parent
RANDOM = ("POSTGRES_PASSWORD", "POSTGRES_APP_PASSWORD", "VALKEY_PASSWORD", "DJANGO_SECRET_KEY")
"""Secrets that only our own services share, so any value does."""
DATA_KEYS = "DATA_KEYS"
"""The keys of what is sealed, each with an id; docs/operations.md tells how another is added."""
PERSONAL = ("SECRET_EMAIL_USER", "SECRET_EMAIL_USER_PSWD")
"""Secrets that others issue: the account at the mail server."""
LATER = ("DJANGO_SECRET_KEY_FALLBACKS",)
"""Secrets that are empty at first."""
HERE = ("localhost", "127.0.0.1")
"""The names of this machine for itself."""
PUBLIC = ("SITE_URL", "ALLOWED_HOSTS", "EMAIL_HOST")
"""Variables that a public site has to set."""
IN_USE = {"HOME", "PATH", "USER", "PWD", "PORT", "DATA_DIR", "LOG_LEVEL"}
"""Names in ``.env.example`` that an environment may contain for other reasons."""


def quoted(value: str) -> str:
    """Return the value as a line of ``.env`` takes it, for both forms of Compose."""
    if re.fullmatch(r"[\w@%+=:,./\[\]-]*", value):
        return value
    if "'" in value or "\n" in value:
        raise ValueError("a value may hold neither a single quote nor a line break")
    return f"'{value}'"


def fresh_env(example: str, given: dict[str, str]) -> tuple[str, list[str]]:
    """Return the text of a new ``.env``, and the names that still have to be filled in."""
    values = {name: secrets.token_urlsafe(48) for name in RANDOM}
    values[DATA_KEYS] = "k1:" + base64.b64encode(secrets.token_bytes(32)).decode()
    values |= dict.fromkeys(PERSONAL, "")
    if not any(given.get(name) for name in PERSONAL):
        values["EMAIL_WITHOUT_ACCOUNT"] = "true"
    # With these values the site answers at once, on its own machine, too.
    port = given.get("HTTPS_PORT", "443").rpartition(":")[2]
    values["SITE_URL"] = f"https://{HERE[0]}" + (f":{port}" if port != "443" else "")
    site = urlsplit(given.get("SITE_URL", values["SITE_URL"])).hostname or ""
    values["ALLOWED_HOSTS"] = ",".join(dict.fromkeys([site, *HERE]))
    values |= given
    lines = []
    for line in example.splitlines():
        match = re.match(r"#?([A-Z0-9_]+)=", line)
        if match and match[1] in values:
            line = f"{match[1]}={quoted(values[match[1]])}"
        lines.append(line)
    return "\n".join(lines) + "\n", [name for name in PERSONAL if not values[name]]


def write(path: Path, text: str, mode: int) -> None:
    """Write a new file, which has its final mode from the start.

    Raise ``FileExistsError`` if it exists.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)


def as_files(text: str, folder: Path) -> str:
    """Write each secret of an ``.env`` into a file of its own. Return the text without them."""
    folder.mkdir(mode=0o700)
    for name in (*RANDOM, DATA_KEYS, *PERSONAL, *LATER):
        match = re.search(rf"^{name}=(.*)$", text, re.M)
        value = match[1].strip("'") if match else ""
        # Containers read the files as other users. The folder keeps all others out.
        write(folder / name.lower(), value + "\n", 0o444)
        text = re.sub(rf"^{name}=.*$", f"#{name}=", text, flags=re.M)
    return text.replace("\n#COMPOSE_FILE=", "\nCOMPOSE_FILE=")


def main() -> int:
    """Write the file. Return the exit status."""
    target = CHECKOUT / ".env"
    example = (CHECKOUT / ".env.example").read_text(encoding="utf-8")
    names = set(re.findall(r"^#?([A-Z0-9_]+)=", example, re.M)) - IN_USE
    given = {name: os.environ[name] for name in names if os.environ.get(name)}
    try:
        text, missing = fresh_env(example, given)
        if target.exists():
            raise FileExistsError(17, "exists", str(target))
        if os.environ.get("SECRETS") == "files":
            text = as_files(text, CHECKOUT / "secrets")
        write(target, text, 0o600)
    except FileExistsError as error:
        name = Path(error.filename or target).name
        print(f"make env: {name} is there already; it was left as it is.", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"make env: {error}.", file=sys.stderr)
        return 1
    print("Wrote .env with fresh secrets.")
    found = {*given, "ALLOWED_HOSTS"} if "SITE_URL" in given else given
    if unset := [name for name in PUBLIC if name not in found]:
        print(f"For a site that others reach, set {', '.join(unset)} in it.")
    if missing == list(PERSONAL):
        print(f"Mails are sent without an account. For one, fill in {' and '.join(missing)}.")
    elif missing:
        print(f"To be filled in: {', '.join(missing)}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
