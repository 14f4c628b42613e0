"""Receive webhooks: WEBHOOK_SECRET=whsec_… python receive_webhooks.py 9000

It has no code of the shop. Behind a proxy with HTTPS it is a whole receiver.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

seen: set[str] = (
    set()
)  # Keep the ids with your data, in one transaction with what a message changes.


def is_genuine(secret: str, headers: Message, body: bytes) -> bool:
    """Return whether the body is from the shop, and not older than five minutes."""
    id, at = headers["webhook-id"], headers["webhook-timestamp"]
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{id}.{at}.".encode() + body, hashlib.sha256)
    expected = "v1," + base64.b64encode(digest).decode()
    signed = any(hmac.compare_digest(expected, one) for one in headers["webhook-signature"].split())
    return signed and abs(time.time() - int(at)) < 300


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        genuine = is_genuine(os.environ["WEBHOOK_SECRET"], self.headers, body)
        if genuine and self.headers["webhook-id"] not in seen:
            for event in json.loads(body)["data"]["events"]:
                print(event["position"], event["event"], event, flush=True)
            seen.add(self.headers["webhook-id"])
        self.send_response(204 if genuine else 401)
        self.end_headers()


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
