export { fileTransport } from './file.ts';
export { httpTransport } from './http.ts';
export type { HttpReceiver } from './http.ts';
export type { Transport } from './types.ts';
