import { URL } from 'node:url';

// What Jest is pointed at: there before anything is built, so that the unit tier runs without a build.
const built = new URL('../dist/servers/jest-global-setup.js', import.meta.url);

export default async (...args) => {
  const { default: setUp } = await import(built.href).catch((cause) => {
    throw new Error('Build first (`npm run build`): the real servers are started by built code.', {
      cause,
    });
  });
  await setUp(...args);
};
