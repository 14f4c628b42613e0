"""A server that stores: SMTP with a sign-in, each mail a file in /mail, and webhooks by HTTP."""

import asyncio
import base64
import itertools
from pathlib import Path

FOLDER = Path("/mail")
ACCOUNT = ("shop", "mail-password")
numbers = itertools.count(1)


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    def say(line: str) -> None:
        writer.write(line.encode() + b"\r\n")

    signed_in = False
    say("220 mail ESMTP")
    while line := await reader.readline():
        words = line.decode().split()
        verb = words[0].upper() if words else ""
        if verb == "EHLO":
            say("250-mail")
            say("250-AUTH PLAIN")
            say("250 8BITMIME")
        elif verb == "AUTH":
            _, user, password = base64.b64decode(words[2]).decode().split("\0")
            signed_in = (user, password) == ACCOUNT
            say("235 signed in" if signed_in else "535 wrong")
        elif verb == "QUIT":
            say("221 bye")
            break
        elif verb in ("MAIL", "RCPT", "DATA") and not signed_in:
            say("530 sign in first")
        elif verb == "DATA":
            say("354 go on")
            lines = []
            while (line := await reader.readline()) not in (b".\r\n", b""):
                lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
            part = FOLDER / f"{next(numbers):04}.part"
            part.write_bytes(b"".join(lines))
            part.rename(part.with_suffix(".eml"))
            say("250 taken")
        else:
            say("250 fine")
        await writer.drain()
    writer.close()


async def _receive(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take one webhook, whose body becomes a line of /mail/hooks.jsonl."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length:")[2].split()[0])
    body = await reader.readexactly(length)
    with (FOLDER / "hooks.jsonl").open("ab") as file:
        file.write(body + b"\n")
    writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


async def _main() -> None:
    await asyncio.start_server(_receive, "0.0.0.0", 9000)
    server = await asyncio.start_server(_converse, "0.0.0.0", 2525)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
