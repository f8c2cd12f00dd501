import type { Loose } from '../source/json-tokens.ts'
import type { Fields } from './map-row.ts'

export function isMap(value: Loose | undefined): value is { readonly [name: string]: Loose } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The members of an object, and of objects within it: `value.bpm`. */
export class JsonFields implements Fields {
  readonly #value: { readonly [name: string]: Loose }

  constructor(value: { readonly [name: string]: Loose }) {
    this.#value = value
  }

  get(field: string): string | undefined | false {
    let found: Loose | undefined = this.#value
    for (const name of field.split('.')) found = isMap(found) && Object.hasOwn(found, name) ? found[name] : undefined
    if (found === undefined || found === null || found === '') return undefined
    return typeof found === 'string' ? found : false
  }

  /** Members with a value; of an object within it those that it has. */
  get names(): readonly string[] {
    return Object.entries(this.#value).flatMap(([name, value]) => {
      if (value === null || value === '') return []
      return isMap(value) ? Object.keys(value).map(inner => `${name}.${inner}`) : [name]
    })
  }
}
