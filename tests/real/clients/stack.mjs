// The stack that `run` started, and what no standard names: signing in.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mock } from 'node:test';
import { genericGrantRequest } from 'openid-client';

const { ISSUER, ALGORITHM, AUDIENCE, PASSWORD, CLIENT_SECRET, AUTHCTL, REQUESTS } = process.env;

export const issuer = ISSUER;
export const algorithm = ALGORITHM;
export const audience = AUDIENCE;
export const client = { id: 'demo', secret: CLIENT_SECRET };

// What the stack answers to a password: tokens as in RFC 6749 §5.1.
export async function signIn() {
  return post('/login', { username: 'demo', password: PASSWORD });
}

export async function me(accessToken) {
  return fetch(`${issuer}/me`, { headers: { authorization: `Bearer ${accessToken}` } });
}

// Exchanges a token for one that may read notes, and asks for more by `more`.
export const accessToken = 'urn:ietf:params:oauth:token-type:access_token';
export async function exchange(config, subject, more) {
  return genericGrantRequest(config, 'urn:ietf:params:oauth:grant-type:token-exchange', {
    subject_token: subject,
    subject_token_type: accessToken,
    scope: 'notes',
    ...more,
  });
}

export function kidOf(token) {
  return JSON.parse(Buffer.from(token.split('.')[0], 'base64url')).kid;
}

export function authctl(...words) {
  return execFileSync(AUTHCTL, ['--yes', '--json', ...words], { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' });
}

// Lets the next key sign as soon as everybody knows it, and says in how many seconds that is.
export function rotate() {
  return Math.ceil((Date.parse(JSON.parse(authctl('keys', 'rotate')).signs_from) - Date.now()) / 1000);
}

// How often somebody has asked for the JWK Set.
export function fetches() {
  return readFileSync(REQUESTS, 'utf8').split('\n').filter((line) => line === 'GET /.well-known/jwks.json').length;
}

// Puts the stack's clock forward, and nobody else's.
export async function putForward(seconds) {
  return post('/_local/clock', { advance_seconds: seconds });
}

// Runs `act` as if it were later, as these clients see it.
export async function later(seconds, act) {
  mock.timers.enable({ apis: ['Date'], now: Date.now() + seconds * 1000 });
  try {
    return await act();
  } finally {
    mock.timers.reset();
  }
}

export async function post(path, body) {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${issuer}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
