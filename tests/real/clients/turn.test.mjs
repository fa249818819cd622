// A turn of the keys, as services see it whose verifiers keep the JWK Set.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fetches, kidOf, later, putForward, rotate, signIn } from './stack.mjs';
import { verifiers } from './verifiers.mjs';

const MINUTE = 60;

test('verifiers take a turn of the keys, and fetch nothing for it', async () => {
  const { access_token: first } = await signIn();
  const kept = [];
  for (const [name, { verifier }] of Object.entries(verifiers)) kept.push([name, await verifier()]);
  const believe = async (...tokens) => {
    for (const [name, verify] of kept)
      for (const token of tokens) assert.equal((await verify(token)).client_id, 'default', name);
  };
  await believe(first);
  const turn = rotate();
  await putForward(turn - MINUTE);
  const { access_token: before } = await signIn();
  assert.equal(kidOf(before), kidOf(first), 'a minute before the turn');
  await later(turn - MINUTE, () => believe(before));
  const fetched = fetches();
  assert.ok(fetched >= kept.length);
  await putForward(2 * MINUTE);
  const { access_token: after } = await signIn();
  assert.notEqual(kidOf(after), kidOf(first), 'a minute after the turn');
  await later(turn + MINUTE, () => believe(before, after));
  assert.equal(fetches(), fetched);
});
