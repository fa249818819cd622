"""A turn of the keys, as services see it whose verifiers keep the JWK Set."""

import time

import time_machine

from stack import fetches, kid_of, put_forward, rotate, sign_in
from verifiers import VERIFIERS

MINUTE = 60


def test_verifiers_take_a_turn_of_the_keys_and_fetch_nothing_for_it():
    first = sign_in()["access_token"]
    kept = [verifier() for verifier, *_ in VERIFIERS]

    def believe(seconds, *tokens):
        with time_machine.travel(time.time() + seconds):
            assert {verify(token)["client_id"] for verify in kept for token in tokens} == {"default"}

    believe(0, first)
    turn = rotate()
    put_forward(turn - MINUTE)
    before = sign_in()["access_token"]
    assert kid_of(before) == kid_of(first), "a minute before the turn"
    believe(turn - MINUTE, before)
    fetched = fetches()
    assert fetched >= len(kept)
    put_forward(2 * MINUTE)
    after = sign_in()["access_token"]
    assert kid_of(after) != kid_of(first), "a minute after the turn"
    believe(turn + MINUTE, before, after)
    assert fetches() == fetched
