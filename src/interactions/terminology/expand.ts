import { type Resource, toInstant } from '#fhir'
import { inSlices, Problem } from '#kernel'
import {
  type Designation,
  displayIn,
  expand,
  type Member,
  splitCanonical,
  type ValueSetDefinition,
  type Versions,
} from '#terminology'
import { granted } from '../perform.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'
import { type Asked, type Forms, readAsked } from './asked.ts'
import { askedValueSet } from './asked-about.ts'
import { definitionsFor, Holdings } from './holdings.ts'

/** What ValueSet/$expand takes. Expansions are flat, and no code system here composes codes: those two parameters hold of themselves. */
export const expandForms: Forms = {
  url: 'text',
  valueSet: 'resource',
  valueSetVersion: 'text',
  filter: 'text',
  offset: 'count',
  count: 'count',
  includeDesignations: 'flag',
  designation: 'texts',
  includeDefinition: 'flag',
  activeOnly: 'flag',
  excludeNested: 'flag',
  excludeNotForUI: 'flag',
  excludePostCoordinated: 'flag',
  displayLanguage: 'text',
  'exclude-system': 'texts',
  'system-version': 'texts',
  'check-system-version': 'texts',
  'force-system-version': 'texts',
}

/**
 * The codes of a value set.
 *
 * @throws Problem as `askedValueSet`, and as `expand` of the room terminology
 * @see https://hl7.org/fhir/R4/valueset-operation-expand.html
 */
export async function expandValueSet(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const asked = await readAsked(request, expandForms, rooms.validator)
  const holdings = new Holdings(granted(request), rooms)
  const valueSet = await askedValueSet(asked, params, holdings)
  const versions = versionsOf(asked)
  const definitions = await definitionsFor(valueSet, holdings, versions)
  const found = await inSlices(
    expand(valueSet, definitions, {
      filter: asked.text('filter'),
      offset: asked.count('offset'),
      count: asked.count('count'),
      activeOnly: asked.flag('activeOnly'),
      selectableOnly: asked.flag('excludeNotForUI'),
      excludedSystems: asked.texts('exclude-system'),
      versions,
    }),
  )
  const expansion = {
    timestamp: toInstant(rooms.clock.nowMs()),
    total: found.total,
    ...(isPaged(asked) ? { offset: asked.count('offset') ?? 0 } : {}),
    parameter: [
      ...found.systems.flatMap(tellVersion),
      ...found.partlyHeld.map(valueUri => ({ name: 'fragment', valueUri })),
      ...echo(asked),
    ],
    contains: found.members.map(member => tell(member, asked)),
  }
  return { status: 200, headers: {}, body: expanded(valueSet, expansion, asked) }
}

function isPaged(asked: Asked): boolean {
  return asked.has('offset') || asked.has('count')
}

function versionsOf(asked: Asked): Versions {
  return {
    assumed: pairsOf(asked, 'system-version'),
    checked: pairsOf(asked, 'check-system-version'),
    forced: pairsOf(asked, 'force-system-version'),
  }
}

/** `system|version`. @throws Problem `invalid` · `terminology.version-unnamed` */
function pairsOf(asked: Asked, name: string): ReadonlyMap<string, string> {
  return new Map(
    asked.texts(name).map(canonical => {
      const { url, version } = splitCanonical(canonical)
      if (version !== undefined) return [url, version]
      throw new Problem(
        'invalid',
        'terminology.version-unnamed',
        'The parameter is a code system and its version, system|version.',
        {
          expression: name,
        },
      )
    }),
  )
}

/** Of a definition the head is told, and the rest where it is asked for. What a resource is called here is not part of it. */
function expanded(valueSet: ValueSetDefinition, expansion: object, asked: Asked): Resource {
  const { compose, expansion: _, ...head } = valueSet
  const { text: __, ...told } = head as { readonly [element: string]: unknown }
  const definition = asked.flag('includeDefinition') === true && compose !== undefined ? { compose } : {}
  const { contains, parameter, ...rest } = expansion as { readonly [element: string]: unknown }
  return {
    resourceType: 'ValueSet',
    ...told,
    status: typeof told.status === 'string' ? told.status : 'active',
    ...definition,
    expansion: { ...rest, ...notEmpty('parameter', parameter), ...notEmpty('contains', contains) },
  }
}

/** FHIR knows no empty arrays. */
function notEmpty(name: string, value: unknown): object {
  return Array.isArray(value) && value.length > 0 ? { [name]: value } : {}
}

function tellVersion(canonical: string): readonly object[] {
  return canonical.endsWith('|') ? [] : [{ name: 'version', valueUri: canonical }]
}

const echoed = {
  filter: 'valueString',
  offset: 'valueInteger',
  count: 'valueInteger',
  includeDesignations: 'valueBoolean',
  designation: 'valueString',
  includeDefinition: 'valueBoolean',
  activeOnly: 'valueBoolean',
  excludeNested: 'valueBoolean',
  excludeNotForUI: 'valueBoolean',
  excludePostCoordinated: 'valueBoolean',
  displayLanguage: 'valueCode',
  'exclude-system': 'valueUri',
  'system-version': 'valueUri',
  'check-system-version': 'valueUri',
  'force-system-version': 'valueUri',
} as const

/** What an expansion was asked, so that one can see what it is. */
function echo(asked: Asked): readonly object[] {
  return Object.entries(echoed).flatMap(([name, value]) => asked.all(name).map(given => ({ name, [value]: given })))
}

function tell(member: Member, asked: Asked): object {
  const { system, version, code, isAbstract, isInactive } = member
  const display = displayIn(member, asked.text('displayLanguage'))
  const designation = designationsOf(member, asked)
  return {
    system,
    ...(isAbstract ? { abstract: true } : {}),
    ...(isInactive ? { inactive: true } : {}),
    ...(version === undefined ? {} : { version }),
    code,
    ...(display === undefined ? {} : { display }),
    ...(designation.length === 0 ? {} : { designation }),
  }
}

/** Those of certain languages and uses, where some are named; the others are left out. */
function designationsOf({ designations }: Member, asked: Asked): readonly Designation[] {
  const wanted = asked.texts('designation')
  if (wanted.length > 0) return designations.filter(each => wanted.some(token => isOfToken(each, token)))
  return asked.flag('includeDesignations') === true ? designations : []
}

/** `urn:ietf:bcp:47|de`, or a use as `system|code`. @see https://hl7.org/fhir/R4/valueset-operation-expand.html designation */
function isOfToken({ language, use }: Designation, token: string): boolean {
  const { url, version: code } = splitCanonical(token)
  if (url === 'urn:ietf:bcp:47') return language === code
  return code === undefined ? language === url || use?.code === url : use?.system === url && use.code === code
}
