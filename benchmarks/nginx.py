"""The cost of nginx with TLS in front: purchases and exports through it and directly, in turns.

    python -m shop.local.embedded --durable python -m benchmarks.nginx

Our configuration is compared with the barest one: TLS, kept connections, no log and no limit. Every
nginx on this machine costs at least as much as that one.

nginx runs with the templates of the stack of containers, rendered for this machine. It comes from
an image (NGINX_IMAGE) if there is Docker, else from the machine. Docker keeps its log as that of
the stack. nginx must be 1.27.3 or later, which keeps its connections to the application. Needs wrk.
"""

import argparse
import contextlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import yaml

from benchmarks.single_buy import OURS, SCRIPT, _buys, _customers, _serving
from benchmarks.tables import spread, table

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
ROOT = Path(__file__).resolve().parent.parent
IMAGE = os.environ.get("NGINX_IMAGE", "nginx:stable")
CONNECTIONS = 64
PIECE = 1 << 16
SETTINGS = {
    "ALLOWED_HOSTS": "127.0.0.1",
    "SITE_URL": "https://127.0.0.1",
    "SECURE_HSTS_SECONDS": "0",
    "NGINX_RATE": "1000000",
    "NGINX_SIGN_IN_RATE": "1000",
    "NGINX_CONNECTIONS": "10000",
    "NGINX_TRANSFERS": "100",
    "OPEN_FILES": "1024",
}
PORTS = ("80", "443", "2002", "8080")
"""The ports of the templates. Each is replaced, because others may use them here."""
BARE = """
worker_processes auto;
pid {folder}/bare.pid;
error_log /dev/stderr crit;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/cache;
    proxy_temp_path {folder}/cache;
    keepalive_requests 1000000;
    upstream application {{ server 127.0.0.1:{application}; keepalive 128; }}
    server {{
        listen {port} ssl;
        ssl_certificate {folder}/tls/fullchain.pem;
        ssl_certificate_key {folder}/tls/privkey.pem;
        location / {{
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_pass http://application;
        }}
    }}
}}
"""


def _program() -> list[str]:
    """Return the words that run nginx here; {} stands for the folder of its configuration.

    Raise ``LookupError`` if there is no nginx.
    """
    if shutil.which("docker") and not _fails("docker", "image", "inspect", IMAGE):
        words = ["docker", "run", "--rm", "--attach", "stderr", "--network", "host", "-v", "{}:{}"]
        return [*words, *_log_options(), "--entrypoint", "nginx", IMAGE]
    if shutil.which("nginx"):
        return ["nginx"]
    raise LookupError("neither nginx nor its image is here")


def _log_options() -> list[str]:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    log = compose["x-base"]["logging"]
    options = [f"--log-opt={name}={value}" for name, value in log["options"].items()]
    return [f"--log-driver={log['driver']}", *options]


def _fails(*words: str) -> bool:
    return subprocess.run(words, capture_output=True).returncode != 0


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, env=os.environ | SETTINGS)


def _render(folder: Path, application: int) -> dict[str, int]:
    """Write the configuration for ``application``. Return the ports by those of the templates."""
    ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
    for name in ("tls", "rotation", "cache"):
        (folder / name).mkdir()
    _run("sh", str(ROOT / "nginx" / "15-environment.sh"), str(folder))
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=here"]
    files = ["-keyout", f"{folder}/tls/privkey.pem", "-out", f"{folder}/tls/fullchain.pem"]
    _run("openssl", "req", "-x509", *key, *files)
    moved = {
        "/etc/nginx/conf.d": str(folder),
        "/etc/nginx/tls": f"{folder}/tls",
        "/run/nginx": str(folder),
        "/run/rotation": f"{folder}/rotation",
        "/var/cache/nginx": f"{folder}/cache",
    } | {f"${{{name}}}": value for name, value in SETTINGS.items()}
    for template in (ROOT / "nginx").glob("*.template"):
        text = template.read_text()
        for old, new in moved.items():
            text = text.replace(old, new)
        text = re.sub(
            rf"(listen (?:127\.0\.0\.1:)?)({'|'.join(PORTS)})\b",
            lambda found: f"{found[1]}{ports[found[2]]}",
            text,
        )
        (folder / template.stem).write_text(text)
    script = (ROOT / "nginx" / "30-upstreams.sh").read_text()
    group = re.search(r"^upstream .*?^}\n", script, re.MULTILINE | re.DOTALL)
    assert group
    one = group[0].replace("$1:8000 resolve", f"127.0.0.1:{application}")
    port = 'map $host $replica_port {\n    default "";\n}\n'
    text = "".join(one.replace("$1", role) for role in ("web", "live")) + port
    (folder / "upstreams.inc").write_text(text)
    return ports


@contextlib.contextmanager
def _in_front(application: int, program: list[str], *, bare: bool = False) -> Iterator[int]:
    """Run nginx in front of the application, with our configuration or the barest. Yield its port.

    Raise ``LookupError`` if this nginx does not keep connections.
    """
    with tempfile.TemporaryDirectory() as name:
        words = [word.format(name, name) for word in program]
        version = subprocess.run([*words, "-v"], capture_output=True, text=True).stderr
        found = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", version)
        if not found or tuple(map(int, found.groups())) < (1, 27, 3):
            raise LookupError(f"nginx has to be 1.27.3 or later; here is {version.strip()}")
        port = _render(Path(name), application)["443"]
        if bare:
            [port] = _free_ports(1)
            text = BARE.format(folder=name, application=application, port=port)
            (Path(name) / "nginx.conf").write_text(text)
        # Its workers run as another user, who must be able to read the folders.
        Path(name).chmod(0o755)
        command = [*words, "-c", f"{name}/nginx.conf", "-g", "daemon off;"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            for _ in range(100):
                with (
                    contextlib.suppress(OSError),
                    socket.create_connection(("127.0.0.1", port), 1),
                ):
                    break
                if process.poll() is not None:
                    raise SystemExit(process.communicate()[1].decode())
                time.sleep(0.1)
            yield port
        finally:
            process.terminate()
            process.communicate()


def _exported(port: int, scheme: str, token: str) -> float:
    """Return the rows a second of an export of the whole ledger."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    request = urllib.request.Request(
        f"{scheme}://127.0.0.1:{port}/api/v1/purchases/export.csv",
        headers={"Authorization": f"Token {token}"},
    )
    lines, started = 0, time.perf_counter()
    with urllib.request.urlopen(request, context=context) as answer:
        while piece := answer.read(PIECE):
            lines += piece.count(b"\n")
    return lines / (time.perf_counter() - started)


def _staff() -> str:
    """Return a token that may read everything."""
    from accounts.models import Token, User

    staff, _ = User.objects.get_or_create(
        username="bench-staff", userid="bench-staff", defaults={"is_staff": True}
    )
    return Token.objects.create(staff)[1]


def _measure(rounds: int, seconds: int, program: list[str]) -> list[list[str]]:
    """Return the rows of the table."""
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    figures: dict[str, list[tuple[float, ...]]] = {"purchases/s": [], "rows exported/s": []}
    with (
        tempfile.TemporaryDirectory() as name,
        _serving(OURS) as port,
        _in_front(port, program) as front,
        _in_front(port, program, bare=True) as bare,
    ):
        _customers(Path(name))
        script = Path(name) / "buy.lua"
        script.write_text(SCRIPT.format(tokens=Path(name) / "tokens"))
        ways = ((port, "http"), (front, "https"), (bare, "https"))
        for one, scheme in ways:
            _buys(one, script, 16, 2, scheme)
        for _ in range(rounds):
            figures["purchases/s"].append(
                tuple(_buys(one, script, CONNECTIONS, seconds, scheme)[0] for one, scheme in ways)
            )
        token = _staff()
        for _ in range(rounds):
            figures["rows exported/s"].append(
                tuple(_exported(one, scheme, token) for one, scheme in ways)
            )
    return [
        [
            what,
            *(spread([one[way] for one in found], 0) for way in range(len(ways))),
            spread([one[1] / one[0] for one in found]),
            spread([one[2] / one[0] for one in found]),
        ]
        for what, found in figures.items()
    ]


def main(arguments: list[str] | None = None) -> list[str]:
    """Run the rounds. Return the lines of a Markdown table, or the reason why there is none."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nginx", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    options = parser.parse_args(arguments)
    if shutil.which("wrk") is None:
        return ["through nginx: not measured, because wrk is not installed"]
    try:
        rows = _measure(options.rounds, options.seconds, _program())
    except LookupError as error:
        return [f"through nginx: not measured, because {error}"]
    heads = ["what", "direct", "through nginx with TLS", "through the barest nginx"]
    return table([*heads, "through / direct", "barest / direct"], rows)


if __name__ == "__main__":
    print("\n".join(main()))
