import { ownersOf, patientsAsked } from '#access'
import { parseQuery } from '#search'

const baseUrl = 'http://127.0.0.1/fhir'
const asked = (type: string, text: string) => patientsAsked(parseQuery(type, new URLSearchParams(text), { baseUrl }))

describe('the patients that a query asks for', () => {
  it.each([
    ['Observation', 'patient=a', ['a']],
    ['Observation', 'subject=Patient/a&code=x', ['a']],
    ['Observation', 'patient=Patient/a,b', ['a', 'b']],
    ['AllergyIntolerance', 'patient=a', ['a']],
    ['Coverage', 'beneficiary=Patient/a', ['a']],
    ['Observation', `patient=${baseUrl}/Patient/a`, ['a']],
    ['Observation', `patient=a,Patient/a,b,${baseUrl}/Patient/a,a`, ['a', 'b']],
    ['AllergyIntolerance', 'patient=a,a', ['a']],
  ])('are known for %s?%s', (type, text, patients) => {
    expect(asked(type, text)).toEqual(patients)
  })

  it.each([
    ['Observation', 'code=x', 'nothing names one'],
    ['Observation', 'performer=Patient/a', 'performers do not own'],
    ['Observation', 'patient:identifier=a', 'an identifier is no id'],
    ['Observation', 'patient:missing=true', 'it is missing'],
    ['Observation', 'patient.name=a', 'a chain looks into every Patient'],
    ['Observation', 'patient=a&_include=Observation:performer', 'an include may lead to another patient'],
    ['Observation', 'patient=a&_has:Provenance:target:agent=x', 'a reverse chain may'],
    ['Observation', 'patient=a,http://elsewhere.example/Patient/b', 'one of them is not ours'],
    ['Observation', 'subject=Group/a', 'a group is no patient'],
    ['Appointment', 'patient=a', 'an appointment may have several patients and lies with the first'],
    ['Group', 'member=Patient/a', 'a group has many members'],
  ])('are not known for %s?%s: %s', (type, text) => {
    expect(asked(type, text)).toBeUndefined()
  })

  it('are the owners of what names them so', () => {
    for (const type of [
      'Observation',
      'Condition',
      'AllergyIntolerance',
      'Coverage',
      'Immunization',
      'Encounter',
      'Claim',
    ])
      for (const name of ['subject', 'patient', 'beneficiary']) {
        const who = { reference: 'Patient/a' }
        const others = [{ reference: 'Patient/b' }]
        const resource = { resourceType: type, subject: who, patient: who, beneficiary: who, performer: others }
        if (known(type, name))
          expect(ownersOf(resource, baseUrl)).toMatchObject({
            kind: 'patients',
            patients: expect.arrayContaining(['a']),
          })
      }
  })
})

function known(type: string, name: string): boolean {
  try {
    return asked(type, `${name}=Patient/a`) !== undefined
  } catch {
    return false
  }
}
