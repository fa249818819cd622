import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as oauth from 'openid-client';
import { client, issuer, me, signIn } from './stack.mjs';

const publicly = () => oauth.discovery(new URL(issuer), 'default', undefined, oauth.None());

test('discovers, refreshes and is let in', async () => {
  const config = await publicly();
  const tokens = await oauth.refreshTokenGrant(config, (await signIn()).refresh_token);
  assert.equal((await me(tokens.access_token)).status, 200);
  assert.equal(tokens.expiresIn(), 600);
});

test('discovers by the metadata of RFC 8414, too', async () => {
  const config = await oauth.discovery(new URL(issuer), 'default', undefined, oauth.None(), { algorithm: 'oauth2' });
  assert.equal(config.serverMetadata().jwks_uri, `${issuer}/.well-known/jwks.json`);
});

test('asks for less, and gets no more', async () => {
  const config = await publicly();
  const { refresh_token: token } = await signIn();
  assert.equal((await oauth.refreshTokenGrant(config, token, { scope: 'notes' })).scope, 'notes');
  await assert.rejects(oauth.refreshTokenGrant(config, token, { scope: 'everything' }), { error: 'invalid_scope' });
});

test('what it has revoked refreshes no more', async () => {
  const config = await publicly();
  const { refresh_token: token } = await signIn();
  await oauth.tokenRevocation(config, token);
  await assert.rejects(oauth.refreshTokenGrant(config, token), { error: 'invalid_grant' });
});

for (const authentication of [oauth.ClientSecretBasic, oauth.ClientSecretPost]) {
  test(`asks about tokens with ${authentication.name}`, async () => {
    const as = (secret) => oauth.discovery(new URL(issuer), client.id, undefined, authentication(secret));
    const { access_token: token } = await signIn();
    const config = await as(client.secret);
    assert.equal((await oauth.tokenIntrospection(config, token)).active, true);
    assert.deepEqual({ ...(await oauth.tokenIntrospection(config, 'another')) }, { active: false });
    await assert.rejects(oauth.tokenIntrospection(await as('wrong'), token));
  });
}
