import { printJson } from './json-print.ts'
import type { Resource } from './resource.ts'

/** `Bundle.type`: https://hl7.org/fhir/R4/valueset-bundle-type.html */
export type BundleType =
  | 'document'
  | 'message'
  | 'transaction'
  | 'transaction-response'
  | 'batch'
  | 'batch-response'
  | 'history'
  | 'searchset'
  | 'collection'

/** One entry of a Bundle as this server writes it. */
export interface BundleEntry {
  readonly fullUrl?: string
  readonly resource?: Resource
  readonly [element: string]: unknown
}

/** An entry whose resource is already JSON text, as the record keeps it. */
export interface PrintedEntry {
  readonly fullUrl?: string
  /** JSON text of the resource; undefined for an entry without one. */
  readonly json?: string | Uint8Array
  readonly [element: string]: unknown
}

/**
 * A Bundle; without entries the element is left out, since FHIR knows no empty arrays.
 *
 * @param extra  e.g. `{ total, link }`; comes before the entries
 */
export function bundle(
  type: BundleType,
  entries: readonly BundleEntry[],
  extra: Readonly<Record<string, unknown>> = {},
): Resource {
  return { resourceType: 'Bundle', type, ...extra, ...(entries.length > 0 ? { entry: entries } : {}) }
}

/** The JSON text of a Bundle whose resources are texts already: they are copied as they are, never parsed. */
export function printBundle(
  type: BundleType,
  entries: readonly PrintedEntry[],
  extra: Readonly<Record<string, unknown>> = {},
): string {
  const head = printJson(bundle(type, [], extra))
  if (entries.length === 0) return head
  return `${head.slice(0, -1)},"entry":[${entries.map(printEntry).join(',')}]}`
}

function printEntry({ fullUrl, json, ...rest }: PrintedEntry): string {
  const members = [
    ...(fullUrl === undefined ? [] : [`"fullUrl":${printJson(fullUrl)}`]),
    ...(json === undefined
      ? []
      : [`"resource":${typeof json === 'string' ? json : Buffer.from(json).toString('utf8')}`]),
    ...Object.entries(rest).flatMap(([name, value]) =>
      value === undefined ? [] : [`${printJson(name)}:${printJson(value)}`],
    ),
  ]
  return `{${members.join(',')}}`
}
