// What Jest is pointed at: there before anything is built, so that the unit tier runs without a build.
export default async (...args) => {
  const { default: setUp } = await import('../dist/servers/jest-global-setup.js').catch((cause) => {
    throw new Error('Build first (`npm run build`): the real servers are started by built code.', {
      cause,
    });
  });
  await setUp(...args);
};
