import type { ProjectorStep, TokenStatusRepository } from '@token-status/read-model';

/** Where read models are made, each empty and under its own name. */
export interface ReadModelPlace {
  open(
    name: string,
    options?: { readonly onStep?: (step: ProjectorStep) => void },
  ): Promise<TokenStatusRepository>;
  destroy(): Promise<void>;
}
