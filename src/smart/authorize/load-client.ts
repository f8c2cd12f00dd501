import { Problem } from '#kernel'
import type { Client, Clients } from '../clients/clients.ts'
import { single } from '../form.ts'

/** The app that asks. Nobody may be sent anywhere before it is known: these faults are shown, never redirected. */
export async function loadClient(params: URLSearchParams, clients: Clients): Promise<Client> {
  const id = single(params, 'client_id')
  const client = id === undefined ? undefined : await clients.get(id)
  if (client === undefined || !client.grantTypes.includes('authorization_code'))
    throw new Problem(
      'invalid',
      'smart.client-unknown',
      'The app that sent you here is not registered with this server.',
    )
  return client
}
