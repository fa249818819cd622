import assert from 'node:assert/strict';
import { test } from 'node:test';
import { later, signIn } from './stack.mjs';
import { verifiers } from './verifiers.mjs';

const { KILLED, LATER } = process.env;

for (const [name, { verifier, unknown }] of Object.entries(verifiers)) {
  test(`${name}: a token of a killed key, and one of the next`, () =>
    later(Number(LATER), async () => {
      const verify = await verifier();
      await assert.rejects(verify(KILLED), unknown);
      assert.equal((await verify((await signIn()).access_token)).client_id, 'default');
    }));
}
