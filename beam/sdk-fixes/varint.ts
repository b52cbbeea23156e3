import { sdkModule } from './sdk-module.ts';

// VarIntCoder writes and reads 32 bits: integers beyond 2^31, so every time in milliseconds, come out as other ones.

interface Writer {
  _push(write: (value: number, buffer: Uint8Array, at: number) => void, length: number, value: number): void;
}

interface Reader {
  buf: Uint8Array;
  pos: number;
}

interface VarIntCoder {
  encode(value: number | bigint, writer: Writer): void;
  decode(reader: Reader): number;
}

function writeByte(writer: Writer, byte: number): void {
  writer._push((value, buffer, at) => (buffer[at] = value), 1, byte);
}

/** Reads and writes integers of 64 bits. One that JavaScript cannot hold exactly is an error, never another number. */
export function installVarint(): void {
  const { prototype } = sdkModule<{ VarIntCoder: { prototype: VarIntCoder } }>('coders/standard_coders').VarIntCoder;

  prototype.encode = function (value, writer) {
    let rest = BigInt.asUintN(64, BigInt(value));
    for (; rest > 127n; rest >>= 7n) writeByte(writer, Number(rest & 127n) | 128);
    writeByte(writer, Number(rest));
  };

  prototype.decode = function (reader) {
    let bits = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = reader.buf[reader.pos++];
      if (byte === undefined || shift > 63n) throw new RangeError('a varint that does not end');
      bits |= BigInt(byte & 127) << shift;
      if (byte < 128) break;
    }
    const value = Number(BigInt.asIntN(64, bits));
    if (!Number.isSafeInteger(value)) throw new RangeError('an integer of 64 bits that a number cannot hold exactly');
    return value;
  };
}
