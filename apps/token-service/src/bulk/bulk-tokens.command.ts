import { Command } from '@nestjs/cqrs';
import type { RefusalCode } from '@token-status/domain';
import type { CommandRequest } from '../commands/command-request.js';
import type { BulkRun } from './bulk-run.js';
import type { BulkTokensBody } from './bulk-tokens.dto.js';

export class BulkTokensCommand extends Command<
  BulkRun | { readonly refused: RefusalCode | 'forbidden' | 'key-reused' }
> {
  constructor(
    readonly request: CommandRequest,
    readonly body: BulkTokensBody,
    readonly minPosition: number,
  ) {
    super();
  }
}
