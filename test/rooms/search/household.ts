import { readdirSync, readFileSync } from 'node:fs'
import type { Resource } from '#fhir'
import { atOnce } from '#kernel'
import {
  CompartmentIndex,
  extractRow,
  type Holder,
  evaluate as inSteps,
  type Page,
  parseQuery,
  type Query,
  type Restricted,
  type SearchResult,
  type Vision,
} from '#search'

const evaluate = (...asked: Parameters<typeof inSteps>) => atOnce(inSteps(...asked))

export const baseUrl = 'https://kinhold.example/fhir'
export const seesAll: Vision = () => ({ kind: 'all' })

/** A compartment made of resources in the order given; the n-th has seq n and was written at second n. */
export class Household {
  readonly index: CompartmentIndex
  readonly #names = new Map<number, string>()
  readonly #places = new Map<string, number>()

  constructor(holder: Holder, resources: readonly Resource[]) {
    this.index = new CompartmentIndex(holder)
    for (const resource of resources) this.write(resource)
  }

  /** A new version of the resource. */
  write(resource: Resource, deleted = false): void {
    const seq = this.index.head + 1
    const name = `${resource.resourceType}/${resource.id}`
    const supersedes = this.#places.get(name)
    this.index.addRow(extractRow(resource, { seq, version: 1, lastUpdatedMs: seq * 1000, supersedes, deleted }))
    this.#names.set(seq, name)
    this.#places.set(name, seq)
  }

  nameOf(seq: number): string {
    return this.#names.get(seq) ?? 'unknown'
  }
}

/** The mark that only the room access may make; tests of this room stand in for it. */
export function restricted(query: Query, vision: Vision, includeVision: Vision = vision): Restricted<Query> {
  return { ...query, vision, includeVision } as Restricted<Query>
}

/** `Patient?name=x` → the query. */
export function queryOf(search: string): Query {
  const [type = '', ...rest] = search.split('?')
  const params = new URLSearchParams(rest.join('?'))
  return parseQuery(type === '' ? undefined : type, params, { baseUrl, nowMs: Date.UTC(2026, 0, 1), within: true })
}

export interface Answer {
  readonly matches: readonly string[]
  readonly included: readonly string[]
  readonly result: SearchResult
}

export function ask(
  search: string,
  households: readonly Household[],
  vision: Vision = seesAll,
  page: Page = { offset: 0 },
  includeVision: Vision = vision,
): Answer {
  const indexes = households.map(household => household.index)
  const result = evaluate(restricted(queryOf(search), vision, includeVision), indexes, page)
  const nameOf = (hit: { compartment: string; seq: number }): string =>
    households.find(each => each.index.holder.compartment === hit.compartment)?.nameOf(hit.seq) ?? 'unknown'
  const matches = result.matches.flatMap(hit => (hit.parts ?? ['']).map(part => nameOf(hit) + part))
  return { matches, included: result.included.map(nameOf), result }
}

export const patientHolder = (patient: string, compartment = patient.padEnd(32, '0')): Holder => ({
  compartment,
  kind: 'patient',
  patient,
})
export const commonsHolder: Holder = { compartment: 'c'.repeat(32), kind: 'commons' }

export interface CaseFile {
  readonly name: string
  readonly spec: string
  readonly resources: readonly Resource[]
  readonly cases: readonly {
    readonly search: string
    readonly finds: readonly string[]
    readonly includes?: readonly string[]
    readonly ordered?: boolean
    readonly total?: number
    readonly why: string
  }[]
}

const folder = new URL('../../cases/search/', import.meta.url)

export function caseFiles(): readonly CaseFile[] {
  return readdirSync(folder)
    .filter(name => name.endsWith('.json'))
    .map(name => ({ name, ...JSON.parse(readFileSync(new URL(name, folder), 'utf8')) }))
}
