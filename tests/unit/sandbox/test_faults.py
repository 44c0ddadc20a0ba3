"""Which sends a rule hits: by count, by share, by number; the same again with the same seed."""

import pytest

from volley.sandbox.fault_rule import FaultRule, dump_rules, parse_rules
from volley.sandbox.faults import Faults


def _hits(rule: FaultRule, sends: int = 12, seed: int = 1, to: str = "+12025550123") -> list[int]:
    faults = Faults([rule], seed)
    return [turn for turn in range(1, sends + 1) if faults.pick("+12015550100", to) is not None]


def test_every_third_send_is_hit() -> None:
    assert _hits(FaultRule(kind="lost", every=3)) == [3, 6, 9, 12]


def test_only_the_first_two_are_hit() -> None:
    assert _hits(FaultRule(kind="lost", first=2)) == [1, 2]


def test_a_rule_waits_for_its_turn() -> None:
    assert _hits(FaultRule(kind="lost", skip=5, first=1)) == [6]


def test_a_share_is_hit_and_the_same_ones_with_the_same_seed() -> None:
    rule = FaultRule(kind="lost", share=0.3)
    hits = _hits(rule, 1000)
    assert 250 < len(hits) < 350
    assert hits == _hits(rule, 1000)
    assert hits != _hits(rule, 1000, seed=2)


def test_a_rule_hits_only_the_numbers_it_names() -> None:
    assert _hits(FaultRule(kind="lost", match_to="+1202*")) == list(range(1, 13))
    assert _hits(FaultRule(kind="lost", match_to="+1203*")) == []
    assert _hits(FaultRule(kind="lost", match_to="+12025550123")) == list(range(1, 13))
    assert _hits(FaultRule(kind="lost", match_from="+19995550100")) == []


def test_the_first_rule_that_fires_decides() -> None:
    faults = Faults([FaultRule(kind="lost", first=1), FaultRule(kind="cut")], 1)
    kinds = [fault.rule.kind for _ in range(3) if (fault := faults.pick("", "")) is not None]
    assert kinds == ["lost", "cut", "cut"]
    assert faults.fired == [1, 2]


def test_new_rules_start_counting_again() -> None:
    faults = Faults([FaultRule(kind="lost", first=1)], 1)
    assert faults.pick("", "") is not None
    faults.replace([FaultRule(kind="lost", first=1)])
    assert faults.pick("", "") is not None


def test_only_harm_before_acceptance_keeps_a_message_from_being_taken() -> None:
    accepts = {
        kind: FaultRule(kind=kind).accepts for kind in ("latency", "lost", "cut_body", "black_hole", "truncated")
    }
    assert all(accepts.values())
    assert not FaultRule(kind="cut").accepts
    assert not FaultRule(kind="status").accepts
    assert FaultRule(kind="status", accept=True).accepts


def test_rules_survive_json_and_unknown_fields_are_refused() -> None:
    rules = [FaultRule(kind="status", status=429, code="10011", retry_after=2), FaultRule(kind="latency", ms=(1, 5))]
    assert parse_rules(dump_rules(rules)) == rules
    with pytest.raises(ValueError, match="sharre"):
        parse_rules(b'[{"kind":"lost","sharre":0.5}]')
