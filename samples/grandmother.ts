const patient = 'urn:uuid:3f0a6c1e-5b0e-4b7a-9a31-000000000001'
const practitioner = 'urn:uuid:3f0a6c1e-5b0e-4b7a-9a31-000000000002'
const clinic = 'urn:uuid:3f0a6c1e-5b0e-4b7a-9a31-000000000003'

const snomed = (code: string, display: string) => ({ system: 'http://snomed.info/sct', code, display })
const loinc = (code: string, display: string) => ({ system: 'http://loinc.org', code, display })
const concept = (coding: object, text: string) => ({ coding: [coding], text })
const terminology = (name: string, code: string) => ({
  coding: [{ system: `http://terminology.hl7.org/CodeSystem/${name}`, code }],
})

type Resource = Readonly<Record<string, unknown>> & { readonly resourceType: string }

function condition(code: string, text: string, since: string): Resource {
  return {
    resourceType: 'Condition',
    clinicalStatus: terminology('condition-clinical', 'active'),
    verificationStatus: terminology('condition-ver-status', 'confirmed'),
    category: [terminology('condition-category', 'problem-list-item')],
    code: concept(snomed(code, text), text),
    subject: { reference: patient },
    onsetDateTime: since,
    asserter: { reference: practitioner },
  }
}

function medication(atc: string, text: string, dosage: string, since: string): Resource {
  return {
    resourceType: 'MedicationStatement',
    status: 'active',
    medicationCodeableConcept: concept({ system: 'http://www.whocc.no/atc', code: atc, display: text }, text),
    subject: { reference: patient },
    effectivePeriod: { start: since },
    dosage: [{ text: dosage }],
  }
}

function vital(code: string, text: string, value: number, unit: string, at: string): Resource {
  return {
    resourceType: 'Observation',
    status: 'final',
    category: [terminology('observation-category', 'vital-signs')],
    code: concept(loinc(code, text), text),
    subject: { reference: patient },
    effectiveDateTime: at,
    performer: [{ reference: practitioner }],
    valueQuantity: { value, unit, system: 'http://unitsofmeasure.org', code: unit },
  }
}

function bloodPressure(systolic: number, diastolic: number, at: string): Resource {
  const part = (code: string, text: string, value: number) => ({
    code: concept(loinc(code, text), text),
    valueQuantity: { value, unit: 'mm[Hg]', system: 'http://unitsofmeasure.org', code: 'mm[Hg]' },
  })
  return {
    resourceType: 'Observation',
    status: 'final',
    category: [terminology('observation-category', 'vital-signs')],
    code: concept(loinc('85354-9', 'Blood pressure panel'), 'Blood pressure'),
    subject: { reference: patient },
    effectiveDateTime: at,
    component: [
      part('8480-6', 'Systolic blood pressure', systolic),
      part('8462-4', 'Diastolic blood pressure', diastolic),
    ],
  }
}

const resources: readonly Resource[] = [
  condition('38341003', 'High blood pressure', '2009-05'),
  condition('44054006', 'Type 2 diabetes', '2014-11-03'),
  medication('C09AA05', 'Ramipril 5 mg', '1 tablet in the morning', '2010-01-15'),
  medication('A10BA02', 'Metformin 1000 mg', '1 tablet twice a day with meals', '2014-11-10'),
  bloodPressure(148, 84, '2026-01-12T09:10:00+01:00'),
  bloodPressure(139, 80, '2026-02-02T09:05:00+01:00'),
  vital('8867-4', 'Heart rate', 72, '/min', '2026-02-02T09:05:00+01:00'),
  vital('29463-7', 'Body weight', 68.5, 'kg', '2026-02-02T09:00:00+01:00'),
  {
    resourceType: 'Observation',
    status: 'final',
    category: [terminology('observation-category', 'laboratory')],
    code: concept(loinc('4548-4', 'Hemoglobin A1c/Hemoglobin.total in Blood'), 'HbA1c'),
    subject: { reference: patient },
    effectiveDateTime: '2026-01-12',
    valueQuantity: { value: 7.1, unit: '%', system: 'http://unitsofmeasure.org', code: '%' },
  },
  {
    resourceType: 'AllergyIntolerance',
    clinicalStatus: terminology('allergyintolerance-clinical', 'active'),
    verificationStatus: terminology('allergyintolerance-verification', 'confirmed'),
    category: ['medication'],
    criticality: 'high',
    code: concept(snomed('91936005', 'Allergy to penicillin'), 'Penicillin'),
    patient: { reference: patient },
    reaction: [{ manifestation: [concept(snomed('271807003', 'Eruption of skin'), 'Rash')], severity: 'moderate' }],
  },
  {
    resourceType: 'Immunization',
    status: 'completed',
    vaccineCode: concept(
      { system: 'http://hl7.org/fhir/sid/cvx', code: '140', display: 'Influenza, seasonal' },
      'Flu vaccine',
    ),
    patient: { reference: patient },
    occurrenceDateTime: '2025-10-14',
    performer: [{ actor: { reference: clinic } }],
  },
]

/** What a family doctor might hand over: a transaction that names its own patient. */
export function grandmother(): object {
  const people: readonly (readonly [string, Resource])[] = [
    [
      patient,
      {
        resourceType: 'Patient',
        identifier: [{ system: 'urn:oid:2.999.1.1', value: '4711' }],
        name: [{ use: 'official', family: 'Lindqvist', given: ['Greta', 'Maria'] }],
        gender: 'female',
        birthDate: '1951-03-12',
      },
    ],
    [
      practitioner,
      {
        resourceType: 'Practitioner',
        identifier: [{ system: 'urn:oid:2.999.2', value: 'D-17' }],
        name: [{ family: 'Brandt', given: ['Ulrike'], prefix: ['Dr.'] }],
      },
    ],
    [
      clinic,
      {
        resourceType: 'Organization',
        identifier: [{ system: 'urn:oid:2.999.2', value: 'P-3' }],
        name: 'Praxis am Hafen',
      },
    ],
  ]
  const numbered = resources.map((resource, i): [string, Resource] => {
    const last = String(i + 10).padStart(12, '0')
    return [`urn:uuid:3f0a6c1e-5b0e-4b7a-9a31-${last}`, resource]
  })
  const entry = [...people, ...numbered].map(([fullUrl, resource]) => ({
    fullUrl,
    resource,
    request: { method: 'POST', url: resource.resourceType },
  }))
  return { resourceType: 'Bundle', type: 'transaction', entry }
}
