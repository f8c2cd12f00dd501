import { inSlices, Problem } from '#kernel'
import {
  type CodeSystem,
  type CodeSystemDefinition,
  type CodingFact,
  isHeld,
  joinCanonical,
  readCodeSystem,
  type ValueSetDefinition,
} from '#terminology'
import type { PathParams } from '../types.ts'
import type { Asked } from './asked.ts'
import type { Holdings } from './holdings.ts'

/** A version that is named beside a url, where the url names none. */
export function canonicalOf(url: string, version: string | undefined): string {
  return url.includes('|') ? url : joinCanonical(url, version)
}

/**
 * The value set that an operation is about: that of the path, the one that came along, or that of a url.
 *
 * @throws Problem `not-found` · `terminology.value-set-absent`, `record.unknown`; `invalid` · `terminology.value-set-unnamed`
 */
export async function askedValueSet(asked: Asked, { id }: PathParams, holdings: Holdings): Promise<ValueSetDefinition> {
  if (id !== undefined) return (await holdings.read('ValueSet', id)) as ValueSetDefinition
  const sent = asked.resource('valueSet')
  if (sent !== undefined) return sent as ValueSetDefinition
  const url = asked.text('url')
  if (url === undefined)
    throw new Problem(
      'invalid',
      'terminology.value-set-unnamed',
      'The operation needs a value set: by url, valueSet or its id.',
      {
        expression: 'url',
      },
    )
  const found = await holdings.valueSet(canonicalOf(url, asked.text('valueSetVersion')))
  if (found !== undefined) return found
  throw new Problem(
    'not-found',
    'terminology.value-set-absent',
    'No such value set, or no such version of it, is held here.',
    {
      expression: 'url',
    },
  )
}

/**
 * The code system that an operation is about.
 *
 * @param url  of the system, where the operation names it by a parameter
 * @throws Problem `not-found` · `terminology.system-absent`, `record.unknown`; `invalid` · `terminology.system-unnamed`
 */
export async function askedCodeSystem(
  asked: Asked,
  { id }: PathParams,
  holdings: Holdings,
  { url, version }: { readonly url: string | undefined; readonly version: string | undefined },
): Promise<CodeSystem> {
  const sent = id === undefined ? asked.resource('codeSystem') : await holdings.read('CodeSystem', id)
  const found =
    sent === undefined
      ? await holdings.codeSystem(canonicalOf(url ?? unnamed(), version))
      : await ready(sent as CodeSystemDefinition)
  if (found !== undefined) return found
  throw new Problem(
    'not-found',
    'terminology.system-absent',
    'No such code system, or no such version of it, is held here.',
    {
      expression: 'system',
    },
  )
}

async function ready(definition: CodeSystemDefinition): Promise<CodeSystem | undefined> {
  return isHeld(definition) ? inSlices(readCodeSystem(definition)) : undefined
}

function unnamed(): never {
  throw new Problem(
    'invalid',
    'terminology.system-unnamed',
    'The operation needs a code system: by its url, or by a coding that names it.',
    {
      expression: 'system',
    },
  )
}

/**
 * The codings to be judged: exactly one of `code`, `coding` and `codeableConcept` says them.
 *
 * @param of  the system of `code`, and its version
 * @throws Problem `invalid` · `terminology.code-unnamed`
 */
export function askedCodings(
  asked: Asked,
  of: { readonly system?: string | undefined; readonly version?: string | undefined },
): readonly CodingFact[] {
  const code = asked.text('code')
  const given = [
    code === undefined ? undefined : [{ ...of, code, display: asked.text('display') }],
    asked.has('coding') ? [asked.coding('coding') ?? {}] : undefined,
    asked.concept('codeableConcept'),
  ].filter(each => each !== undefined)
  const [codings] = given
  if (codings !== undefined && given.length === 1) return codings
  throw new Problem(
    'invalid',
    'terminology.code-unnamed',
    'The operation needs exactly one of code, coding and codeableConcept.',
    {
      expression: 'code',
    },
  )
}
