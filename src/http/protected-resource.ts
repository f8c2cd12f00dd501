import type { Smart } from '#smart'

/**
 * What a client that was refused can learn about where tokens come from.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9728
 */
export function protectedResource(baseUrl: string, smart: Pick<Smart, 'configuration'>): object {
  const { scopes_supported } = smart.configuration() as { readonly scopes_supported?: unknown }
  return {
    resource: `${baseUrl}/fhir`,
    authorization_servers: [baseUrl],
    bearer_methods_supported: ['header'],
    ...(scopes_supported === undefined ? {} : { scopes_supported }),
  }
}
