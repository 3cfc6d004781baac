export { ProjectorModule } from './projector.module.js';
export type { ProjectorPorts } from './projector.module.js';
export { projectorSettings } from './settings.js';
