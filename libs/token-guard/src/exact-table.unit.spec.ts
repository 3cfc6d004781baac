import { ExactTable } from './exact-table.js';
import { tokenTableContract } from './token-table.contract.spec.js';

tokenTableContract('the exact table', () => new ExactTable());
