import assert from 'node:assert/strict';
import { test } from 'node:test';
import { later, signIn } from './stack.mjs';
import { verifiers } from './verifiers.mjs';

for (const [name, { verify, expired, foreign }] of Object.entries(verifiers)) {
  test(`${name}: a good token, one for others, one that has expired`, async () => {
    const { access_token: token } = await signIn();
    assert.equal((await verify(token)).client_id, 'default');
    await assert.rejects(verify(token, 'another-api'), foreign);
    await later(700, () => assert.rejects(verify(token), expired));
  });
}
