import { admin, type House } from '../../rooms/interactions/house.ts'
import type { Example, Json } from '../examples.ts'
import { askers, type Question } from './questions.ts'
import { type Parameter, type Values, valuesOf } from './values.ts'

/** How a question was answered. */
export interface Told {
  readonly kind: string
  readonly query: string
  readonly isRight: boolean
}

/** Definitions are many, and would take most of the time. */
const most = 500

/** Asks every search parameter about what a house holds of the examples, and compares with what HL7's expressions find. */
export async function* askAll(house: House, examples: readonly Example[]): AsyncGenerator<Told> {
  const parameters = parametersIn(examples)
  const types = new Set(examples.map(({ resource }) => resource.resourceType))
  for (const type of [...types].sort()) {
    const held = await heldOf(house, type)
    if (held.length === 0 || held.length > most) continue
    for (const parameter of parameters.filter(({ base }) => base.some(each => each === type || /Resource$/.test(each))))
      yield* askOne(house, type, parameter, held)
  }
}

/** Those of R4, and none that an example defines. */
function parametersIn(examples: readonly Example[]): readonly Parameter[] {
  const list = examples.find(({ resource }) => resource.resourceType === 'Bundle' && resource.id === 'searchParams')
  const entries = (list?.resource.entry ?? []) as readonly { readonly resource: Parameter }[]
  const asked = entries.map(({ resource }) => resource).filter(({ expression, type }) => expression && type in askers)
  return asked.filter(({ code }) => code !== '_id' && code !== '_lastUpdated')
}

async function heldOf(house: House, type: string): Promise<readonly Json[]> {
  const held: Json[] = []
  for (let url: string | undefined = `/${type}?_count=1000`; url !== undefined; ) {
    const { json } = await house.ask('GET', url, { grant: admin })
    for (const { resource, search } of json.entry ?? []) if (search.mode === 'match') held.push(resource)
    const next: string | undefined = json.link?.find((link: Json) => link.relation === 'next')?.url
    url = next?.slice(next.indexOf(`/${type}?`))
  }
  return held
}

async function* askOne(house: House, type: string, parameter: Parameter, held: readonly Json[]): AsyncGenerator<Told> {
  const values = new Map<string, Values>()
  for (const resource of held) {
    const found = valuesOf(parameter, type, resource)
    if (found === undefined) return
    values.set(String(resource.id), found)
  }
  const kind = parameter.type
  const tell = async ({ modifier, value, isRight }: Question, unclear: readonly string[] = []): Promise<Told> => {
    const query = `/${type}?${parameter.code}${modifier}=${encodeURIComponent(value)}`
    const right = new Set([...values].filter(([, each]) => isRight(each)).map(([id]) => id))
    const differing = right.symmetricDifference(new Set(await idsOf(house, query, type)))
    return { kind, query, isRight: differing.isSubsetOf(new Set(unclear)) }
  }
  // Whether a text where a date is asked for is missing the specification does not say.
  const unclear = [...values].filter(([, each]) => each.length > 0 && questionsOf(kind, each).length === 0)
  yield tell(
    { modifier: ':missing', value: 'true', isRight: each => each.length === 0 },
    unclear.map(([id]) => id),
  )
  for (const question of questionsOf(kind, [...values.values()].flat())) yield tell(question)
}

function questionsOf(kind: string, values: Values): readonly Question[] {
  return [...(askers[kind]?.(values) ?? [])]
}

async function idsOf(house: House, query: string, type: string): Promise<readonly string[]> {
  const found: string[] = []
  for (let url: string | undefined = `${query}&_elements=id&_count=1000`; url !== undefined; ) {
    const { status, json } = await house.ask('GET', url, { grant: admin })
    if (status !== 200) return [`refused: ${status}`]
    for (const { resource, search } of json.entry ?? []) if (search.mode === 'match') found.push(resource.id)
    const next: string | undefined = json.link?.find((link: Json) => link.relation === 'next')?.url
    url = next?.slice(next.indexOf(`/${type}?`))
  }
  return found
}
