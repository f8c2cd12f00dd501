import { parseResource, type Resource } from '#fhir'
import { Problem } from '#kernel'
import type { FhirRequest } from '../types.ts'
import { checkJsonBody } from './negotiate.ts'

/**
 * The resource that a request carries, of any type or of the one its path names.
 *
 * @throws Problem `unsupported-media` · `body.type-unsupported`; `invalid` · `body.missing`, `body.type-differs` and
 *   whatever `parseResource` throws
 */
export async function readResource(request: FhirRequest, type?: string): Promise<Resource> {
  const resource = request.resource ?? (await parseBody(request))
  if (type !== undefined && resource.resourceType !== type)
    throw new Problem('invalid', 'body.type-differs', 'The body is of another resource type than the URL.', {
      expression: 'resourceType',
    })
  return resource
}

async function parseBody(request: FhirRequest): Promise<Resource> {
  checkJsonBody(request)
  const bytes = await request.body()
  if (bytes.length === 0) throw new Problem('invalid', 'body.missing', 'This interaction needs a resource as its body.')
  return parseResource(bytes)
}
