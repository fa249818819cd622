"""Authlib's client, as it comes."""

import asyncio
import os

import pytest
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuthError

from stack import ISSUER, sign_in


def refreshing(tokens, kept):
    """A client that believes its access token to be over, and keeps what it gets instead."""

    async def keep(token, refresh_token=None, access_token=None):
        kept.append(token)

    return AsyncOAuth2Client(
        client_id="default",
        token_endpoint_auth_method="none",
        token_endpoint=f"{ISSUER}/oauth/token",
        token={**tokens, "expires_at": 1},
        update_token=keep,
    )


def test_authlib_refreshes_once_for_many_requests():
    async def run():
        kept = []
        async with refreshing(sign_in(), kept) as client:
            answers = await asyncio.gather(*(client.get(f"{ISSUER}/me") for _ in range(10)))
        assert [answer.status_code for answer in answers] == [200] * 10
        assert len(kept) == 1

    asyncio.run(run())


def test_clients_of_authlib_that_refresh_at_once_stay_signed_in():
    async def run():
        tokens, kept = sign_in(), []
        clients = [refreshing(tokens, kept) for _ in range(10)]
        answers = await asyncio.gather(*(client.get(f"{ISSUER}/me") for client in clients))
        assert [answer.status_code for answer in answers] == [200] * 10
        assert len(kept) == 10
        await asyncio.gather(*(client.refresh_token() for client in clients))
        await asyncio.gather(*(client.aclose() for client in clients))

    asyncio.run(run())


def test_authlib_revokes():
    async def run():
        async with refreshing(sign_in(), []) as client:
            token = client.token["refresh_token"]
            answer = await client.revoke_token(f"{ISSUER}/oauth/revoke", token=token, token_type_hint="refresh_token")
            assert answer.status_code == 200
            with pytest.raises(OAuthError) as refused:
                await client.refresh_token(refresh_token=token)
            assert refused.value.error == "invalid_grant"

    asyncio.run(run())


def test_authlib_asks_about_tokens():
    async def run():
        token = sign_in()["access_token"]
        async with AsyncOAuth2Client(client_id="demo", client_secret=os.environ["CLIENT_SECRET"]) as client:
            answer = await client.introspect_token(f"{ISSUER}/oauth/introspect", token=token)
        assert answer.json()["active"] is True

    asyncio.run(run())
