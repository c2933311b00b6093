import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeText, encodeText } from "../../src/kernels/index.ts";
import "../fixed-seed.ts";

test("encodeText gives the bytes of TextEncoder, even for lone surrogates", () => {
  const code = fc.integer({ min: 0, max: 0xffff });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: "binary" }),
        fc.array(code).map((codes) => String.fromCharCode(...codes)),
      ),
      (text) => {
        expect(encodeText(text)).toEqual(new TextEncoder().encode(text));
      },
    ),
  );
});

test("decodeText reads the bytes of encodeText with and without a global TextDecoder and refuses other bytes", () => {
  const text = "weights/größe/重み/🙂";
  expect(decodeText(encodeText(text))).toBe(text);
  const { TextDecoder } = globalThis;
  Reflect.deleteProperty(globalThis, "TextDecoder");
  try {
    expect(decodeText(encodeText(text))).toBe(text);
    expect(() => decodeText(Uint8Array.of(0xff))).toThrow(TypeError);
  } finally {
    globalThis.TextDecoder = TextDecoder;
  }
});
