export { checkRequest, DenseVariables, defaultInit, readSeed, sameVariable, seedFor } from "./dense.ts";
export {
  constantInit,
  type Distribution,
  fansOf,
  glorotNormal,
  glorotUniform,
  heNormal,
  heUniform,
  type Initializer,
  normalInit,
  ofDeviation,
  onesInit,
  orthogonal,
  readInitializer,
  truncatedNormalInit,
  uniformInit,
  varianceScaling,
  zerosInit,
} from "./initializers.ts";
export { scope, shared, uniqueNames, variableCreatorScope, variableScope } from "./scope.ts";
export { denseWeights, stateOf, weightsOf } from "./state.ts";
export {
  type CompressionReport,
  type PoolReport,
  reportOf,
  rowsOf,
  type Sizes,
  sizesOf,
  summary,
  survey,
  table,
  type VariableRow,
} from "./summary.ts";
export {
  type CreateOptions,
  type Description,
  type Model,
  type ModelState,
  type PooledState,
  readCreator,
  type Variable,
  type VariableCreator,
  VariableError,
} from "./variable.ts";
