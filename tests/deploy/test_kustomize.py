"""What kustomize makes of the base, by our own small reading of it: everything that one file names is in another, under that name."""

import copy
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.files import DEPLOY, ROOT

BASE = DEPLOY / "kubernetes" / "base"
HOW_TO = ROOT / "docs" / "how-to" / "run-under-kubernetes.md"
NAME = "app.kubernetes.io/name"
FROM_THE_OVERLAY = {"volley"}
"""Secrets that are not in the base."""
Document = dict[str, Any]


def settings() -> Document:
    found: Document = yaml.safe_load((BASE / "kustomization.yaml").read_text("utf-8"))
    return found


def base() -> list[Document]:
    files = settings()["resources"]
    return [each for name in files for each in yaml.safe_load_all((BASE / name).read_text("utf-8"))]


def by_kind(documents: Sequence[Document], kind: str) -> dict[str, Document]:
    return {each["metadata"]["name"]: each for each in documents if each["kind"] == kind}


def broken(documents: Sequence[Document]) -> Iterator[str]:
    """What names something that is not there."""
    places = [(each["kind"], each["metadata"]["name"]) for each in documents]
    yield from (f"{kind} {name} twice" for kind, name in set(places) if places.count((kind, name)) > 1)
    pods = {name: each["spec"]["template"] for name, each in by_kind(documents, "Deployment").items()}
    for name, pod in pods.items():
        yield from (f"{name}: {what}" for what in _pod(documents, pod))
        if not _selects(documents[places.index(("Deployment", name))]["spec"]["selector"]["matchLabels"], pod):
            yield f"{name} does not select its own pods"
    for kind, path in (
        ("Service", ("selector",)),
        ("PodDisruptionBudget", ("selector", "matchLabels")),
        ("NetworkPolicy", ("podSelector", "matchLabels")),
    ):
        for name, each in by_kind(documents, kind).items():
            wanted = each["spec"]
            for step in path:
                wanted = wanted[step]
            chosen = [pod for pod in pods.values() if _selects(wanted, pod)]
            if not chosen:
                yield f"{kind} {name} selects nothing"
            yield from (f"{kind} {name}: no port {port}" for port in _ports(each) - _names(chosen))
    for name, each in by_kind(documents, "ScaledObject").items():
        if each["spec"]["scaleTargetRef"]["name"] not in pods:
            yield f"ScaledObject {name} scales nothing"


def _pod(documents: Sequence[Document], pod: Document) -> Iterator[str]:
    spec, made = pod["spec"], {each["name"] for each in settings()["configMapGenerator"]}
    images = {each["name"] for each in settings()["images"]}
    volumes = {each["name"] for each in spec["volumes"]}
    if spec["serviceAccountName"] not in by_kind(documents, "ServiceAccount"):
        yield "no such service account"
    for each in spec["volumes"]:
        if "configMap" in each and each["configMap"]["name"] not in made:
            yield f"no config map {each['configMap']['name']}"
        if "secret" in each and each["secret"]["secretName"] not in FROM_THE_OVERLAY:
            yield f"no secret {each['secret']['secretName']}"
    for container in spec["containers"]:
        if container["image"] not in images:
            yield f"nobody names the image {container['image']}"
        yield from (f"no volume {each['name']}" for each in container["volumeMounts"] if each["name"] not in volumes)


def _selects(labels: Document, pod: Document) -> bool:
    return labels.items() <= pod["metadata"]["labels"].items()


def _ports(document: Document) -> set[str]:
    """Named ports that it wants of pods."""
    rules = document["spec"].get("ingress", [])
    wanted = [each["port"] for rule in rules for each in rule.get("ports", [])]
    if document["kind"] == "Service":
        wanted = [each["targetPort"] for each in document["spec"]["ports"]]
    return {each for each in wanted if isinstance(each, str)}


def _names(pods: Sequence[Document]) -> set[str]:
    containers = [container for pod in pods for container in pod["spec"]["containers"]]
    return {port["name"] for container in containers for port in container.get("ports", [])}


def test_every_file_of_the_base_is_in_it_and_every_file_that_it_names_is_there() -> None:
    named = {*settings()["resources"], *(file for each in settings()["configMapGenerator"] for file in each["files"])}
    assert named | {"kustomization.yaml"} == {path.name for path in BASE.iterdir()}
    assert settings()["kind"] == "Kustomization"


def test_whatever_one_resource_names_is_another_one() -> None:
    assert list(broken(base())) == []


def renamed(documents: list[Document], kind: str, *path: str | int) -> list[Document]:
    """The same, where one name of the first of a kind has a slip in it."""
    found: Any = next(each for each in documents if each["kind"] == kind)
    for step in path[:-1]:
        found = found[step]
    found[path[-1]] = "volly"
    return documents


POD = ("spec", "template", "spec")


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Service", ("spec", "selector", NAME)),
        ("Service", ("spec", "ports", 0, "targetPort")),
        ("PodDisruptionBudget", ("spec", "selector", "matchLabels", NAME)),
        ("NetworkPolicy", ("spec", "podSelector", "matchLabels", NAME)),
        ("NetworkPolicy", ("spec", "ingress", 0, "ports", 0, "port")),
        ("ScaledObject", ("spec", "scaleTargetRef", "name")),
        ("ServiceAccount", ("metadata", "name")),
        ("Deployment", ("spec", "template", "metadata", "labels", NAME)),
        ("Deployment", (*POD, "containers", 0, "image")),
        ("Deployment", (*POD, "containers", 0, "volumeMounts", 0, "name")),
        ("Deployment", (*POD, "volumes", 2, "configMap", "name")),
        ("Deployment", (*POD, "volumes", 3, "secret", "secretName")),
    ],
)
def test_a_name_with_a_slip_in_it_is_noticed(kind: str, path: tuple[str | int, ...]) -> None:
    assert list(broken(renamed(copy.deepcopy(base()), kind, *path))) != []


def test_the_overlay_of_the_how_to_changes_what_the_base_makes_and_brings_what_it_lacks() -> None:
    """The image is renamed by the base already when the overlay looks for it."""
    [text] = re.findall(r"```\n(# overlay/kustomization.yaml\n.*?)```", HOW_TO.read_text("utf-8"), re.S)
    overlay = yaml.safe_load(text)
    assert [Path(each).name for each in overlay["resources"]] == [BASE.name]
    assert {each["name"] for each in overlay["images"]} == {each["newName"] for each in settings()["images"]}
    made = {each["name"] for each in settings()["configMapGenerator"]}
    assert {each["name"] for each in overlay["configMapGenerator"] if each["behavior"] == "merge"} <= made
    assert {each["name"] for each in overlay["secretGenerator"]} == FROM_THE_OVERLAY
