"""OpenTelemetry: off unless it is asked for, and then a span of each request arrives at the collector."""

import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from app.api import telemetry
from tests.calls import log_epoch, start_run
from tests.conftest import open_client
from tests.receiver import Receiver
from tests.server import COMMAND, Server

TRACE = "0af7651916cd43dd8448eb211c80319c"


def spans(receiver: Receiver) -> list[dict[str, Any]]:
    """All that arrived: its attributes, its service, its trace."""
    found = []
    for call in receiver.at("v1/traces"):
        for resource in ExportTraceServiceRequest.FromString(call.body).resource_spans:
            service = {one.key: one.value.string_value for one in resource.resource.attributes}["service.name"]
            for scope in resource.scope_spans:
                for span in scope.spans:
                    said = {one.key: one.value.string_value or one.value.int_value for one in span.attributes}
                    found.append({**said, "service": service, "trace": span.trace_id.hex(), "name": span.name})
    return found


def test_each_request_is_a_span_at_the_collector(tmp_path: Path) -> None:
    with Receiver(statuses={"v1/traces": 200, "v1/metrics": 200}) as collector:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url("").rstrip("/"), "TUNETRACK_LOG_LEVEL": "info"}
        env["TUNETRACK_LOG_FORMAT"] = "json"
        with Server(f"sqlite:///{tmp_path / 'x.db'}", env=env) as server, open_client(server) as client:
            run = start_run(client)
            client.headers["traceparent"] = f"00-{TRACE}-b7ad6b7169203331-01"
            client.headers["authorization"] = "Bearer s3cr3t"
            httpx.get(f"{server.url}/healthz", trust_env=False)
            client.headers.pop("authorization")
            log_epoch(client, run, 0, loss=1.0)
            server.terminate()  # what waits is sent before the end
            lines = [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]
        collector.wait_for("v1/metrics", 1)
        found = {span["http.route"]: span for span in spans(collector)}
    epoch = found["/v1/runs/{run_id}/epochs"]
    assert (epoch["http.request.method"], epoch["http.response.status_code"]) == ("POST", 200)
    assert (epoch["service"], epoch["trace"]) == ("tunetrack", TRACE)
    assert "/healthz" not in found
    assert [line["trace_id"] for line in lines if line.get("route") == "/v1/runs/{run_id}/epochs"] == [TRACE]
    assert not [call for call in collector.calls if b"s3cr3t" in call.body]


def test_nothing_of_it_is_loaded_where_nobody_asks() -> None:
    python = COMMAND.parent / "python"
    code = (
        "import sys, app.main; from sqlalchemy import URL; print([m for m in sys.modules if 'opentelemetry.sdk' in m])"
    )
    done = subprocess.run([python, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done


def test_it_is_told_that_the_extra_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "find_spec", lambda name: None)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:4318/v1/traces")
    assert telemetry.is_wanted()
    assert not telemetry.is_installed()
    assert telemetry.configuration()["tracing"] is False
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert not telemetry.is_wanted()
