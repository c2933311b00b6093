import { gzipSync } from "node:zlib";
import { encodeIdx, parseIdx } from "../../src/data/index.ts";
import { Generator, HashgradError } from "../../src/tensor/index.ts";

/** A sound IDX file that is changed in its structure: rank, lengths, type, or size. */
function mutant(random: Generator): Uint8Array {
  const one = <T>(list: readonly T[]): T => list[random.below(list.length)]!;
  const shape = Array.from({ length: random.below(4) }, () => random.below(5));
  const sound = encodeIdx(shape, new Uint8Array(shape.reduce((a, b) => a * b, 1)));
  const changed = sound.slice();
  const kind = random.below(6);
  if (kind === 0) return sound.slice(0, random.below(sound.length + 1));
  if (kind === 1) return Uint8Array.from([...sound, ...new Uint8Array(random.below(9))]);
  if (kind === 2) changed[random.below(Math.min(4, changed.length))] = random.below(256);
  if (kind === 3) for (let i = 0; i < 3; i++) changed[random.below(changed.length)] = one([0, 1, 127, 255, random.below(256)]);
  if (kind === 4) return gzipSync(sound, { level: 1 });
  if (kind < 5) return changed;
  const rank = random.below(256); // lengths whose product is 0, 1, or larger than any number
  const wide = new Uint8Array(4 + 4 * rank + random.below(9));
  wide.set([0, 0, 8, rank]);
  for (let i = 4; i < wide.length; i++) wide[i] = one([0, 0, 1, 255]);
  return wide;
}

/**
 * Parses `count` mutants. Returns what went wrong, as a list of sentences: nothing, if every mutant is read rightly or
 * refused.
 */
export function faultsOfMutants(count: number, seed: number): string[] {
  const random = new Generator(seed);
  const faults: string[] = [];
  for (let i = 0; i < count; i++) {
    const bytes = mutant(random);
    const began = performance.now();
    try {
      const { shape, data } = parseIdx(bytes, "mutant");
      if (shape.reduce((a, b) => a * b, 1) !== data.length || 4 + 4 * shape.length + data.length !== bytes.length)
        faults.push(`mutant ${i}: [${shape}] was accepted with ${data.length} bytes`);
    } catch (error) {
      if (!(error instanceof HashgradError && error.message.startsWith("parseIdx: mutant: ")))
        faults.push(`mutant ${i}: ${error}`);
    }
    if (performance.now() - began > 1000) faults.push(`mutant ${i} took more than a second`);
  }
  return faults;
}
