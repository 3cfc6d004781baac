import { describe, expect, it } from '@jest/globals';
import { installed } from './programs.js';

describe('a proxy that is not installed', () => {
  it('fails its test and says how to install it', () => {
    expect(() => installed('caddy', ['/nowhere'])).toThrow(
      /caddy is not installed.*tools\/install-proxies\.sh.*apt-get install caddy/,
    );
  });
});
