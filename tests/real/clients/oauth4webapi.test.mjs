import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as oauth from 'oauth4webapi';
import { algorithm, aroundAKill, audience, client, issuer, later, signIn } from './stack.mjs';

const home = new URL(issuer);
const server = await oauth.processDiscoveryResponse(home, await oauth.discoveryRequest(home));
const app = { client_id: 'default' };

// The strict check of RFC 9068, as a resource server of its own does it, with a new copy of the JWK Set.
const validate = (token, expected = audience) => {
  const request = new Request(`${issuer}/me`, { headers: { authorization: `Bearer ${token}` } });
  return oauth.validateJwtAccessToken(server, request, expected, { signingAlgorithms: [algorithm] });
};

test('refreshes, and the token is one of RFC 9068', async () => {
  const { refresh_token: token } = await signIn();
  const answer = await oauth.refreshTokenGrantRequest(server, app, oauth.None(), token);
  const { access_token: access } = await oauth.processRefreshTokenResponse(server, app, answer);
  assert.equal((await validate(access)).client_id, 'default');
});

test('a token for others, or one that has expired, is none', async () => {
  const { access_token: token } = await signIn();
  await assert.rejects(validate(token, 'another-api'), { code: oauth.JWT_CLAIM_COMPARISON });
  await later(700, () => assert.rejects(validate(token), { code: oauth.JWT_TIMESTAMP_CHECK }));
});

test('asks about a token, and revokes it', async () => {
  const { access_token: access, refresh_token: refresh } = await signIn();
  const authentication = oauth.ClientSecretBasic(client.secret);
  const asking = { client_id: client.id };
  const active = async () => {
    const answer = await oauth.introspectionRequest(server, asking, authentication, access);
    return (await oauth.processIntrospectionResponse(server, asking, answer)).active;
  };
  assert.equal(await active(), true);
  await oauth.processRevocationResponse(await oauth.revocationRequest(server, app, oauth.None(), refresh));
  assert.equal(await active(), false);
});

test('a token of a killed key is none, those of the next one are good', async () => {
  const { before, after } = await aroundAKill();
  await assert.rejects(validate(before));
  await validate(after);
});
