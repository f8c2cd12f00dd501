import { ownersInSteps, ownersOf } from '#access'
import { mapLinks, mapLinksInSteps, mapReferences, mapReferencesInSteps, type Resource } from '#fhir'
import { inSlices, type Steps } from '#kernel'
import { metWhile, mostMetMs } from '../../turns.ts'

const base = 'https://example.org/fhir'
const count = 200_000
const list = <T>(length: number, at: (at: number) => T) => Array.from({ length }, (_, index) => at(index))

/** Another spelling of a reference, which takes longest to read: https://www.rfc-editor.org/rfc/rfc3986#section-6.2 */
const spelt = (at: number) => ({ reference: `HTTPS://Example.org/fhir/Patient/p${at % 7}` })
const observation = (performer: readonly object[]): Resource => ({ resourceType: 'Observation', performer })
const photographed = (length: number): Resource => ({
  resourceType: 'Patient',
  id: 'p',
  photo: list(length, at => ({ url: `Binary/b${at}` })),
})
const narrated = (length: number): Resource => ({
  resourceType: 'Patient',
  id: 'p',
  text: {
    status: 'generated',
    div: `<div xmlns="http://www.w3.org/1999/xhtml">${list(length, at => `<a href="#a${at}">a</a>`).join('')}</div>`,
  },
})
const profiled = (length: number): Resource => ({
  resourceType: 'Patient',
  id: 'p',
  meta: { profile: list(length, at => `http://example.org/p${at}`) },
})
const inBundle = (length: number): Resource => ({
  resourceType: 'Bundle',
  type: 'collection',
  entry: list(length, at => ({ resource: observation([spelt(at)]) })),
})

/** The most texts that were looked at between two steps. */
function mostInAStep(stepsOf: (visit: (text: string) => string) => Steps<void>): number {
  let [most, now] = [0, 0]
  const steps = stepsOf(text => {
    now++
    most = Math.max(most, now)
    return text
  })
  for (let step = steps.next(); step.done !== true; step = steps.next()) now = 0
  return most
}

describe('whose a large resource is, and what it refers to', () => {
  const large: Readonly<Record<string, Resource>> = {
    'of performers': observation(list(50, spelt)),
    'of photos': photographed(50),
    'of links in its narrative': narrated(50),
    'of profiles': profiled(50),
    'of entries': inBundle(50),
    'of links within links': observation(
      list(50, at => ({ ...spelt(at), extension: [{ url: 'x:y', valueUri: 'z' }] })),
    ),
  }

  for (const [name, resource] of Object.entries(large))
    it(`is looked at link by link: ${name}`, () => {
      // A Reference may have a `type`, which is a uri, beside it.
      expect(mostInAStep(visit => mapLinksInSteps(resource, visit))).toBeLessThanOrEqual(2)
      expect(mostInAStep(visit => mapReferencesInSteps(resource, visit))).toBeLessThanOrEqual(1)
    })

  for (const [name, resource] of Object.entries(large))
    it(`is the same as at once: ${name}`, async () => {
      const [one, other] = [structuredClone(resource), structuredClone(resource)]
      const change = (text: string, path: string) => `${text}|${path}`
      mapLinks(one, change)
      await inSlices(mapLinksInSteps(other, change))
      expect(other).toEqual(one)
      mapReferences(one, change)
      await inSlices(mapReferencesInSteps(other, change))
      expect(other).toEqual(one)
      expect(await inSlices(ownersInSteps(resource, base))).toEqual(ownersOf(resource, base))
    })

  it('is told while others have their turns', async () => {
    const resource = observation(list(count, spelt))
    const { result, metMs } = await metWhile(() => inSlices(ownersInSteps(resource, base)))
    expect(result).toEqual({ kind: 'patients', patients: list(7, at => `p${at}`) })
    expect(metMs).toBeLessThan(mostMetMs)
    const patient = photographed(count)
    const walked = await metWhile(() => inSlices(mapLinksInSteps(patient, text => `${text}x`)))
    expect(walked.metMs).toBeLessThan(mostMetMs)
    // On a busy machine it is measured, and done, again.
    expect((patient.photo as { url: string }[]).at(-1)?.url).toMatch(new RegExp(`^Binary/b${count - 1}x{1,3}$`))
  })
})
