// The stack that `run` started, and what no standard names: signing in.
import { mock } from 'node:test';

const { ISSUER, ALGORITHM, AUDIENCE, PASSWORD, CLIENT_SECRET } = process.env;

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
