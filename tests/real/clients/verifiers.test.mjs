import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JwtVerifier } from 'aws-jwt-verify';
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';
import { algorithm, aroundAKill, audience, issuer, later, signIn } from './stack.mjs';

const jwksUri = `${issuer}/.well-known/jwks.json`;

// Each with a new copy of the JWK Set, and what it throws.
const verifiers = {
  jose: {
    verify: async (token, expected = audience) => {
      const keys = createRemoteJWKSet(new URL(jwksUri));
      return (await jwtVerify(token, keys, { issuer, audience: expected, typ: 'at+jwt', algorithms: [algorithm] })).payload;
    },
    expired: errors.JWTExpired.name,
    foreign: errors.JWTClaimValidationFailed.name,
    unknown: errors.JWKSNoMatchingKey.name,
  },
  'aws-jwt-verify': {
    verify: (token, expected = audience) => JwtVerifier.create({ issuer, audience: expected, jwksUri }).verify(token),
    expired: 'JwtExpiredError',
    foreign: 'JwtInvalidClaimError',
    unknown: 'KidNotFoundInJwksError',
  },
};

const named = (name) => (error) => (assert.equal(error.constructor.name, name), true);

for (const [name, { verify, expired, foreign, unknown }] of Object.entries(verifiers)) {
  test(`${name}: a good token, one for others, one that has expired`, async () => {
    const { access_token: token } = await signIn();
    assert.equal((await verify(token)).client_id, 'default');
    await assert.rejects(verify(token, 'another-api'), named(foreign));
    await later(700, () => assert.rejects(verify(token), named(expired)));
  });

  test(`${name}: a token of a killed key`, async () => {
    const { before, after } = await aroundAKill();
    await assert.rejects(verify(before), named(unknown));
    await verify(after);
  });
}
