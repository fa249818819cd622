"""A token of a killed key, and one of the next."""

import os
import time

import jwt
import pytest
import time_machine

from stack import sign_in, verify


def test_pyjwt_and_a_killed_key():
    with time_machine.travel(time.time() + int(os.environ["LATER"])):
        with pytest.raises(jwt.PyJWKClientError):
            verify(os.environ["KILLED"])
        assert verify(sign_in()["access_token"])["client_id"] == "default"
