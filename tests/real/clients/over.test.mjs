// After all others: it puts the stack's clock forward.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as oauth from 'openid-client';
import { client, exchange, issuer, putForward, signIn } from './stack.mjs';

test('neither a token of a killed key nor one that has expired is active or exchanged', async () => {
  const config = await oauth.discovery(new URL(issuer), client.id, client.secret);
  const { access_token: token } = await signIn();
  assert.equal((await oauth.tokenIntrospection(config, token)).active, true);
  assert.equal((await exchange(config, token)).scope, 'notes');
  const isRefused = async (name, refused) => {
    assert.deepEqual({ ...(await oauth.tokenIntrospection(config, refused)) }, { active: false }, name);
    await assert.rejects(exchange(config, refused), { error: 'invalid_request' }, name);
  };
  await isRefused('killed', process.env.KILLED);
  await putForward(700);
  await isRefused('expired', token);
});
