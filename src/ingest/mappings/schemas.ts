import { readFileSync } from 'node:fs'
import type { ErrorObject } from 'ajv'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { below } from './read-table.ts'
import { tableNames } from './table-files.ts'

const mappings = new URL('../../../mappings/', import.meta.url)

/** A value that does not fit the schema of its table. */
export interface Misfit {
  readonly pointer: string
  readonly text: string
}

let compiled: Ajv2020 | undefined

function schemas(): Ajv2020 {
  if (compiled !== undefined) return compiled
  const ajv = new Ajv2020({
    allErrors: true,
    allowUnionTypes: true,
    strictRequired: false,
    strictTuples: false,
    verbose: true,
  })
  for (const name of ['common.json', ...tableNames]) {
    const path = schemaOf(name)
    ajv.addSchema(JSON.parse(readFileSync(new URL(path, mappings), 'utf8')), addressOf(path))
  }
  compiled = ajv
  return ajv
}

const addressOf = (path: string): string => `https://kinhold.invalid/${path}`

function schemaOf(table: string): string {
  return table.replace(/\.json$/, '.schema.json')
}

/** What of a table its schema does not allow. */
export function misfitsOf(table: string, value: unknown): readonly Misfit[] {
  const validate = schemas().getSchema(addressOf(schemaOf(table)))
  if (validate === undefined || validate(value) === true) return []
  return (validate.errors ?? []).filter(isOwn).map(error => ({ pointer: pointerOf(error), text: wordsOf(error) }))
}

/** Of several ways, of which none fits, the choice itself is told and not what each way lacks. */
function isOwn({ schemaPath, keyword }: ErrorObject): boolean {
  return !/\/(?:oneOf|anyOf)\/\d+\//.test(schemaPath) && keyword !== 'propertyNames'
}

function pointerOf({ instancePath, keyword, params }: ErrorObject): string {
  if (keyword !== 'additionalProperties') return instancePath
  return below(instancePath, String(params.additionalProperty))
}

const words: Readonly<Record<string, (error: ErrorObject) => string>> = {
  additionalProperties: ({ params, parentSchema }) => {
    const known = Object.keys((parentSchema as { properties?: object }).properties ?? {}).filter(
      name => name !== '$schema',
    )
    return `There is no ${quoted(params.additionalProperty)} here; what there is: ${known.join(', ')}.`
  },
  required: ({ params }) => `${params.missingProperty} is missing.`,
  type: ({ params }) => `This must be ${[params.type].flat().map(typeInWords).join(' or ')}.`,
  enum: ({ params }) => `This must be one of: ${(params.allowedValues as unknown[]).join(', ')}.`,
  const: ({ params }) => `This must be ${JSON.stringify(params.allowedValue)}.`,
  pattern: () => 'This has not the form that it needs.',
  not: () => 'This may not be so.',
  minLength: () => 'This must not be empty.',
  minItems: ({ params }) => `This needs ${params.limit} or more.`,
  maxItems: ({ params }) => `This may have ${params.limit} at most.`,
  minProperties: () => 'This must not be empty.',
  uniqueItems: ({ params }) => `The entries ${params.j} and ${params.i} are the same.`,
  anyOf: choice,
  oneOf: choice,
}

function choice({ schema }: ErrorObject): string {
  const names = (schema as { required?: readonly string[] }[]).flatMap(({ required = [] }) => required)
  return `This needs one of: ${names.join(', ')}.`
}

function wordsOf(error: ErrorObject): string {
  const said = words[error.keyword]?.(error) ?? `This does not fit: ${error.message ?? error.keyword}.`
  const { description } = error.parentSchema as { description?: string }
  const explains = ['pattern', 'enum', 'const', 'type', 'not'].includes(error.keyword)
  return explains && description !== undefined ? `${said} What it is: ${description}` : said
}

function quoted(name: unknown): string {
  return JSON.stringify(String(name).slice(0, 100))
}

function typeInWords(type: string): string {
  return (
    { object: 'an object', array: 'a list', string: 'a text', integer: 'a whole number', boolean: 'true or false' }[
      type
    ] ?? `a ${type}`
  )
}
