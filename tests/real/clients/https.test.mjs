// Another stack, which believes the tokens of this one by the keys that it fetches over https.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { algorithm, audience, issuer, signIn } from './stack.mjs';

const { LOCAL, SSL_CERT_FILE, ANOTHER_AUTHORITY } = process.env;
const policy = { routes: [{ method: 'POST', path: '/me', all_scopes: ['profile'] }] };

// What a stack answers to a token of ours, and why it has no keys, if it has none. 405 is the function's own answer to those who are
// let in: it has no such method.
async function answer(token, jwksUri, authorities) {
  const { KEY_FILE, ISSUER, AUDIENCE, ...rest } = process.env;
  const trusted = [{ issuer, audience, algorithms: [algorithm], jwks_uri: jwksUri }];
  const own = { TRUSTED_ISSUERS: JSON.stringify(trusted), ROUTE_POLICY: JSON.stringify(policy), SSL_CERT_FILE: authorities };
  const stack = spawn(LOCAL, ['--port', '0'], { env: { ...rest, ...own, LOG_LEVEL: 'WARN' } });
  let log = '';
  stack.stderr.on('data', (text) => (log += text));
  const ended = once(stack, 'close');
  try {
    const [ready] = await Promise.race([once(createInterface(stack.stdout), 'line'), ended.then(() => assert.fail(log))]);
    const headers = { authorization: `Bearer ${token}` };
    const { status } = await fetch(`${ready.slice('ready '.length)}/me`, { method: 'POST', headers });
    stack.kill();
    await ended;
    const unreadable = log.split('\n').find((line) => line.includes('issuer_unreadable'));
    return [status, unreadable ? JSON.parse(unreadable).error : ''];
  } finally {
    stack.kill();
  }
}

const rows = [
  ['of an authority that is trusted', 'localhost', SSL_CERT_FILE, 405, /^$/],
  ['of another authority', 'localhost', ANOTHER_AUTHORITY, 503, /UnknownIssuer/],
  ['of another name', '127.0.0.1', SSL_CERT_FILE, 503, /not valid for name/],
];
for (const [name, host, authorities, expected, reason] of rows) {
  test(`keys behind a certificate ${name}`, async () => {
    const jwksUri = `${issuer.replace('localhost', host)}/.well-known/jwks.json`;
    const [status, error] = await answer((await signIn()).access_token, jwksUri, authorities);
    assert.equal(status, expected);
    assert.match(error, reason);
  });
}
