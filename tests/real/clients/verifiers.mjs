// How a service checks a token with each library: `verifier` makes one that keeps its JWK Set for as long as that library does. And
// what each throws.
import { JwtVerifier } from 'aws-jwt-verify';
import { JwtExpiredError, JwtInvalidAudienceError, JwtInvalidIssuerError, KidNotFoundInJwksError } from 'aws-jwt-verify/error';
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';
import * as oauth from 'oauth4webapi';
import { algorithm, audience, issuer } from './stack.mjs';

const jwksUri = `${issuer}/.well-known/jwks.json`;
const ours = { issuer, audience };

export const verifiers = {
  jose: {
    verifier: async (expected) => {
      const keys = createRemoteJWKSet(new URL(jwksUri));
      const options = { ...ours, ...expected, typ: 'at+jwt', algorithms: [algorithm] };
      return async (token) => (await jwtVerify(token, keys, options)).payload;
    },
    expired: { code: errors.JWTExpired.code },
    otherAudience: { code: errors.JWTClaimValidationFailed.code, claim: 'aud' },
    otherIssuer: { code: errors.JWTClaimValidationFailed.code, claim: 'iss' },
    unknown: { code: errors.JWKSNoMatchingKey.code },
  },
  'aws-jwt-verify': {
    verifier: async (expected) => {
      const verifier = JwtVerifier.create({ ...ours, ...expected, jwksUri });
      return (token) => verifier.verify(token);
    },
    expired: JwtExpiredError,
    otherAudience: JwtInvalidAudienceError,
    otherIssuer: JwtInvalidIssuerError,
    unknown: KidNotFoundInJwksError,
  },
  // The strict check of RFC 9068.
  oauth4webapi: {
    verifier: async (expected) => {
      const home = new URL(issuer);
      const found = await oauth.processDiscoveryResponse(home, await oauth.discoveryRequest(home));
      const { issuer: iss, audience: aud } = { ...ours, ...expected };
      const server = { ...found, issuer: iss };
      return (token) => {
        const request = new Request(`${issuer}/me`, { headers: { authorization: `Bearer ${token}` } });
        return oauth.validateJwtAccessToken(server, request, aud, { signingAlgorithms: [algorithm] });
      };
    },
    expired: { code: oauth.JWT_TIMESTAMP_CHECK },
    otherAudience: (error) => error.code === oauth.JWT_CLAIM_COMPARISON && error.cause.claim === 'aud',
    otherIssuer: (error) => error.code === oauth.JWT_CLAIM_COMPARISON && error.cause.claim === 'iss',
    unknown: { code: oauth.KEY_SELECTION },
  },
};
