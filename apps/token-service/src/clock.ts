/** The wall clock that commands and expiry are judged by: injected, so that tests move it. */
export type Clock = () => Date;
