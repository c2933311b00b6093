// The names of models, apart from their code, so that help does not load the code.

const FIXED: readonly string[] = [
  ...["toy", "mlp", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"],
  ...["mobilenetv2", "mobilenetv3", "mobilenetv3-small", "mobilenetv3-large"],
  ...Array.from({ length: 8 }, (_, i) => `efficientnet-b${i}`),
];

/** The depth of a ResNet for small images, 6n + 2; null for other names. "resnet50" is the network for large images. */
export function smallResNetDepth(name: string): number | null {
  const depth = Number(/^resnet(\d+)$/.exec(name)?.[1]);
  return !FIXED.includes(name) && depth >= 8 && depth <= 1202 && (depth - 2) % 6 === 0 ? depth : null;
}

/** The names of models for messages. */
export const MODEL_NAMES: string = [...FIXED, "resnet20 and other depths 6n + 2"].join(", ");

export const isModelName = (name: string): boolean => FIXED.includes(name) || smallResNetDepth(name) !== null;
