import { ReasonedBody } from '../http/reasoned-body.js';

export class EnableTokenBody extends ReasonedBody {}
