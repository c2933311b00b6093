/**
 * Structured Multi-Hashing: pools of weights, and the factory that takes the variables of a model from a pool.
 * @module smh
 */
export { type ApplyTo, selector } from "./apply-to.ts";
export { type Collisions, collisions } from "./collisions.ts";
export { type Compressed, type CompressOptions, type CompressRule, compress } from "./compress.ts";
export { type FitReport, fitPool } from "./fit.ts";
export { type HashPoolOptions, HashVariablePool } from "./hash-pool.ts";
export {
  basicStore,
  cyclicStore,
  type IndexStore,
  type IndexStoreKind,
  PADDING,
  PoolError,
  paddingStore,
  type Range,
} from "./index-store.ts";
export { type MetaPoolOptions, MetaVariablePool } from "./meta-pool.ts";
export {
  composeModifiers,
  constantFaninScaleModifier,
  constantFanoutScaleModifier,
  fanoutScale,
  fanoutScaleModifier,
  initializerScaleModifier,
  type Modifier,
  type ModifierContext,
  namedModifier,
  reluModifier,
  signModifier,
  variableFanoutScaleModifier,
  variableScaleModifier,
} from "./modifiers.ts";
export type { PoolOptions, PoolSlice, VariablePool } from "./pool.ts";
export { poolSizeFor } from "./pool-size.ts";
export { type ProductPoolOptions, ProductVariablePool } from "./product-pool.ts";
export type { PooledVariable, PoolRule } from "./rule.ts";
export { VariableFactory, type VariableFactoryOptions } from "./variable-factory.ts";
