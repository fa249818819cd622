import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as oauth from 'oauth4webapi';
import { client, issuer, signIn } from './stack.mjs';
import { verifiers } from './verifiers.mjs';

const home = new URL(issuer);
const server = await oauth.processDiscoveryResponse(home, await oauth.discoveryRequest(home));
const app = { client_id: 'default' };
const demo = { client_id: client.id };
const authentication = oauth.ClientSecretBasic(client.secret);
const verify = await verifiers.oauth4webapi.verifier();

test('refreshes, and the token is one of RFC 9068', async () => {
  const { refresh_token: token } = await signIn();
  const answer = await oauth.refreshTokenGrantRequest(server, app, oauth.None(), token);
  const { access_token: access } = await oauth.processRefreshTokenResponse(server, app, answer);
  assert.equal((await verify(access)).client_id, 'default');
});

test('gets a token of its own, and it is one of RFC 9068', async () => {
  const answer = await oauth.clientCredentialsGrantRequest(server, demo, authentication, { scope: 'notes' });
  const { access_token: access, scope } = await oauth.processClientCredentialsResponse(server, demo, answer);
  assert.deepEqual([(await verify(access)).sub, scope], ['demo', 'notes']);
});

test('asks about a token, and revokes it', async () => {
  const { access_token: access, refresh_token: refresh } = await signIn();
  const active = async () => {
    const answer = await oauth.introspectionRequest(server, demo, authentication, access);
    return (await oauth.processIntrospectionResponse(server, demo, answer)).active;
  };
  assert.equal(await active(), true);
  await oauth.processRevocationResponse(await oauth.revocationRequest(server, app, oauth.None(), refresh));
  assert.equal(await active(), false);
});
