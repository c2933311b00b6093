// A reader of protocol buffers for tests: what a file holds, without the library's own writer.

type Field = { readonly field: number; readonly value: number | Uint8Array };

function fieldsOf(bytes: Uint8Array): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(BigInt.asIntN(64, value));
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const [field, wire] = [key >> 3, key & 7];
    if (wire === 0) fields.push({ field, value: varint() });
    else {
      const length = wire === 5 ? 4 : varint();
      fields.push({ field, value: bytes.subarray(at, at + length) });
      at += length;
    }
  }
  return fields;
}

const all = (message: Uint8Array, field: number): Uint8Array[] =>
  fieldsOf(message).flatMap((found) => (found.field === field && typeof found.value !== "number" ? [found.value] : []));
const texts = (message: Uint8Array, field: number): string[] =>
  all(message, field).map((bytes) => new TextDecoder().decode(bytes));
const numbers = (message: Uint8Array, field: number): number[] =>
  fieldsOf(message).flatMap(({ field: found, value }) => (found === field && typeof value === "number" ? [value] : []));

export type File = {
  readonly nodes: readonly {
    readonly op: string;
    readonly name: string;
    readonly inputs: readonly string[];
    readonly outputs: readonly string[];
  }[];
  readonly initializers: readonly { readonly name: string; readonly shape: readonly number[] }[];
  /** Inputs and outputs as "name: type [lengths]". */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
};

function portOf(message: Uint8Array): string {
  const tensor = all(all(message, 2)[0]!, 1)[0]!;
  const lengths = all(all(tensor, 2)[0]!, 1).map((length) => texts(length, 2)[0] ?? numbers(length, 1)[0] ?? "?");
  return `${texts(message, 1)[0]}: ${numbers(tensor, 1)[0] === 7 ? "int64" : "float32"} [${lengths.join(", ")}]`;
}

/** The graph of an ONNX file. */
export function readOnnx(bytes: Uint8Array): File {
  const graph = all(bytes, 7)[0]!;
  return {
    nodes: all(graph, 1).map((node) => ({
      op: texts(node, 4)[0]!,
      name: texts(node, 3)[0]!,
      inputs: texts(node, 1),
      outputs: texts(node, 2),
    })),
    initializers: all(graph, 5).map((tensor) => ({ name: texts(tensor, 8)[0]!, shape: numbers(tensor, 1) })),
    inputs: all(graph, 11).map(portOf),
    outputs: all(graph, 12).map(portOf),
  };
}
