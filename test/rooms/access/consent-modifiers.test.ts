/** What a modifier changes is never passed over: https://hl7.org/fhir/R4/extensibility.html#modifierExtension */
import { readConsent } from '#access'
import { consentOf, toRecipients } from '../interactions/consent-of.ts'

const modifierExtension = [{ url: 'urn:test:not', valueBoolean: true }]
const [actor] = toRecipients('client=x').actor
const data = { meaning: 'instance', reference: { reference: 'Observation/x' } }

it.each([
  ['Consent', {}, { modifierExtension }, 'Consent.modifierExtension'],
  ['a provision', { modifierExtension }, {}, 'Consent.provision.modifierExtension'],
  ['an actor', { actor: [{ ...actor, modifierExtension }] }, {}, 'Consent.provision.actor[0].modifierExtension'],
  ['data', { data: [{ ...data, modifierExtension }] }, {}, 'Consent.provision.data[0].modifierExtension'],
])('of %s refuses it by its element', (_, provision, more, expression) => {
  const reading = readConsent(consentOf('a', provision, more), 'http://127.0.0.1:8080/fhir')
  expect(reading).toMatchObject({ kind: 'refused', issues: [{ expression }] })
})

it('nothing else of these is refused', () => {
  const provision = { actor: [actor], data: [data] }
  expect(readConsent(consentOf('a', provision), 'http://127.0.0.1:8080/fhir')).toMatchObject({ kind: 'rules' })
})
