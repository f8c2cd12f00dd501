import { systems } from '../codes.ts'
import type { TakeoutContext } from '../fit/sources.ts'
import type { Outcome } from '../outcome.ts'
import { frozen } from '../tables.ts'
import type { ForeignDatabase, Row, Table } from './database.ts'

interface DeviceReference {
  readonly reference?: string
  readonly display: string
}

/** `Device.DEVICE_TYPE_…` of Android, in words. */
const kinds: ReadonlyMap<string, string> = new Map([
  ['1', 'Watch'],
  ['2', 'Phone'],
  ['3', 'Scale'],
  ['4', 'Ring'],
  ['5', 'Head-mounted device'],
  ['6', 'Fitness band'],
  ['7', 'Chest strap'],
  ['8', 'Smart display'],
])

/** Apps on devices of which an export tells; a person has some dozen. */
const maxSources = 10_000

interface Facts {
  readonly packageName: string | undefined
  readonly appName: string | undefined
  readonly manufacturer: string | undefined
  readonly model: string | undefined
  readonly kind: string | undefined
}

/** The apps and devices that records come from: an app on a device is one Device, told the first time something refers to it. */
export class ConnectSources {
  readonly #database: ForeignDatabase
  readonly #context: TakeoutContext
  readonly #known = new Map<string, DeviceReference | undefined>()
  readonly #told = new Set<string>()
  #fresh: Outcome[] = []

  constructor(database: ForeignDatabase, context: TakeoutContext) {
    this.#database = database
    this.#context = context
  }

  /** The Devices that were referred to since the last call for the first time. */
  take(): Outcome[] {
    const fresh = this.#fresh
    if (fresh.length > 0) this.#fresh = []
    return fresh
  }

  /** Undefined for a record that names neither. */
  of(record: Row): DeviceReference | undefined {
    const [app, device] = [idIn(record, 'app_info_id'), idIn(record, 'device_info_id')]
    const key = `${app} ${device}`
    if (this.#known.has(key)) return this.#known.get(key)
    const reference = this.#tell(this.#factsOf(app, device))
    // @NOTE the memo starts afresh when full; ids are fingerprints, so what is told twice is the same Device.
    if (this.#known.size >= maxSources) this.#known.clear()
    this.#known.set(key, reference)
    return reference
  }

  #factsOf(app: number | undefined, device: number | undefined): Facts {
    const appRow = this.#row('application_info_table', app)
    const deviceRow = this.#row('device_info_table', device)
    return {
      packageName: textIn(appRow, 'package_name'),
      appName: textIn(appRow, 'app_name'),
      manufacturer: textIn(deviceRow, 'manufacturer'),
      model: textIn(deviceRow, 'model'),
      kind: kinds.get(String(deviceRow?.cells.get('device_type'))),
    }
  }

  #row(name: string, id: number | undefined): Row | undefined {
    const table: Table | undefined = this.#database.tables.get(name)
    return table === undefined || id === undefined ? undefined : this.#database.row(table, id)
  }

  #tell(facts: Facts): DeviceReference | undefined {
    const { packageName, appName, manufacturer, model, kind } = facts
    const product = [manufacturer, model].filter(text => text !== undefined).join(' ') || kind
    const name = appName ?? packageName
    const display = [name, product].filter(text => text !== undefined).join(', ')
    if (display === '') return undefined
    if (!this.#context.canWrite('Device')) return frozen({ display })
    const parts = [packageName ?? '', manufacturer ?? '', model ?? '', kind ?? '']
    const id = this.#context.fingerprint('health-connect', 'Device', ...parts)
    if (!this.#told.has(id)) this.#fresh.push(this.#device(id, display, facts))
    if (this.#told.size < maxSources) this.#told.add(id)
    return frozen({ reference: `Device/${id}`, display })
  }

  #device(id: string, display: string, { packageName, manufacturer, model, kind }: Facts): Outcome {
    const resource = {
      resourceType: 'Device',
      id,
      meta: { source: this.#context.source },
      ...(packageName === undefined
        ? {}
        : { identifier: [{ system: `${systems.healthConnect}/DataOrigin`, value: packageName }] }),
      ...(manufacturer === undefined ? {} : { manufacturer }),
      deviceName: [{ name: display, type: 'user-friendly-name' }],
      ...(model === undefined ? {} : { modelNumber: model }),
      ...(kind === undefined ? {} : { type: { text: kind } }),
      patient: this.#context.subject,
    }
    return { kind: 'mapped', row: 'Device', rows: 0, mode: 'create', resource }
  }
}

function idIn(row: Row, column: string): number | undefined {
  const cell = row.cells.get(column)
  return typeof cell === 'number' && Number.isInteger(cell) ? cell : undefined
}

function textIn(row: Row | undefined, column: string): string | undefined {
  const cell = row?.cells.get(column)
  const text = typeof cell === 'string' ? cell.trim().slice(0, 200) : ''
  return text === '' ? undefined : text
}
