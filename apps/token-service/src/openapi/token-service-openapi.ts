import { CONTROLLERS } from '../token-service.module.js';
import { openApiDocument } from './document.js';
import type { OpenApiDocument } from './document.js';

/** The document that `/v1/openapi.json` serves, without a service. */
export const tokenServiceOpenApi = (): OpenApiDocument => openApiDocument(CONTROLLERS);
