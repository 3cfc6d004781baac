import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The repository's folder: above this file, whether it runs from its source or as built. */
export const repository = ((): string => {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'nest-cli.json'))) {
    if (folder === dirname(folder)) throw new Error('there is no nest-cli.json above this file');
    folder = dirname(folder);
  }
  return folder;
})();
