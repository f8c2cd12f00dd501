import { authority, universalId } from './codings.ts'
import { compact, Draft, type Node } from './drafts.ts'
import { below, part, type Repetition } from './message.ts'

/** PL from the narrowest: component, location-physical-type. */
const levels = [
  [3, 'bd', 'Bed'],
  [2, 'ro', 'Room'],
  [1, undefined, 'Point of care'],
  [8, 'lvl', 'Level'],
  [7, 'bu', 'Building'],
  [4, 'si', 'Site'],
] as const

const physicalTypes = 'http://terminology.hl7.org/CodeSystem/location-physical-type'

/**
 * PL: the narrowest place that is named, each part of the next wider one.
 *
 * @see https://build.fhir.org/ig/HL7/v2-to-fhir/ConceptMap-datatype-pl-to-location.html
 */
export function toLocation(place: Repetition): Draft | undefined {
  const display = [4, 7, 8, 1, 2, 3, 9]
    .map(at => part(place, at))
    .filter(text => text !== '')
    .join(', ')
  const named = levels.filter(([at]) => part(place, at) !== '')
  const widerFirst = named.toReversed()
  let location: Draft | undefined
  for (const [at, code, text] of widerFirst) {
    const own = at === named[0]?.[0] ? narrowest(place) : undefined
    location = new Draft('Location', levelElements(place, at, code, text, location, own), own && display)
  }
  return (
    location ??
    (display === '' ? undefined : new Draft('Location', { mode: 'instance', description: display }, display))
  )
}

/** What a PL says beside its levels is said of the narrowest. */
function narrowest(place: Repetition): { readonly description: string; readonly identifier: Node | undefined } {
  const value = part(place, 10, 1)
  const description = part(place, 9)
  // What is said of who numbers places is read where there is a number.
  if (value === '') return { description, identifier: undefined }
  const id = part(place, 10, 3)
  const type = id === '' ? '' : part(place, 10, 4)
  const system =
    authority('', id, type) ??
    authority(part(place, 10, 2), id, type) ??
    authority(part(place, 11), part(place, 11, 2), part(place, 11, 3))
  return {
    description,
    identifier: compact({
      system,
      value,
      assigner: assignerOf([part(place, 11), part(place, 10, 2)], place, system, kindOf(id, type)),
    }),
  }
}

/** A universal id with a type of which no URI is made: a system alone would not say the type. */
function kindOf(id: string, type: string): Node | undefined {
  const said = id === '' || type === '' ? undefined : universalId([[''], [id], [type]])
  return said?.system === undefined ? said : undefined
}

/** Who numbers places: PL.11 for all of them; PL.10 and PL.11 may name two, and then each in its own way. */
function assignerOf(
  said: readonly string[],
  place: Repetition,
  system: string | undefined,
  kind: Node | undefined,
): Node | undefined {
  const names = new Set(said.filter(name => name !== ''))
  // Whoever gave this number goes before whoever numbers all places, whose own number is named then.
  if (kind !== undefined) return compact({ identifier: kind, display: [...names].join(', ') })
  const uri = authority('', part(place, 11, 2), part(place, 11, 3))
  const isOther = uri !== undefined && uri !== system
  const identifier = isOther ? { system: 'urn:ietf:rfc:3986', value: uri } : undefined
  return compact({ identifier, display: [...names].join(', ') })
}

function levelElements(
  place: Repetition,
  at: number,
  code: string | undefined,
  text: string,
  partOf: Draft | undefined,
  own: ReturnType<typeof narrowest> | undefined,
): Node {
  const [name = '', id = '', type = ''] = [1, 2, 3].map(n => part(below(place, at), n))
  const identifier = [
    compact({
      system: id === '' ? undefined : authority('', id, type),
      value: name || id,
      assigner: assignerOf([part(place, 11)], place, undefined, kindOf(id, type)),
    }),
    own?.identifier,
  ]
  const coding = code === undefined ? undefined : [{ system: physicalTypes, code, display: text }]
  return compact({
    identifier: identifier.filter(entry => entry !== undefined),
    name,
    description: own?.description,
    mode: 'instance',
    physicalType: compact({ coding, text: code === undefined ? text : undefined }),
    partOf,
  }) as Node
}
