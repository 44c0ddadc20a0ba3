"""Classes: a pool is split only where its senders differ, and each country finds exactly those that may serve it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from volley.outbox.classes import Dealt, deal, label
from volley.profile import ProfileFacts
from volley.sender import Sender, SenderType

NUMBERS = {
    "US": 12025550123,
    "CA": 16135550123,
    "GB": 447400123456,
    "JE": 447797712345,
    "DE": 4915123456789,
    "KZ": 77710009998,
}
TYPES: list[SenderType] = ["long_code", "toll_free", "short_code", "alphanumeric", "carrier_pool"]
REACHES = ["*", "US", "CA,US", "!GB", "DE,GB,KZ,US", "!CA,PR,US"]


def one(number: str, kind: SenderType = "long_code", **fields: object) -> Sender:
    return Sender(number, kind, "p", **fields)  # type: ignore[arg-type]


def test_a_plain_pool_is_one_class_and_has_no_routes() -> None:
    dealing = deal([one("+12025550100"), one("+18885550100", "toll_free"), one("12345", "short_code")], {}, {})
    assert (dealing.classes, dealing.routes) == ("any 1", "")
    assert {home.state for home in dealing.homes.values()} == {"a"}


def test_weights_alone_are_stored_as_they_are() -> None:
    dealing = deal([one("+12025550100"), one("+18885550100", "toll_free")], {"toll_free": 10, "long_code": 4}, {})
    assert (dealing.classes, dealing.routes) == ("toll_free 10 long_code 4", "")


def test_an_empty_pool_has_a_class_in_which_messages_wait() -> None:
    assert deal([], {}, {}).classes == "any 1"
    assert deal([one("+12025550100", active=False)], {"long_code": 1}, {}).classes == "any 1"


def test_the_same_pool_has_the_same_names_in_any_order() -> None:
    pool = [one("+12025550100", reach="US"), one("+14155550100"), one("+442071234567", reach="DE,FR,GB,IT")]
    facts = ProfileFacts("p", geomatch=True)
    assert deal(pool, {}, {}, facts).classes == deal(pool[::-1], {}, {}, facts).classes


def test_weights_of_very_many_classes_stay_small_and_none_is_lost() -> None:
    pool = [one(f"+1{area}5550100", rate_milli=97 + area**2) for area in range(201, 990)]
    dealt = Dealt(deal(pool, {}, {}, ProfileFacts("p", geomatch=True)).classes, "")
    assert len(dealt.weights) == 789
    assert min(dealt.weights.values()) >= 1
    assert sum(dealt.weights.values()) < 25_000


def test_a_type_that_only_a_route_names_has_a_share_there() -> None:
    pool = [one("+12025550100"), one("ACME", "alphanumeric")]
    dealing = deal(pool, {"long_code": 3}, {"GB": ("alphanumeric", "long_code")})
    dealt = Dealt(dealing.classes, dealing.routes)
    assert dealt.shared(NUMBERS["GB"]) == {"long_code": 3, "alphanumeric~GB": 1}
    assert dealt.shared(NUMBERS["US"]) == {"long_code": 3}


senders = st.lists(
    st.tuples(st.sampled_from(TYPES), st.sampled_from(REACHES), st.booleans(), st.booleans(), st.integers(1, 5000)),
    min_size=1,
    max_size=8,
)
weights = st.dictionaries(st.sampled_from(TYPES), st.integers(0, 5), max_size=3)
routes = st.dictionaries(
    st.sampled_from(["*", "GB", "US", "KZ"]),
    st.lists(st.sampled_from(TYPES), min_size=1, max_size=3).map(tuple),
    max_size=3,
)


def expected(sender: Sender, country: str, shares: set[str], routes: dict[str, tuple[SenderType, ...]]) -> bool:
    """The rule in words: it is usable, reaches the country, and is of a type that goes there."""
    usual = shares or {"long_code", "toll_free", "short_code"}
    types = routes.get(country, routes.get("*", tuple(usual)))  # type: ignore[arg-type]
    usable = sender.active and not sender.kept and sender.type != "carrier_pool"
    return usable and sender.reaches(country) and sender.type in types


@settings(max_examples=150, deadline=None)
@given(made=senders, weights=weights, routes=routes, geomatch=st.booleans())
def test_each_country_finds_exactly_those_that_may_serve_it(
    made: list[tuple[SenderType, str, bool, bool, int]],
    weights: dict[SenderType, int],
    routes: dict[str, tuple[SenderType, ...]],
    geomatch: bool,
) -> None:
    pool = [
        one(f"+1303555{n:04d}", kind, reach=reach, active=active, kept=kept, rate_milli=rate)
        for n, (kind, reach, active, kept, rate) in enumerate(made)
    ]
    dealing = deal(pool, weights, routes, ProfileFacts("p", geomatch=geomatch))
    dealt = Dealt(dealing.classes, dealing.routes)
    present = {sender.type for sender in pool if sender.active and not sender.kept}
    shares = {kind for kind, weight in weights.items() if weight and kind in present}
    for country, number in NUMBERS.items():
        found = {
            sender.number
            for sender in pool
            if sender.active and dealing.homes[sender.number].name in dealt.shared(number)
        }
        assert found == {sender.number for sender in pool if expected(sender, country, shares, routes)}
        assert dealt.shared(number) or dealt.nobody
    assert {label(name) for name in dealt.weights} <= {*TYPES, "any", "kept", "nobody"}
