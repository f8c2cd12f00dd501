import { Problem } from '#kernel'
import { type CodeSystem, type CodingFact, splitCanonical, subsumes } from '#terminology'
import { granted } from '../perform.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'
import { answerWith } from './answer.ts'
import { type Asked, type Forms, readAsked } from './asked.ts'
import { askedCodeSystem } from './asked-about.ts'
import { Holdings } from './holdings.ts'

/** What CodeSystem/$subsumes takes. */
export const subsumesForms: Forms = {
  codeA: 'text',
  codeB: 'text',
  system: 'text',
  version: 'text',
  codingA: 'Coding',
  codingB: 'Coding',
}

/**
 * How two codes of one system stand to each other.
 *
 * @throws Problem `invalid` · `terminology.code-unnamed`, `terminology.systems-differ`; `not-found` · `terminology.code-absent`
 * @see https://hl7.org/fhir/R4/codesystem-operation-subsumes.html
 */
export async function subsumption(request: FhirRequest, params: PathParams, rooms: Rooms): Promise<FhirResponse> {
  const asked = await readAsked(request, subsumesForms, rooms.validator)
  const [one, other] = [codingOf(asked, 'A'), codingOf(asked, 'B')]
  const [url] = sameOf(asked.text('system'), one.system, other.system)
  const [version] = sameOf(asked.text('version'), one.version, other.version)
  const system = await askedCodeSystem(asked, params, new Holdings(granted(request), rooms), { url, version })
  sameOf(url === undefined ? url : splitCanonical(url).url, system.url)
  return answerWith([
    { name: 'outcome', valueCode: outcomeOf(system, knownIn(system, one.code, 'A'), knownIn(system, other.code, 'B')) },
  ])
}

function codingOf(asked: Asked, letter: 'A' | 'B'): CodingFact & { readonly code: string } {
  const { code = asked.text(`code${letter}`), ...coding } = asked.coding(`coding${letter}`) ?? {}
  if (code !== undefined && asked.has(`code${letter}`) !== asked.has(`coding${letter}`)) return { ...coding, code }
  throw new Problem('invalid', 'terminology.code-unnamed', '$subsumes needs codeA and codeB, or codingA and codingB.', {
    expression: `code${letter}`,
  })
}

/** What several parameters say alike. @throws Problem `invalid` · `terminology.systems-differ` */
function sameOf(...texts: readonly (string | undefined)[]): readonly string[] {
  const said = [...new Set(texts.filter(text => text !== undefined))]
  if (said.length <= 1) return said
  throw new Problem('invalid', 'terminology.systems-differ', 'Both codes must be of one code system, in one version.', {
    expression: 'system',
  })
}

function knownIn(system: CodeSystem, code: string, letter: 'A' | 'B'): string {
  if (system.find(code) !== undefined) return code
  throw new Problem(
    'not-found',
    'terminology.code-absent',
    'The code system has no such code, as far as it is held here.',
    {
      expression: `code${letter}`,
    },
  )
}

function outcomeOf(system: CodeSystem, a: string, b: string): string {
  const [down, up] = [subsumes(system, a, b), subsumes(system, b, a)]
  if (down) return up ? 'equivalent' : 'subsumes'
  return up ? 'subsumed-by' : 'not-subsumed'
}
