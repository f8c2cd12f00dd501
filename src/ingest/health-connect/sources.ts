import { systems } from '../codes.ts'
import { type DescribedDevice, type DeviceContext, type DeviceReference, ToldDevices } from '../told-devices.ts'
import type { ForeignDatabase, Row, Table } from './database.ts'

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

interface Facts {
  readonly packageName: string | undefined
  readonly appName: string | undefined
  readonly manufacturer: string | undefined
  readonly model: string | undefined
  readonly kind: string | undefined
}

/** The apps and devices that records come from: an app on a device is one Device. */
export class ConnectSources {
  readonly #database: ForeignDatabase
  readonly #devices: ToldDevices

  constructor(database: ForeignDatabase, context: DeviceContext) {
    this.#database = database
    this.#devices = new ToldDevices(context)
  }

  /** As of `ToldDevices`. */
  take = () => this.#devices.take()

  /** Undefined for a record that names neither. */
  of(record: Row): DeviceReference | undefined {
    const [app, device] = [idIn(record, 'app_info_id'), idIn(record, 'device_info_id')]
    return this.#devices.of(`${app} ${device}`, () => described(this.#factsOf(app, device)))
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
}

function described({ packageName, appName, manufacturer, model, kind }: Facts): DescribedDevice | undefined {
  const product = [manufacturer, model].filter(text => text !== undefined).join(' ') || kind
  const display = [appName ?? packageName, product].filter(text => text !== undefined).join(', ')
  if (display === '') return undefined
  const identifier = [{ system: `${systems.healthConnect}/DataOrigin`, value: packageName }]
  return {
    display,
    facts: ['health-connect', packageName ?? '', manufacturer ?? '', model ?? '', kind ?? ''],
    elements: {
      ...(packageName === undefined ? {} : { identifier }),
      ...(manufacturer === undefined ? {} : { manufacturer }),
      deviceName: [{ name: display, type: 'user-friendly-name' }],
      ...(model === undefined ? {} : { modelNumber: model }),
      ...(kind === undefined ? {} : { type: { text: kind } }),
    },
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
