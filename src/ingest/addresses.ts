import { lookup as dnsLookup } from 'node:dns';
import type { LookupAddress } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import { cupelError } from '../errors.ts';

// Addresses that a public feed never has: a redirect to one is an attempt to read the inside (server-side request forgery).
const PRIVATE = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  PRIVATE.addSubnet(network, prefix, 'ipv4');
}
for (const [network, prefix] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
  ['64:ff9b::', 96],
] as const) {
  PRIVATE.addSubnet(network, prefix, 'ipv6');
}

/** Whether an IP address is private, loopback, link-local or otherwise not of the public internet. */
export function isPrivateAddress(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped) return PRIVATE.check(mapped, 'ipv4');
  return PRIVATE.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

type Done = (error: Error | null, addresses: LookupAddress[]) => void;

/** A `lookup` for sockets that refuses private addresses as the connection is made, so that no name can change in between. */
export function publicLookup(hostname: string, _options: unknown, done: Done): void {
  dnsLookup(hostname, { all: true }, (error, addresses) => {
    if (error) return done(error, []);
    const refused = addresses.some(({ address }) => isPrivateAddress(address));
    if (refused) return done(cupelError('CUP_HOST_REFUSED', { host: hostname, found: 'a private address' }), []);
    return done(null, addresses);
  });
}
