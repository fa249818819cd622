// Kills the key that signs, and waits on the stack's clock until everybody knows. Prints a token that the key had signed.
import { authctl, kidOf, putForward, signIn } from './stack.mjs';

const token = (await signIn()).access_token;
authctl('keys', 'kill', '--', kidOf(token));
await putForward(Number(process.env.LATER));
console.log(token);
