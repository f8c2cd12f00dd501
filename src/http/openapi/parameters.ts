import { type Node, ref } from './node.ts'

const text: Node = { type: 'string' }
const instant: Node = { type: 'string', format: 'date-time' }
const wholeNumber: Node = { type: 'integer', minimum: 0 }
const oneOf = (...values: readonly string[]): Node => ({ type: 'string', enum: values })

interface Documented {
  readonly description: string
  readonly schema: Node
  readonly example?: unknown
}

/** What stands in paths. */
const inPath: Readonly<Record<string, Documented>> = {
  id: { description: 'Logical id', schema: text, example: 'example' },
  vid: { description: 'Version id', schema: text, example: '1' },
  job: { description: 'Id of an import', schema: text },
  ticket: { description: 'What a manifest gave as the last part of a location', schema: text },
}

/** Query parameters that are no search parameters. Those of search are told by the CapabilityStatement. */
const inQuery: Readonly<Record<string, Documented>> = {
  _format: { description: 'Instead of Accept; JSON is all there is', schema: oneOf('json', 'application/fhir+json') },
  _pretty: { description: 'Indents the answer', schema: oneOf('true', 'false') },
  _count: { description: 'Entries on a page', schema: wholeNumber },
  _sort: { description: 'Search parameters separated by commas, each with - before it for descending', schema: text },
  _total: { description: 'Whether the total is told', schema: oneOf('none', 'estimate', 'accurate') },
  _include: { description: 'Also what is referred to: Type:parameter[:Type]', schema: text },
  _revinclude: { description: 'Also what refers to it: Type:parameter', schema: text },
  _summary: { description: 'A part of each resource', schema: oneOf('true', 'text', 'data', 'count', 'false') },
  _elements: { description: 'Names of top-level elements, separated by commas', schema: text },
  _contained: { description: 'Contained resources are not searched', schema: oneOf('false') },
  _type: { description: 'Resource types, separated by commas', schema: text },
  _since: { description: 'Only what was changed since', schema: instant },
  _cursor: { description: 'Of a page link; not to be made by hand', schema: text },
  start: { description: 'Only care from this date on', schema: { type: 'string', format: 'date' } },
  end: { description: 'Only care up to this date', schema: { type: 'string', format: 'date' } },
  mode: { description: 'What is asked of the interaction', schema: text },
  profile: { description: 'Canonical URL of a profile to check against', schema: text },
  identifier: { description: 'Of the patient: system|value', schema: text, example: 'https://example.org/mrn|1' },
  graph: { description: 'Canonical URL of a GraphDefinition; none is known', schema: text },
  source: { description: 'Where the file came from', schema: text },
  force: {
    description: 'Import although the file contradicts what is known of the patient',
    schema: oneOf('true', 'false'),
  },
}

/** Of every search: how the answer is to look. */
export const searchControls = [
  '_count',
  '_sort',
  '_include',
  '_revinclude',
  '_summary',
  '_elements',
  '_total',
  '_contained',
  '_format',
  '_pretty',
]

/** Request headers, by the interactions that look at them. */
const inHeader: Readonly<Record<string, Documented & { readonly of: readonly string[] }>> = {
  'If-Match': {
    description: 'W/"version" that is to be current',
    schema: text,
    of: ['update', 'delete', 'conditional-update', 'conditional-delete'],
  },
  'If-None-Match': {
    description: 'W/"version" known already, or * where nothing must be there yet',
    schema: text,
    of: ['read', 'vread', 'update'],
  },
  'If-Modified-Since': { description: 'When the known version was answered', schema: text, of: ['read', 'vread'] },
  'If-None-Exist': { description: 'A search; created only if it finds nothing', schema: text, of: ['create'] },
  Prefer: {
    description: 'return=minimal|representation|OperationOutcome, handling=lenient, respond-async',
    schema: text,
    of: [
      'create',
      'update',
      'conditional-update',
      'search-type',
      'search-system',
      'search-compartment',
      'transaction',
      '$ingest',
    ],
  },
}

function parameter(name: string, place: string, { description, schema, example }: Documented): Node {
  const required = place === 'path' ? { required: true } : {}
  const shown = example === undefined ? {} : { example }
  return { name, in: place, ...required, description, schema, ...shown }
}

/** The components that operations point to. */
export function parameterComponents(types: readonly string[]): Node {
  const type = { description: 'A resource type of FHIR R4', schema: oneOf(...types), example: 'Patient' }
  const of = (table: Readonly<Record<string, Documented>>, place: string) =>
    Object.entries(table).map(([name, row]) => [componentName(name, place), parameter(name, place, row)])
  return Object.fromEntries([...of({ ...inPath, type }, 'path'), ...of(inQuery, 'query'), ...of(inHeader, 'header')])
}

function componentName(name: string, place: string): string {
  return `${place}.${name}`
}

/** The variables of a path. */
export function pathParameters(path: string): readonly Node[] {
  return [...path.matchAll(/:([a-z]+)/gi)].map(([, name = '']) => ref('parameters', componentName(name, 'path')))
}

/** Query parameters by name; one without a row of its own is a text. */
export function queryParameters(names: readonly string[]): readonly Node[] {
  return names.map(name =>
    Object.hasOwn(inQuery, name)
      ? ref('parameters', componentName(name, 'query'))
      : { name, in: 'query', schema: { type: 'string' } },
  )
}

/** The request headers that an interaction looks at. */
export function headerParameters(interaction: string): readonly Node[] {
  return Object.entries(inHeader)
    .filter(([, { of }]) => of.includes(interaction))
    .map(([name]) => ref('parameters', componentName(name, 'header')))
}
