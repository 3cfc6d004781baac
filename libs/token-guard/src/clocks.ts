/** Both in milliseconds. Tests move them. */
export interface Clocks {
  /** Never goes back, and has no meaning outside this process: what ages are measured with. */
  monotonic(): number;
  /** Since the Unix epoch: what expiry is judged by, and nothing else. */
  wall(): number;
}

export const systemClocks: Clocks = {
  monotonic: () => performance.now(),
  wall: () => Date.now(),
};
