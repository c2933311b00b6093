// Writes curve.json anew: `node --import tsx test/train/write-curve.ts`. Run it only if the curve is meant to change.
import { writeFileSync } from "node:fs";
import { curve } from "./curve.ts";

const rounded = (losses: number[]): number[] => losses.map((loss) => Number(loss.toFixed(6)));
const curves = { dense: rounded(curve("dense")), product: rounded(curve("product")) };
writeFileSync(new URL("curve.json", import.meta.url), `${JSON.stringify(curves, null, 2)}\n`);
