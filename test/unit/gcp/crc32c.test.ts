import { CRC32C } from '@google-cloud/storage';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Crc32c } from '../../../src/gcp/crc32c.ts';

const ascending = Uint8Array.from({ length: 32 }, (_, index) => index);

function checksum(...parts: Uint8Array[]): Crc32c {
  const crc = new Crc32c();
  for (const part of parts) crc.update(Buffer.from(part));
  return crc;
}

// RFC 3720, appendix B.4, and the check value of the catalogue of CRCs.
test.each([
  ['zeros', new Uint8Array(32), 0x8a9136aa],
  ['ones', new Uint8Array(32).fill(255), 0x62a8ab43],
  ['ascending', ascending, 0x46dd794e],
  ['descending', ascending.toReversed(), 0x113fdb5c],
  ['123456789', Buffer.from('123456789'), 0xe3069283],
  ['nothing', new Uint8Array(0), 0],
])('the checksum of %s is that of the standard', (_, bytes, expected) => {
  const big = Buffer.alloc(4);
  big.writeUInt32BE(expected);
  expect(checksum(bytes).toString()).toBe(big.toString('base64'));
});

test("it is the client's own one, however the bytes are cut and wherever they lie", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (parts) => {
      const reference = new CRC32C();
      for (const part of parts) reference.update(Buffer.from(part));
      const crc = checksum(...parts);
      expect(crc.toString()).toBe(reference.toString());
      for (const form of [reference.toString(), reference.toBuffer(), reference.valueOf(), reference])
        expect(crc.validate(form)).toBe(true);
      expect(crc.validate(reference.valueOf() ^ 1)).toBe(false);
    }),
  );
});
