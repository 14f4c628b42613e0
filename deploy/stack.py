"""``make up``, ``deploy``, ``backup`` and ``restore``: what a stack of containers needs done to it.

Only the standard library, and Compose in either of its forms: ``docker compose`` or
``docker-compose`` 1.29 (COMPOSE="…" names another). It works on the project that Compose itself
would take: COMPOSE_PROJECT_NAME, COMPOSE_FILE and ENV_FILE (.env) are honoured.

A deploy makes new replicas beside the old ones. Docker gives every generation a name of its own,
its colour. A file in nginx's container says which colour takes new requests, which nginx looks at
for each of them: no reload, and no request that is under way is touched. The old replicas are then
asked to end one after another: they finish what they have, each within its ``stop_grace_period``,
and close sockets with 1012.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import fcntl
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parent.parent
ENV_FILE = Path(os.environ.get("ENV_FILE") or CHECKOUT / ".env")
ROLLED = ("web", "live")
"""What is behind nginx, and is replaced without a gap."""
BESIDE = ("relay", "worker")
"""What takes its work by a lock or from a queue, so that old and new ones may run together."""
ALONE = ("beat",)
"""What there may be one of only."""
REPLACED = (*BESIDE, *ALONE)
COLOURS = ("blue", "green")
DEATHS = 3
"""A container that was started again as often as this will not become healthy."""
HEALTHY_SECONDS = 120.0
SWITCH_SECONDS = 4.0
"""How long nginx may still use an address that it has looked up: twice what it has been seen to."""
READY_SECONDS = 20.0
FEWER_FILES = (
    "This engine may not open as many files as OPEN_FILES in .env says (65536 without it)."
    " Set it to what `ulimit -Hn` shows, OPEN_FILES=1024 at worst, and try again. "
)
COMPOSE = "com.docker.compose"
"""What the labels begin with by which Compose knows its containers."""
REPORTS = "/var/lib/shop/reports"
POSITION_GAP = 1_000_000_000
"""How far positions jump at a restore, over all that were given out after the backup."""

PSQL = (
    "exec psql -X -q -v ON_ERROR_STOP=1 -h /var/run/postgresql"
    ' -U "$POSTGRES_USER" -d "$POSTGRES_DB" -At'
)
DUMP = (
    "exec pg_dump -h /var/run/postgresql --format custom --no-owner --no-privileges"
    ' -U "$POSTGRES_USER" -d "$POSTGRES_DB"'
)
RESTORE = (
    "exec pg_restore -h /var/run/postgresql --exit-on-error --single-transaction --no-owner"
    ' --no-privileges --clean --if-exists -U "$POSTGRES_USER" -d "$POSTGRES_DB"'
)
STATEMENTS = (
    'cd "$1" || exit 2; find . -type f -name "*.pdf" -print0'
    " | tar -c --null --no-recursion -T - || [ $? -eq 1 ]"
)
"""A rendering has another name. tar ends with 1 where a file changed or went meanwhile."""
FLOORS = "current_setting('shop.position_floors', true)"
POSITION = f"""
SELECT greatest(
    max(position),
    (SELECT max(floor::bigint)
     FROM unnest(string_to_array(nullif({FLOORS}, ''), ',')) AS floor), 0)
FROM purchases_event
"""  # noqa: S608
EMPTY = """
DO $$ BEGIN
  IF to_regclass('purchases_purchase') IS NOT NULL THEN
    IF EXISTS (SELECT FROM purchases_purchase) THEN RAISE 'this has purchases'; END IF;
  END IF;
  IF to_regclass('accounts_user') IS NOT NULL THEN
    IF EXISTS (SELECT FROM accounts_user) THEN RAISE 'this has accounts'; END IF;
  END IF;
END $$
"""


class Failure(Exception):
    """It cannot be done; the message is one line for the person at the shell."""


FIRST_ACCOUNT = """\
Nobody can enter /admin/ yet. Make the first superuser, whose password is asked for:
    docker compose exec web python manage.py create_account NAME --superuser --email ADDRESS
and an account for each program that sends purchases in, which prints its token:
    docker compose exec web python manage.py create_account NAME --client"""


def say(text: str) -> None:
    """Print one line."""
    print(text, flush=True)


def compose_command() -> list[str]:
    """Return the words that run Compose here.

    Raises:
        Failure: there is none.
    """
    if given := os.environ.get("COMPOSE"):
        return shlex.split(given)
    for words in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(words[0]):
            answer = subprocess.run([*words, "version"], capture_output=True, text=True)
            if answer.returncode == 0:
                return words
    raise Failure("Neither `docker compose` nor `docker-compose` is here.")


def run(words: list[str], **options: Any) -> subprocess.CompletedProcess[Any]:
    """Run a command; say what it wrote where it fails."""
    finished = subprocess.run(words, **options)
    if finished.returncode:
        wrote = finished.stderr or b""
        text = wrote if isinstance(wrote, str) else wrote.decode(errors="replace")
        raise Failure(f"`{' '.join(words[:8])}` failed. {text.strip()[-2000:]}".strip())
    return finished


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Keep others from changing the same stack meanwhile; the lock ends with the process.

    Raises:
        Failure: somebody is at it.
    """
    descriptor = os.open(ENV_FILE.parent, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure("Another make up, deploy or restore is at work.") from None
        yield
    finally:
        os.close(descriptor)


class Stack:
    """The containers of one Compose project."""

    def __init__(self) -> None:
        if not ENV_FILE.exists():
            raise Failure(f"There is no {ENV_FILE.name}. Run `make env` first.")
        self.words = [*compose_command(), "--env-file", str(ENV_FILE)]
        self.tag = os.environ.get("TAG") or read_env(ENV_FILE).get("TAG") or "local"

    def compose(self, *words: str, quiet: bool = False, **options: Any) -> str:
        """Run Compose; return what it printed where ``quiet``."""
        if quiet:
            options |= {"capture_output": True, "text": True}
        return str(run([*self.words, *words], cwd=CHECKOUT, **options).stdout or "")

    def once(self, *words: str, **options: Any) -> None:
        """Run a service's command, or another one in its place, in a container for just that."""
        self.compose("run", "--rm", "--no-deps", "-T", *words, **options)

    def containers(self, service: str) -> list[str]:
        """Return the ids of the service's running containers, oldest first."""
        ids = self.compose("ps", "-q", service, quiet=True).split()
        found = sorted(inspect(ids), key=lambda one: str(one["Created"]))
        return [one["Id"] for one in found if one["State"]["Running"]]

    def made(self, service: str) -> list[str]:
        """Return the ids of the service's containers, running or not, oldest first."""
        labels = inspect([self.one("nginx")])[0]["Config"]["Labels"]
        project = f"{COMPOSE}.project={labels[f'{COMPOSE}.project']}"
        words = ["docker", "ps", "--all", "--quiet", "--no-trunc"]
        for label in (project, f"{COMPOSE}.service={service}", f"{COMPOSE}.oneoff=False"):
            words += ["--filter", f"label={label}"]
        ids = run(words, capture_output=True, text=True).stdout.split()
        return [one["Id"] for one in sorted(inspect(ids), key=lambda one: str(one["Created"]))]

    def generation(self, service: str, colour: str) -> list[str]:
        """Return the ids of the service's containers of that colour, oldest first."""
        return [
            one["Id"]
            for one in inspect(self.made(service))
            if one["Config"]["Labels"].get("shop.colour") == colour
        ]

    def one(self, service: str) -> str:
        """Return the id of a running container of the service."""
        found = self.containers(service)
        if not found:
            raise Failure(f"{service} does not run.")
        return found[0]

    def wait_healthy(self, *services: str, ids: list[str] | None = None) -> None:
        """Wait until every container, of the services or of the ids, says that it is healthy."""
        deadline = time.monotonic() + HEALTHY_SECONDS
        while True:
            found = inspect(ids or [one for name in services for one in self.containers(name)])
            ill = [
                one["Name"].lstrip("/")
                for one in found
                if one["State"].get("Health", {}).get("Status") != "healthy"
            ]
            if found and not ill:
                return
            dying = [one for one in found if one["RestartCount"] >= DEATHS]
            if ids and dying:
                log = run(["docker", "logs", "--tail", "5", dying[0]["Id"]], capture_output=True)
                print(log.stderr.decode(errors="replace"), file=sys.stderr, end="")
                raise Failure(f"{dying[0]['Name'].lstrip('/')} dies again and again.")
            if time.monotonic() > deadline:
                raise Failure(f"Not healthy in time: {', '.join(ill) or ', '.join(services)}.")
            time.sleep(0.5)

    def sql(self, statement: str) -> str:
        """Run a statement as the owner, in the container of PostgreSQL; return what it prints."""
        words = ["docker", "exec", "-i", self.one("postgres"), "sh", "-c", PSQL]
        return str(run(words, input=statement, capture_output=True, text=True).stdout).strip()

    # --- commands --------------------------------------------------------------------------

    def check(self, *command: str, **options: Any) -> None:
        """See in the image whether the environment is complete, or what else ``command`` checks.

        Raises:
            Failure: it is not; what is wrong has been shown.
        """
        words = [*self.words, "run", "--rm", "--no-deps", "-T", "check", *command]
        finished = subprocess.run(
            words, cwd=CHECKOUT, stderr=subprocess.PIPE, text=True, errors="replace", **options
        )
        print(finished.stderr, end="", file=sys.stderr, flush=True)
        if finished.returncode:
            hint = FEWER_FILES if "rlimit" in finished.stderr else ""
            raise Failure(f"{hint}Nothing was changed.")

    def up(self, *, build: bool) -> None:
        """Start everything, or what is missing of it."""
        with alone():
            if build:
                self.compose("build", "check")
            self.check()
            self.compose("up", "-d")
            self.wait_healthy(*ROLLED, *REPLACED, "nginx")
            self.point(self.one("nginx"), None)
            say("The stack is up and healthy.")
            if self.sql("SELECT count(*) FROM accounts_user WHERE is_superuser") == "0":
                say(FIRST_ACCOUNT)

    def deploy(self, *, build: bool) -> None:
        """Replace every process by one of the newly built image, without an outage."""
        with alone():
            serving = read_env(ENV_FILE).get("COLOUR") or COLOURS[0]
            (colour,) = set(COLOURS) - {serving}
            nginx = self.one("nginx")
            old = {service: self.generation(service, serving) for service in ROLLED}
            if not all(old.values()):
                raise Failure("web or live does not run; `make up` starts the stack.")
            tag = time.strftime("%Y%m%d%H%M%S") if build else self.tag
            environment = dict(os.environ) | {"TAG": tag, "COLOUR": colour}
            if build:
                say(f"Building version {tag}.")
                self.compose("build", "check", env=environment)
            self.check(env=environment)
            self.check("python", "manage.py", "check_migrations", env=environment)
            say("Migrating, while the version before still serves.")
            self.once("migrate", env=environment)
            # From here on no new replica is asked anything before all of them are healthy.
            self.point(nginx, serving)
            self.clear(colour)
            try:
                for service in ROLLED:
                    self.start_beside(service, len(old[service]), environment)
                for service in ROLLED:
                    wait_ready(self.generation(service, colour))
                switch(nginx, "sh /etc/nginx/templates/reload.sh")
                for service in ROLLED:
                    wait_found(nginx, f"{service}-{colour}")
            except BaseException:
                say("Taking the new replicas away again; the old ones serve on.")
                for service in ROLLED:
                    remove(self.generation(service, colour))
                self.point(nginx, None)
                raise
            # A later `up` compares the containers with what is written here.
            write_env(ENV_FILE, {"TAG": tag, "COLOUR": colour})
            self.point(nginx, colour)
            switch(nginx, "rm -rf /var/cache/nginx/micro/*")
            say(f"New requests go to the {colour} replicas.")
            time.sleep(SWITCH_SECONDS)
            for service in ROLLED:
                for number, one in enumerate(old[service], 1):
                    remove([one])
                    say(f"Drained {service} {number} of {len(old[service])}.")
            # The name without a colour is the new replicas' alone now.
            time.sleep(SWITCH_SECONDS)
            self.point(nginx, None)
            for service in BESIDE:
                before = self.made(service)
                # After a deploy that was interrupted here there are some of both colours.
                count = max(len(self.generation(service, one)) for one in COLOURS) or len(before)
                try:
                    self.start_beside(service, count, environment, keep=before)
                except BaseException:
                    remove([one for one in self.made(service) if one not in before])
                    raise
                remove(before)
            for service in ALONE:
                self.compose("up", "-d", "--no-deps", service, env=environment, quiet=True)
                self.wait_healthy(service)
                say(f"Replaced {service}.")
            say(f"Version {tag} runs.")

    def start_beside(
        self, service: str, count: int, environment: dict[str, str], keep: list[str] | None = None
    ) -> None:
        """Start ``count`` new replicas beside those that are there, one after another.

        Raises:
            Failure: one of them does not become healthy.
        """
        before = self.made(service) if keep is None else keep
        for number in range(1, count + 1):
            scale = f"{service}={len(before) + number}"
            words = ["up", "-d", "--no-deps", "--no-recreate", "--scale", scale, service]
            self.compose(*words, env=environment, quiet=True)
            fresh = [one for one in self.made(service) if one not in before]
            if len(fresh) != number:
                raise Failure(f"There are {len(fresh)} new {service}, and not {number}.")
            self.wait_healthy(ids=fresh)
            say(f"Started {service} {number} of {count}.")

    def point(self, nginx: str, colour: str | None) -> None:
        """Let one generation alone have the new requests, or with None whichever is there.

        There is a file for one of them at every moment in between.
        """
        here = [f"/run/rotation/{service}-{colour}" for service in ROLLED if colour]
        others = [
            f"/run/rotation/{service}-{one}"
            for service in ROLLED
            for one in COLOURS
            if one != colour
        ]
        touch = f"touch {' '.join(here)} && " if here else ""
        switch(nginx, f"{touch}rm -f {' '.join(others)}")

    def clear(self, colour: str) -> None:
        """Remove what an interrupted deploy has left of the generation that is to come."""
        left = [one for service in ROLLED for one in self.generation(service, colour)]
        if left:
            say(f"Draining {len(left)} replicas that an interrupted deploy left behind.")
            time.sleep(SWITCH_SECONDS)
            remove(left)

    def backup(self, folder: Path) -> Path:
        """Write a backup, and return its path: the database first, then the PDFs it speaks of.

        A dump is one snapshot. A report is stored before its row says so, and its file does not
        change afterwards, so the files that are copied later hold all that the dump names.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        moment = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
        path = folder / f"shop-{moment}.tar"
        with tempfile.TemporaryDirectory(dir=folder) as work:
            dump, files = Path(work) / "database.dump", Path(work) / "reports.tar"
            words = ["docker", "exec", self.one("postgres"), "sh", "-c", DUMP]
            with dump.open("wb") as output:
                run(words, stdout=output, stderr=subprocess.PIPE)
            words = ["docker", "exec", self.one("web"), "sh", "-c", STATEMENTS, "sh", REPORTS]
            with files.open("wb") as output:
                run(words, stdout=output, stderr=subprocess.PIPE)
            manifest = {
                "version": 1,
                "made_at": moment,
                "position": int(self.sql(POSITION)),
                "floors": self.sql(f"SELECT {FLOORS}"),
            }
            incomplete = path.with_suffix(".incomplete")
            descriptor = os.open(incomplete, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
                text = json.dumps(manifest).encode()
                member = tarfile.TarInfo("manifest.json")
                member.size = len(text)
                tar.addfile(member, io.BytesIO(text))
                tar.add(dump, "database.dump")
                tar.add(files, "reports.tar")
            incomplete.replace(path)
        say(f"Wrote {path} ({path.stat().st_size / 1e6:.1f} MB).")
        return path

    def restore(self, path: Path) -> None:
        """Fill an empty stack from a backup, and start it.

        What refuses or breaks off before the database is committed, which is last, leaves an empty
        stack for the next try. Afterwards `up` is all that is missing.
        """
        with alone(), tempfile.TemporaryDirectory() as work:
            folder = Path(work)
            with tarfile.open(path) as tar:
                for name in ("manifest.json", "database.dump", "reports.tar"):
                    source = tar.extractfile(name)
                    if source is None:
                        raise Failure(f"{path} is not a backup.")
                    with (folder / name).open("wb") as target:
                        shutil.copyfileobj(source, target)
            manifest = json.loads((folder / "manifest.json").read_text())
            self.check()
            # Nothing that runs is touched before it is known that the stack is empty.
            self.compose("up", "-d", "--no-deps", "--no-recreate", "postgres", "valkey")
            self.wait_healthy("postgres", "valkey")
            self.want_empty()
            self.compose("stop", *ROLLED, *REPLACED, "nginx", quiet=True)
            floor = int(manifest["position"]) + POSITION_GAP
            floors = ",".join(filter(None, [str(manifest["floors"]), str(floor)]))
            database = self.sql("SELECT quote_ident(current_database())")
            self.sql(f"ALTER DATABASE {database} SET shop.position_floors = '{floors}'")
            say("Restoring the statements.")
            with (folder / "reports.tar").open("rb") as files:
                self.once("worker", "tar", "-C", REPORTS, "-x", stdin=files)
            say("Restoring the database.")
            words = ["docker", "exec", "-i", self.one("postgres"), "sh", "-c", RESTORE]
            with (folder / "database.dump").open("rb") as dump:
                run(words, stdin=dump, capture_output=True)
            # The application's role and its rights are not in the dump.
            self.once("migrate")
            self.once("worker", "python", "manage.py", "verify_ledger")
        self.compose("up", "-d")
        self.wait_healthy(*ROLLED, *REPLACED, "nginx")
        say(f"Restored {path.name}. Positions go on after {floor}.")

    def want_empty(self) -> None:
        """Raise ``Failure`` where the database has purchases or accounts."""
        try:
            self.sql(EMPTY)
        except Failure as failure:
            found = re.search("this has (purchases|accounts)", str(failure))
            if not found:
                raise
            raise Failure(f"A backup goes into an empty stack, and {found[0]}.") from None


def inspect(ids: list[str]) -> list[dict[str, Any]]:
    """Return what Docker knows of the containers; one that has gone meanwhile is left out."""
    if not ids:
        return []
    answer = subprocess.run(["docker", "inspect", *ids], capture_output=True, text=True)
    found: list[dict[str, Any]] = json.loads(answer.stdout or "[]")
    return found


def wait_ready(ids: list[str]) -> None:
    """Wait until each container says that it reaches what it depends on, as being alive does not.

    Raises:
        Failure: one of them does not say so in time.
    """
    deadline = time.monotonic() + READY_SECONDS
    for one in ids:
        words = ["docker", "exec", one, "python", "-S", "deploy/healthcheck.py", "http", "/readyz"]
        while (answer := subprocess.run(words, capture_output=True, text=True)).returncode:
            if time.monotonic() > deadline:
                name = inspect([one])[0]["Name"].lstrip("/")
                raise Failure(f"{name} is not ready. {answer.stderr.strip()}")
            time.sleep(0.5)


def wait_found(nginx: str, name: str) -> None:
    """Wait until nginx has found the replicas of that name, and one of them answers it.

    Raises:
        Failure: it does not find them in time.
    """
    deadline = time.monotonic() + READY_SECONDS
    words = ["docker", "exec", nginx, "curl", "-fsS", "-o", "/dev/null"]
    words.append(f"http://127.0.0.1:8080/reach/{name}")
    while (answer := subprocess.run(words, capture_output=True, text=True)).returncode:
        if time.monotonic() > deadline:
            raise Failure(f"nginx does not reach {name}. {answer.stderr.strip()}")
        time.sleep(0.5)


def remove(ids: list[str]) -> None:
    """End the containers, each within its own ``stop_grace_period``, and delete them."""
    if ids:
        run(["docker", "stop", *ids], capture_output=True)
        run(["docker", "rm", *ids], capture_output=True)


def switch(nginx: str, command: str) -> None:
    """Run a command of the shell in nginx's container."""
    run(["docker", "exec", nginx, "sh", "-c", command], capture_output=True)


def read_env(path: Path) -> dict[str, str]:
    """Return the variables of an ``.env`` file."""
    pairs = re.findall(r"^([A-Za-z_][A-Za-z_0-9]*)=(.*)$", path.read_text(encoding="utf-8"), re.M)
    return {name: value.strip().strip("'\"") for name, value in pairs}


def write_env(path: Path, values: dict[str, str]) -> None:
    """Set variables in an ``.env`` file, and leave everything else in it as it is."""
    text = path.read_text(encoding="utf-8")
    for name, value in values.items():
        text, count = re.subn(rf"^{name}=.*$", f"{name}={value}", text, flags=re.M)
        if not count:
            text += f"{name}={value}\n"
    beside = path.with_name(path.name + ".new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    beside.replace(path)


def main() -> int:
    """Do what the command line says; the exit status."""
    parser = argparse.ArgumentParser(prog="stack.py")
    parser.add_argument("command", choices=("up", "down", "deploy", "backup", "restore"))
    parser.add_argument("--file", type=Path, help="the backup to restore")
    parser.add_argument("--folder", type=Path, default=CHECKOUT / "backups")
    parser.add_argument("--no-build", action="store_true", help="take the image that is there")
    options = parser.parse_args()
    try:
        stack = Stack()
        if options.command == "up":
            stack.up(build=not options.no_build)
        elif options.command == "down":
            stack.compose("down")
        elif options.command == "deploy":
            stack.deploy(build=not options.no_build)
        elif options.command == "backup":
            stack.backup(options.folder)
        elif options.file is None or not options.file.is_file():
            raise Failure("Name the backup: make restore FILE=backups/shop-….tar")
        else:
            stack.restore(options.file)
    except Failure as failure:
        print(f"make {options.command}: {failure}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
