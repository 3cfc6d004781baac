/**
 * Waits for a condition, so that no test sleeps.
 *
 * @throws Error when it does not come to hold in time; a fault of the condition's is thrown at once.
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  withinMs = 45_000,
  what = 'the condition',
): Promise<void> {
  for (const end = Date.now() + withinMs; !(await condition());) {
    if (Date.now() > end) throw new Error(`${what} did not come to hold within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/**
 * Waits for an assertion to hold, where what is asserted comes about beside what the test has waited for.
 *
 * @throws what the assertion failed with last.
 */
export async function eventually(
  assertion: () => void | Promise<void>,
  withinMs = 45_000,
): Promise<void> {
  for (const end = Date.now() + withinMs; ;) {
    try {
      await assertion();
      return;
    } catch (fault) {
      if (Date.now() > end) throw fault;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
