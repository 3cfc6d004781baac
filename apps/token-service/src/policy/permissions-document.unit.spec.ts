import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { permissionsDocument } from './permissions-document.spec.js';

const file = new URL('../../docs/permissions.md', import.meta.url);

it('the documented permissions are those of the table', () => {
  const made = permissionsDocument();
  if (process.env.WRITE_DOCS === '1') writeFileSync(file, made);
  expect(readFileSync(file, 'utf8')).toBe(made);
});
