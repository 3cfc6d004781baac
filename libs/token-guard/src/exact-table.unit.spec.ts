import { ExactTable } from './exact-table.spec.js';
import { tokenTableContract } from './token-table.contract.spec.js';

tokenTableContract('the exact table', () => new ExactTable());
