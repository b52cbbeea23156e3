// framework.ts: the same as a function of the functions framework, which reads and parses the body before the handler has it.
import { http } from '@google-cloud/functions-framework';
import { getTestServer } from '@google-cloud/functions-framework/testing';
import { isSigned } from './signature.ts';

http('framework', (request, response) => {
  const fits = isSigned(request.rawBody ?? Buffer.alloc(0), request.headers['x-hub-signature-256']);
  response.status(fits ? 202 : 401).json({});
});

getTestServer('framework').listen(Number(process.env.PORT ?? 8080));
