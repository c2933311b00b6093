import { besideSteps, isInArena, lifetimeNow, openScope } from "../kernels/index.ts";
import type { Outputs } from "./arguments.ts";
import { isRecording, keep } from "./autograd.ts";
import { Tensor } from "./tensor.ts";
import { watching } from "./watch.ts";

const listOf = (outputs: Outputs): readonly Tensor[] => (outputs instanceof Tensor ? [outputs] : outputs);

/**
 * Runs `work`, a part of a network, and returns its outputs. Inside `noGrad`, takes back the memory of all other
 * tensors that `work` made. `work` may call `settle(outputs)` between layers: of what it made so far, only these
 * outputs stay readable. Outside a step the outputs are copied, and `work` uses the memory of steps, which kernels read
 * in place. Tensors of the last step stay readable.
 *
 * While history is recorded or ops are watched, `work` runs as it is: pullbacks and diagnoses read its tensors later.
 */
export function tidy<R extends Outputs>(work: (settle: (outputs: Outputs) => void) => R): R {
  if (isRecording() || watching.now !== null) return work(() => undefined);
  return isInArena() ? scoped(work) : besideSteps(() => scoped(work, true));
}

function scoped<R extends Outputs>(work: (settle: (outputs: Outputs) => void) => R, copies = false): R {
  const scope = openScope();
  let left: readonly Tensor[] = [];
  /** Ends the lifetime of what the scope made; the outputs take part in the lifetime that follows. */
  const end = (outputs: Outputs, how: "settle" | "close"): void => {
    const own = listOf(outputs).filter(({ lifetime }) => lifetime === lifetimeNow());
    scope[how](own.map(({ numbers }) => numbers));
    for (const x of own) x.lifetime = lifetimeNow();
  };
  try {
    const outputs = work((outputs) => end(outputs, "settle"));
    if (copies) return copied(outputs);
    left = listOf(outputs);
    return outputs;
  } finally {
    end(left, "close");
  }
}

/** The outputs, those in memory of the scope copied. */
function copied<R extends Outputs>(outputs: R): R;
function copied(outputs: Outputs): Outputs {
  const own = lifetimeNow();
  const copyOf = (x: Tensor): Tensor => (x.lifetime === own ? keep(x) : x);
  return outputs instanceof Tensor ? copyOf(outputs) : outputs.map(copyOf);
}
