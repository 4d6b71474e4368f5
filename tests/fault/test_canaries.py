"""The search for secrets finds them: as they are, encoded, on disk and in /proc."""

import base64

import pytest

from fault import canaries
from fault.place import Lost, Place

ACCOUNT = "u0"


@pytest.fixture
def place():
    with Place(1) as one:
        yield one


def search(place):
    with canaries.Watch(place.daemon) as watch:
        place.start()
        place.grant_all()
        while not watch.seen:
            pass
    return canaries._search(place, watch, ["a-secret-of-ours"])


def test_nothing_is_found_where_nothing_is(place):
    secrets, places = search(place)
    assert secrets >= 2 and places > 4


@pytest.mark.parametrize("write", [str.encode, lambda text: text.encode().hex().encode(),
                                   lambda text: base64.b64encode(b"id:" + text.encode()),
                                   lambda text: base64.b64encode(b"a:" + text.encode() + b"b")])
def test_what_lies_on_disk_is_found(place, write):
    token = place.provider.seed(ACCOUNT)[ACCOUNT]
    place.daemon.state.mkdir(0o700)
    (place.daemon.state / "left").write_bytes(b"before " + write(token) + b" after")
    with pytest.raises(Lost, match="left"):
        search(place)


def test_what_the_environment_holds_is_found(place):
    place.daemon.environment["LEFT"] = place.provider.dialect.client_secret
    with pytest.raises(Lost, match="/proc"):
        search(place)
