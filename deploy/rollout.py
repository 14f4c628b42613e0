"""Start the stack, and replace its processes without an outage.

A deploy starts new replicas beside the old ones. Each generation of replicas has a colour, which is
part of its name in Docker's network. A file in nginx's container says which colour gets new
requests, and nginx looks at the file for each request. So nginx is not reloaded, and no request in
progress is touched. Then the old replicas are stopped one after another: each finishes its requests
within its ``stop_grace_period``, and closes its sockets with 1012.
"""

from __future__ import annotations

import os
import subprocess
import time

from deploy.backup import NOT_REPLAYED, is_marked, start
from deploy.compose import (
    ENV_FILE,
    OVERLAPPING,
    READY_SECONDS,
    ROLLED,
    SINGLE,
    Failure,
    Stack,
    exclusive_lock,
    print_line,
    read_env,
    remove,
    run_in,
    wait_ready,
    write_env,
)

COLOURS = ("blue", "green")
SWITCH_SECONDS = 4.0
"""How long nginx may still use an address that it has resolved: twice the measured time."""
FIRST_ACCOUNT = """\
Nobody can enter /admin/ yet. Make the first superuser, whose password is asked for:
    docker compose exec web python manage.py create_account NAME --superuser --email ADDRESS
and an account for each program that sends purchases in, which prints its token:
    docker compose exec web python manage.py create_account NAME --client"""


def up(stack: Stack, *, build: bool) -> None:
    """Start every container that does not run."""
    with exclusive_lock():
        if build:
            stack.compose("build", "check")
        stack.check()
        try:
            start(stack)
        except Failure as failure:
            if stack.containers("postgres") and is_marked(stack):
                raise Failure(NOT_REPLAYED) from None
            raise failure
        direct_requests(stack.running_container("nginx"), None)
        print_line("The stack is up and healthy.")
        if stack.sql("SELECT count(*) FROM accounts_user WHERE is_superuser") == "0":
            print_line(FIRST_ACCOUNT)


def deploy(stack: Stack, *, build: bool) -> None:
    """Replace every process by one of the newly built image, without an outage."""
    with exclusive_lock():
        serving = read_env(ENV_FILE).get("COLOUR") or COLOURS[0]
        (colour,) = set(COLOURS) - {serving}
        nginx = stack.running_container("nginx")
        old = {service: stack.generation(service, serving) for service in ROLLED}
        if not all(old.values()):
            raise Failure("web or live does not run; `make up` starts the stack.")
        tag = time.strftime("%Y%m%d%H%M%S") if build else stack.tag
        environment = dict(os.environ) | {"TAG": tag, "COLOUR": colour}
        if build:
            print_line(f"Building version {tag}.")
            stack.compose("build", "check", env=environment)
        stack.check(env=environment)
        stack.check("python", "manage.py", "check_migrations", env=environment)
        print_line("Migrating, while the version before still serves.")
        stack.run_once("migrate", env=environment)
        # From here on no new replica gets a request until all of them are healthy.
        direct_requests(nginx, serving)
        remove_leftovers(stack, colour)
        try:
            for service in ROLLED:
                start_beside(stack, service, len(old[service]), environment)
            for service in ROLLED:
                wait_ready(stack.generation(service, colour))
            run_in(nginx, "sh /etc/nginx/templates/reload.sh")
            for service in ROLLED:
                wait_reached(nginx, f"{service}-{colour}")
        except BaseException:
            print_line("Taking the new replicas away again; the old ones serve on.")
            for service in ROLLED:
                remove(stack.generation(service, colour))
            # Until then the names without a colour may lead to a replica that is gone.
            time.sleep(SWITCH_SECONDS)
            direct_requests(nginx, None)
            raise
        # A later `up` compares the containers with these values.
        write_env(ENV_FILE, {"TAG": tag, "COLOUR": colour})
        began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        direct_requests(nginx, colour)
        run_in(nginx, "rm -rf /var/cache/nginx/micro/*")
        print_line(f"New requests go to the {colour} replicas.")
        time.sleep(SWITCH_SECONDS)
        for service in ROLLED:
            for number, one in enumerate(old[service], 1):
                remove([one])
                print_line(f"Drained {service} {number} of {len(old[service])}.")
        # Only the new replicas have the name without a colour now.
        time.sleep(SWITCH_SECONDS)
        direct_requests(nginx, None)
        for service in OVERLAPPING:
            before = stack.all_containers(service)
            # After a deploy that was interrupted here there are replicas of both colours.
            count = max(len(stack.generation(service, one)) for one in COLOURS) or len(before)
            try:
                start_beside(stack, service, count, environment, keep=before)
            except BaseException:
                remove([one for one in stack.all_containers(service) if one not in before])
                raise
            remove(before)
        for service in SINGLE:
            stack.compose("up", "-d", "--no-deps", service, env=environment, quiet=True)
            stack.wait_healthy(service)
            print_line(f"Replaced {service}.")
        record_deploy(stack.generation("web", colour), tag, began)
        print_line(f"Version {tag} runs.")


def record_deploy(replicas: list[str], tag: str, began: str) -> None:
    """Write for the operating figures when the version began to serve."""
    command = f"python manage.py record_deploy {tag} --by 'make deploy' --started-at {began}"
    try:
        run_in(replicas[0], command)
    except (Failure, IndexError):
        print_line("The deploy could not be written down; its effect will not be shown.")


def start_beside(
    stack: Stack,
    service: str,
    count: int,
    environment: dict[str, str],
    keep: list[str] | None = None,
) -> None:
    """Start ``count`` new replicas beside the present ones, one after another.

    Raise ``Failure`` if one of them does not become healthy.
    """
    before = stack.all_containers(service) if keep is None else keep
    for number in range(1, count + 1):
        scale = f"{service}={len(before) + number}"
        words = ["up", "-d", "--no-deps", "--no-recreate", "--scale", scale, service]
        stack.compose(*words, env=environment, quiet=True)
        fresh = [one for one in stack.all_containers(service) if one not in before]
        if len(fresh) != number:
            raise Failure(f"There are {len(fresh)} new {service}, and not {number}.")
        stack.wait_healthy(ids=fresh)
        print_line(f"Started {service} {number} of {count}.")


def direct_requests(nginx: str, colour: str | None) -> None:
    """Send new requests to one generation only, or with ``None`` to every generation.

    The new file is made before the old one is deleted, so there is always one of them.
    """
    here = [f"/run/rotation/{service}-{colour}" for service in ROLLED if colour]
    others = [
        f"/run/rotation/{service}-{one}" for service in ROLLED for one in COLOURS if one != colour
    ]
    touch = f"touch {' '.join(here)} && " if here else ""
    run_in(nginx, f"{touch}rm -f {' '.join(others)}")


def remove_leftovers(stack: Stack, colour: str) -> None:
    """Remove the replicas of the next colour that an interrupted deploy has left."""
    left = [one for service in ROLLED for one in stack.generation(service, colour)]
    if left:
        print_line(f"Draining {len(left)} replicas that an interrupted deploy left behind.")
        time.sleep(SWITCH_SECONDS)
        remove(left)


def wait_reached(nginx: str, name: str) -> None:
    """Wait until nginx reaches a replica by that name. Raise ``Failure`` if it does not in time."""
    deadline = time.monotonic() + READY_SECONDS
    words = ["docker", "exec", nginx, "curl", "-fsS", "-o", "/dev/null"]
    words.append(f"http://127.0.0.1:8080/reach/{name}")
    while (answer := subprocess.run(words, capture_output=True, text=True)).returncode:
        if time.monotonic() > deadline:
            raise Failure(f"nginx does not reach {name}. {answer.stderr.strip()}")
        time.sleep(0.5)
