import { setTimeout as delay } from 'node:timers/promises';
import { ApiError } from './api-error.ts';

/** Milliseconds for which requests wait while the emulator is started again: Google's own is never away. */
const PATIENCE_MS = 30_000;

const CUT_OFF = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET']);

function codeOf(error: unknown): string {
  const { code, cause } = error as { code?: string; cause?: { code?: string } };
  return code ?? cause?.code ?? '';
}

/**
 * Asks the emulator; while nobody listens there, again.
 *
 * @throws ApiError 503, which clients try again, when it died while it was asked: nobody knows what it has done
 */
export async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      const code = codeOf(error);
      if (!CUT_OFF.has(code)) throw error;
      if (code !== 'ECONNREFUSED' || Date.now() > deadline)
        throw new ApiError(503, 'backendError', `the emulator ended meanwhile (${code})`);
      await delay(100);
    }
  }
}
