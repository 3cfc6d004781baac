import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { KEY_CACHE_MS, UnreadableSeal, WrongMasterKey } from '@token-status/personal-data';
import type { PersonalData, PersonalDataOptions } from '@token-status/personal-data';
import { randomBytes, randomUUID } from 'node:crypto';

/** One key store, which any number of processes have open. */
export interface SharedKeyStore {
  open(options: PersonalDataOptions): Promise<PersonalData>;
  destroy(): Promise<void>;
}

/** What every adapter of {@link PersonalData} promises. */
export function personalDataContract(name: string, makeStore: () => Promise<SharedKeyStore>): void {
  describe(`personal data in ${name}`, () => {
    const masterKey = randomBytes(32);
    const opened: PersonalData[] = [];
    let store: SharedKeyStore;
    let clock = 1000;

    const open = async (options: Partial<PersonalDataOptions> = {}): Promise<PersonalData> => {
      const personalData = await store.open({ masterKey, now: () => clock, ...options });
      opened.push(personalData);
      return personalData;
    };
    const someUser = (): string => `u-${randomUUID()}`;

    beforeAll(async () => (store = await makeStore()));
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((personalData) => personalData.close()));
    });
    afterAll(() => store.destroy());

    it('opens what it sealed, in another process too', async () => {
      const user = someUser();
      const sealed = await (await open()).seal(user, 'deploy key of the 3rd floor ☂');
      expect(await (await open()).open(user, sealed)).toBe('deploy key of the 3rd floor ☂');
    });

    it('seals the same text of the same user alike in every process, and another user’s not', async () => {
      const [user, other] = [someUser(), someUser()];
      const [here, there] = [await open(), await open()];
      const sealed = await here.seal(user, 'name');
      expect(await there.seal(user, 'name')).toBe(sealed);
      expect(await there.seal(user, 'names')).not.toBe(sealed);
      expect((await there.seal(other, 'name')).slice(-20)).not.toBe(sealed.slice(-20));
    });

    it('compares texts as Unicode NFC and gives that back', async () => {
      const user = someUser();
      const personalData = await open();
      const sealed = await personalData.seal(user, 'cafe\u0301');
      expect(await personalData.seal(user, 'caf\u00e9')).toBe(sealed);
      expect(await personalData.open(user, sealed)).toBe('caf\u00e9');
    });

    it('does not open for one user what was sealed for another', async () => {
      const [user, other] = [someUser(), someUser()];
      const personalData = await open();
      const sealed = await personalData.seal(user, 'name');
      await personalData.seal(other, 'name');
      await expect(personalData.open(other, sealed)).rejects.toThrow(UnreadableSeal);
      await expect(personalData.open(someUser(), sealed)).rejects.toThrow(UnreadableSeal);
    });

    it('makes one key however many processes seal a user’s first text at once', async () => {
      const processes = await Promise.all(Array.from({ length: 4 }, () => open()));
      const users = Array.from({ length: 10 }, someUser);
      for (const user of users) {
        const sealed = await Promise.all(
          processes.flatMap((process) => [process.seal(user, 'n'), process.seal(user, 'n')]),
        );
        expect(new Set(sealed).size).toBe(1);
      }
    });

    it('opens nothing of a forgotten user’s, wherever it is asked', async () => {
      const user = someUser();
      const personalData = await open();
      const sealed = await personalData.seal(user, 'name');
      expect(await personalData.forget(user)).toBe('forgotten');
      expect(await personalData.open(user, sealed)).toBeNull();
      expect(await (await open()).open(user, sealed)).toBeNull();
    });

    it('has nothing to forget of a user twice, nor of a stranger', async () => {
      const user = someUser();
      const personalData = await open();
      await personalData.seal(user, 'name');
      await personalData.forget(user);
      expect(await personalData.forget(user)).toBe('nothing-held');
      expect(await personalData.forget(someUser())).toBe('nothing-held');
    });

    it('seals anew for a user who comes back, with a key that opens none of the old texts', async () => {
      const user = someUser();
      const personalData = await open();
      const first = await personalData.seal(user, 'name');
      await personalData.forget(user);
      const second = await personalData.seal(user, 'name');
      expect(second).not.toBe(first);
      await personalData.forget(user);
      const third = await personalData.seal(user, 'name');
      for (const process of [personalData, await open()]) {
        expect(await process.open(user, first)).toBeNull();
        expect(await process.open(user, second)).toBeNull();
        expect(await process.open(user, third)).toBe('name');
      }
    });

    it('takes notice within a minute of a user whom another process forgot', async () => {
      const user = someUser();
      const [here, there] = [await open(), await open()];
      const sealed = await here.seal(user, 'name');
      expect(await here.open(user, sealed)).toBe('name');
      await there.forget(user);
      clock += KEY_CACHE_MS + 1;
      expect(await here.open(user, sealed)).toBeNull();
      expect(await here.seal(user, 'name')).not.toBe(sealed);
    });

    it('opens at once what another process sealed with a newer key', async () => {
      const user = someUser();
      const [here, there] = [await open(), await open()];
      await here.open(user, await here.seal(user, 'old'));
      await there.forget(user);
      expect(await here.open(user, await there.seal(user, 'new'))).toBe('new');
    });

    it('does not remember a key that was destroyed while it was being read', async () => {
      const user = someUser();
      const personalData = await open();
      const sealed = await (await open()).seal(user, 'name');
      await Promise.all([personalData.open(user, sealed), personalData.forget(user)]);
      expect(await personalData.open(user, sealed)).toBeNull();
    });

    it('refuses a sealed text that was changed in any place', async () => {
      const user = someUser();
      const personalData = await open();
      const sealed = await personalData.seal(user, 'name');
      for (let i = 0; i < sealed.length; i++) {
        const changed = sealed.slice(0, i) + (sealed[i] === 'A' ? 'B' : 'A') + sealed.slice(i + 1);
        await expect(personalData.open(user, changed)).rejects.toThrow(UnreadableSeal);
      }
    });

    it('refuses a text that is empty, too long, or no Unicode, without repeating it', async () => {
      const personalData = await open();
      for (const text of ['', 'x'.repeat(1001), '😀'.repeat(900), 'half \ud83d']) {
        const refusal = await personalData.seal(someUser(), text).then(null, (e: unknown) => e);
        expect(refusal).toBeInstanceOf(RangeError);
        if (text !== '') expect((refusal as Error).message).not.toContain(text);
      }
    });

    it('says so when the keys were wrapped by another master key, and destroys them all the same', async () => {
      const user = someUser();
      const sealed = await (await open()).seal(user, 'name');
      const stranger = await open({ masterKey: randomBytes(32) });
      await expect(stranger.open(user, sealed)).rejects.toThrow(WrongMasterKey);
      await expect(stranger.seal(user, 'name')).rejects.toThrow(WrongMasterKey);
      expect(await stranger.forget(user)).toBe('forgotten');
      expect(await (await open()).open(user, sealed)).toBeNull();
    });

    it('refuses a master key of another length', async () => {
      await expect(open({ masterKey: randomBytes(16) })).rejects.toThrow(RangeError);
    });
  });
}
