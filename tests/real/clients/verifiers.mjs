// How a service checks a token with each library: with a new copy of the JWK Set each time. And what each throws.
import { JwtVerifier } from 'aws-jwt-verify';
import { JwtExpiredError, JwtInvalidAudienceError, KidNotFoundInJwksError } from 'aws-jwt-verify/error';
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';
import * as oauth from 'oauth4webapi';
import { algorithm, audience, issuer } from './stack.mjs';

const jwksUri = `${issuer}/.well-known/jwks.json`;

export const verifiers = {
  jose: {
    verify: async (token, expected = audience) => {
      const keys = createRemoteJWKSet(new URL(jwksUri));
      return (await jwtVerify(token, keys, { issuer, audience: expected, typ: 'at+jwt', algorithms: [algorithm] })).payload;
    },
    expired: { code: errors.JWTExpired.code },
    foreign: { code: errors.JWTClaimValidationFailed.code },
    unknown: { code: errors.JWKSNoMatchingKey.code },
  },
  'aws-jwt-verify': {
    verify: (token, expected = audience) => JwtVerifier.create({ issuer, audience: expected, jwksUri }).verify(token),
    expired: JwtExpiredError,
    foreign: JwtInvalidAudienceError,
    unknown: KidNotFoundInJwksError,
  },
  // The strict check of RFC 9068.
  oauth4webapi: {
    verify: async (token, expected = audience) => {
      const home = new URL(issuer);
      const server = await oauth.processDiscoveryResponse(home, await oauth.discoveryRequest(home));
      const request = new Request(`${issuer}/me`, { headers: { authorization: `Bearer ${token}` } });
      return oauth.validateJwtAccessToken(server, request, expected, { signingAlgorithms: [algorithm] });
    },
    expired: { code: oauth.JWT_TIMESTAMP_CHECK },
    foreign: { code: oauth.JWT_CLAIM_COMPARISON },
    unknown: { code: oauth.KEY_SELECTION },
  },
};
