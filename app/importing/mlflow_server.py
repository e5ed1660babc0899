"""A tracking server of MLflow, over its REST API 2.0."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from app.domain.addresses import around_proxies
from app.importing.mlflow_runs import MlflowRun, Point, to_steps, to_value
from app.importing.steps import CannotImport, Step

_API = "/api/2.0/mlflow"
_EXPERIMENTS_A_PAGE = 1000
_RUNS_A_PAGE = 200
_POINTS_A_PAGE = 10_000
_TIMEOUT_S = 60.0


class MlflowServer:
    """The active runs of a tracking server.

    Args:
        url: may hold a name and password; else the environment's MLFLOW_TRACKING_TOKEN is sent, where there is one.
    """

    def __init__(self, url: str) -> None:
        address = httpx.URL(url.rstrip("/"))
        self._auth = (address.username, address.password) if address.userinfo else None
        self._url = address.copy_with(userinfo=b"")  # it may be shown
        self.size: int | None = None
        self.position = 0

    def steps(self) -> Iterator[Step]:
        token = os.environ.get("MLFLOW_TRACKING_TOKEN")
        headers = {} if token is None or self._auth else {"Authorization": f"Bearer {token}"}
        mounts = around_proxies(self._url.host)
        with httpx.Client(
            base_url=self._url, auth=self._auth, headers=headers, timeout=_TIMEOUT_S, mounts=mounts
        ) as server:
            try:
                query = {"max_results": _EXPERIMENTS_A_PAGE, "view_type": "ACTIVE_ONLY"}
                experiments = list(_pages(server, "POST", "experiments/search", query, "experiments"))
                for experiment in experiments:
                    wanted = {
                        "experiment_ids": [experiment["experiment_id"]],
                        "max_results": _RUNS_A_PAGE,
                        "run_view_type": "ACTIVE_ONLY",
                        "order_by": ["attributes.start_time ASC"],
                    }
                    for run in _pages(server, "POST", "runs/search", wanted, "runs"):
                        yield from to_steps(_read_run(run, experiment["name"]), _read_points(server, run))
                        self.position += 1
            except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
                raise CannotImport(
                    f"{self._url} does not answer like an MLflow tracking server: {_why(error)}"
                ) from error


def _why(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        said = f"{error.response.status_code} {error.response.reason_phrase}"
        is_locked = error.response.status_code in (401, 403)
        way_in = "; set MLFLOW_TRACKING_TOKEN, or put a name and password into the address"
        return said + (way_in if is_locked else "")
    return str(error) if isinstance(error, httpx.HTTPError) else f"this is not one of its answers ({error!r})"


def _pages(
    server: httpx.Client, method: str, call: str, query: Mapping[str, Any], name: str
) -> Iterator[Mapping[str, Any]]:
    """All the things of a list."""
    token: str | None = ""
    while token is not None:
        sent = {**query} if not token else {**query, "page_token": token}
        path, is_post = f"{_API}/{call}", method == "POST"
        response = server.post(path, json=sent) if is_post else server.get(path, params=sent)
        page = response.raise_for_status().json()
        yield from page.get(name, [])
        token = page.get("next_page_token") or None


def _pairs(items: list[Mapping[str, str]]) -> dict[str, str]:
    return {item["key"]: item.get("value") or "" for item in sorted(items, key=lambda item: item["key"])}


def _milliseconds(text: Any) -> int | None:
    """Integers of 64 bits may come as texts; 0 and nothing are the same."""
    return int(text) if text else None


def _read_run(run: Mapping[str, Any], experiment: str) -> MlflowRun:
    info, data = run["info"], run.get("data", {})
    tags = _pairs(data.get("tags", []))
    return MlflowRun(
        run_id=info["run_id"],
        name=info.get("run_name") or tags.get("mlflow.runName", ""),
        experiment=experiment,
        status=info["status"],
        start_ms=_milliseconds(info.get("start_time")),
        end_ms=_milliseconds(info.get("end_time")),
        params=_pairs(data.get("params", [])),
        tags=tags,
    )


def _read_points(server: httpx.Client, run: Mapping[str, Any]) -> Iterator[Point]:
    for latest in run.get("data", {}).get("metrics", []):
        query = {"run_id": run["info"]["run_id"], "metric_key": latest["key"], "max_results": _POINTS_A_PAGE}
        for point in _pages(server, "GET", "metrics/get-history", query, "metrics"):
            value = to_value(float(point.get("value", 0.0)))  # "NaN" is a text, and float takes it
            yield Point(point["key"], int(point.get("step", 0)), int(point.get("timestamp", 0)), value)
