import { describe, expect, it } from '@jest/globals';
import type { TokenView } from '@token-status/read-model';
import { createLogger } from '@token-status/platform';
import { DEFAULT_OPTIONS } from '../options.js';
import { TokenPresenter } from './token-json.js';

const NOW = '2030-01-01T12:00:00.000Z';
const BEFORE = '2030-01-01T11:59:59.999Z';
const AFTER = '2030-01-01T12:00:00.001Z';

const view: TokenView = {
  id: 'tok_1',
  name: 'CI',
  hint: 'abcdef',
  userId: 'u-1',
  accountId: 'acme',
  createdAt: '2029-01-01T00:00:00.000Z',
  expiresAt: null,
  disabled: null,
  revoked: false,
  version: 3,
  position: 17,
};
const disabled: NonNullable<TokenView['disabled']> = {
  at: '2029-06-01T00:00:00.000Z',
  by: { kind: 'user', id: 'u-1' },
  authority: 'owner',
  reason: 'exposed',
  note: 'in a paste',
  until: null,
};

const presenter = new TokenPresenter(
  {
    seal: () => Promise.reject(new Error('nothing is sealed here')),
    open: () => Promise.reject(new Error('nothing is opened here')),
  },
  () => new Date(NOW),
  { ...DEFAULT_OPTIONS, fingerprintKey: new Uint8Array(32) },
  createLogger({ name: 'test', level: 'silent' }),
);

describe('a token as it is shown', () => {
  it('has the members of api.md and no other', () => {
    expect(presenter.present({ ...view, disabled })).toEqual({
      id: 'tok_1',
      name: 'CI',
      hint: 'abcdef',
      userId: 'u-1',
      accountId: 'acme',
      status: 'disabled',
      createdAt: '2029-01-01T00:00:00.000Z',
      expiresAt: null,
      disabled,
      lastUsedAt: null,
      version: 3,
      position: 17,
    });
  });

  it('says that it is parked where that is so: what is shown is the last that is known', () => {
    expect(presenter.present({ ...view, parked: true })).toEqual({
      ...presenter.present(view),
      parked: true,
    });
    expect(presenter.present(view)).not.toHaveProperty('parked');
  });

  it('never shows what else the state of the log knows', () => {
    const more = {
      ...view,
      disabled: { ...disabled, version: 2 },
      secretDigest: 'd1d1',
      userNameDigest: 'd2d2',
      changedAt: NOW,
    };
    expect(JSON.stringify(presenter.present(more))).not.toMatch(
      /Digest|d1d1|d2d2|changedAt|revoked/,
    );
    expect(presenter.present(more).disabled).not.toHaveProperty('version');
  });

  it.each([
    ['active', {}],
    ['active', { expiresAt: AFTER }],
    ['expired', { expiresAt: NOW }],
    ['expired', { expiresAt: BEFORE }],
    ['disabled', { disabled }],
    ['disabled', { disabled, expiresAt: AFTER }],
    ['expired', { disabled, expiresAt: NOW }],
    ['revoked', { revoked: true }],
    ['revoked', { revoked: true, disabled, expiresAt: BEFORE }],
  ])('is %s as %j', (status, changes) => {
    expect(presenter.present({ ...view, ...changes }).status).toBe(status);
  });
});
