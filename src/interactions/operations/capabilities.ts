import { resourceTypes, toInstant } from '#fhir'
import { inSlices, isProblem, Problem, type Steps, withBudget } from '#kernel'
import { modifiersOf, parseCriterion, type SearchParameter, searchParametersOf } from '#search'
import { isRefused } from '../match.ts'
import { patchTypes } from '../patch/read-patch.ts'
import { terminologyCapabilities } from '../terminology/terminology-capabilities.ts'
import type { FhirRequest, FhirResponse, PathParams, Rooms, Route } from '../types.ts'

type Statement = { readonly [element: string]: unknown }

/**
 * The CapabilityStatement of a catalogue: only what has a row there, only search parameters that are known.
 *
 * @param routes  called at the first request, because the catalogue contains this very interaction
 * @throws Problem `unsupported` · `capabilities.mode-unsupported`
 * @see https://hl7.org/fhir/R4/http.html#capabilities
 */
export function capabilities(routes: () => readonly Route[]): Route['handler'] {
  const statements: Readonly<Record<string, (baseUrl: string, rooms: Rooms) => Steps<Statement>>> = {
    full: (baseUrl, rooms) => capabilityStatement(routes(), baseUrl, rooms),
    terminology: function* (baseUrl, rooms) {
      yield
      return terminologyCapabilities(baseUrl, rooms)
    },
  }
  const printed = new WeakMap<Rooms, Map<string, Promise<Buffer>>>()
  return async (request: FhirRequest, _params: PathParams, rooms: Rooms): Promise<FhirResponse> => {
    const mode = modes.get(request.query.get('mode') ?? 'full')
    const steps = mode === undefined ? undefined : statements[mode]
    if (mode === undefined || steps === undefined) throw unknownMode()
    const known = printed.get(rooms) ?? new Map<string, Promise<Buffer>>()
    printed.set(rooms, known)
    const body = known.get(mode) ?? print(steps(request.baseUrl, rooms))
    known.set(mode, body)
    body.catch(() => known.delete(mode))
    return { status: 200, headers: {}, body: await body }
  }
}

/** Whoever asks first asks for all: it is nobody's budget, and nobody waits for all of it. */
function print(statement: Steps<Statement>): Promise<Buffer> {
  return withBudget('unbounded', async () => Buffer.from(JSON.stringify(await inSlices(statement))))
}

/** Everything here is as R4 has it normatively or not: the two modes tell the same. */
const modes: ReadonlyMap<string, string> = new Map([
  ['full', 'full'],
  ['normative', 'full'],
  ['terminology', 'terminology'],
])

function unknownMode(): Problem {
  return new Problem(
    'unsupported',
    'capabilities.mode-unsupported',
    'metadata knows the modes full, normative and terminology.',
    { expression: 'mode' },
  )
}

function* capabilityStatement(routes: readonly Route[], baseUrl: string, rooms: Rooms): Steps<Statement> {
  const { software, clock } = rooms
  const resource: Statement[] = []
  for (const type of resourceTypes) {
    resource.push(resourceCapability(type, routes, { baseUrl, rooms }))
    yield
  }
  return {
    resourceType: 'CapabilityStatement',
    name: software.name,
    status: 'active',
    date: toInstant(clock.nowMs()),
    kind: 'instance',
    instantiates: [
      `${backport}/CapabilityStatement/backport-subscription-server-r4`,
      'http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data',
    ],
    software,
    implementation: { description: "A family's health data, sealed with each patient's own key", url: baseUrl },
    fhirVersion: '4.0.1',
    format: ['application/fhir+json', 'json', 'application/fhir+xml', 'xml'],
    patchFormat: [...patchTypes, 'application/fhir+json', 'application/fhir+xml'],
    rest: [
      {
        // https://hl7.org/fhir/R4/extension-capabilitystatement-websocket.html
        extension: [{ url: websocket, valueUri: rooms.subscriptions.websocketUrl }],
        mode: 'server',
        security: security(rooms.smartConfiguration()),
        resource,
        interaction: systemInteractions(routes),
        searchParam: [{ name: '_type', type: 'special', documentation: 'The types to search; all unless given.' }],
        operation: operations(routes.filter(route => isOfNoType(route))),
        compartment: compartments.map(name => `http://hl7.org/fhir/CompartmentDefinition/${name}`),
      },
    ].map(withoutEmpty),
  }
}

const websocket = 'http://hl7.org/fhir/StructureDefinition/capabilitystatement-websocket'

const compartments = ['patient', 'device', 'encounter', 'practitioner', 'relatedPerson']

const smartService = {
  coding: [{ system: 'http://terminology.hl7.org/CodeSystem/restful-security-service', code: 'SMART-on-FHIR' }],
  text: 'OAuth2 using SMART App Launch (https://hl7.org/fhir/smart-app-launch)',
}

const oauthUris = 'http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris'
const endpoints = ['authorize', 'token', 'register', 'introspect', 'revoke'] as const
const endpointNames = {
  authorize: 'authorization_endpoint',
  token: 'token_endpoint',
  register: 'registration_endpoint',
  introspect: 'introspection_endpoint',
  revoke: 'revocation_endpoint',
} as const

function security(smart: object): Statement {
  const configuration = smart as { readonly [name: string]: unknown }
  const extension = endpoints.flatMap(url => {
    const valueUri = configuration[endpointNames[url]]
    return typeof valueUri === 'string' ? [{ url, valueUri }] : []
  })
  return {
    ...(extension.length > 0 ? { extension: [{ url: oauthUris, extension }] } : {}),
    cors: true,
    service: [smartService],
  }
}

/** How interactions of the catalogue are called in `CapabilityStatement.rest.resource.interaction`. */
const typeInteractions = [
  'read',
  'vread',
  'update',
  'patch',
  'delete',
  'history-instance',
  'history-type',
  'create',
  'search-type',
]
const systemLevel = ['transaction', 'batch', 'search-system', 'history-system']

function resourceCapability(
  type: string,
  routes: readonly Route[],
  { baseUrl, rooms }: { readonly baseUrl: string; readonly rooms: Rooms },
): Statement {
  const offered = routes.filter(route => !isRefused(route, { type }))
  const has = (interaction: string) => offered.some(route => route.interaction === interaction)
  const parameters = searchParametersOf(type).filter(({ name }) => isAnswered(type, name, baseUrl))
  return withoutEmpty({
    type,
    ...more[type]?.(rooms),
    interaction: typeInteractions.filter(has).map(code => ({ code })),
    versioning: 'versioned',
    readHistory: has('vread'),
    updateCreate: has('update'),
    conditionalCreate: has('create'),
    conditionalRead: 'full-support',
    conditionalUpdate: has('conditional-update'),
    conditionalDelete: has('conditional-delete') ? 'single' : 'not-supported',
    referencePolicy: ['literal', 'logical', 'local'],
    searchInclude: parameters.filter(({ type: kind }) => kind === 'reference').map(({ name }) => `${type}:${name}`),
    searchParam: parameters.map(parameterCapability),
    operation: operations(offered.filter(route => isOperationOn(route, type))),
  })
}

function parameterCapability(parameter: SearchParameter): Statement {
  const { name, type, url } = parameter
  const modifiers = ['missing', ...(type === 'reference' ? ['[type]'] : []), ...modifiersOf(parameter)]
  const documentation = `Modifiers: ${modifiers.map(modifier => `:${modifier}`).join(' ')}`
  const definition = url === '' ? {} : { definition: url }
  return { name, ...definition, type, ...(type === 'special' ? {} : { documentation }) }
}

/** Asks the search parser itself; that the value fits no kind does not matter. */
function isAnswered(type: string, name: string, baseUrl: string): boolean {
  try {
    parseCriterion(type, name, '1', baseUrl)
    return true
  } catch (error) {
    if (!isProblem(error)) throw error
    return error.kind !== 'unsupported'
  }
}

/** What is said of single types beside what holds for all. */
const more: Readonly<Record<string, (rooms: Rooms) => Statement>> = {
  Subscription: ({ subscriptions }) => ({
    supportedProfile: [`${backport}/StructureDefinition/backport-subscription`],
    extension: subscriptions.topics.map(valueCanonical => ({
      url: `${backport}/StructureDefinition/capabilitystatement-subscriptiontopic-canonical`,
      valueCanonical,
    })),
  }),
}

const backport = 'http://hl7.org/fhir/uv/subscriptions-backport'

/** `$review`, but not `Patient/$everything`. */
function isOfNoType({ path }: Route): boolean {
  return !/^\/(?::type|[A-Z])/.test(path)
}

function isOperationOn({ path }: Route, type: string): boolean {
  return path.startsWith('/:type') || path.startsWith(`/${type}/`)
}

/** FHIR's own definitions; operations of our own are named by a URN, because nothing is published under a URL. */
const definitions: Readonly<Record<string, string>> = {
  $validate: 'http://hl7.org/fhir/OperationDefinition/Resource-validate',
  $everything: 'http://hl7.org/fhir/OperationDefinition/Patient-everything',
  $meta: 'http://hl7.org/fhir/OperationDefinition/Resource-meta',
  '$meta-add': 'http://hl7.org/fhir/OperationDefinition/Resource-meta-add',
  '$meta-delete': 'http://hl7.org/fhir/OperationDefinition/Resource-meta-delete',
  $fhirpath: 'urn:kinhold:operation:fhirpath',
  $graphql: 'http://hl7.org/fhir/OperationDefinition/Resource-graphql',
  $summary: 'http://hl7.org/fhir/uv/ips/OperationDefinition/summary',
  $ingest: 'urn:kinhold:operation:patient-ingest',
  $import: 'urn:kinhold:operation:import',
  $document: 'http://hl7.org/fhir/OperationDefinition/Composition-document',
  $match: 'http://hl7.org/fhir/OperationDefinition/Patient-match',
  '$explain-access': 'urn:kinhold:operation:patient-explain-access',
  '$audit-export': 'urn:kinhold:operation:patient-audit-export',
  $merge: 'http://hl7.org/fhir/OperationDefinition/Patient-merge',
  $unmerge: 'urn:kinhold:operation:patient-unmerge',
  $review: 'urn:kinhold:operation:review',
  $letters: 'urn:kinhold:operation:letters',
  $purge: 'urn:kinhold:operation:patient-purge',
  $status: `${backport}/OperationDefinition/backport-subscription-status`,
  $events: `${backport}/OperationDefinition/backport-subscription-events`,
  '$get-ws-binding-token': `${backport}/OperationDefinition/backport-subscription-get-ws-binding-token`,
  '$signing-key': 'urn:kinhold:operation:subscription-signing-key',
}

/** Operations of these types have a page of their own for each: `$everything` of a Patient is not that of an Encounter. */
const ownPages: ReadonlySet<string> = new Set(['CodeSystem', 'ValueSet', 'ConceptMap', 'Encounter', 'Observation'])
/** `$export` is defined at three levels. */
const exports: Readonly<Record<string, string>> = {
  Patient: 'http://hl7.org/fhir/uv/bulkdata/OperationDefinition/patient-export',
  Group: 'http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export',
}
const exportOfAll = 'http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export'

function operations(routes: readonly Route[]): readonly Statement[] {
  const offered = new Map(routes.map(({ interaction, path }) => [interaction, definitionOf(interaction, path)]))
  return [...offered].flatMap(([name, definition]) =>
    definition === undefined ? [] : [{ name: name.slice(1), definition }],
  )
}

/** `$validate-code` is defined for two types, each by its own page. */
function definitionOf(interaction: string, path: string): string | undefined {
  const [, type = ''] = path.split('/')
  if (ownPages.has(type) && interaction.startsWith('$'))
    return `http://hl7.org/fhir/OperationDefinition/${type}-${interaction.slice(1)}`
  if (interaction === '$export') return exports[type] ?? exportOfAll
  return Object.hasOwn(definitions, interaction) ? definitions[interaction] : undefined
}

function systemInteractions(routes: readonly Route[]): readonly Statement[] {
  const offered = new Set(routes.map(route => route.interaction))
  if (offered.has('transaction')) offered.add('batch')
  return systemLevel.filter(code => offered.has(code)).map(code => ({ code }))
}

/** FHIR knows no empty arrays. */
function withoutEmpty(statement: Statement): Statement {
  return Object.fromEntries(Object.entries(statement).filter(([, value]) => !Array.isArray(value) || value.length > 0))
}
