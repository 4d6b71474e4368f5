"""The judge finds a loss where there is one: without that, no figure is worth anything."""

import json

import pytest

from fault.judge import Judge


@pytest.fixture
def book(tmp_path):
    """A ledger: book(presented, outcome, …) writes a line of a refresh."""
    path = tmp_path / "ledger.jsonl"
    path.touch()

    def write(presented, outcome="accepted", **facts):
        number = len(path.read_text().splitlines())
        line = {"n": number, "at": float(number), "event": "refresh", "outcome": outcome,
                "presented": presented, "user": "u0", "life": "1", "access": f"a{number}",
                "refresh": f"r{number + 1}"} | facts
        with path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    write.path = path
    return write


def refuse(book, **facts):
    book("r0", "refused", why="refresh token used twice", **facts)


def test_rotations_are_counted(book):
    judge = Judge(book.path)
    book("r0")
    assert judge.read() == set()
    book("r0")
    book("r1")
    judge.read()
    assert (judge.rotations, judge.again, judge.losses) == (3, 1, [])


def test_half_a_line_is_left_for_later(book):
    judge = Judge(book.path)
    book("r0")
    whole = book.path.read_text()
    book.path.write_text(whole[:-10])
    judge.read()
    assert judge.rotations == 0
    book.path.write_text(whole)
    judge.read()
    assert judge.rotations == 1


def test_a_refusal_is_a_loss(book):
    judge = Judge(book.path)
    book("r0")
    refuse(book, life="2")
    assert judge.read(killed_at={"1": 0.5}) == {"u0"}
    assert len(judge.losses) == 1 and not judge.residue


@pytest.mark.parametrize("is_strict", [False, True])
def test_a_late_refusal_to_a_life_that_was_killed_is_none(book, is_strict):
    judge = Judge(book.path, is_strict)
    book("r0", life="10")
    refuse(book, life="9")
    assert judge.read(killed_at={"9": 0.5, "10": 2.0}) == set()
    assert not judge.losses and not judge.residue


@pytest.mark.parametrize("life, killed_at", [("9", {}), ("10", {"10": 0.5}), ("11", {"10": 0.5, "11": 0.7})],
                         ids=["it lives", "its own", "a later one's"])
def test_any_other_refusal_is_a_loss(book, life, killed_at):
    judge = Judge(book.path)
    book("r0", life="10")
    refuse(book, life=life)
    judge.read(killed_at=killed_at)
    assert len(judge.losses) == 1


def strict(book, seen=(), life="2"):
    judge = Judge(book.path, strict=True)
    book("r0", at=10.0)
    refuse(book, life=life)
    judge.read(set(seen), {"1": 10.25})
    return judge


def test_strict_residue_is_told_apart(book):
    judge = strict(book)
    assert not judge.losses
    assert judge.residue == [{"n": 0, "user": "u0", "exposed_s": 0.25}]


def test_strict_residue_counts_once(book):
    judge = strict(book)
    refuse(book, life="3")
    judge.read(set(), {"1": 10.25, "2": 11.0})
    assert len(judge.residue) == 1


def test_a_seen_token_without_its_refresh_token_is_a_loss(book):
    assert "a client had" in strict(book, seen=["a0"]).losses[0]["why"]


def test_the_token_before_is_no_loss(book):
    judge = Judge(book.path, strict=True)
    book("r0")
    book("r1")
    book("r1", "refused", why="refresh token used twice", life="2")
    refuse(book, life="2")
    judge.read({"a0"}, {"1": 2.0})
    assert not judge.losses and len(judge.residue) == 1


def test_no_kill_is_no_excuse(book):
    assert "no kill" in strict(book, life="1").losses[0]["why"]


def test_refused_and_never_spent_is_a_loss(book):
    judge = Judge(book.path, strict=True)
    refuse(book)
    judge.read()
    assert "never spent" in judge.losses[0]["why"]
