import type grpc from '@grpc/grpc-js';
import { GrpcError } from './grpc.ts';

/** Faults that a test asks of a server. */
export interface Faults {
  /** The next call of a method fails: `before` it takes effect, or `after`, which loses its answer. */
  failNext(method: string, when: 'before' | 'after', code: grpc.status): void;
}

/** Faults and the handler wrapper that makes them happen. */
export interface FaultInjector extends Faults {
  wrap<Request, Response>(
    method: string,
    handle: (request: Request) => Response | Promise<Response>,
  ): (request: Request) => Promise<Response>;
}

/** Makes an injector without faults. */
export function faultInjector(): FaultInjector {
  const planned = new Map<string, { when: 'before' | 'after'; code: grpc.status }>();
  return {
    failNext: (method, when, code) => void planned.set(method, { when, code }),
    wrap: (method, handle) => async (request) => {
      const fault = planned.get(method);
      planned.delete(method);
      if (fault?.when === 'before') throw new GrpcError(fault.code, `injected fault before ${method}`);
      const response = await handle(request);
      if (fault) throw new GrpcError(fault.code, `injected fault after ${method}`);
      return response;
    },
  };
}
