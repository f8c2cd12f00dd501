/** Two people on one server, behind its real web face: Anna, whose token the attacker has, and Bruno, about whom they want to know. */
import { listen } from '#http'
import { openWebHouse, type WebHouse } from '../../rooms/http/web-house.ts'
import { type Answer, openClient, type Sent } from '../server/client.ts'

export interface AttackedHouse extends WebHouse {
  readonly url: string
  /** Everything. */
  readonly admin: string
  send(token: string | undefined, sent: Sent): Promise<Answer>
  /** Sends as the administrator, and fails unless it was done. */
  arrange(...sent: readonly Sent[]): Promise<void>
}

export const baseUrl = 'http://127.0.0.1:8080'

export async function openAttackedHouse(): Promise<AttackedHouse> {
  const house = await openWebHouse({ baseUrl })
  const listening = await listen(house.app, { host: '127.0.0.1', port: 0 })
  const url = `http://${listening.host}:${listening.port}`
  const admin = await house.token('system/*.cruds')

  async function send(token: string | undefined, sent: Sent): Promise<Answer> {
    const client = openClient(url, token)
    try {
      return await client.send(sent)
    } finally {
      client.close()
    }
  }

  return {
    ...house,
    url,
    admin,
    send,
    async arrange(...sent) {
      for (const each of sent) {
        const { status, body } = await send(admin, each)
        if (status >= 300) throw new Error(`${each.method} ${each.path}: ${status} ${body}`)
      }
    },
    async close() {
      await listening.close()
      await house.close()
    },
  }
}

/** What is written of a person: one of each kind of thing that a search could reach somebody by. */
export function recordOf(id: string, family: string, value: number): readonly Sent[] {
  const subject = { reference: `Patient/${id}` }
  const put = (type: string, suffix: string, resource: object): Sent => ({
    method: 'PUT',
    path: `/fhir/${type}/${id}-${suffix}`,
    body: { resourceType: type, id: `${id}-${suffix}`, ...resource },
  })
  const observation = {
    status: 'final',
    category: [
      { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/observation-category', code: 'laboratory' }] },
    ],
    code: { coding: [{ system: 'http://loinc.org', code: '29463-7' }] },
    subject,
    effectiveDateTime: '2024-01-01',
    valueQuantity: { value, system: 'http://unitsofmeasure.org', code: 'kg', unit: 'kg' },
  }
  return [
    {
      method: 'PUT',
      path: `/fhir/Patient/${id}`,
      body: {
        resourceType: 'Patient',
        id,
        identifier: [{ system: 'urn:example', value: `number-of-${id}` }],
        name: [{ family, given: ['Given'] }],
        birthDate: '1980-02-03',
      },
    },
    put('Observation', 'w', observation),
    put('Observation', 'w', { ...observation, valueQuantity: { ...observation.valueQuantity, value: value + 1 } }),
    put('Observation', 'gone', observation),
    { method: 'DELETE', path: `/fhir/Observation/${id}-gone` },
    put('Condition', 'c', { subject, code: { text: `condition of ${family}` } }),
    put('List', 'l', {
      status: 'current',
      mode: 'working',
      subject,
      entry: [{ item: { reference: `Observation/${id}-w` } }],
    }),
    put('Provenance', 'p', {
      target: [{ reference: `Observation/${id}-w` }],
      recorded: '2024-01-01T00:00:00Z',
      agent: [{ who: { reference: `Patient/${id}` } }],
    }),
  ]
}
