// Closes a run of Jest with one plain line that adds up what really ran. A file that could not run at
// all counts as a failure, though it holds no test that failed; so does what `.ci/run` found before.
export default class CountReporter {
  onRunComplete(_contexts, results) {
    const before = Number(process.env.FAILED_BEFORE ?? 0);
    const failed = results.numFailedTests + results.numRuntimeErrorTestSuites + before;
    const skipped = results.numPendingTests + results.numTodoTests;
    const line = `${results.numPassedTests} passed, ${failed} failed`;
    // Jest's own summary comes after all reporters.
    process.once('exit', () => console.log(skipped > 0 ? `${line}, ${skipped} skipped` : line));
  }
}
