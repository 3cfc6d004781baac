import { LONGEST_NAME } from '../add-token/add-token.dto.js';
import { IsPlainText } from '../http/plain-text.js';

export class RenameTokenBody {
  @IsPlainText(LONGEST_NAME)
  readonly name: string;
}
