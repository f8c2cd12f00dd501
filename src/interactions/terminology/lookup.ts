import { Problem } from '#kernel'
import { type CodeSystem, type Concept, type ConceptProperty, displayIn } from '#terminology'
import { granted } from '../perform.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'
import { answerWith, type Told, tellDesignation } from './answer.ts'
import { type Asked, type Forms, readAsked } from './asked.ts'
import { askedCodeSystem } from './asked-about.ts'
import { Holdings } from './holdings.ts'

/** What CodeSystem/$lookup takes. */
export const lookupForms: Forms = {
  code: 'text',
  system: 'text',
  version: 'text',
  coding: 'Coding',
  displayLanguage: 'text',
  property: 'texts',
}

/**
 * What is known of a code.
 *
 * @throws Problem `not-found` · `terminology.code-absent` and what `askedCodeSystem` throws
 * @see https://hl7.org/fhir/R4/codesystem-operation-lookup.html
 */
export async function lookup(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const asked = await readAsked(request, lookupForms, rooms.validator)
  const { system: url, version, code } = codingOf(asked)
  const system = await askedCodeSystem(asked, params, new Holdings(granted(request), rooms), { url, version })
  const concept = system.find(code)
  if (concept === undefined)
    throw new Problem(
      'not-found',
      'terminology.code-absent',
      'The code system has no such code, as far as it is held here.',
      {
        expression: 'code',
      },
    )
  return answerWith(tell(system, concept, asked))
}

/** @throws Problem `invalid` · `terminology.code-unnamed` */
function codingOf(asked: Asked) {
  const coding = asked.coding('coding')
  const code = asked.text('code') ?? coding?.code
  if (code === undefined || (coding !== undefined && asked.has('code')))
    throw new Problem('invalid', 'terminology.code-unnamed', '$lookup needs a code and its system, or a coding.', {
      expression: 'code',
    })
  return { code, system: asked.text('system') ?? coding?.system, version: asked.text('version') ?? coding?.version }
}

function tell(system: CodeSystem, concept: Concept, asked: Asked): readonly Told[] {
  const wanted = new Set(asked.texts('property'))
  const isWanted = (name: string) => wanted.size === 0 || wanted.has(name) || wanted.has('*')
  return [
    { name: 'name', valueString: system.name },
    { name: 'version', valueString: system.version },
    { name: 'display', valueString: displayIn(concept, asked.text('displayLanguage')) ?? concept.code },
    ...(isWanted('designation') ? concept.designations.map(tellDesignation) : []),
    ...propertiesOf(concept)
      .filter(({ code }) => isWanted(code))
      .map(tellProperty),
  ]
}

/** Those that a concept has by its place, and those that its code system gives it. */
function propertiesOf(concept: Concept): readonly ConceptProperty[] {
  const said = new Set(concept.properties.map(({ code }) => code))
  return [
    ...(concept.definition === undefined ? [] : [{ code: 'definition', valueString: concept.definition }]),
    ...(said.has('inactive') ? [] : [{ code: 'inactive', valueBoolean: concept.isInactive }]),
    ...concept.properties.filter(({ code }) => code !== 'parent' && code !== 'child'),
    ...concept.parents.map(valueCode => ({ code: 'parent', valueCode })),
    ...concept.children.map(valueCode => ({ code: 'child', valueCode })),
  ]
}

function tellProperty({ code, ...value }: ConceptProperty): Told {
  const [[name = '', given] = []] = Object.entries(value).filter(([member]) => member.startsWith('value'))
  return {
    name: 'property',
    part: [
      { name: 'code', valueCode: code },
      { name: 'value', [name]: given },
    ],
  }
}
