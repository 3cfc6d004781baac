import { Inject, Module } from '@nestjs/common';
import type { DynamicModule, OnApplicationBootstrap, OnApplicationShutdown } from '@nestjs/common';
import { UnreadableSeal } from '@token-status/personal-data';
import type { PersonalData } from '@token-status/personal-data';
import { Readiness } from '@token-status/platform';
import type { Logger, Metrics } from '@token-status/platform';
import { Projector } from '@token-status/read-model';
import type { OpenSealed, ProjectorOptions } from '@token-status/read-model';
import { observe, watch } from './observability.js';

/** What the module is made of; it closes none of it. */
export interface ProjectorPorts extends Omit<ProjectorOptions, 'observer' | 'openSealed'> {
  /** Asked for with every text that is opened: give the one that is open already. */
  readonly openPersonalData: () => Promise<Pick<PersonalData, 'open'>>;
  readonly logger: Logger;
  readonly metrics: Metrics;
}

/** The projector as a part of a Nest app: of its own, or of the standalone one. */
@Module({})
export class ProjectorModule implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    @Inject(Projector) private readonly projector: Projector,
    readiness: Readiness,
  ) {
    readiness.register({ name: 'projector', check: () => projector.readiness() });
  }

  static register({
    openPersonalData,
    logger,
    metrics,
    ...options
  }: ProjectorPorts): DynamicModule {
    const projector = new Projector({
      ...options,
      openSealed: openSealedWith(openPersonalData),
      observer: observe(logger, metrics),
    });
    watch(projector, metrics);
    return {
      module: ProjectorModule,
      providers: [{ provide: Projector, useValue: projector }],
      exports: [Projector],
    };
  }

  onApplicationBootstrap(): void {
    this.projector.start();
  }

  /** Finishes the batch in hand. */
  async onApplicationShutdown(): Promise<void> {
    await this.projector.close();
  }
}

const openSealedWith =
  (openPersonalData: ProjectorPorts['openPersonalData']): OpenSealed =>
  async (userId, sealed) => {
    const personalData = await openPersonalData();
    try {
      return { text: await personalData.open(userId, sealed) };
    } catch (fault) {
      if (fault instanceof UnreadableSeal) return 'unreadable';
      throw fault;
    }
  };
