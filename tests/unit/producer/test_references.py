"""References are remembered small, and none of them is forgotten or made up."""

from producer.push.references import References


def test_each_reference_is_new_once_however_many_there_are() -> None:
    references = References()
    names = [f"order-{n}" for n in range(60_000)]
    assert all(references.add(name) for name in names)
    assert not any(references.add(name) for name in names)
    assert references.add("another")
