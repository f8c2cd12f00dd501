import { matcher, perform, type Rooms } from '#interactions'

/** A search parameter of a type. */
export interface NamedParameter {
  readonly name: string
  /** `token`, `date` … */
  readonly type: string
}

/** What the CapabilityStatement says of one type. */
export interface TypeCapability {
  readonly type: string
  /** Codes of the interactions that it offers. */
  readonly interactions: ReadonlySet<string>
  readonly searchParameters: readonly NamedParameter[]
}

interface Resource {
  readonly type: string
  readonly interaction?: readonly { readonly code: string }[]
  readonly conditionalUpdate?: boolean
  readonly conditionalDelete?: string
  readonly searchParam?: readonly NamedParameter[]
}

function interactionsOf({ interaction = [], conditionalUpdate, conditionalDelete }: Resource): ReadonlySet<string> {
  return new Set([
    ...interaction.map(({ code }) => code),
    ...(conditionalUpdate === true ? ['conditional-update'] : []),
    ...(conditionalDelete === 'single' ? ['conditional-delete'] : []),
  ])
}

/** What the server's own `/fhir/metadata` says of each type, so that the two documents cannot differ. */
export async function typeCapabilities(rooms: Rooms, baseUrl: string): Promise<readonly TypeCapability[]> {
  const match = matcher.match('GET', '/metadata')
  if (match === undefined) return []
  const nothing = async () => Buffer.alloc(0)
  const { body } = await perform(
    match,
    {
      method: 'GET',
      path: '/metadata',
      query: new URLSearchParams(),
      header: () => undefined,
      body: nothing,
      async *stream() {},
      grant: undefined,
      baseUrl: `${baseUrl}/fhir`,
    },
    rooms,
  )
  const statement = JSON.parse(String(body)) as { readonly rest: readonly [{ readonly resource: readonly Resource[] }] }
  return statement.rest[0].resource.map(resource => ({
    type: resource.type,
    interactions: interactionsOf(resource),
    searchParameters: resource.searchParam ?? [],
  }))
}
