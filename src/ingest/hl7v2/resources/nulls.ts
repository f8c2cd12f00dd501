import type { Resource } from '#fhir'
import type { FieldRule } from '../tables.ts'

type Node = { readonly [element: string]: unknown }

/** What takes away the elements that rules whose fields are null would give. Identifiers stay: they find the resource. */
export function removalOf(rules: readonly FieldRule[]): (resource: Resource) => Resource {
  return resource => rules.reduce<Resource>((next, rule) => withoutElement(next, rule) as Resource, resource)
}

function withoutElement(node: Node, { to, beside, with: constants }: FieldRule): Node | undefined {
  const [first = ''] = to.split('.')
  const name = first.replace(/\[.*$/, '')
  if (name === 'identifier' || node[name] === undefined) return node
  const list = node[name]
  // `""` for a home number says nothing of the one at work, nor PV1-7 of whom PV1-8 names.
  const [entry] = beside === undefined ? [] : [beside].flat()
  const use = constants?.use
  if (Array.isArray(list) && (entry !== undefined || use !== undefined))
    return withMember(node, name, listWithout(list, entry, use))
  return withMember(node, name, first === to ? undefined : withoutPath(node[name], to.split('.').slice(1)))
}

function listWithout(list: readonly Node[], beside: Node | undefined, use: unknown): readonly Node[] {
  const kept = list.filter(entry => (beside === undefined ? entry.use !== use : !isBeside(entry, beside)))
  return kept
}

function isBeside(entry: Node, beside: Node): boolean {
  return Object.entries(beside).every(([name, value]) => JSON.stringify(entry[name]) === JSON.stringify(value))
}

/** Goes down objects; a list on the way is taken away as a whole. */
function withoutPath(node: unknown, [step = '', ...rest]: readonly string[]): unknown {
  if (typeof node !== 'object' || node === null || Array.isArray(node)) return undefined
  const name = step.replace(/\[.*$/, '')
  const child = (node as Node)[name]
  if (child === undefined) return node
  return withMember(node as Node, name, rest.length === 0 ? undefined : withoutPath(child, rest))
}

function withMember(node: Node, name: string, value: unknown): Node | undefined {
  const { [name]: _, ...others } = node
  const isNothing = value === undefined || (Array.isArray(value) && value.length === 0)
  const next = isNothing ? others : { ...node, [name]: value }
  return Object.keys(next).length === 0 ? undefined : next
}
