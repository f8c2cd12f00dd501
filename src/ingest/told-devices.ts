import { ownText } from '#kernel'
import type { MapContext, Outcome } from './outcome.ts'
import type { FhirContext } from './read-context.ts'
import { frozen } from './tables.ts'

/** What telling Devices needs to know of the run. */
export type DeviceContext = MapContext & Pick<FhirContext, 'canWrite'>

/** How a resource refers to where it comes from: by its name alone, where no Device may be written. */
export interface DeviceReference {
  readonly reference?: string
  readonly display: string
}

/** A device or an app, as a file names it. */
export interface DescribedDevice {
  readonly display: string
  /** What makes it the one that it is: the format, and what the file knows it by. */
  readonly facts: readonly [format: string, ...string[]]
  /** Of the Device, beside its id, source and patient. */
  readonly elements: Readonly<Record<string, unknown>>
}

/** Different sources of one file: a person has some dozen, each in some dozen versions. */
const maxSources = 10_000

/** Where the rows of a file come from: each app or device is one Device, told the first time that something refers to it. */
export class ToldDevices {
  readonly #context: DeviceContext
  readonly #known = new Map<string, DeviceReference | undefined>()
  readonly #told = new Set<string>()
  #fresh: Outcome[] = []

  constructor(context: DeviceContext) {
    this.#context = context
  }

  /** The Devices that were referred to since the last call for the first time. */
  take(): Outcome[] {
    const fresh = this.#fresh
    if (fresh.length > 0) this.#fresh = []
    return fresh
  }

  /**
   * @param key       by which rows name it; several may name the same
   * @param describe  asked once for each key; undefined for what names nothing
   */
  of(key: string, describe: () => DescribedDevice): DeviceReference
  of(key: string, describe: () => DescribedDevice | undefined): DeviceReference | undefined
  of(key: string, describe: () => DescribedDevice | undefined): DeviceReference | undefined {
    if (!this.#known.has(key)) this.#remember(key, describe())
    return this.#known.get(key)
  }

  #remember(key: string, described: DescribedDevice | undefined): void {
    // Ids are fingerprints: what is told once more, when too many were known, is the same Device.
    if (this.#known.size >= maxSources) {
      this.#known.clear()
      this.#told.clear()
    }
    this.#known.set(ownText(key), described && this.#referenceTo(described))
  }

  #referenceTo({ display: said, facts: [format, ...facts], elements }: DescribedDevice): DeviceReference {
    const context = this.#context
    const display = ownText(said)
    if (!context.canWrite('Device')) return frozen({ display })
    const id = context.fingerprint(format, 'Device', ...facts)
    if (!this.#told.has(id)) {
      const resource = {
        resourceType: 'Device',
        id,
        meta: { source: context.source },
        ...elements,
        patient: context.subject,
      }
      this.#fresh.push({ kind: 'mapped', row: 'Device', rows: 0, mode: 'create', resource })
      this.#told.add(id)
    }
    return frozen({ reference: `Device/${id}`, display })
  }
}
