import { sdkModule } from './sdk-module.ts';

// A bare number counts as an integer when it has no fraction, by `% 1`: so do NaN, the infinities, -0 and 1e300, and the coder of
// integers cannot write them.

interface Coder {
  encode(value: unknown, writer: unknown, context: unknown): void;
}

interface NumberCoder extends Coder {
  intCoder: Coder;
  doubleCoder: Coder;
}

/** Writes as an integer only what is one; every other number as a double. */
export function installNumberCoder(): void {
  const { GeneralObjectCoder } = sdkModule<{ GeneralObjectCoder: new () => { codersByType: { number: NumberCoder } } }>(
    'coders/js_coders',
  );
  const prototype = Object.getPrototypeOf(new GeneralObjectCoder().codersByType.number) as NumberCoder;
  prototype.encode = function (this: NumberCoder, value, writer, context) {
    const integer = Number.isSafeInteger(value) && !Object.is(value, -0);
    (writer as { string(text: string): void }).string(integer ? 'i' : 'f');
    (integer ? this.intCoder : this.doubleCoder).encode(value, writer, context);
  };
}
