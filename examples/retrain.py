"""Retraining as soon as a model is no longer good enough, by webhook: `python examples/retrain.py [URL]`.

The service must be allowed to call this machine:

    tunetrack serve --webhook-allow 127.0.0.0/8
"""

import base64
import hashlib
import hmac
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Queue

from tunetrack_client import Client

calls: Queue[tuple[dict[str, str], bytes]] = Queue()


class Receiver(BaseHTTPRequestHandler):
    """Takes a call, and answers before anything is done about it."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        calls.put(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def is_genuine(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Whether the service has sent it (Standard Webhooks 1.0; there are libraries that look at the time as well)."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return any(hmac.compare_digest(wanted, sent) for sent in headers["webhook-signature"].split())


def main() -> None:
    """Watch a model, let it become bad, and train it anew when told so."""
    client = Client(sys.argv[1] if len(sys.argv) > 1 else None)
    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        observer = client.ask(
            "POST",
            "/v1/observers",
            {
                "url": f"http://127.0.0.1:{server.server_port}/",
                "types": ["training_end"],
                "tag": "monitor",
                "when": 'type = "training_end" and final_metrics.accuracy < 0.9',
            },
            is_new=True,
        )
        for day, accuracy in enumerate((0.95, 0.93, 0.85)):  # what a monitor would measure
            with client.run(name=f"day {day}", tags=["monitor"]) as run:
                run.final(accuracy=accuracy)
            print(f"day {day}: accuracy {accuracy}")
        server.handle_request()
    headers, body = calls.get()
    if not is_genuine(observer["secret"], headers, body):
        raise SystemExit("somebody else called")
    event = json.loads(body)["data"]
    print(f"called: accuracy {event['final_metrics']['accuracy']}; training anew")
    with client.run({"reason": f"event {event['event_id']}"}, name="retraining") as run:
        run.final(accuracy=0.97)
    client.ask("DELETE", f"/v1/observers/{observer['observer_id']}")
    print(f"run {run.run_id} has retrained the model")


if __name__ == "__main__":
    main()
