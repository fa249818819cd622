import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as oauth from 'openid-client';
import { accessToken, client, exchange, issuer, me, signIn } from './stack.mjs';

const publicly = () => oauth.discovery(new URL(issuer), 'default', undefined, oauth.None());

test('discovers, refreshes and is let in', async () => {
  const config = await publicly();
  const tokens = await oauth.refreshTokenGrant(config, (await signIn()).refresh_token);
  assert.equal((await me(tokens.access_token)).status, 200);
  assert.ok(tokens.expiresIn() > 590 && tokens.expiresIn() <= 600);
});

test('discovers by the metadata of RFC 8414, too', async () => {
  const config = await oauth.discovery(new URL(issuer), 'default', undefined, oauth.None(), { algorithm: 'oauth2' });
  assert.equal(config.serverMetadata().jwks_uri, `${issuer}/.well-known/jwks.json`);
});

test('takes no metadata that name another issuer', async () => {
  const ours = { [oauth.customFetch]: () => fetch(`${issuer}/.well-known/openid-configuration`) };
  const discovery = (home) => oauth.discovery(new URL(home), 'default', undefined, oauth.None(), ours);
  assert.equal((await discovery(issuer)).serverMetadata().issuer, issuer);
  await assert.rejects(discovery('https://issuer.example'), { code: 'OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED' });
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

test('gets a token of its own, with no more than it may have', async () => {
  const config = await oauth.discovery(new URL(issuer), client.id, client.secret);
  const own = await oauth.clientCredentialsGrant(config, { scope: 'profile' });
  assert.deepEqual([own.scope, own.refresh_token], ['profile', undefined]);
  await assert.rejects(oauth.clientCredentialsGrant(config, { scope: 'everything' }), { error: 'invalid_scope' });
});

test('exchanges a token for one that does less, and dies with the session', async () => {
  const config = await oauth.discovery(new URL(issuer), client.id, client.secret);
  const { access_token: subject, refresh_token: session } = await signIn();
  const { access_token: narrow, scope, issued_token_type: issued } = await exchange(config, subject);
  assert.deepEqual([scope, issued], ['notes', accessToken]);
  assert.deepEqual([(await me(subject)).status, (await me(narrow)).status], [200, 403]);
  await assert.rejects(exchange(config, subject, { audience: 'another-api' }), { error: 'invalid_target' });
  await oauth.tokenRevocation(await publicly(), session);
  assert.equal((await oauth.tokenIntrospection(config, narrow)).active, false);
  await assert.rejects(exchange(config, subject), { error: 'invalid_request' });
});
