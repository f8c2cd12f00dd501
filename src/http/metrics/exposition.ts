import { type Family, meters } from '#kernel'

/** A family in the shape in which the registry asks for it: it counts nothing itself. */
class Shown {
  readonly name: string
  readonly #family: Family

  constructor(family: Family) {
    this.name = family.name
    this.#family = family
  }

  async get(): Promise<object> {
    const { name, help, kind } = this.#family
    const values = this.#family.samples().map(sample => ({ ...sample, metricName: sample.name }))
    return { name, help, type: kind, values, aggregator: 'sum' }
  }
}

/** Figures as Prometheus reads them. */
export interface Exposition {
  readonly contentType: string
  text(): Promise<string>
}

/** The figures of several processes that serve one house. */
export interface FiguresOfAll {
  /** How those of this process are had when another one is asked. */
  offer(figures: () => Promise<readonly object[]>): void
  /** Those of all that answer, as each of them offers them. */
  all(): Promise<readonly (readonly object[])[]>
}

const processes: Family = {
  name: 'kinhold_processes',
  help: 'Processes of this server that answer',
  kind: 'gauge',
  samples: () => [{ name: 'kinhold_processes', labels: {}, value: 1 }],
}

/**
 * Everything that is counted: of the process (memory, CPU, event loop, files that are open), of the rooms, and what is given. Of several
 * processes it is added up, or averaged where the package says so of its own.
 * The package is loaded here, so that a start without figures does not wait for it.
 *
 * @param own  families of this server alone
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export async function openExposition(own: () => readonly Family[], figures?: FiguresOfAll): Promise<Exposition> {
  const { AggregatorRegistry, collectDefaultMetrics, Registry } = await import('prom-client')
  const ofProcess = new Registry()
  collectDefaultMetrics({ register: ofProcess })
  const ofRooms = () => {
    const registry = new Registry()
    for (const family of [processes, ...meters(), ...own()]) registry.registerMetric(new Shown(family) as never)
    return registry
  }
  figures?.offer(async () => [...(await ofProcess.getMetricsAsJSON()), ...(await ofRooms().getMetricsAsJSON())])
  return {
    contentType: ofProcess.contentType,
    async text() {
      if (figures !== undefined) return AggregatorRegistry.aggregate([...(await figures.all())]).metrics()
      return `${await ofProcess.metrics()}\n${await ofRooms().metrics()}`
    },
  }
}
