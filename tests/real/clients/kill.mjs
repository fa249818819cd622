// Kills the key that signs, and waits on the stack's clock until everybody knows. Prints a token that the key had signed.
import { execFileSync } from 'node:child_process';
import { post, signIn } from './stack.mjs';

const token = (await signIn()).access_token;
const { kid } = JSON.parse(Buffer.from(token.split('.')[0], 'base64url'));
execFileSync(process.env.AUTHCTL, ['--yes', 'keys', 'kill', '--', kid], { stdio: ['ignore', 'ignore', 'inherit'] });
await post('/_local/clock', { advance_seconds: Number(process.env.LATER) });
console.log(token);
