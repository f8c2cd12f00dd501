import { type Node, ref } from './node.ts'

const text: Node = { type: 'string' }
const instant: Node = { type: 'string', format: 'date-time' }
const wholeNumber: Node = { type: 'integer', minimum: 0 }
const oneOf = (...values: readonly string[]): Node => ({ type: 'string', enum: values })

interface Documented {
  readonly description: string
  readonly schema: Node
  readonly example?: unknown
  /** The parameter, where the row has another name. */
  readonly name?: string
}

/** What stands in paths. */
const inPath: Readonly<Record<string, Documented>> = {
  id: { description: 'Logical id', schema: text, example: 'example' },
  vid: { description: 'Version id', schema: text, example: '1' },
  job: { description: 'Id of an import, an export, or of what waits for a decision', schema: text, example: 'example' },
  file: { description: 'Number of a file, as the manifest has it', schema: wholeNumber, example: '0' },
  ticket: {
    description: 'What a manifest gave as the last part of a location',
    schema: text,
    example: 'example',
  },
  topic: { name: 'id', description: 'Id of a topic', schema: text, example: 'all' },
}

/** Query parameters that are no search parameters. Those of search are told by the CapabilityStatement. */
const inQuery: Readonly<Record<string, Documented>> = {
  _format: {
    description: 'Instead of Accept',
    schema: oneOf('json', 'xml', 'application/fhir+json', 'application/fhir+xml'),
  },
  _pretty: { description: 'Indents the answer where it is `true`', schema: text },
  _count: { description: 'Entries on a page', schema: wholeNumber },
  _sort: { description: 'Search parameters separated by commas, each with - before it for descending', schema: text },
  _total: { description: 'Whether the total is told', schema: oneOf('none', 'estimate', 'accurate') },
  _include: { description: 'Also what is referred to: Type:parameter[:Type]', schema: text },
  _revinclude: { description: 'Also what refers to it: Type:parameter', schema: text },
  _summary: { description: 'A part of each resource', schema: oneOf('true', 'text', 'data', 'count', 'false') },
  _elements: { description: 'Names of top-level elements, separated by commas', schema: text },
  _contained: {
    description: 'Whether resources are found by what they contain',
    schema: oneOf('false', 'true', 'both'),
  },
  _containedType: {
    description: 'With _contained: whether what contains it is answered, or what is contained',
    schema: oneOf('container', 'contained'),
  },
  _type: { description: 'Resource types, separated by commas', schema: text },
  _since: { description: 'Only what was changed since', schema: instant },
  _outputFormat: {
    description: 'What lines of files are',
    schema: oneOf('application/fhir+ndjson', 'application/ndjson', 'ndjson'),
  },
  _until: { description: 'Only what was changed before', schema: instant },
  _typeFilter: {
    description: 'A search of one type whose matches are wanted of it; given again, or after a comma, either will do',
    schema: text,
  },
  id: { description: 'Id of a Composition, or its URL here', schema: text, example: 'example' },
  persist: { description: 'Keep the document as a Bundle', schema: oneOf('true', 'false') },
  onlyCertainMatches: { description: 'Only the one that is certain', schema: oneOf('true', 'false') },
  _cursor: { description: 'Of a page link; not to be made by hand', schema: text },
  start: { description: 'Only care from this date on', schema: { type: 'string', format: 'date' } },
  end: { description: 'Only care up to this date', schema: { type: 'string', format: 'date' } },
  mode: { description: 'What is asked of the interaction', schema: text },
  profile: { description: 'Canonical URL of a profile to check against', schema: text },
  identifier: { description: 'Of the patient: system|value', schema: text, example: 'https://example.org/mrn|1' },
  graph: { description: 'Canonical URL of a GraphDefinition; none is known', schema: text },
  subject: { description: 'Whose measurements: Patient/id', schema: text, example: 'Patient/example' },
  statistic: { description: 'average, count, median … separated by commas', schema: text, example: 'average,count' },
  duration: { description: 'The last so many hours', schema: { type: 'number' } },
  include: { description: 'Whether the measurements come along', schema: oneOf('true', 'false') },
  limit: { description: 'How many measurements at most come along', schema: wholeNumber },
  query: { description: 'A query in GraphQL', schema: text, example: '{ __typename }' },
  expression: { description: 'FHIRPath that is evaluated', schema: text, example: 'id' },
  context: { description: 'FHIRPath of what it is evaluated on', schema: text },
  operationName: { description: 'Which operation of the query is meant, where it has several', schema: text },
  variables: { description: 'Values of the variables of the query: a JSON object', schema: text },
  source: { description: 'Where a file came from, or the value set of a code', schema: text },
  valueSetVersion: { description: 'Version of the value set', schema: text },
  conceptMapVersion: { description: 'Version of the concept map', schema: text },
  system: {
    description: 'URL of the code system of the code',
    schema: text,
    example: 'http://hl7.org/fhir/administrative-gender',
  },
  version: { description: 'Version of the code system', schema: text },
  systemVersion: { description: 'Version of the code system', schema: text },
  code: { description: 'The code', schema: text, example: 'female' },
  codeA: { description: 'One code', schema: text, example: 'female' },
  codeB: { description: 'The other code', schema: text, example: 'male' },
  display: { description: 'A display that is to be one of the names of the code', schema: text },
  displayLanguage: { description: 'Language of displays, as Accept-Language has it', schema: text, example: 'de-CH' },
  property: { description: 'A property that is to be told; all of them unless given', schema: text },
  abstract: { description: 'Whether codes that only group others will do', schema: oneOf('true', 'false') },
  filter: { description: 'Words that begin words of a display or the code', schema: text },
  offset: { description: 'How many codes come before the page', schema: wholeNumber },
  count: { description: 'How many at most; of codes 0 only tells how many there are', schema: wholeNumber },
  includeDesignations: { description: 'Also the other names of codes', schema: oneOf('true', 'false') },
  designation: { description: 'Only designations of this language or use, system|code', schema: text },
  includeDefinition: { description: 'Also how the value set is composed', schema: oneOf('true', 'false') },
  activeOnly: { description: 'Without codes that are not in use any more', schema: oneOf('true', 'false') },
  excludeNested: { description: 'Expansions are flat in any case', schema: oneOf('true', 'false') },
  excludeNotForUI: { description: 'Without codes that only group others', schema: oneOf('true', 'false') },
  excludePostCoordinated: { description: 'No codes are composed in any case', schema: oneOf('true', 'false') },
  'exclude-system': { description: 'A code system whose codes are left out, with or without |version', schema: text },
  'system-version': { description: 'system|version that counts where none is named', schema: text },
  'check-system-version': { description: 'system|version that must be the one that is named', schema: text },
  'force-system-version': { description: 'system|version that counts whatever is named', schema: text },
  target: { description: 'Canonical URL of the value set in which a translation is sought', schema: text },
  targetsystem: { description: 'URL of the code system in which a translation is sought', schema: text },
  client: { description: 'Client id of an app', schema: text, example: 'tracker' },
  actor: { description: 'Id of an account, as AuditEvents have it', schema: text },
  role: {
    description: 'As what somebody keeps the patient',
    schema: oneOf('owner', 'guardian', 'member', 'viewer', 'none'),
    example: 'guardian',
  },
  reference: { description: 'A resource of this server: Observation/id', schema: text },
  type: { description: 'A resource type', schema: text },
  reverse: { description: 'From targets back to sources', schema: oneOf('true', 'false') },
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
  '_containedType',
  '_format',
  '_pretty',
]

/** Interactions that are told which version is meant. */
const changing = [
  'update',
  'patch',
  'delete',
  'conditional-update',
  'conditional-patch',
  'conditional-delete',
  '$meta-add',
  '$meta-delete',
]

/** Request headers, by the interactions that look at them. */
const inHeader: Readonly<Record<string, Documented & { readonly of: readonly string[] }>> = {
  'If-Match': {
    description: 'W/"version" that is to be current, or * for whichever is',
    schema: text,
    of: changing,
  },
  'If-Unmodified-Since': {
    description: 'When the version that is meant was answered; without effect beside If-Match',
    schema: text,
    of: ['read', 'vread', ...changing],
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
      'patch',
      'conditional-update',
      'conditional-patch',
      'search-type',
      'search-system',
      'search-compartment',
      'transaction',
      '$ingest',
    ],
  },
}

/** Without it nothing is begun: https://hl7.org/fhir/uv/bulkdata/STU2/export.html#bulk-data-kick-off-request */
const asynchronous: Node = {
  name: 'Prefer',
  in: 'header',
  required: true,
  description: 'respond-async, and handling=lenient if what is not supported may be left out',
  schema: text,
  example: 'respond-async',
}

function parameter(name: string, place: string, { description, schema, example }: Documented): Node {
  const required = place === 'path' ? { required: true } : {}
  const shown = example === undefined ? {} : { example }
  return { name, in: place, ...required, description, schema, ...shown }
}

/** The components that operations point to. */
export function parameterComponents(types: readonly string[]): Node {
  const type = { description: 'A resource type of FHIR R4', schema: oneOf(...types), example: 'Patient' }
  const held = { ...type, name: 'type', description: 'A type that the compartment may hold', example: 'Observation' }
  const of = (table: Readonly<Record<string, Documented>>, place: string) =>
    Object.entries(table).map(([name, row]) => [componentName(name, place), parameter(row.name ?? name, place, row)])
  return Object.fromEntries([
    ...of({ ...inPath, type, held }, 'path'),
    ...of(inQuery, 'query'),
    ...of(inHeader, 'header'),
  ])
}

function componentName(name: string, place: string): string {
  return `${place}.${name}`
}

/** Paths in which a variable means something narrower, and the row of it. */
const narrower: Readonly<Record<string, readonly [paths: RegExp, row: string]>> = {
  id: [/^\/SubscriptionTopic\//, 'topic'],
  type: [/^\/[A-Z]\w+\/:id\//, 'held'],
}

/** The variables of a path. */
export function pathParameters(path: string): readonly Node[] {
  return [...path.matchAll(/:([a-z]+)/gi)].map(([, name = '']) => {
    const [paths, row] = narrower[name] ?? []
    return ref('parameters', componentName(paths?.test(path) === true && row !== undefined ? row : name, 'path'))
  })
}

/** Canonical URLs of definitions that every house has, by type. */
const canonicals: Readonly<Record<string, string>> = {
  CodeSystem: 'http://hl7.org/fhir/administrative-gender',
  ValueSet: 'http://hl7.org/fhir/ValueSet/administrative-gender',
  ConceptMap: 'http://hl7.org/fhir/ConceptMap/cm-administrative-gender-v3',
}

function url(path: string): Node {
  const [, type = ''] = path.split('/')
  return parameter('url', 'query', {
    description: `Canonical URL of a ${type}`,
    schema: text,
    example: canonicals[type],
  })
}

/** Query parameters by name; one without a row of its own is a text. `path` tells of what type a `url` is. */
export function queryParameters(names: readonly string[], path = ''): readonly Node[] {
  return names.map(name =>
    path !== '' && name === 'url'
      ? url(path)
      : Object.hasOwn(inQuery, name)
        ? ref('parameters', componentName(name, 'query'))
        : { name, in: 'query', schema: { type: 'string' } },
  )
}

/** The request headers that an interaction looks at. */
export function headerParameters(interaction: string): readonly Node[] {
  if (interaction === '$export' || interaction === '$import') return [asynchronous]
  return Object.entries(inHeader)
    .filter(([, { of }]) => of.includes(interaction))
    .map(([name]) => ref('parameters', componentName(name, 'header')))
}
