import type { FhirRequest, FhirResponse, PathParams, Rooms } from '../types.ts'

/** @see https://hl7.org/fhir/smart-app-launch/conformance.html#using-well-known */
export async function smartConfiguration(
  _request: FhirRequest,
  _params: PathParams,
  rooms: Rooms,
): Promise<FhirResponse> {
  const body = JSON.stringify(rooms.smartConfiguration())
  return { status: 200, headers: { 'content-type': 'application/json; charset=utf-8' }, body }
}
