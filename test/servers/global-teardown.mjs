export default async (...args) => {
  const { default: tearDown } = await import('../dist/servers/jest-global-teardown.js');
  await tearDown(...args);
};
