import { status } from '@grpc/grpc-js';
import { workerPrototype } from './worker.ts';
import type { Worker } from './worker.ts';

// Nobody listens for errors of the control channel, so a runner that goes away at the end of a job, as runners do, takes the whole
// process with it; and that of the data channel is printed as if it were an error. What became of the job is told by its state.

const GOING_AWAY: unknown[] = [status.CANCELLED, status.UNAVAILABLE];

interface Channel {
  removeAllListeners(event: 'error'): void;
  on(event: 'error', listener: (error: { code?: number; message: string }) => void): void;
}

function tellErrors(channel: Channel, name: string): void {
  channel.removeAllListeners('error');
  channel.on('error', ({ code, message }) => {
    if (!GOING_AWAY.includes(code)) console.error(`${name} channel: ${message}`);
  });
}

/** Outlives the end of the channels; other errors of them are printed. */
export function installChannelErrors(): void {
  const prototype = workerPrototype();
  const { handleRequest, getDataChannel } = prototype;
  const patched = new WeakSet<object>();
  const patch = (owner: object, channel: Channel, name: string): void => {
    if (patched.has(owner)) return;
    patched.add(owner);
    tellErrors(channel, name);
  };
  prototype.handleRequest = async function (this: Worker, request) {
    patch(this, this.controlChannel as unknown as Channel, 'control');
    return handleRequest.call(this, request);
  };
  prototype.getDataChannel = function (this: Worker, endpoint) {
    const channel = getDataChannel.call(this, endpoint) as { dataChannel: Channel };
    patch(channel, channel.dataChannel, 'data');
    return channel;
  };
}
