"""The files of the containers: what linters say of them, and that what they name exists."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from sgdr_service.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docker"
BIN = Path(sys.executable).parent
DOCKERFILE = (FOLDER / "Dockerfile").read_text()
COMPOSE_TEXT = (FOLDER / "compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}
KUBERAY: dict[str, dict[str, Any]] = {
    resource["kind"]: resource for resource in yaml.safe_load_all((FOLDER / "kuberay.yaml").read_text())
}
SECRET = re.compile(r"PASSWORD|TOKEN|SECRET|KEY")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_hadolint_finds_nothing() -> None:
    done = run(BIN / "hadolint", FOLDER / "Dockerfile")
    assert done.returncode == 0, done.stdout


def test_compose_is_of_its_schema() -> None:
    schema = ("--builtin-schema", "vendor.compose-spec")
    done = run(sys.executable, "-m", "check_jsonschema", *schema, FOLDER / "compose.yaml")
    assert done.returncode == 0, done.stdout


def stages() -> list[str]:
    return re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]


def test_the_image_runs_as_nobody_in_particular_and_holds_no_secret() -> None:
    user = re.findall(r"^USER (\S+)", stages()[-1], re.MULTILINE)[-1]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert not [line for line in DOCKERFILE.splitlines() if re.match("ARG|ENV", line) and SECRET.search(line)]


def test_the_image_has_what_is_built_and_no_tools_to_build() -> None:
    build, final = stages()
    assert "pip" not in final and re.search(r"^COPY --from=build", final, re.MULTILINE)
    extras = {name: found.split(",") for name, found in re.findall(r"(\w+)\) extras=(\S+) ;;", build)}
    assert extras["cpu"] == ["ray", "service", "postgres", "workloads"]
    assert extras["cuda"] == [*extras["cpu"], "cuda"]
    assert set(extras["cuda"]) <= set(PROJECT["optional-dependencies"])
    assert "constraints.txt" in build
    minor = re.match(r"python:3\.(\d+)-slim", build)
    assert minor and int(minor[1]) >= int(PROJECT["requires-python"].removeprefix(">=3."))


def test_what_the_image_is_made_of_is_sent_to_the_builder() -> None:
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
    sent = re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    assert sorted(sent) == sorted(" ".join(copied).split())
    assert all((ROOT / name).exists() for name in sent)


def test_secrets_must_be_given() -> None:
    named = re.findall(r"\$\{(\w+)(:[-?])?([^}]*)\}", COMPOSE_TEXT)
    secret = {(how, bool(text)) for name, how, text in named if SECRET.search(name)}
    assert secret == {(":?", True)}
    assert all(how == ":-" and text for name, how, text in named if not SECRET.search(name))


def test_every_service_is_watched_bounded_and_begun_again() -> None:
    assert set(SERVICES) == {"postgres", "api", "ray-head", "ray-worker", "ray-worker-gpu"}
    for service in SERVICES.values():
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
        for needed, how in service.get("depends_on", {}).items():
            assert needed in SERVICES and how == {"condition": "service_healthy"}
        for volume in service.get("volumes", ()):
            assert volume.partition(":")[0] in COMPOSE["volumes"]
    for service in OURS.values():
        assert service["cap_drop"] == ["ALL"]
        assert int(service["stop_grace_period"].removesuffix("s")) > 30  # for which Ray drains a node


def test_gpus_are_asked_for_by_profile() -> None:
    assert {name for name, value in SERVICES.items() if "profiles" in value} == {"ray-worker-gpu"}
    worker = SERVICES["ray-worker-gpu"]
    assert worker["profiles"] == ["gpu"]
    assert worker["build"]["args"] == {"ACCELERATOR": "cuda"}
    (device,) = worker["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia" and device["capabilities"] == ["gpu"]
    assert f"--num-gpus={device['count']}" in worker["command"]


def test_what_the_service_is_told_are_its_settings() -> None:
    for environment in (SERVICES["api"]["environment"], variables(api_container())):
        told = {name for name in environment if name.startswith("SGDR_")}
        assert told >= {"SGDR_STORAGE", "SGDR_RAY_ADDRESS", "SGDR_CHECKPOINTS", "SGDR_TOKEN_FILE"}
        assert {name.removeprefix("SGDR_").lower() for name in told} <= set(Settings.model_fields)


def variables(container: dict[str, Any]) -> dict[str, Any]:
    return {variable["name"]: variable for variable in container["env"]}


def api_container() -> dict[str, Any]:
    (container,) = KUBERAY["Deployment"]["spec"]["template"]["spec"]["containers"]
    return container


def commands() -> list[list[str]]:
    """Every command of ours that the files run, and those of PostgreSQL and Ray."""
    texts = [
        text
        for service in SERVICES.values()
        for text in (service["command"], service["healthcheck"]["test"][1:])
    ]
    texts += [api_container()["args"]]
    for group in groups():
        container = group["template"]["spec"]["containers"][0]
        texts += [container[probe]["exec"]["command"] for probe in ("livenessProbe", "readinessProbe")]
        texts += [["ray", "start", *(f"--{name}={value}" for name, value in group["rayStartParams"].items())]]
    settings = []
    for words in texts:
        if words[0] == "sh":
            settings += [shlex.split(part) for part in re.split(r"[;&\n]|\bdo\b|\bexec\b", words[-1])]
        else:
            settings.append(words)
    return [words for words in settings if words and words[0] in ("ray", "sgdr", "pg_isready")]


@cache
def options(*command: str) -> set[str]:
    done = run(BIN / command[0] if command[0] != "pg_isready" else command[0], *command[1:], "--help")
    assert done.returncode == 0, done.stderr
    return set(re.findall(r"--[\w-]+", done.stdout))


@pytest.mark.slow
def test_every_option_that_is_given_exists() -> None:
    lines = commands()
    assert {tuple(command_line[:2]) for command_line in lines} >= {
        ("ray", "start"),
        ("ray", "health-check"),
        ("sgdr", "serve"),
    }
    for command in lines:
        program = command[:1] if command[0] == "pg_isready" else command[:2]
        if program == ["pg_isready"] and run("sh", "-c", "command -v pg_isready").returncode:
            continue  # its image has it
        given = {word.partition("=")[0] for word in command if word.startswith("--")}
        assert given <= options(*program), command


def groups() -> list[dict[str, Any]]:
    spec = KUBERAY["RayCluster"]["spec"]
    return [spec["headGroupSpec"], *spec["workerGroupSpecs"]]


def test_kuberay_has_a_cluster_of_its_first_version() -> None:
    cluster = KUBERAY["RayCluster"]
    assert cluster["apiVersion"] == "ray.io/v1"
    version = re.search(r"^ray==(.*)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert version and cluster["spec"]["rayVersion"] == version[1]
    for group in cluster["spec"]["workerGroupSpecs"]:
        assert group["groupName"] and group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    for group in groups():
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        spec = group["template"]["spec"]
        (container,) = spec["containers"]
        assert set(container["resources"]) == {"requests", "limits"}
        assert {mount["name"] for mount in container["volumeMounts"]} == {
            volume["name"] for volume in spec["volumes"]
        }
        assert variables(container)["RAY_AUTH_TOKEN"]["valueFrom"]["secretKeyRef"]["key"] == "auth_token"
    head, *workers = (group["rayStartParams"]["num-cpus"] for group in groups())
    assert head == "0" and all(int(worker) > 0 for worker in workers)


def test_kuberay_has_the_service_beside_it() -> None:
    name = KUBERAY["RayCluster"]["metadata"]["name"]
    spec = KUBERAY["Deployment"]["spec"]
    assert spec["replicas"] == 1 and spec["strategy"] == {"type": "Recreate"}
    assert spec["selector"]["matchLabels"] == spec["template"]["metadata"]["labels"]
    assert KUBERAY["Service"]["spec"]["selector"] == spec["selector"]["matchLabels"]
    container = api_container()
    assert variables(container)["SGDR_RAY_ADDRESS"]["value"] == f"{name}-head-svc:6379"
    assert "valueFrom" in variables(container)["SGDR_STORAGE"]
    assert KUBERAY["Service"]["spec"]["ports"][0]["targetPort"] == container["ports"][0]["name"]
    assert spec["template"]["spec"]["hostname"] == SERVICES["api"]["hostname"]
    assert spec["template"]["spec"]["enableServiceLinks"] is False


def test_kuberay_runs_as_the_image_does_and_shows_no_secret() -> None:
    user = int(re.findall(r"^USER (\d+):", DOCKERFILE, re.MULTILINE)[-1])
    pods = [group["template"]["spec"] for group in groups()]
    pods.append(KUBERAY["Deployment"]["spec"]["template"]["spec"])
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == user
        for container in pod["containers"]:
            confined = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
            assert container["securityContext"] == confined
            for name, variable in variables(container).items():
                assert "value" not in variable or name.endswith("_FILE") or not SECRET.search(name)


@pytest.mark.parametrize("kind", ["RayCluster", "Deployment"])
def test_kuberays_group_for_gpus_is_a_comment_that_can_be_taken_in(kind: str) -> None:
    text = (FOLDER / "kuberay.yaml").read_text()
    whole = re.sub(r"^    # ?(- groupName: gpu|  .*)$", r"    \1", text, flags=re.MULTILINE)
    documents = {document["kind"]: document for document in yaml.safe_load_all(whole)}
    if kind == "Deployment":
        assert documents[kind] == KUBERAY[kind]
        return
    cpu, gpu = documents[kind]["spec"]["workerGroupSpecs"]
    assert cpu == groups()[1]
    assert gpu["groupName"] == "gpu"
    (container,) = gpu["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == int(gpu["rayStartParams"]["num-gpus"])
