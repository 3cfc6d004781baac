/** A promise and its two outcomes (`Promise.withResolvers`, which Node 20 has not). */
export class Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (fault: Error) => void;

  constructor() {
    let settle: Pick<Deferred<T>, 'resolve' | 'reject'> | undefined;
    this.promise = new Promise<T>((resolve, reject) => {
      settle = { resolve, reject };
    });
    if (settle === undefined) throw new Error('unreachable: an executor runs at once');
    this.resolve = settle.resolve;
    this.reject = settle.reject;
    // That nobody may be waiting is no fault of the promise's.
    this.promise.catch(() => undefined);
  }
}
