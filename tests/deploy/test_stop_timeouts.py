"""Every stop timeout of every deploy file is longer than a drain, so no supervisor kills what still ends in order."""

import configparser
import re
from collections.abc import Iterator

import yaml

from producer.supervisor import MARGIN_S
from tests.deploy.files import DEPLOY
from volley.settings import Settings

DRAIN_S = Settings().drain_seconds
LEAST_S = DRAIN_S + MARGIN_S
"""With what starting the end and reaping the process take."""


def systemd() -> Iterator[tuple[str, float]]:
    for unit in sorted((DEPLOY / "systemd").glob("*.service")):
        text = unit.read_text("utf-8")
        found = re.findall(r"^TimeoutStopSec=(\d+)$", text, re.M)
        assert len(found) == 1, unit
        assert "\nType=notify\n" in text, unit  # and so it hears how long the drain of its settings takes
        yield unit.name, float(found[0])


def supervisord() -> Iterator[tuple[str, float]]:
    conf = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=(";",))
    conf.read(DEPLOY / "supervisord" / "volley.conf")
    for name in conf.sections():
        assert conf[name]["stopsignal"] == "TERM"
        yield name, conf[name].getfloat("stopwaitsecs")


def s6() -> Iterator[tuple[str, float]]:
    for run in sorted((DEPLOY / "s6").glob("*/run")):
        yield str(run.parent), int((run.parent / "timeout-kill").read_text()) / 1000


def runit() -> Iterator[tuple[str, float]]:
    for run in sorted((DEPLOY / "runit").glob("*/run")):
        yield str(run), float(re.findall(r"`sv -w (\d+) force-stop`", run.read_text("utf-8"))[0])


def compose() -> Iterator[tuple[str, float]]:
    services = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text("utf-8"))["services"]
    for name in ("serve", "worker"):
        yield f"compose {name}", float(str(services[name]["stop_grace_period"]).removesuffix("s"))


def kubernetes() -> Iterator[tuple[str, float]]:
    """What a pod has left for its end once preStop is over."""
    for name in ("serve", "worker"):
        [pod] = [
            each["spec"]["template"]["spec"]
            for each in yaml.safe_load_all((DEPLOY / "kubernetes" / "base" / f"{name}.yaml").read_text("utf-8"))
            if each["kind"] == "Deployment"
        ]
        before = pod["containers"][0]["lifecycle"]["preStop"].get("sleep", {"seconds": 0})["seconds"]
        yield f"pod {name}", pod["terminationGracePeriodSeconds"] - before


def test_nobody_is_killed_while_it_drains() -> None:
    found = dict([*systemd(), *supervisord(), *s6(), *runit(), *compose(), *kubernetes()])
    assert len(found) == 12
    assert {name: seconds for name, seconds in found.items() if seconds <= LEAST_S} == {}


def test_a_post_of_the_longest_kind_ends_within_a_drain() -> None:
    assert Settings().http_timeout < DRAIN_S
