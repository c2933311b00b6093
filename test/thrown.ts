/** What calling `fn` throws as "name: message", to compare exactly; "nothing" if it returns. */
export function thrown(fn: () => unknown): string {
  try {
    fn();
  } catch (error) {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  }
  return "nothing";
}
