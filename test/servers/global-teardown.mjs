import { URL } from 'node:url';

const built = new URL('../dist/servers/jest-global-teardown.js', import.meta.url);

export default async (...args) => {
  const { default: tearDown } = await import(built.href);
  await tearDown(...args);
};
