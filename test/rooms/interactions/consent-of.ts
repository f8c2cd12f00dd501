/** Consents as an owner writes them: https://hl7.org/fhir/R4/consent.html */
import type { Resource } from '#fhir'

const acts = 'http://terminology.hl7.org/CodeSystem/v3-ActCode'
const participations = 'http://terminology.hl7.org/CodeSystem/v3-ParticipationType'

/** An active Consent of a patient with a base of permit by policy. */
export function consentOf(patient: string, provision: object, more: object = {}): Resource {
  return {
    resourceType: 'Consent',
    status: 'active',
    scope: { coding: [{ system: 'http://terminology.hl7.org/CodeSystem/consentscope', code: 'patient-privacy' }] },
    category: [{ coding: [{ system: 'http://loinc.org', code: '59284-0' }] }],
    patient: { reference: `Patient/${patient}` },
    policyRule: { coding: [{ system: acts, code: 'OPTIN' }] },
    provision: { type: 'deny', ...provision },
    ...more,
  }
}

/** A class of a provision: resources of these types. */
export const ofTypes = (...codes: readonly string[]) => ({
  class: codes.map(code => ({ system: 'http://hl7.org/fhir/resource-types', code })),
})

/** The codes of a provision, each `system|code`. */
export const ofCodes = (...codes: readonly string[]) => ({
  code: codes.map(each => {
    const [system, code] = each.split('|')
    return { coding: [{ system, code }] }
  }),
})

const receiver = { coding: [{ system: participations, code: 'IRCP' }] }

/** Actors of a provision who are told, each `client=`, `actor=` or `role=`. */
export const toRecipients = (...recipients: readonly string[]) => ({
  actor: recipients.map(each => {
    const [kind, value] = each.split('=')
    return { role: receiver, reference: { identifier: { system: `https://kinhold.org/fhir/${kind}`, value } } }
  }),
})
