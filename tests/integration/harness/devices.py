"""A device login as a client and a person with a browser elsewhere do it together."""

from provider.token_endpoint import DEVICE

from .person import Person


def with_device(broker, emulator, **overrides):
    """The provider `plain` with its device authorization endpoint."""
    endpoint = emulator.url + emulator.dialect.device_path
    return broker.with_provider("plain", emulator, device_authorization_endpoint=endpoint,
                                **overrides)


def enter_code(started, decision="allow", **changes):
    """The person opens the short address and types the code; returns the page that comes then."""
    person = Person()
    page = person.open(started["verification_uri"])
    return person.fetch(*person.answer(page, decision, user_code=started["user_code"], **changes))


def poll_times(emulator):
    return [line["at"] for line in emulator.ledger.token_requests(grant_type=DEVICE)]


def gaps(times):
    return [later - earlier for earlier, later in zip(times, times[1:])]
