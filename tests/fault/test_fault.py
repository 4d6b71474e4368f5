"""A little of every kind of fault: what it promises holds."""

import pytest

from fault.bench import run_kind
from fault.kinds import KINDS

SEED = 1


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_nothing_lost(name):
    kind = KINDS[name]
    if why := kind.missing():
        pytest.skip(why)
    outcome = run_kind(kind, kind.quick, 1, SEED)
    assert not outcome.losses, "\n".join(outcome.losses)
    assert outcome.count > kind.quick // 2  # what is spread evenly may come out at fewer
