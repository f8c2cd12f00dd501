import { isResourceType, type Shape } from '#fhir'
import { type Check, eachText, isAbsolute, listOf, type Tell } from './check.ts'

const urn =
  /^(?:urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+|urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:\|\S+)?$/i
const urnLike = /^(?:urn:oid:|urn:uuid:|oid:)/i
const neverInUri = /[<>"{}\\^`]/
const definitionOfR4 = /^http:\/\/hl7\.org\/fhir\/([A-Z][A-Za-z]+)\/[A-Za-z0-9\-.]{1,64}(?:\|.*)?$/

type Names = readonly {
  readonly name: string
  readonly type: string
  readonly targets: readonly string[] | undefined
}[]

const known = new WeakMap<Shape, Names>()

function addressesOf(shape: Shape): Names {
  const made =
    known.get(shape) ??
    [...shape.elements.values()]
      .filter(({ type }) => type === 'uri' || type === 'canonical')
      .map(({ name, type, targets }) => ({ name, type, targets }))
  known.set(shape, made)
  return made
}

/** The commonest, which are looked at where they are understood. */
const elsewhere: ReadonlySet<string> = new Set(['Extension', 'Coding', 'Quantity'])

/** Whether a shape has addresses that are looked at here. */
export function hasAddresses(shape: Shape): boolean {
  return !elsewhere.has(shape.type) && addressesOf(shape).length > 0
}

/**
 * Addresses are such: an OID or UUID in its form, a canonical that leads to a type that is allowed, where R4 defines what it names.
 *
 * @see https://hl7.org/fhir/R4/datatypes.html#uri and https://hl7.org/fhir/R4/references.html#canonical
 */
export const checkAddresses: Check = ({ node, shape, at }, tell) => {
  for (const { name, type, targets } of addressesOf(shape)) {
    if (node[name] === undefined) continue
    eachText(node[name], `${at}/${name}`, (text, place) => {
      if (type === 'canonical') checkCanonical(text, targets, place, tell)
      else if (!isUri(text)) tell('uriForm', place)
    })
  }
}

/** Whether a text can be a uri, as far as its form tells. */
export function isUri(text: string): boolean {
  return urnLike.test(text) ? urn.test(text) : !neverInUri.test(text)
}

function checkCanonical(text: string, targets: readonly string[] | undefined, at: string, tell: Tell): void {
  const [, type = ''] = definitionOfR4.exec(text) ?? []
  if (targets !== undefined && isResourceType(type) && !targets.includes(type)) tell('canonicalTarget', at)
}

/** R4's own examples have places of resources for canonicals, and names. */
export const warnOfAddresses: Check = ({ node, shape, at }, tell) => {
  for (const { name, type } of addressesOf(shape))
    for (const text of type === 'canonical' ? listOf(node[name]) : [])
      if (typeof text === 'string' && !isAbsolute(text) && !text.startsWith('#'))
        tell('canonicalRelative', `${at}/${name}`)
}
