"""A small SMTP server on a real socket that can misbehave in exactly one place."""

import contextlib
import socketserver
import threading
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message


class SMTPServer(socketserver.ThreadingTCPServer):
    """Keeps accepted mails in ``accepted``, and all mails that it has read in ``received``.

    ``perhaps`` are the mails that it did not refuse, which a real server might have delivered.

    ``mode`` is ``ok``; ``refuse``, which answers a finished mail with 451; ``reject``, which
    answers the recipient with 550; ``leave``, which ends the line there; ``drop`` or ``hang``,
    which do so after a whole mail; or ``silent``, which does not even greet. ``size`` is the size
    that it announces, ``size_enforced`` the size that it accepts.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.mode = "ok"
        self.size = 0
        self.size_enforced = 0
        self.accepted: list[Message] = []
        self.received: list[Message] = []
        self.perhaps: list[Message] = []
        self.connections = 0
        self.released = threading.Event()

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Session(socketserver.StreamRequestHandler):
    server: SMTPServer

    def say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            self.converse()

    def converse(self) -> None:
        self.server.connections += 1
        if self.server.mode == "silent":
            self.server.released.wait(60)
            return
        self.say("220 test")
        while line := self.rfile.readline():
            verb = line[:4].upper()
            if verb == b"EHLO" and self.server.size:
                self.say("250-test")
                self.say(f"250 SIZE {self.server.size}")
                continue
            if verb == b"DATA":
                self.say("354 go on")
                if not self.take():
                    return
            elif verb == b"RCPT" and self.server.mode == "leave":
                return
            elif verb == b"RCPT" and self.server.mode == "reject":
                self.say("550 no such mailbox")
            elif verb == b"QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 fine")

    def take(self) -> bool:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                # The client died in the middle of its mail.
                return False
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        if self.server.size_enforced and sum(map(len, lines)) > self.server.size_enforced:
            self.say("552 5.3.4 too large")
            return True
        message = message_from_bytes(b"".join(lines))
        self.server.received.append(message)
        if self.server.mode == "refuse":
            self.say("451 later")
            return True
        self.server.perhaps.append(message)
        if self.server.mode == "drop":
            return False
        if self.server.mode == "hang":
            self.server.released.wait(60)
            return False
        self.server.accepted.append(message)
        self.say("250 taken")
        return True


@contextlib.contextmanager
def smtp_server() -> Iterator[SMTPServer]:
    """Run the server during the block."""
    with SMTPServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()
