// What a deployment has in the gateway: https before the stack. Prints what is asked for. `node tls.mjs PORT KEY CERTIFICATE URL`
import { createServer } from 'node:https';
import { request } from 'node:http';
import { readFileSync } from 'node:fs';

const [port, key, certificate, url] = process.argv.slice(2);

createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (incoming, outgoing) => {
  const { method, headers, url: path } = incoming;
  console.log(`${method} ${path}`);
  const onward = request(new URL(path, url), { method, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode, answer.rawHeaders);
    answer.pipe(outgoing);
  });
  onward.on('error', () => outgoing.destroy());
  incoming.pipe(onward);
}).listen(Number(port), '127.0.0.1');
