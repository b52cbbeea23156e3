import { cupelError } from '../errors.ts';
import type { FetchOptions } from './fetch-feed.ts';

function endpoints(text: string | undefined): Record<string, string> {
  const pairs = (text ?? '').split(',').filter(Boolean);
  return Object.fromEntries(
    pairs.map((pair) => {
      const [host, url] = pair.split(/=(.*)/s);
      if (!host || !url || !URL.canParse(url))
        throw cupelError('CUP_ENVIRONMENT_INVALID', {
          variable: 'CUPEL_HTTP_ENDPOINTS',
          expected: 'host=URL,host=URL',
        });
      return [host, url];
    }),
  );
}

/**
 * How the poll function fetches: `CUPEL_HTTP_ENDPOINTS` (host=URL pairs that stand for hosts) and
 * `CUPEL_ALLOW_PRIVATE_ADDRESSES=1`. Both are unset in production.
 */
export function fetchSettings(env: Record<string, string | undefined>): Omit<FetchOptions, 'hosts'> {
  return {
    endpoints: endpoints(env.CUPEL_HTTP_ENDPOINTS),
    allowPrivateAddresses: env.CUPEL_ALLOW_PRIVATE_ADDRESSES === '1',
  };
}
