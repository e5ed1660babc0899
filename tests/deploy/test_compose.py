"""The Compose file says what it must: who waits for whom, where secrets come from, what nobody may do.

No container engine is needed to know that. What runs in it is tested as processes, in
`tests/live/test_rolling_restart.py`, and the image by `make image-test`.
"""

import re
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from app.cli import cli
from app.cli.environment import settings_of

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
REPLICAS = ("tunetrack-1", "tunetrack-2")
OURS = (*REPLICAS, "first-key")
LONGEST_DRAIN_S = 15
SECRETS = "/run/secrets/"


def waits_for(service: str) -> dict[str, str]:
    """The services that must be there before, and how."""
    return {name: one["condition"] for name, one in SERVICES[service].get("depends_on", {}).items()}


def seconds(text: str) -> int:
    """A duration, of which only seconds are written here."""
    assert re.fullmatch(r"\d+s", text), text
    return int(text[:-1])


def test_each_waits_for_what_it_needs() -> None:
    order = list(TopologicalSorter({name: waits_for(name).keys() for name in SERVICES}).static_order())
    assert [name for name in order if name not in REPLICAS] == ["postgres", "first-key", "proxy"]
    for replica in REPLICAS:
        assert waits_for(replica) == {"postgres": "service_healthy", "first-key": "service_completed_successfully"}
    assert waits_for("proxy") == dict.fromkeys(REPLICAS, "service_healthy")


def test_what_must_be_healthy_has_a_way_to_say_so() -> None:
    has_own = "HEALTHCHECK" in (ROOT / "Dockerfile").read_text()
    for name in SERVICES:
        for other, condition in waits_for(name).items():
            check = SERVICES[other].get("healthcheck", {})
            if condition == "service_healthy":
                assert "test" in check or ("build" in SERVICES[other] and has_own and not check), other
            else:
                assert condition == "service_completed_successfully"
                assert SERVICES[other]["restart"] == "on-failure", "what completes does not start again"


def test_secrets_come_from_files_alone() -> None:
    assert all(set(secret) == {"file"} for secret in COMPOSE["secrets"].values())
    for name, service in SERVICES.items():
        given = set(service.get("secrets", ()))
        assert given <= COMPOSE["secrets"].keys()
        named = set()
        for variable, value in service.get("environment", {}).items():
            if value.startswith(SECRETS):
                assert variable.endswith("_FILE")
                named.add(value.removeprefix(SECRETS))
            else:
                assert not re.search("PASSWORD|SECRET|KEY|DATABASE|_FILE", variable), (name, variable)
        assert named == given, f"{name} gets what it reads, and reads what it gets"


def test_the_head_of_the_file_says_how_to_make_each_secret() -> None:
    head = TEXT[: TEXT.index("\nname:")]
    for secret in COMPOSE["secrets"].values():
        assert f"> {secret['file']}" in head
    assert "secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def test_each_variable_is_a_setting_of_the_service() -> None:
    known = settings_of(typer.main.get_command(cli))  # type: ignore[arg-type]  # it is a group of them
    for name in OURS:
        for variable in SERVICES[name]["environment"]:
            assert variable.removesuffix("_FILE") in known, variable


@pytest.mark.parametrize("name", [*OURS, "proxy"])
def test_whoever_is_reached_from_outside_may_do_next_to_nothing(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged")
    assert all(volume.endswith(":ro") for volume in service.get("volumes", ()))


def test_only_the_proxy_is_reached_and_only_from_this_machine() -> None:
    assert [name for name, service in SERVICES.items() if service.get("ports")] == ["proxy"]
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["proxy"]["ports"])


def test_a_replica_may_take_longer_to_go_than_it_does() -> None:
    for name in REPLICAS:
        assert seconds(SERVICES[name]["stop_grace_period"]) > LONGEST_DRAIN_S
    assert seconds(SERVICES["postgres"]["stop_grace_period"]) >= seconds(SERVICES["tunetrack-1"]["stop_grace_period"])


def test_the_proxy_has_its_configuration_and_knows_the_replicas() -> None:
    mounted = [volume.split(":")[0] for volume in SERVICES["proxy"]["volumes"]]
    assert mounted == ["./deploy/nginx.conf"]
    configuration = (ROOT / "deploy" / "nginx.conf").read_text()
    (port,) = re.findall(r"^EXPOSE (\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert re.findall(r"^\s+server (\S+) ", configuration, re.MULTILINE) == [f"{name}:{port}" for name in REPLICAS]


def test_the_data_outlive_the_containers() -> None:
    (volume,) = SERVICES["postgres"]["volumes"]
    assert volume.split(":")[0] in COMPOSE["volumes"]


def test_images_have_versions() -> None:
    for name, service in SERVICES.items():
        assert "build" in service or re.search(r":\d", service["image"]), name
