// bare.ts: on Node's own HTTP server, reads the body, verifies its signature and answers 202.
import { createServer } from 'node:http';
import { isSigned } from './signature.ts';

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const fits = isSigned(Buffer.concat(chunks), request.headers['x-hub-signature-256']);
    response.writeHead(fits ? 202 : 401, { 'content-type': 'application/json' }).end('{}');
  });
});

server.listen(Number(process.env.PORT ?? 8080));
