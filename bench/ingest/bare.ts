// bare.ts: what no receiver of signed webhooks can do less than. It reads the body, verifies its signature and answers 202.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const secret = process.env.CUPEL_WEBHOOK_SECRETS_GITHUB_EVENTS ?? '';

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const computed = createHmac('sha256', secret).update(Buffer.concat(chunks)).digest();
    const given = Buffer.from(String(request.headers['x-hub-signature-256']).slice('sha256='.length), 'hex');
    const fits = given.length === computed.length && timingSafeEqual(given, computed);
    response.writeHead(fits ? 202 : 401, { 'content-type': 'application/json' }).end('{}');
  });
});

server.listen(Number(process.env.PORT ?? 8080));
