"""Image, compose and Kubernetes files: clean for their linters, and at one with each other and with Volley's own names."""

import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml
from cloudcoil.models.keda.v1alpha1 import ScaledObject
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.deploy.files import BIN, DEPLOY, ROOT
from volley.settings import Settings, load

Document = dict[str, Any]
BASE = DEPLOY / "kubernetes" / "base"
DOCKERFILE = DEPLOY / "container" / "Dockerfile"
COMPOSE = DEPLOY / "compose" / "compose.yaml"
NO_SETTINGS = {"postgres_password", "grafana_password"}


def run(tool: str, *words: str | Path) -> tuple[int, str]:
    done = subprocess.run([BIN / tool, *words], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def read(path: Path) -> Document:
    found: Document = yaml.safe_load(path.read_text("utf-8"))
    return found


def resources() -> list[Document]:
    """All of the kustomize base."""
    paths = [BASE / name for name in read(BASE / "kustomization.yaml")["resources"]]
    return [document for path in paths for document in yaml.safe_load_all(path.read_text("utf-8"))]


def test_hadolint_finds_nothing() -> None:
    assert run("hadolint", DOCKERFILE) == (0, "")


def test_the_image_has_stages_runs_as_nobody_and_asks_its_own_process() -> None:
    text = DOCKERFILE.read_text("utf-8")
    assert len(re.findall(r"^FROM ", text, re.M)) == 2
    assert re.findall(r"^USER (\d+):(\d+)$", text, re.M) == [("10001", "10001")]
    assert 'CMD ["volley", "healthy"]' in text
    assert re.findall(r"^ENTRYPOINT (.*)$", text, re.M) == ['["volley"]']


def test_only_what_the_image_needs_goes_to_its_builder() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        word
        for line in re.findall(r"^COPY ([^-].*) \S+$", DOCKERFILE.read_text("utf-8"), re.M)
        for word in line.split()
    }
    assert kept == copied


def locked(name: str) -> dict[str, list[str]]:
    """Each requirement of a lock file, as `name==version` with its marker, and the hashes of its files."""
    text = (DOCKERFILE.parent / name).read_text("utf-8").replace("\\\n", " ")
    lines = [line.split("--hash=") for line in text.splitlines()]
    return {line[0].strip(): [each.strip() for each in line[1:]] for line in lines if line[0].strip()}


@pytest.mark.parametrize("lock", ["requirements.txt", "build.txt"])
def test_what_the_image_stands_on_is_pinned_to_files_whose_hashes_are_known(lock: str) -> None:
    for requirement, hashes in locked(lock).items():
        assert re.match(r"[a-z0-9._-]+==\S+( ; .*)?$", requirement), requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), requirement
    assert f"--require-hashes -r /src/{lock}" in DOCKERFILE.read_text("utf-8")


def test_the_image_has_all_that_the_project_asks_for_as_it_asks_for_it() -> None:
    """pyproject.toml changed and `make lock` was forgotten: this says so."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    asked = {
        "requirements.txt": [
            *project["project"]["dependencies"],
            *project["project"]["optional-dependencies"]["postgres"],
        ],
        "build.txt": project["build-system"]["requires"],
    }
    for lock, wanted in asked.items():
        held = [Requirement(each) for each in locked(lock)]
        versions = {each.name: next(iter(each.specifier)).version for each in held}
        for each in map(Requirement, wanted):
            assert each.specifier.contains(versions[canonicalize_name(each.name)]), f"{each}: make lock"


def test_compose_is_what_its_specification_says() -> None:
    code, said = run("check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE)
    assert code == 0, said


def test_compose_runs_all_parts_each_durable_and_bounded() -> None:
    services = read(COMPOSE)["services"]
    assert set(services) == {"valkey", "postgres", "serve", "worker", "prometheus", "grafana"}
    assert services["worker"]["deploy"]["replicas"] == 2
    command = services["valkey"]["command"]
    assert command[command.index("--appendonly") + 1] == "yes"
    assert command[command.index("--appendfsync") + 1] == "always"
    for name in ("serve", "worker"):
        assert services[name]["read_only"] is True
        assert services[name]["command"] == [name]
    assert services["serve"]["image"] == services["worker"]["image"]
    assert all("restart" in service and "logging" in service for service in services.values())
    assert all(str(port).startswith("127.0.0.1:") for service in services.values() for port in service.get("ports", []))


def test_what_compose_gives_volley_are_settings(tmp_path: Path) -> None:
    serve = read(COMPOSE)["services"]["serve"]
    given = {name: "redis://x:1/0" if "URL" in name else "500" for name in serve["environment"]}
    for name in serve["secrets"]:
        (tmp_path / name).write_text("x")
    made = load({**given, "VOLLEY_PUBLIC_URL": "https://x.example", "CREDENTIALS_DIRECTORY": str(tmp_path)}, tmp_path)
    assert made.ledger_url == "x"
    assert set(read(COMPOSE)["secrets"]) - NO_SETTINGS <= set(Settings.model_fields)


@pytest.mark.parametrize("toml", [DEPLOY / "compose" / "volley.toml", BASE / "volley.toml"])
def test_the_settings_files_are_settings(toml: Path, tmp_path: Path) -> None:
    (tmp_path / "volley.toml").write_text(toml.read_text("utf-8"))
    assert load({"VOLLEY_HOME": str(tmp_path)}, tmp_path).rates.account == 50


def test_kubernetes_takes_every_resource_strictly_and_without_a_warning() -> None:
    files = [BASE / name for name in read(BASE / "kustomization.yaml")["resources"] if name != "scaling.yaml"]
    for path in files:
        code, said = run("kubernetes-validate", "--strict", path)
        assert (code, "WARN" in said, "passed" in said) == (0, False, True), said


def test_the_strict_check_can_fail(tmp_path: Path) -> None:
    broken = tmp_path / "worker.yaml"
    broken.write_text((BASE / "worker.yaml").read_text("utf-8").replace("livenessProbe", "liveProbe"))
    assert run("kubernetes-validate", "--strict", broken)[0] != 0


def scaled() -> Document:
    [found] = [document for document in resources() if document["kind"] == "ScaledObject"]
    return found


def kept(document: Document) -> Document:
    """What KEDA's own model makes of it: what it does not know is not in there."""
    model = ScaledObject.model_validate(document)
    found: Document = json.loads(model.model_dump_json(by_alias=True, exclude_none=True, exclude_unset=True))
    return found


def test_keda_knows_every_field_of_the_scaled_object() -> None:
    document = scaled()
    assert kept(document) == document


def test_what_keda_does_not_know_is_noticed() -> None:
    document = scaled()
    document["spec"]["cooldownPeriode"] = document["spec"].pop("cooldownPeriod")
    assert kept(document) != document


def test_keda_asks_for_what_the_dashboard_shows_and_prometheus_can_parse() -> None:
    [trigger] = scaled()["spec"]["triggers"]
    query = trigger["metadata"]["query"]
    promql_parser.parse(query)
    named = set(re.findall(r"volley_\w+", query))
    # every expression of the dashboard is looked up in the live endpoint elsewhere
    shown = set(re.findall(r"volley_\w+", (DEPLOY / "grafana" / "volley.json").read_text("utf-8")))
    assert named == {"volley_due_messages", "volley_rate_parts", "volley_allowed_rate_parts"}
    assert named <= shown


def test_what_compose_mounts_for_prometheus_and_grafana_is_there() -> None:
    [rules] = read(DEPLOY / "compose" / "prometheus.yml")["rule_files"]
    services = read(COMPOSE)["services"]
    mounts = {target: source for source, target, *_ in (each.split(":") for each in services["prometheus"]["volumes"])}
    assert (COMPOSE.parent / mounts[str(Path(rules).parent)] / Path(rules).name).is_file()
    [provider] = read(COMPOSE.parent / "grafana/provisioning/dashboards/volley.yaml")["providers"]
    mounts = {target: source for source, target, *_ in (each.split(":") for each in services["grafana"]["volumes"])}
    assert (COMPOSE.parent / mounts[provider["options"]["path"]] / "volley.json").is_file()


def test_every_selector_of_the_base_finds_its_pods() -> None:
    found = resources()
    pods = [each["spec"]["template"]["metadata"]["labels"] for each in found if each["kind"] == "Deployment"]
    for each in found:
        spec = each.get("spec", {})
        wanted = {
            "Service": lambda spec=spec: spec["selector"],
            "Deployment": lambda spec=spec: spec["selector"]["matchLabels"],
            "PodDisruptionBudget": lambda spec=spec: spec["selector"]["matchLabels"],
            "NetworkPolicy": lambda spec=spec: spec["podSelector"]["matchLabels"],
        }.get(each["kind"])
        if wanted:
            labels = wanted().items()
            assert any(labels <= pod.items() for pod in pods), each["metadata"]["name"]
    names = {each["metadata"]["name"] for each in found if each["kind"] == "Deployment"}
    assert scaled()["spec"]["scaleTargetRef"]["name"] in names


def test_every_container_is_bounded_probed_and_may_write_nothing_but_its_folders() -> None:
    deployments = [each["spec"]["template"]["spec"] for each in resources() if each["kind"] == "Deployment"]
    assert len(deployments) == 2
    for pod in deployments:
        [container] = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert {"livenessProbe", "startupProbe", "lifecycle", "resources"} <= container.keys()
        assert container["args"] == [container["name"]]
