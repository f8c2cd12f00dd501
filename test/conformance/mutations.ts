import fhirpath from 'fhirpath'
import model from 'fhirpath/fhir-context/r4'
import type { Definitions, Element, Place } from './definitions.ts'
import type { Json } from './examples.ts'

/** An example that was made invalid in one place. */
export interface Mutant {
  readonly kind: string
  /** What is broken, the same for the same fault in another example. */
  readonly fault: string
  readonly resource: Json
}

const malformed: Readonly<Record<string, unknown>> = {
  base64Binary: '%%%',
  canonical: 'http://a b',
  code: ' a',
  date: '2026-13-01',
  dateTime: '2026-02-30',
  id: 'a_b',
  instant: '2026-01-01',
  integer: 1.5,
  markdown: '',
  oid: '1.2.3',
  positiveInt: 0,
  string: '',
  time: '25:00:00',
  unsignedInt: -1,
  uri: 'http://a b',
  url: 'http://a b',
  uuid: '43239520',
}
const ofNumbers: ReadonlySet<string> = new Set(['boolean', 'decimal', 'integer', 'positiveInt', 'unsignedInt'])

function changed(resource: Json, keys: Place['keys'], change: Edit): Json {
  const copy = structuredClone(resource)
  change(keys.reduce<unknown>((node, key) => (node as Json)[key], copy) as Json)
  return copy
}

/** Breaks each element in each way that its definition tells to be wrong. @see https://hl7.org/fhir/R4/elementdefinition.html */
export function* mutantsOf(resource: Json, type: string, definitions: Definitions): Generator<Mutant> {
  for (const place of definitions.places(resource, type))
    for (const { kind, change } of changesOf(place, definitions))
      yield {
        kind,
        fault: `${kind} ${place.element.path} ${place.code}`,
        resource: changed(resource, place.keys, change),
      }
}

type Edit = (node: Json) => void

const replacing =
  (name: string, value: unknown): Edit =>
  node => {
    node[name] = value
  }

const removing =
  (name: string): Edit =>
  node => {
    delete node[name]
    delete node[`_${name}`]
  }

interface Change {
  readonly kind: string
  readonly change: Edit
}

function* changesOf(place: Place, definitions: Definitions): Generator<Change> {
  const { element, code, name, value } = place
  const set = (kind: string, wrong: unknown): Change => ({ kind, change: replacing(name, wrong) })
  const within = (wrong: unknown) => (Array.isArray(value) ? [wrong] : wrong)
  if (element.min > 0) yield { kind: 'mandatory', change: removing(name) }
  if (Array.isArray(value)) yield set('one for a list', value[0])
  else if (code !== 'Resource') yield set('a list for one', [value])
  const isPrimitive = /^[a-z]/.test(code)
  if (isPrimitive && code !== 'xhtml') yield set('JSON type', within(ofNumbers.has(code) ? 'x' : 5))
  else if (!isPrimitive && code !== '') yield set('JSON type', within('x'))
  if (malformed[code] !== undefined) yield set('format', within(malformed[code]))
  yield* codesOf(place, definitions, wrong => set('required code', within(wrong)))
  const target = wrongTarget(place)
  if (target !== undefined) yield set('target', within({ reference: `${target}/x` }))
  if (isObject(value)) yield set('unknown name', { ...value, noSuchName: 'x' })
}

function* codesOf(
  { element, code, value }: Place,
  definitions: Definitions,
  set: (wrong: unknown) => Change,
): Generator<Change> {
  const { binding } = element
  if (binding?.strength !== 'required' || !definitions.isListed(binding.valueSet)) return
  if (code === 'code') yield set('no-such-code')
  const first = Array.isArray(value) ? value[0] : value
  if (code === 'Coding') yield set({ system: first.system, code: 'no-such-code' })
  if (code === 'CodeableConcept' && first.coding !== undefined)
    yield set({ coding: [{ system: first.coding[0].system, code: 'no-such-code' }] })
}

function wrongTarget({ element, code }: Place): string | undefined {
  const profiles = element.type?.find(type => type.code === code)?.targetProfile ?? []
  const allowed = profiles.map(profile => profile.slice(profile.lastIndexOf('/') + 1))
  if (code !== 'Reference' || allowed.length === 0 || allowed.includes('Resource')) return undefined
  return ['TestReport', 'Slot', 'Endpoint'].find(type => !allowed.includes(type))
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Told by others: structure by the schema, the rest by what HL7's library answers wrongly or needs a server for. */
const elsewhere: ReadonlySet<string> = new Set(['ele-1', 'ext-1', 'txt-1', 'txt-2', 'dom-3'])
type Rule = ReturnType<typeof fhirpath.compile>
const compiled = new Map<string, Rule | undefined>()

function ruleOf(path: string, expression: string, isResource: boolean): Rule | undefined {
  const key = `${path} ${expression}`
  if (!compiled.has(key)) compiled.set(key, tryCompile(isResource ? expression : { base: path, expression }))
  return compiled.get(key)
}

function tryCompile(expression: string | { base: string; expression: string }): Rule | undefined {
  try {
    return fhirpath.compile(expression as string, model, { traceFn: () => {} })
  } catch {
    return undefined
  }
}

/** Keys of the error-level invariants that HL7's library says are broken. */
function brokenIn(resource: Json, type: string, definitions: Definitions): ReadonlySet<string> {
  const broken = new Set<string>()
  const ask = (node: unknown, element: Element | undefined) => {
    for (const { key, severity, expression } of element?.constraint ?? []) {
      if (severity !== 'error' || expression === undefined || elsewhere.has(key)) continue
      const rule = ruleOf(element?.path ?? '', expression, definitions.resourceTypes.has(element?.path ?? ''))
      if (isFalse(rule, node, resource)) broken.add(key)
    }
  }
  ask(resource, definitions.elements.get(type))
  for (const { element, code, value } of definitions.places(resource, type))
    for (const item of (Array.isArray(value) ? value : [value]).filter(isObject)) {
      if (code === 'Resource') continue
      ask(item, definitions.elements.get(element.contentReference?.slice(1) ?? element.path))
      if (/^[A-Z]/.test(code)) ask(item, definitions.elements.get(code))
    }
  return broken
}

function isFalse(rule: Rule | undefined, node: unknown, resource: Json): boolean {
  try {
    const [first, ...rest] = (rule?.(node as Json, { resource, rootResource: resource }) ?? []) as readonly unknown[]
    return first === false && rest.length === 0
  } catch {
    return false
  }
}

/** Takes each optional element away, and doubles each list, wherever that breaks an invariant that held. */
export function* invariantMutantsOf(resource: Json, type: string, definitions: Definitions): Generator<Mutant> {
  const before = brokenIn(resource, type, definitions)
  for (const { element, name, keys, value } of definitions.places(resource, type)) {
    const without = element.min === 0 ? [changed(resource, keys, removing(name))] : []
    const doubled = Array.isArray(value) ? [changed(resource, keys, replacing(name, [...value, value[0]]))] : []
    for (const mutated of [...without, ...doubled])
      for (const key of brokenIn(mutated, type, definitions))
        if (!before.has(key)) yield { kind: 'invariant', fault: `invariant ${key}`, resource: mutated }
  }
}
