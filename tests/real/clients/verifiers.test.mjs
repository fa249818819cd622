import assert from 'node:assert/strict';
import { test } from 'node:test';
import { later, signIn } from './stack.mjs';
import { verifiers } from './verifiers.mjs';

for (const [name, { verifier, expired, otherAudience, otherIssuer }] of Object.entries(verifiers)) {
  test(`${name}: a good token, one for others, one of another issuer, one that has expired`, async () => {
    const { access_token: token } = await signIn();
    const verify = await verifier();
    assert.equal((await verify(token)).client_id, 'default');
    await assert.rejects((await verifier({ audience: 'another-api' }))(token), otherAudience);
    await assert.rejects((await verifier({ issuer: 'https://issuer.example' }))(token), otherIssuer);
    await later(700, () => assert.rejects(verify(token), expired));
  });
}
