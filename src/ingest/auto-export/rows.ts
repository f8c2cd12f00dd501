import type { AppleElement } from '../apple/element.ts'
import { exactly, toFhirNumber } from '../numbers.ts'
import type { Outcome } from '../outcome.ts'
import type { Loose } from '../source/json-tokens.ts'
import { autoExportTables } from './tables.ts'

/** An object of the file. What was read of it is remembered, so that the rest can be named. */
export class JsonObject {
  readonly #value: { readonly [name: string]: Loose }
  readonly #read = new Set<string>()
  /** Under which name it stands in the report. */
  readonly row: string

  constructor(value: { readonly [name: string]: Loose }, row: string) {
    this.#value = value
    this.row = row
  }

  get(name: string): Loose | undefined {
    this.#read.add(name)
    return Object.hasOwn(this.#value, name) ? this.#value[name] : undefined
  }

  text(...names: readonly string[]): string | undefined {
    const found = names.map(name => this.get(name)).find(value => typeof value === 'string' && value.trim() !== '')
    return typeof found === 'string' ? found.trim() : undefined
  }

  object(name: string): JsonObject | undefined {
    const value = this.get(name)
    return isObject(value) ? new JsonObject(value, `${this.row}.${name}`) : undefined
  }

  list(name: string): readonly Loose[] {
    const value = this.get(name)
    return Array.isArray(value) ? value : []
  }

  /** Members that say something and that nobody asked for. */
  unread(): Outcome[] {
    return Object.entries(this.#value)
      .filter(([name, value]) => !this.#read.has(name) && value !== null && value !== '')
      .map(([name]): Outcome => {
        const place = `${this.row}.${/^\w[\w ]{0,60}$/.test(name) ? name : 'unrecognised'}`
        return { kind: 'unread', place, location: place }
      })
  }
}

export function isObject(value: Loose | undefined): value is { readonly [name: string]: Loose } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * A date of the app as an Apple Health export writes dates: it uses the same form, in some regions with the hour of a clock of twelve,
 * and ISO 8601 for states of mind.
 */
export function appleDate(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const plain = text.replace(/[\u00a0\u202f]/g, ' ').trim()
  const twelve = /^(\d{4}-\d{2}-\d{2}) (\d{1,2}):(\d{2}):(\d{2}) ([AaPp])\.?[Mm]\.? ([+-]\d{4})$/.exec(plain)
  if (twelve !== null) {
    const [, date, hour, minute, second, half = '', offset] = twelve
    const hours = (Number(hour) % 12) + (half.toLowerCase() === 'p' ? 12 : 0)
    return Number(hour) > 12 ? undefined : `${date} ${String(hours).padStart(2, '0')}:${minute}:${second} ${offset}`
  }
  const iso = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})(?:\.\d+)?(Z|[+-]\d{2}:?\d{2})$/.exec(plain)
  if (iso === null) return plain
  const [, date, time, zone = ''] = iso
  return `${date} ${time} ${zone === 'Z' ? '+0000' : zone.replace(':', '')}`
}

export interface Told {
  readonly value: string | undefined
  readonly unit: string | undefined
}

/** A number with the app's unit, as an export would have them: percentages are fractions there. */
export function told(value: Loose | undefined, unit: string | undefined): Told {
  const text = typeof value === 'string' ? value.trim() : undefined
  const name = unit === undefined ? undefined : (autoExportTables().units.get(unit) ?? unit)
  if (text === undefined || name !== '%') return { value: text, unit: name }
  const number = toFhirNumber(text)
  return { value: number === undefined ? text : String(exactly(Number(number) / 100)), unit: name }
}

/** An element as an export has it. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string | undefined>>,
  more: { metadata?: readonly (readonly [string, string | undefined])[]; children?: AppleElement[] } = {},
): AppleElement {
  const said = Object.entries(attributes).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const metadata = (more.metadata ?? []).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return {
    name,
    attributes: Object.fromEntries(said),
    ...(metadata.length === 0 ? {} : { metadata: new Map(metadata) }),
    ...(more.children === undefined ? {} : { children: more.children }),
  }
}
