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

/**
 * Everything that is counted: of the process (memory, CPU, event loop, files that are open), of the rooms, and what is given.
 * The package is loaded here, so that a start without figures does not wait for it.
 *
 * @param own  families of this server alone
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export async function openExposition(own: () => readonly Family[]): Promise<Exposition> {
  const { collectDefaultMetrics, Registry } = await import('prom-client')
  const ofProcess = new Registry()
  collectDefaultMetrics({ register: ofProcess })
  return {
    contentType: ofProcess.contentType,
    async text() {
      const ofRooms = new Registry()
      for (const family of [...meters(), ...own()]) ofRooms.registerMetric(new Shown(family) as never)
      return `${await ofProcess.metrics()}\n${await ofRooms.metrics()}`
    },
  }
}
