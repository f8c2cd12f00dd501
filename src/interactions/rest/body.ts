import { parseSentJson, parseSentXml, type Resource, toResource } from '#fhir'
import { Problem } from '#kernel'
import type { FhirRequest } from '../types.ts'
import { bodyFormat } from './negotiate.ts'

/**
 * The resource that a request carries, of any type or of the one its path names.
 *
 * @throws Problem `unsupported-media` · `body.type-unsupported`; `invalid` · `body.missing`, `body.type-differs` and
 *   whatever `parseSentJson`, `parseSentXml` and `toResource` throw
 */
export async function readResource(request: FhirRequest, type?: string): Promise<Resource> {
  const resource = await readOptionalResource(request, type)
  if (resource !== undefined) return resource
  bodyFormat(request)
  throw bodyMissing()
}

export const bodyMissing = () =>
  new Problem('invalid', 'body.missing', 'This interaction needs a resource as its body.')

/** As `readResource`; undefined when there is no body. */
export async function readOptionalResource(request: FhirRequest, type?: string): Promise<Resource | undefined> {
  const resource = request.resource ?? (await parseBody(request))
  if (type === undefined || resource === undefined || resource.resourceType === type) return resource
  throw new Problem('invalid', 'body.type-differs', 'The body is of another resource type than the URL.', {
    expression: 'resourceType',
  })
}

async function parseBody(request: FhirRequest): Promise<Resource | undefined> {
  const bytes = await request.body()
  if (bytes.length === 0) return undefined
  return bodyFormat(request) === 'xml' ? parseSentXml(bytes) : toResource(await parseSentJson(bytes))
}
