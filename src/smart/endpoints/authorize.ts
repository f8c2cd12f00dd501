import { isProblem } from '#kernel'
import { redirectResponse, type WebRequest, type WebResponse } from '#web'
import { respondWithError } from '../authorize/respond.ts'
import { checkRequest, loadReturnAddress } from '../authorize/score.ts'
import { readForm } from '../form.ts'
import { type Parts, paths } from '../parts.ts'

type AuthorizeParts = Pick<Parts, 'clients' | 'requests' | 'fhirBase' | 'baseUrl' | 'clock'>

/**
 * GET and POST `/auth/authorize`. A sound request goes on to consent; the redirect in between brings the login cookie
 * along, which a POST from the app's own page would not.
 *
 * @see https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#obtain-authorization-code
 */
export async function authorize(request: WebRequest, parts: AuthorizeParts): Promise<WebResponse> {
  const params = request.method === 'POST' ? await readForm(request) : request.query
  const { client, address } = await loadReturnAddress(params, parts.clients)
  try {
    const sealed = parts.requests.seal(checkRequest(params, client, address, parts))
    return redirectResponse(`${paths.consent}?request=${sealed}`)
  } catch (error) {
    if (isProblem(error)) return respondWithError(client, address, parts.baseUrl, error)
    throw error
  }
}
